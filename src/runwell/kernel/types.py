"""Types of the kernel language, and structs shared by native code and Python.

A type object knows its size and alignment by the rules of C, its LLVM spelling and, built at
first use, its ctypes twin.  Types are compared by identity.  For the type checker the numbers are
plain ``int`` and ``float`` and ``Ptr`` is a generic class, so that kernel sources are ordinary
typed Python; what the numbers really are is checked by the kernel compiler.

This module is imported by every run, so it imports next to nothing.
"""

from __future__ import annotations

from runwell.base import light_ctypes
from runwell.base.light import NamedTuple

__all__ = [  # what kernel sources use; the rest is for the compiler
    "Array",
    "Fn",
    "KernelError",
    "Ptr",
    "ctype_of",
    "f32",
    "f64",
    "i8",
    "i16",
    "i32",
    "i64",
    "offsetof",
    "sizeof",
    "struct",
    "u8",
    "u16",
    "u32",
    "u64",
]


class KernelError(Exception):
    """A kernel or struct is outside the kernel language, or is ill typed."""


class Type:
    """A kernel type.

    Attributes:
        name: as written in kernels, e.g. ``Ptr[u8]``.
        ir: LLVM type of a value in a register.
    """

    __slots__ = ("ir", "name")

    def __init__(self, name: str, ir: str) -> None:
        self.name, self.ir = name, ir

    @property
    def memory_ir(self) -> str:
        """LLVM type of a value in memory."""
        return self.ir

    def __repr__(self) -> str:
        return self.name

    def __call__(self, *_: object) -> Any:
        """Refuse: conversions happen in kernels."""
        raise TypeError(f"{self.name}(...) has a meaning only inside a kernel")

    @property
    def size(self) -> int:
        """Bytes in memory."""
        raise KernelError(f"{self.name} has no size")

    @property
    def align(self) -> int:
        """Alignment in memory, in bytes."""
        return self.size

    @property
    def ctype(self) -> Any:
        """The ctypes twin; a pointer's is an integer, which ctypes never turns into None."""
        raise KernelError(f"{self.name} has no ctypes twin")


class Int(Type):
    """An integer of fixed width."""

    __slots__ = ("bits", "signed")

    def __init__(self, name: str) -> None:
        super().__init__(name, f"i{name[1:]}")
        self.bits, self.signed = int(name[1:]), name[0] == "i"

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return self.bits // 8

    @property
    def ctype(self) -> Any:
        """The ctypes twin."""
        return getattr(light_ctypes, f"c_{'' if self.signed else 'u'}int{self.bits}")


class Float(Type):
    """``f32`` or ``f64``."""

    __slots__ = ("bits",)

    def __init__(self, name: str, ir: str) -> None:
        super().__init__(name, ir)
        self.bits = int(name[1:])

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return self.bits // 8

    @property
    def ctype(self) -> Any:
        """The ctypes twin."""
        return light_ctypes.c_float if self.bits == 32 else light_ctypes.c_double


class Bool(Type):
    """A truth value; one byte in memory."""

    __slots__ = ()
    size = 1
    memory_ir = "i8"

    @property
    def ctype(self) -> Any:
        """The ctypes twin."""
        return light_ctypes.c_bool


class Address(Type):
    """Anything that is an address in a register."""

    __slots__ = ()
    size = 8

    @property
    def ctype(self) -> Any:
        """The ctypes twin: always an int, 0 is null."""
        return light_ctypes.c_uint64


class Pointer(Address):
    """``Ptr[to]``.  ``to`` is the text of a type until the annotation is resolved."""

    __slots__ = ("to",)

    def __init__(self, to: Any) -> None:
        super().__init__(f"Ptr[{to}]", "ptr")
        self.to: Any = to


class Function(Address):
    """``Fn[[params], result]``: the address of a native function."""

    __slots__ = ("params", "result")

    def __init__(self, params: tuple[Any, ...], result: Any) -> None:
        super().__init__(f"Fn[[{', '.join(map(str, params))}], {result}]", "ptr")
        self.params, self.result = params, result


class ArrayType(Type):
    """``Array[of, count]``: elements inside a struct; used as ``Ptr[of]`` in expressions."""

    __slots__ = ("count", "of")

    def __init__(self, of: Any, count: int) -> None:
        super().__init__(f"Array[{of}, {count}]", "ptr")
        self.of: Any = of
        self.count = count

    @property
    def memory_ir(self) -> str:
        """LLVM type of all elements."""
        return f"[{self.count} x {self.of.memory_ir}]"

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return int(self.of.size) * self.count

    @property
    def align(self) -> int:
        """Alignment in memory, in bytes."""
        return int(self.of.align)

    @property
    def ctype(self) -> Any:
        """The ctypes twin."""
        return self.of.ctype * self.count


class Field(NamedTuple):
    """A field of a struct: its place among the fields, byte offset and type."""

    position: int
    offset: int
    type: Type


class StructType(Type):
    """A struct; as the type of a value it means a reference to one.

    The fields are resolved at first use, so that structs may name themselves and later ones.
    """

    __slots__ = ("_align", "_ctype", "_fields", "_size", "source")

    def __init__(self, source: type) -> None:
        super().__init__(source.__name__, "ptr")
        self.source = source
        self._fields: dict[str, Field] | None = None
        self._ctype: Any = None
        self._size = self._align = 0

    @property
    def memory_ir(self) -> str:
        """LLVM type of its bytes: offsets are computed here, not by LLVM."""
        return f"[{self.size} x i8]"

    @property
    def fields(self) -> dict[str, Field]:
        """The fields by name, in order."""
        if self._fields is None:
            self._fields = self._lay_out()
        return self._fields

    def _lay_out(self) -> dict[str, Field]:
        import sys

        scope = vars(sys.modules[self.source.__module__])
        fields: dict[str, Field] = {}
        offset, align = 0, 1
        for name, annotation in self.source.__annotations__.items():
            where = f"{self.source.__module__}.{self.name}.{name}"
            try:
                type_ = resolve(annotation, scope, {self.name: self})
            except KernelError as e:
                raise KernelError(f"{where}: {e}") from None
            if type_ in (self, VOID, NEVER):
                raise KernelError(f"{where}: a field cannot be {type_}")
            offset += -offset % type_.align
            fields[name] = Field(len(fields), offset, type_)
            offset += type_.size
            align = max(align, type_.align)
        if not fields:
            raise KernelError(f"{self.source.__module__}.{self.name}: a struct needs a field")
        self._size, self._align = offset + -offset % align, align
        return fields

    @property
    def size(self) -> int:
        """Bytes in memory, padding included."""
        return self._size if self.fields else 0

    @property
    def align(self) -> int:
        """Alignment in memory, in bytes."""
        return self._align if self.fields else 1

    def offset(self, field: str) -> int:
        """Byte offset of a field."""
        return self.fields[field].offset

    @property
    def ctype(self) -> Any:
        """The ``ctypes.Structure`` that Python code instantiates."""
        if self._ctype is None:
            members = [(name, f.type.ctype) for name, f in self.fields.items()]
            namespace = {"__slots__": (), "__doc__": self.source.__doc__, "_fields_": members}
            self._ctype = type(self.name, (light_ctypes.Structure,), namespace)
        return self._ctype


INTS = {name: Int(name) for name in ("u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64")}
FLOATS = {"f32": Float("f32", "float"), "f64": Float("f64", "double")}
BOOL = Bool("bool", "i1")
VOID = Type("None", "void")
NEVER = Type("Never", "void")
NULL = Address("null", "ptr")

_pointers: dict[object, Pointer] = {}
_functions: dict[object, Function] = {}
_arrays: dict[object, ArrayType] = {}


def pointer(to: Any) -> Pointer:
    """The type ``Ptr[to]``."""
    found = _pointers.get(to)
    if found is None:
        found = _pointers[to] = Pointer(to)
    return found


def function(params: tuple[Any, ...], result: Any) -> Function:
    """The type ``Fn[[params], result]``."""
    found = _functions.get((params, result))
    if found is None:
        found = _functions[params, result] = Function(params, result)
    return found


def array(of: Any, count: int) -> ArrayType:
    """The type ``Array[of, count]``."""
    found = _arrays.get((of, count))
    if found is None:
        found = _arrays[of, count] = ArrayType(of, count)
    return found


def resolve(annotation: Any, scope: dict[str, Any], own: dict[str, Any] | None = None) -> Type:
    """The type that an annotation means.

    Args:
        annotation: a type, ``bool``, ``None``, or the text of one.
        scope: the names that texts may use.
        own: names that take precedence.

    Raises:
        KernelError: it is no kernel type.
    """
    found = annotation
    if isinstance(found, str):
        try:
            found = eval(found, scope, own)  # noqa: S307 (the text of our own annotations)
        except Exception as e:  # noqa: BLE001
            raise KernelError(f"cannot resolve the type {annotation!r}: {e}") from None
    if found is None:
        return VOID
    if found is bool:
        return BOOL
    if str(found) in ("typing.Never", "typing.NoReturn"):
        return NEVER
    if isinstance(found, Pointer):
        return pointer(resolve(found.to, scope, own))
    if isinstance(found, Function):
        params = tuple(resolve(p, scope, own) for p in found.params)
        return function(params, resolve(found.result, scope, own))
    if isinstance(found, ArrayType):
        return array(resolve(found.of, scope, own), found.count)
    if isinstance(found, Type):
        return found
    raise KernelError(f"{found!r} is not a kernel type")


def as_struct(cls: Any) -> StructType:
    """The type object that ``@struct`` made of a class."""
    if isinstance(cls, StructType):
        return cls
    raise KernelError(f"{cls!r} is not a struct")


def ctype_of(of: Any) -> Any:
    """The ctypes twin of a struct or other kernel type."""
    return of.ctype


def sizeof(of: Any) -> int:
    """Bytes of a type; in kernels a constant."""
    return int(of.size)


def offsetof(of: Any, field: str) -> int:
    """Byte offset of a struct's field; in kernels a constant."""
    return as_struct(of).offset(field)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable as Fn
    from typing import Any, Generic, Self, TypeVar, overload

    T = TypeVar("T")
    N = TypeVar("N")
    C = TypeVar("C", bound=type)

    u8 = int
    u16 = int
    u32 = int
    u64 = int
    i8 = int
    i16 = int
    i32 = int
    i64 = int
    f32 = float
    f64 = float

    class Ptr(Generic[T]):
        """The address of one or many ``T``."""

        def __init__(self, address: Ptr[Any] | int, /) -> None: ...
        def __getitem__(self, index: int, /) -> T: ...
        def __setitem__(self, index: int, value: T, /) -> None: ...
        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...
        def __add__(self, elements: int, /) -> Self: ...
        @overload
        def __sub__(self, other: Ptr[T], /) -> int: ...
        @overload
        def __sub__(self, elements: int, /) -> Self: ...
        def __sub__(self, other: Any, /) -> Any: ...
        def __lt__(self, other: Ptr[T], /) -> bool: ...
        def __le__(self, other: Ptr[T], /) -> bool: ...
        def __gt__(self, other: Ptr[T], /) -> bool: ...
        def __ge__(self, other: Ptr[T], /) -> bool: ...
        def __int__(self) -> int: ...

    class Array(Ptr[T], Generic[T, N]):
        """``N`` elements inside a struct; ``N`` is an int or, for the type checker, a Literal."""

    def struct(cls: C) -> C:
        """Declare a struct; its annotations are its fields."""
        return cls

else:
    globals().update(INTS)
    globals().update(FLOATS)

    class Ptr:
        """``Ptr[T]``: the address of one or many ``T``."""

        def __class_getitem__(cls, to: Any) -> Pointer:
            return pointer(_known(to))

    class Fn:
        """``Fn[[A, B], R]``: the address of a native function."""

        def __class_getitem__(cls, signature: Any) -> Function:
            params, result = signature
            return function(tuple(map(_known, params)), _known(result))

    class Array:
        """``Array[T, N]``: N elements inside a struct."""

        def __class_getitem__(cls, arguments: Any) -> ArrayType:
            of, count = arguments
            (count,) = getattr(count, "__args__", (count,))
            return array(_known(of), count)

    def struct(cls: type) -> StructType:
        """Declare a struct; its annotations are its fields."""
        return StructType(cls)

    def _known(annotation: Any) -> Any:
        return BOOL if annotation is bool else VOID if annotation is None else annotation
