"""Types of values and of what modules import and export."""

from typing import Any, NamedTuple, TypeAlias

from runwell.base import types as base
from runwell.compat.wasmtime.errors import WasmtimeError
from runwell.compat.wasmtime.face import Face
from runwell.compat.wasmtime.managed import Closable
from runwell.module import types as native


class ValType(Face, Closable):
    """A value type; made by the class methods named after the types."""

    __slots__ = ()

    native: base.ValType

    def __init__(self) -> None:
        raise WasmtimeError("cannot construct directly: use ValType.i32() and the like")

    @classmethod
    def i32(cls) -> "ValType":
        """32-bit integers."""
        return cls.of(base.ValType.I32)

    @classmethod
    def i64(cls) -> "ValType":
        """64-bit integers."""
        return cls.of(base.ValType.I64)

    @classmethod
    def f32(cls) -> "ValType":
        """Floats of single precision."""
        return cls.of(base.ValType.F32)

    @classmethod
    def f64(cls) -> "ValType":
        """Floats of double precision."""
        return cls.of(base.ValType.F64)

    @classmethod
    def externref(cls) -> "ValType":
        """References to anything of the host's."""
        return cls.of(base.ValType.EXTERNREF)

    @classmethod
    def funcref(cls) -> "ValType":
        """References to functions."""
        return cls.of(base.ValType.FUNCREF)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ValType) and self.native == other.native

    def __hash__(self) -> int:
        return hash(self.native)

    def __repr__(self) -> str:
        return self.native.text


def checked_valtype(type_: object) -> base.ValType:
    """The value type, as Runwell knows it.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(type_, ValType):
        raise TypeError("expected valtype")
    return type_.native


class FuncType(Face, Closable):
    """A function type."""

    __slots__ = ()

    native: base.FuncType

    def __init__(self, params: list[ValType], results: list[ValType]) -> None:
        self.native = base.FuncType(
            tuple(map(checked_valtype, params)), tuple(map(checked_valtype, results))
        )

    @property
    def params(self) -> list[ValType]:
        """Types of the parameters."""
        return [ValType.of(t) for t in self.native.params]

    @property
    def results(self) -> list[ValType]:
        """Types of the results."""
        return [ValType.of(t) for t in self.native.results]


class GlobalType(Face, Closable):
    """The type of a global."""

    __slots__ = ()

    native: native.GlobalType

    def __init__(self, valtype: ValType, mutable: bool) -> None:
        self.native = native.GlobalType(checked_valtype(valtype), mutable)

    @property
    def content(self) -> ValType:
        """Type of the value."""
        return ValType.of(self.native.type)

    @property
    def mutable(self) -> bool:
        """May it change?"""
        return self.native.mutable


class Limits(NamedTuple):
    """How much there is at least and at most; ``max`` None is no bound."""

    min: int
    max: int | None = None


class TableType(Face, Closable):
    """The type of a table."""

    __slots__ = ()

    native: native.TableType

    def __init__(self, valtype: ValType, limits: Limits) -> None:
        self.native = native.TableType(checked_valtype(valtype), limits.min, limits.max)

    @property
    def element(self) -> ValType:
        """Type of the elements."""
        return ValType.of(self.native.element)

    @property
    def limits(self) -> Limits:
        """Sizes in elements."""
        return Limits(self.native.minimum, self.native.maximum)


class MemoryType(Face, Closable):
    """The type of a memory.

    Raises:
        WasmtimeError: the limits are beyond what such a memory may have.
    """

    __slots__ = ()

    native: native.MemoryType

    def __init__(
        self,
        limits: Limits,
        is_64: bool = False,
        shared: bool = False,
        page_size_log2: int = 16,
    ) -> None:
        if page_size_log2 not in (0, 16):
            raise WasmtimeError("a page has 1 byte or 65536")
        bits = (64 if is_64 else 32) - page_size_log2
        sizes = [limits.min] if limits.max is None else [limits.min, limits.max]
        if any(not 0 <= size <= 1 << bits for size in sizes):
            raise WasmtimeError(f"the limits of such a memory are at most {1 << bits} pages")
        if limits.max is not None and limits.max < limits.min:
            raise WasmtimeError("the maximum is less than the minimum")
        if shared and limits.max is None:
            raise WasmtimeError("a shared memory needs a maximum")
        self.native = native.MemoryType(limits.min, limits.max, is_64, shared, page_size_log2)

    @property
    def limits(self) -> Limits:
        """Sizes in pages."""
        return Limits(self.native.minimum, self.native.maximum)

    @property
    def is_64(self) -> bool:
        """Is it addressed by 64-bit numbers?"""
        return self.native.is_64

    @property
    def is_shared(self) -> bool:
        """Is it shared between threads?"""
        return self.native.shared

    @property
    def page_size(self) -> int:
        """Bytes of a page."""
        return 1 << self.native.page_bits

    @property
    def page_size_log2(self) -> int:
        """The logarithm of that."""
        return self.native.page_bits


class TagType(Face, Closable):
    """The type of an exception tag."""

    __slots__ = ()

    native: native.TagType

    def __init__(self, functype: FuncType) -> None:
        if not isinstance(functype, FuncType):
            raise TypeError("expected a FuncType")
        self.native = native.TagType(functype.native)

    @property
    def functype(self) -> FuncType:
        """Its parameters are what an exception carries."""
        return FuncType.of(self.native.type)


AsExternType: TypeAlias = FuncType | TableType | MemoryType | GlobalType | TagType


class ImportType(NamedTuple):
    """What a module imports."""

    module: str
    name: str
    type: AsExternType

    def close(self) -> None:
        """Nothing: it goes with its last user."""


class ExportType(NamedTuple):
    """What a module exports."""

    name: str
    type: AsExternType

    def close(self) -> None:
        """Nothing: it goes with its last user."""


_FACES: dict[type, Any] = {
    base.FuncType: FuncType,
    native.TableType: TableType,
    native.MemoryType: MemoryType,
    native.GlobalType: GlobalType,
    native.TagType: TagType,
}


def extern_type(type_: native.ExternType) -> AsExternType:
    """What a type of Runwell is here."""
    found: AsExternType = _FACES[type(type_)].of(type_)
    return found
