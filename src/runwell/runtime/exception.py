"""Python's hold of exceptions (what native code does to them: ``exception_kernels``)."""

from __future__ import annotations

from runwell.base.light import final
from runwell.kernel.types import ctype_of, sizeof
from runwell.runtime import layout
from runwell.runtime.native import Native, native
from runwell.runtime.tag import Tag, tag_at


@final
class Held(int):
    """The address of an exception that lives as long as this number (why an int: see ``Mapping``).

    The constructor takes over a hold that its caller has; see ``untracked``.
    """

    __slots__ = ()

    def __del__(self, native: Native = native) -> None:
        native.exception_release(self)

    @property
    def tag(self) -> Tag:
        """Its tag."""
        return tag_at(ctype_of(layout.ExceptionObject).from_address(self).tag)

    @property
    def values(self) -> int:
        """Where its values are; its references follow them."""
        return self + sizeof(layout.ExceptionObject)

    @property
    def references(self) -> int:
        """Where its references are."""
        object_ = ctype_of(layout.ExceptionObject).from_address(self)
        return self.values + int(ctype_of(layout.Tag).from_address(object_.tag).value_bytes)


def untracked(address: int) -> Held:
    """Take over a hold."""
    held = Held(address)
    native.untrack(held)
    return held


def hold(address: int) -> Held:
    """Keep an exception that a guest has hold of."""
    native.exception_hold(address)
    return untracked(address)


def read_cell(cell: int) -> Held | None:
    """What a cell of a table or global refers to."""
    address = native.exception_take(cell)
    return untracked(address) if address else None
