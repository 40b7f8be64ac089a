"""What every run needs of ``ctypes``, whose import makes more classes than ours together.

To the type checker these are the originals.  To Python they are types of their own, beside those of
``ctypes``, made from the same parts, ``_ctypes``; numbers go from one kind to the other.
"""

from runwell.base.light import lru_cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ctypes import CFUNCTYPE as CFUNCTYPE
    from ctypes import PYFUNCTYPE as PYFUNCTYPE
    from ctypes import Structure as Structure
    from ctypes import addressof as addressof
    from ctypes import c_bool as c_bool
    from ctypes import c_char as c_char
    from ctypes import c_char_p as c_char_p
    from ctypes import c_double as c_double
    from ctypes import c_float as c_float
    from ctypes import c_int as c_int
    from ctypes import c_int8 as c_int8
    from ctypes import c_int16 as c_int16
    from ctypes import c_int32 as c_int32
    from ctypes import c_int64 as c_int64
    from ctypes import c_size_t as c_size_t
    from ctypes import c_uint8 as c_uint8
    from ctypes import c_uint16 as c_uint16
    from ctypes import c_uint32 as c_uint32
    from ctypes import c_uint64 as c_uint64
    from ctypes import c_void_p as c_void_p
    from ctypes import py_object as py_object
    from typing import Any
else:
    from _ctypes import (
        FUNCFLAG_CDECL,
        FUNCFLAG_PYTHONAPI,
        CFuncPtr,
        Structure,  # noqa: F401
        _SimpleCData,
        addressof,  # noqa: F401
    )

    def _number(name, letter):  # noqa: ANN001, ANN202
        return type(_SimpleCData)(name, (_SimpleCData,), {"_type_": letter})

    c_bool, c_char = _number("c_bool", "?"), _number("c_char", "c")
    c_int8, c_uint8 = _number("c_int8", "b"), _number("c_uint8", "B")
    c_int16, c_uint16 = _number("c_int16", "h"), _number("c_uint16", "H")
    c_int32, c_uint32 = _number("c_int32", "i"), _number("c_uint32", "I")
    c_int64, c_uint64 = _number("c_int64", "q"), _number("c_uint64", "Q")
    c_float, c_double = _number("c_float", "f"), _number("c_double", "d")
    c_int, c_size_t = c_int32, c_uint64
    c_char_p, c_void_p = _number("c_char_p", "z"), _number("c_void_p", "P")
    py_object = _number("py_object", "O")

    def _function_type(flags, result, arguments):  # noqa: ANN001, ANN202
        return type(CFuncPtr)(
            "Function",
            (CFuncPtr,),
            {"_flags_": flags, "_restype_": result, "_argtypes_": arguments},
        )

    def CFUNCTYPE(result, *arguments):  # noqa: ANN001, ANN002, ANN201, N802
        """The type of C functions that are called without the interpreter lock."""
        return _function_type(FUNCFLAG_CDECL, result, arguments)

    def PYFUNCTYPE(result, *arguments):  # noqa: ANN001, ANN002, ANN201, N802
        """The type of C functions that are called with the interpreter lock."""
        return _function_type(FUNCFLAG_CDECL | FUNCFLAG_PYTHONAPI, result, arguments)


def symbol(name: str) -> int:
    """Address of a function that the process has loaded: of Python, or of the C library.

    Raises:
        OSError: there is none of this name.
    """
    from _ctypes import dlopen, dlsym

    if not _process:
        _process.append(dlopen(None, 0))  # type: ignore[arg-type]
    return int(dlsym(_process[0], name))


@lru_cache(None)
def python_function(name: str, result: "Any", *arguments: "Any") -> "Any":
    """A function of Python's C API, with its types."""
    return PYFUNCTYPE(result, *arguments)(symbol(name))


_process: list[int] = []
