"""Native functions as builtin functions of Python, ten times as fast to call as those of ctypes."""

from __future__ import annotations

from runwell.host.layout import (
    RESULT_NONE,
    RESULT_OBJECT,
    RESULT_U32,
    RESULT_U64,
    Builtin,
    MethodDef,
)
from runwell.kernel.types import ctype_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_FASTCALL = 0x80
_RESULTS = {
    "None": RESULT_NONE,
    "u32": RESULT_U32,
    "u64": RESULT_U64,
    "object": RESULT_OBJECT,
}


def make_builtin(name: str, signature: str, address_of: Callable[[str], int]) -> Any:
    """A native function as a builtin function, which keeps the interpreter lock.

    Args:
        name: of the symbol.
        signature: the result and the at most eight parameters: ``None`` (as a result), ``u32``,
            ``u64`` or ``object``.  An object that is a result is a new reference, or null with an
            exception set.
        address_of: finds the address of a symbol of the core.
    """
    import ctypes

    result, *params = signature.split()
    objects = sum(1 << i for i, word in enumerate(params) if word == "object")
    entry: Any = ctype_of(Builtin)(address_of(name), len(params), objects, _RESULTS[result])
    text = ctypes.create_string_buffer(name.encode())
    definition = ctype_of(MethodDef)(
        ctypes.addressof(text), address_of("call_builtin"), _FASTCALL, 0
    )
    # CPython and the kernel refer to them, also when Python's modules are gone at its end.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object((entry, text, definition)))
    address, thing = ctypes.c_void_p, ctypes.py_object
    make = ctypes.PYFUNCTYPE(thing, address, thing, address)(
        ("PyCFunction_NewEx", ctypes.pythonapi)
    )
    return make(ctypes.addressof(definition), ctypes.addressof(entry), None)
