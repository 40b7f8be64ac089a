"""Arguments and results that are not of the exact type, and what is wrong with the others.

The kernels take only ``int``, ``float``, ``bytes`` and ``None``.  For anything else they ask here
for such values, and a Python error with the parameter and its type is what a caller gets who gave
something unsuitable.
"""

from __future__ import annotations

from _operator import index

from runwell.base.errors import WasmException
from runwell.base.types import FuncType, ValType, ref_to_index
from runwell.host.references import to_external, to_internal
from runwell.host.signature import kind_of
from runwell.runtime.func import admit
from runwell.runtime.store import Store
from runwell.runtime.types import describe_func, relation, type_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_INTS = {ValType.I32: 32, ValType.I64: 64}
_FLOATS = (ValType.F32, ValType.F64)


def canonical_arguments(
    name: str, type_: FuncType, args: tuple[object, ...], store: Store
) -> tuple[object, ...]:
    """The arguments of a call, such that the kernels take them.

    Raises:
        TypeError: their number or a type is wrong.
        OverflowError: a number does not fit its type.
    """
    wanted = type_.params
    if len(args) != len(wanted):
        types = ", ".join([t.text for t in wanted[:8]] + ["..."] * (len(wanted) > 8))
        raise TypeError(f"{name}() takes {_count(len(wanted))} ({types}), {len(args)} given")
    return tuple(
        canonical(t, value, store, lambda i=i: f"{name}() argument {i + 1}")  # type: ignore[misc]
        for i, (t, value) in enumerate(zip(wanted, args, strict=True))
    )


def canonical_results(
    name: str, type_: FuncType, result: object, store: Store
) -> tuple[object, ...]:
    """What a host function returned, such that the kernels take it.

    Raises:
        TypeError: it is not what the type says.
        OverflowError: a number does not fit its type.
    """
    wanted = type_.results
    if len(wanted) == 1:
        return (canonical(wanted[0], result, store, lambda: f"the result of {name}()"),)
    if not isinstance(result, tuple | list):
        raise TypeError(
            f"{name}() must return a tuple of {len(wanted)} values, not {_kind(result)}"
        )
    if len(result) != len(wanted):
        raise TypeError(f"{name}() must return {len(wanted)} values, not {len(result)}")
    return tuple(
        canonical(t, value, store, lambda i=i: f"result {i + 1} of {name}()")  # type: ignore[misc]
        for i, (t, value) in enumerate(zip(wanted, result, strict=True))
    )


def canonical(type_: ValType, value: object, store: Store, what: Callable[[], str]) -> object:
    """One value, such that the kernels take it.

    Args:
        type_: its type in the guest.
        value: what Python code gave.
        store: whose guests will refer to it, if it is a reference.
        what: names the value in errors.

    Raises:
        TypeError: ``value`` cannot be of the type.
        OverflowError: a number does not fit the type.
    """
    bits = _INTS.get(type_)
    if bits is not None:
        return _int(value, bits, what)
    if type_ in _FLOATS:
        return _float(type_, value, what)
    if type_ == ValType.V128:
        return _vector(value, what)
    return _reference(type_, value, store, what)


def _reference(type_: ValType, value: object, store: Store, what: Callable[[], str]) -> object:
    from runwell.host.func import Func

    kind = kind_of(type_)
    if value is not None and kind == ValType.ANYREF:
        return to_internal(type_, value, store, what)
    if value is None and (type_.is_nullable or kind == ValType.EXTERNREF):
        return None
    if kind in (ValType.EXTERNREF, ValType.NULLEXTERNREF):
        if value is not None and type_ & 0xFF == ValType.EXTERNREF:
            return to_external(value, store)
        wanted = "None" if type_.is_nullable else "an object"
        raise TypeError(f"{what()} must be {wanted} for {type_.text}, not {_kind(value)}")
    if kind == ValType.EXNREF:
        return _exception(type_, value, store, what)
    if kind in (ValType.NULLREF, ValType.ANYREF):
        wanted = "None" if type_.is_nullable else "an object"
        raise TypeError(f"{what()} must be {wanted} for {type_text(type_)}, not {_kind(value)}")
    if not isinstance(value, Func):
        null = " or None" if type_.is_nullable else ""
        raise TypeError(f"{what()} must be a runwell.Func{null}, not {_kind(value)}")
    func = value.native
    if type_ != ValType.FUNCREF:
        found = ref_to_index(func.number, nullable=False)
        if not relation().matches(found, type_):
            raise TypeError(
                f"{what()} must be a runwell.Func of type {type_text(type_)}, "
                f"not {describe_func(func.number)}"
            )
    admit(store, func)
    return value


def _exception(type_: ValType, value: object, store: Store, what: Callable[[], str]) -> object:
    from runwell.host.exception import hold_exception
    from runwell.runtime.exception import Held

    if isinstance(value, WasmException | Held) and type_ & 0xFF == ValType.EXNREF:
        return hold_exception(store, value)
    null = " or None" if type_.is_nullable else ""
    raise TypeError(f"{what()} must be a runwell.WasmException{null}, not {_kind(value)}")


def _int(value: Any, bits: int, what: Callable[[], str]) -> int:
    try:
        number = int(index(value))
    except TypeError:
        if hasattr(type(value), "__index__"):
            raise
        raise TypeError(f"{what()} must be an int for i{bits}, not {_kind(value)}") from None
    if not -(1 << (bits - 1)) <= number < 1 << bits:
        raise OverflowError(f"{what()} does not fit i{bits}: {_brief(number)}")
    return number


def _float(type_: ValType, value: Any, what: Callable[[], str]) -> float:
    kind = type(value)
    if not hasattr(kind, "__float__") and not hasattr(kind, "__index__"):
        raise TypeError(f"{what()} must be a float for {type_.text}, not {_kind(value)}")
    try:
        return float(value)
    except OverflowError:
        raise OverflowError(f"{what()} does not fit {type_.text}: {_brief(value)}") from None


def _vector(value: Any, what: Callable[[], str]) -> bytes:
    try:
        data = bytes(memoryview(value))
    except TypeError:
        raise TypeError(f"{what()} must be 16 bytes for v128, not {_kind(value)}") from None
    if len(data) != 16:
        raise TypeError(f"{what()} must be 16 bytes for v128, not {len(data)} bytes")
    return data


def _count(n: int) -> str:
    return f"{n} argument" if n == 1 else f"{n} arguments"


def _kind(value: object) -> str:
    return type(value).__name__


def _brief(number: int) -> str:
    """A number for an error message, which must not take long to print."""
    return str(number) if number.bit_length() <= 256 else f"an int of {number.bit_length()} bits"
