"""What all things here have in common: behind each is one of Runwell's."""

from typing import Any, Self


class Face:
    """Something that stands for a thing of Runwell's.

    Attributes:
        native: that thing.
    """

    __slots__ = ("native",)

    native: Any

    @classmethod
    def of(cls, native: Any) -> Self:
        """The face of a thing that there is already."""
        made = cls.__new__(cls)
        made.native = native
        return made


class Extern(Face):
    """A face that is the same as another if the thing behind it is."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Extern) and self.native is other.native

    def __hash__(self) -> int:
        return hash(self.native)
