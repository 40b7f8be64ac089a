"""Single values outside of calls: elements of tables and contents of globals."""

from __future__ import annotations

from struct import pack, unpack

from runwell.base.types import ValType
from runwell.host.convert import canonical
from runwell.host.func import face
from runwell.host.signature import kind_of
from runwell.runtime.func import Func as NativeFunc
from runwell.runtime.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FORMS = {ValType.F32: "<f", ValType.F64: "<d"}


def value_type(type_: ValType | str) -> ValType:
    """A value type, by itself or by its name.

    Raises:
        ValueError: there is none of that name.
    """
    if isinstance(type_, ValType):
        return type_
    try:
        return ValType[type_.upper()]
    except KeyError:
        raise ValueError(f"there is no value type {type_!r}") from None


def to_reference(type_: ValType, value: object, store: Store, what: str) -> object:
    """A Python value as runtimes take references.

    Raises:
        TypeError: it is not of the type.
    """
    from runwell.host.func import Func

    checked = canonical(type_, value, store, lambda: what)
    if isinstance(checked, Func) and kind_of(type_) in (ValType.FUNCREF, ValType.NULLFUNCREF):
        return checked.native
    return checked


def from_reference(value: object) -> Any:
    """The Python value of what runtimes call a reference."""
    return face(value) if isinstance(value, NativeFunc) else value


def to_bits(type_: ValType, value: object, store: Store, what: str) -> int:
    """The bits of a number or vector.

    Raises:
        TypeError: it is not of the type.
        OverflowError: it does not fit.
    """
    checked: Any = canonical(type_, value, store, lambda: what)
    if type_ == ValType.V128:
        return int.from_bytes(checked, "little")
    form = _FORMS.get(type_)
    if form is None:
        return int(checked) & ((1 << type_.bits) - 1)
    if type_ == ValType.F32:
        # As C converts: what is too large becomes infinity, where ``pack`` refuses.
        from ctypes import c_float

        checked = c_float(checked).value
    return int.from_bytes(pack(form, checked), "little")


def from_bits(type_: ValType, bits: int) -> int | float | bytes:
    """The Python value of a number's or vector's bits; integers are signed."""
    width = type_.bits
    bits &= (1 << width) - 1
    if type_ == ValType.V128:
        return bits.to_bytes(16, "little")
    form = _FORMS.get(type_)
    if form is None:
        return bits - (bits >> (width - 1) << width)
    number: float = unpack(form, bits.to_bytes(width // 8, "little"))[0]
    return number
