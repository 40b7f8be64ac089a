"""C functions that Python knows: pointers of ctypes and cffi, and compiled functions of Numba.

They are recognised without importing what they are of: whoever has such an object has done so.
"""

from __future__ import annotations

from sys import modules

from runwell.base.light import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# How ctypes says that a call does more than call: it takes the interpreter lock, or keeps ``errno``
# or Windows' error for Python.
_MORE_THAN_A_CALL = 4 | 8 | 16
_FLOATS = {4: "f", 8: "d"}
_SIGNED, _UNSIGNED = {1: "b", 2: "h", 4: "i", 8: "l"}, {1: "B", 2: "H", 4: "i", 8: "l"}


class Foreign(NamedTuple):
    """A C function.

    Attributes:
        address: of its code.
        params: a letter each: ``i`` 32-bit integers, ``l`` 64-bit ones and pointers, ``b B h H``
            narrower ones as in ``struct``, ``?`` truth, ``f`` and ``d`` floats.
        result: such a letter, or ``""``.
    """

    address: int
    params: str
    result: str

    def __str__(self) -> str:
        names = [_NAMES[letter] for letter in self.params]
        return f"C function ({', '.join(names)}) -> {_NAMES[self.result]}"


_NAMES = {
    "i": "int32",
    "l": "int64",
    "b": "int8",
    "B": "uint8",
    "h": "int16",
    "H": "uint16",
    "?": "bool",
    "f": "float",
    "d": "double",
    "": "void",
}


def foreign(function: Any) -> Foreign | None:
    """The C function that an object is, if a guest can call it with no Python in between.

    A pointer of ctypes without ``argtypes`` is not one, because its type is not known; nor is one
    for which a call means more to ctypes than just the call: of ``PyDLL``, with ``use_errno``, or
    with ``errcheck``.
    """
    ctypes = modules.get("_ctypes")
    if ctypes is not None and isinstance(function, ctypes.CFuncPtr):
        return _of_ctypes(function)
    backend = modules.get("_cffi_backend")
    if backend is not None and isinstance(function, backend._CDataBase):
        return _of_cffi(function, backend)
    if type(function).__module__.partition(".")[0] == "numba" and hasattr(function, "address"):
        found = _of_ctypes(function.ctypes)
        return None if found is None else found._replace(address=int(function.address))
    return None


def _of_ctypes(function: Any) -> Foreign | None:
    import ctypes

    kinds = function.argtypes
    if kinds is None or type(function)._flags_ & _MORE_THAN_A_CALL or function.errcheck:
        return None
    letters = [_of_ctypes_type(kind) for kind in kinds]
    result = "" if function.restype is None else _of_ctypes_type(function.restype)
    address = ctypes.cast(function, ctypes.c_void_p).value
    if result is None or None in letters or not address:
        return None
    return Foreign(address, "".join(map(str, letters)), result)


def _of_ctypes_type(kind: Any) -> str | None:
    import ctypes

    if not isinstance(kind, type):
        return None
    names: Any = ctypes
    if issubclass(kind, names._Pointer | names._CFuncPtr):
        return "l"
    if not issubclass(kind, names._SimpleCData):
        return None
    letter, size = str(getattr(kind, "_type_", "")), ctypes.sizeof(kind)
    if letter in "fd":
        return _FLOATS[size]
    if letter in "bhilq":
        return _SIGNED[size]
    if letter in "BHILQ":
        return _UNSIGNED[size]
    return "?" if letter == "?" else "l" if letter in "PzZ" else None


def _of_cffi(function: Any, backend: Any) -> Foreign | None:
    kind = backend.typeof(function)
    if kind.kind == "pointer":
        kind = kind.item
    if kind.kind != "function" or kind.ellipsis:
        return None
    letters = [_of_cffi_type(argument, backend) for argument in kind.args]
    result = "" if kind.result.kind == "void" else _of_cffi_type(kind.result, backend)
    address = int(backend.cast(backend.new_primitive_type("uintptr_t"), function))
    if result is None or None in letters or not address:
        return None
    return Foreign(address, "".join(map(str, letters)), result)


def _of_cffi_type(kind: Any, backend: Any) -> str | None:
    if kind.kind == "pointer":
        return "l"
    if kind.kind not in ("primitive", "enum"):
        return None
    size = backend.sizeof(kind)
    if kind.cname in ("float", "double"):
        return _FLOATS[size]
    if kind.cname in ("_Bool", "bool"):
        return "?"
    if kind.cname == "long double" or "complex" in kind.cname.lower():
        return None
    is_signed = int(backend.cast(kind, -1)) < 0
    return (_SIGNED if is_signed else _UNSIGNED).get(size)
