"""``runwell.Tag``: exception tags."""

from __future__ import annotations

from runwell.base.light import final
from runwell.base.types import FuncType, ValType
from runwell.host.convert import canonical
from runwell.host.weak import WeakValues
from runwell.module.types import TagType
from runwell.runtime.tag import Tag as NativeTag
from runwell.runtime.types import number_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from runwell.runtime.exception import Held


@final
class Tag:
    """An exception tag: what exceptions carry, and what tells them apart.

    Two tags are never the same, even if they are of the same type.

    Args:
        type: types of the values that its exceptions carry, e.g. ``"i32 f64"`` or
            ``["i32", "f64"]``; or a ``TagType``.

    Raises:
        TypeError: ``type`` says something about results.
        ValueError: there is no such value type.
    """

    __slots__ = ("__weakref__", "native")

    def __init__(self, type: str | Sequence[str | ValType] | TagType = ()) -> None:  # noqa: A002
        self.native = NativeTag(
            number_of(type.type if isinstance(type, TagType) else _func_type(type))
        )
        _tags.add(self.native.address, self)

    @property
    def type(self) -> TagType:
        """What its exceptions carry."""
        return self.native.type

    def check(self, values: tuple[object, ...]) -> None:
        """Check the values of an exception.

        Args:
            values: what it is to carry.

        Raises:
            TypeError: their number or a type is wrong.
            OverflowError: a number does not fit its type.
        """
        params = self.type.type.params
        if len(values) != len(params):
            types = ", ".join(t.text for t in params)
            raise TypeError(
                f"an exception of this tag carries {len(params)} values ({types}), "
                f"{len(values)} given"
            )
        for i, (type_, value) in enumerate(zip(params, values, strict=True)):
            canonical(type_, value, self.native.store, lambda i=i: f"value {i + 1}")  # type: ignore[misc]

    def _values_of(self, held: Held) -> tuple[object, ...]:
        """What an exception of this tag carries."""
        from runwell.host.exception import read_values

        return read_values(held)

    def __repr__(self) -> str:
        return f"<runwell.Tag: {' '.join(t.text for t in self.type.type.params)}>"

    def __reduce__(self) -> str:
        raise TypeError("a runwell.Tag cannot be pickled: it is nothing but itself")


def _func_type(types: str | Sequence[str | ValType]) -> FuncType:
    if isinstance(types, str):
        types = types.translate(str.maketrans("(),", "   ")).split()
    return FuncType(tuple(map(_value_type, types)), ())


def _value_type(type_: str | ValType) -> ValType:
    if isinstance(type_, ValType):
        return type_
    try:
        return ValType[type_.upper()]
    except KeyError:
        raise ValueError(f"there is no value type {type_!r}") from None


_tags: WeakValues[int, Tag] = WeakValues()  # by address of the native tag


def face(native: NativeTag) -> Tag:
    """The one ``Tag`` of a native tag."""
    found = _tags.get(native.address)
    if found is None:
        found = Tag.__new__(Tag)
        found.native = native
        _tags.add(native.address, found)
    return found
