"""Native functions as builtin functions of Python, ten times as fast to call as those of ctypes."""

from __future__ import annotations

from runwell.base.light import lru_cache
from runwell.base.light_ctypes import addressof, c_char_p, c_void_p, py_object, python_function
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
    result, *params = signature.split()
    objects = sum(1 << i for i, word in enumerate(params) if word == "object")
    entry: Any = ctype_of(Builtin)(address_of(name), len(params), objects, _RESULTS[result])
    text = name.encode()
    definition = ctype_of(MethodDef)(
        c_void_p.from_buffer(c_char_p(text)).value, address_of("call_builtin"), _FASTCALL, 0
    )
    keep, make = _python_functions()
    # CPython and the kernel refer to them, also when Python's modules are gone at its end.
    keep((entry, text, definition))
    return make(addressof(definition), addressof(entry), None)


@lru_cache(None)
def _python_functions() -> tuple[Any, Any]:
    """What keeps an object for ever, and what makes a builtin function."""
    return (
        python_function("Py_IncRef", None, py_object),
        python_function("PyCFunction_NewEx", py_object, c_void_p, py_object, c_void_p),
    )
