"""``runwell.Global``: global variables."""

from __future__ import annotations

from runwell.base.light import final
from runwell.base.types import ValType
from runwell.embed.core import load
from runwell.embed.value import from_bits, from_reference, to_bits, to_reference, value_type
from runwell.host.closed import CLOSED
from runwell.host.weak import WeakValues
from runwell.module.types import GlobalType
from runwell.runtime.globals import Global as NativeGlobal
from runwell.runtime.globals import new_global

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


@final
class Global:
    """A global variable.

    Args:
        type: type of the value, e.g. ``"i32"``, or a ``GlobalType``.
        value: what it is at first; None for zero, or null.
        mutable: may it be changed?

    Raises:
        TypeError: ``value`` is not of the type.
        OverflowError: ``value`` does not fit the type.
        ValueError: there is no such type.
    """

    __slots__ = ("__weakref__", "native")
    native: NativeGlobal

    def __init__(
        self,
        type: str | ValType | GlobalType,  # noqa: A002
        value: object = None,
        *,
        mutable: bool = False,
    ) -> None:
        wanted = type if isinstance(type, GlobalType) else GlobalType(value_type(type), mutable)
        load()
        self.native = new_global(wanted)
        if value is not None or (wanted.type.is_ref and not wanted.type.is_nullable):
            self._set(value)
        _globals.add(self.native.address, self)

    @property
    def type(self) -> GlobalType:
        """Value type and mutability."""
        return self.native.type

    @property
    def mutable(self) -> bool:
        """May it be changed?"""
        return self.native.type.mutable

    @property
    def value(self) -> Any:
        """Its value; integers are signed.  Assigning to it changes a mutable global.

        Raises:
            AttributeError: on assignment, if the global is immutable.
            TypeError: on assignment, if the value is not of the type.
            OverflowError: on assignment, if the value does not fit the type.
        """
        type_ = self.native.type.type
        if type_.is_ref:
            return from_reference(self.native.reference)
        return from_bits(type_, self.native.bits)

    @value.setter
    def value(self, value: object) -> None:
        if not self.native.type.mutable:
            raise AttributeError("the global is immutable")
        self._set(value)

    def _set(self, value: object) -> None:
        type_, store = self.native.type.type, self.native.store
        if type_.is_ref:
            self.native.reference = to_reference(type_, value, store, "the value")
        else:
            self.native.bits = to_bits(type_, value, store, "the value")

    def __repr__(self) -> str:
        if self.native is CLOSED:
            return "<runwell.Global: closed>"
        return f"<runwell.Global: {self.type} = {self.value!r}>"

    def __reduce__(self) -> str:
        raise TypeError("a runwell.Global cannot be pickled: it belongs to instances")


_globals: WeakValues[int, Global] = WeakValues()  # by address of the cell


def face(native: NativeGlobal) -> Global:
    """The one ``Global`` of a native global."""
    found = _globals.get(native.address)
    # A closed one may have left its address to another.
    if found is None or found.native is CLOSED:
        made = Global.__new__(Global)
        made.native = native
        found = _globals.add(native.address, made, over=found)
    return found


def close(address: int) -> None:
    """Close the face of the global at an address, unless another instance has imported it."""
    found = _globals.get(address)
    if found is not None and found.native is not CLOSED and not found.native.lent:
        found.native = CLOSED
