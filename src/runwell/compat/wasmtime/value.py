"""``Val``: values with their types, and values without."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from runwell.base.types import ValType as Native
from runwell.compat.wasmtime.types import ValType

if TYPE_CHECKING:
    from runwell.compat.wasmtime.func import Func


def _wrapped(value: int, bits: int) -> int:
    """An integer modulo 2 ** bits, signed."""
    half = 1 << bits - 1
    return (value + half) % (1 << bits) - half


class Val:
    """A value with its type; made by the class methods named after the types."""

    __slots__ = ("native", "value")

    def __init__(self, native: Native, value: Any) -> None:
        self.native, self.value = native, value

    @classmethod
    def i32(cls, val: int) -> "Val":
        """A 32-bit integer; bits beyond are lost."""
        return cls(Native.I32, _integer(val, 32))

    @classmethod
    def i64(cls, val: int) -> "Val":
        """A 64-bit integer; bits beyond are lost."""
        return cls(Native.I64, _integer(val, 64))

    @classmethod
    def f32(cls, val: float) -> "Val":
        """A float of single precision."""
        return cls(Native.F32, _float(val))

    @classmethod
    def f64(cls, val: float) -> "Val":
        """A float of double precision."""
        return cls(Native.F64, _float(val))

    @classmethod
    def externref(cls, extern: Any) -> "Val":
        """A reference to anything."""
        return cls(Native.EXTERNREF, extern)

    @classmethod
    def funcref(cls, f: "Func | None") -> "Val":
        """A reference to a function."""
        return cls(Native.FUNCREF, f)

    @classmethod
    def ref_null(cls, ty: ValType) -> "Val":
        """The null reference of a type."""
        return cls(ty.native, None)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Val):
            return self.native == other.native and bool(self.value == other.value)
        return bool(self.value == other)

    def __hash__(self) -> int:
        return hash(self.value)

    def __repr__(self) -> str:
        return f"Val.{self.native.text}({self.value!r})"

    @property
    def type(self) -> ValType:
        """Its type."""
        return ValType.of(self.native)

    def _if(self, native: Native) -> Any:
        return self.value if self.native == native else None

    def as_i32(self) -> int | None:
        """The value if it is an ``i32``, else None."""
        return self._if(Native.I32)  # type: ignore[no-any-return]

    def as_i64(self) -> int | None:
        """The value if it is an ``i64``, else None."""
        return self._if(Native.I64)  # type: ignore[no-any-return]

    def as_f32(self) -> float | None:
        """The value if it is an ``f32``, else None."""
        return self._if(Native.F32)  # type: ignore[no-any-return]

    def as_f64(self) -> float | None:
        """The value if it is an ``f64``, else None."""
        return self._if(Native.F64)  # type: ignore[no-any-return]

    def as_externref(self) -> Any:
        """What it refers to if it is an ``externref``, else None."""
        return self._if(Native.EXTERNREF)

    def as_funcref(self) -> "Func | None":
        """What it refers to if it is a ``funcref``, else None."""
        return self._if(Native.FUNCREF)  # type: ignore[no-any-return]


def _integer(value: Any, bits: int) -> int:
    if not isinstance(value, int):
        raise TypeError("expected integer")
    return _wrapped(value, bits)


def _float(value: Any) -> float:
    if not isinstance(value, float):
        raise TypeError("expected float")
    return value


_CONVERSIONS: dict[Native, Callable[[Any], Any]] = {
    Native.I32: lambda value: _integer(value, 32),
    Native.I64: lambda value: _integer(value, 64),
    Native.F32: _float,
    Native.F64: _float,
}


def to_native(type_: Native, value: Any) -> Any:
    """A value that a program gives, as Runwell takes it.

    Raises:
        TypeError: it is not of the type.
    """
    if isinstance(value, Val):
        if value.native != type_:
            raise TypeError(f"wrong type of val: {value.native.text} instead of {type_.text}")
        value = value.value
    convert = _CONVERSIONS.get(type_)
    if convert is not None:
        return convert(value)
    if type_.is_ref and type_ == Native.FUNCREF:
        return _native_func(value)
    return value


def _native_func(value: Any) -> Any:
    from runwell.compat.wasmtime.func import Func

    if value is None:
        return None
    if not isinstance(value, Func):
        raise TypeError("expected a Func or None")
    return value.native


def from_native(value: Any) -> Any:
    """A value of Runwell, as programs take it."""
    if isinstance(value, int | float | None):
        return value
    from runwell.compat.wasmtime.func import Func
    from runwell.host.func import Func as NativeFunc

    return Func.of(value) if isinstance(value, NativeFunc) else value
