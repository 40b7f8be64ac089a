"""Canonical types: a type that modules define has one number, equal for equal types of all modules.

Types are equal if their recursive groups have the same shape, so a group is the unit: one that has
not the shape of any before gets a run of fresh numbers.  In a canonical type the index of a
reference to a defined type is that type's number.

A number belongs to its type as long as somebody holds it and is never given to another, so a
process that loads modules without end keeps only the types that are in use.
"""

from __future__ import annotations

from _thread import allocate_lock
from array import array

from runwell.base.light import final
from runwell.base.types import INDEX_SHIFT, OBJECT_CODES, FuncType, ValType
from runwell.module.types import SubType
from runwell.runtime.native import native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Self

    from runwell.module.subtyping import Key, Subtyping

_lock = allocate_lock()
# Numbers that a holder gave up.  The collector may do so in the middle of anything, even with the
# lock held, so they are only counted when the lock is free.
_given_up: list[int] = []
_next = 1
_NO_SUPERS = array("I", (0,))


@final
class _Group:
    """A recursive group.

    Attributes:
        key: equal for groups of the same shape.
        first: number of the first type.
        types: the types, canonical.
        supers: of each type the numbers of its supertypes, nearest first, and a zero.
        holders: how many objects hold numbers of it.
        uses: holds the types of other groups that it refers to.
    """

    __slots__ = ("first", "holders", "key", "supers", "types", "uses")

    def __init__(self, key: Key, first: int, types: tuple[SubType, ...]) -> None:
        self.key, self.first, self.types, self.holders = key, first, types, 0
        self.uses: tuple[TypeNumber, ...] = ()
        self.supers = (_NO_SUPERS,) * len(types)


_groups: dict[Key, _Group] = {}
_by_number: dict[int, _Group] = {}


@final
class TypeNumber(int):
    """The canonical number of a type, valid while any object of that number lives.

    Why it is an int: see ``Mapping``.
    """

    __slots__ = ()

    def __new__(cls, type_: FuncType) -> Self:
        """Hold the number of a function type that is alone, final and below none.

        Raises:
            LookupError: it refers to a type that nobody holds.
        """
        with _lock:
            group = _groups.get(type_)
            if group is None:
                group = _add_group(type_, (SubType(type_),), [t for ts in type_ for t in ts])
            group.holders += 1
            self = super().__new__(cls, group.first)
            native.untrack(self)
            return self

    @property
    def type(self) -> FuncType:
        """The function type that it stands for."""
        return type_of_number(self)

    @property
    def supers(self) -> int:
        """Address of the numbers of the type's supertypes, nearest first, which end with a 0."""
        group = _by_number[self]
        return group.supers[self - group.first].buffer_info()[0]

    def __del__(self) -> None:
        _given_up.append(int(self))
        if _lock.acquire(blocking=False):
            try:
                while _given_up:
                    _give_up(_given_up.pop())
            finally:
                _lock.release()


def _hold(number: int) -> TypeNumber:
    """Hold a number that has a holder; the lock is held."""
    _by_number[number].holders += 1
    held = int.__new__(TypeNumber, number)
    native.untrack(held)
    return held


def _give_up(number: int) -> None:
    group = _by_number[number]
    group.holders -= 1
    if group.holders == 0:
        del _groups[group.key]
        for x in range(len(group.types)):
            del _by_number[group.first + x]


def _add_group(key: Key, types: tuple[SubType, ...], parts: Iterable[ValType]) -> _Group:
    """Number a new group, whose own types are counted from ``_next``.

    ``parts`` are the value types that it is made of.
    """
    global _next  # noqa: PLW0603
    first = _next
    used = {t >> INDEX_SHIFT for t in parts if not t & 0xFF}
    used.update([x for t in types for x in t.supers])
    outside = [x for x in used if not first <= x < first + len(types)]
    if any(x not in _by_number for x in outside):
        raise LookupError("a type refers to one that is unknown outside of its module")
    group = _groups[key] = _Group(key, first, types)
    _next += len(types)
    for x in range(len(types)):
        _by_number[first + x] = group
    group.uses = tuple([_hold(x) for x in outside])
    if any(t.supers for t in types):
        group.supers = tuple([array("I", (*_supers(t), 0)) for t in types])
    return group


def _supers(type_: SubType) -> Sequence[int]:
    numbers: list[int] = []
    while type_.supers:
        numbers.append(type_.supers[0])
        type_ = type_at(type_.supers[0])
    return numbers


def hold_types(types: Sequence[SubType], rec_groups: Sequence[int] = ()) -> tuple[TypeNumber, ...]:
    """Hold the numbers of a valid module's types.

    Args:
        types: all its types.
        rec_groups: sizes of the groups, or () if each type is alone.
    """
    numbers: list[TypeNumber] = []
    for size in rec_groups or (1,) * len(types):
        group = types[len(numbers) : len(numbers) + size]
        if size == 1 and is_plain(group[0]):
            composite = group[0].composite
            assert isinstance(composite, FuncType)
            numbers.append(TypeNumber(composite))
        elif group:
            numbers += _hold_group(group, numbers)
    return tuple(numbers)


def _hold_group(group: Sequence[SubType], numbers: Sequence[int]) -> list[TypeNumber]:
    """Hold the types of a group behind those with ``numbers`` in its module."""
    from runwell.module.subtyping import group_key, renumbered, value_types

    key = group_key(group, numbers)
    with _lock:
        found = _groups.get(key)
        if found is None:
            types = renumbered(group, numbers, _next)
            parts = [part for t in types for part in value_types(t)]
            found = _add_group(key, tuple(types), parts)
        return [_hold(found.first + x) for x in range(len(group))]


def is_plain(type_: SubType) -> bool:
    """Is this a final function type that refers to no defined type?"""
    return (
        isinstance(type_.composite, FuncType)
        and type_.final
        and not type_.supers
        and all(t & 0xFF for t in type_.composite.params)
        and all(t & 0xFF for t in type_.composite.results)
    )


def type_at(number: int) -> SubType:
    """The type of a number that is held."""
    group = _by_number[number]
    return group.types[number - group.first]


def is_function_type(number: int) -> bool:
    """Is the type of a number that is held a function type?"""
    return isinstance(type_at(number).composite, FuncType)


def may_be_object(type_: ValType) -> bool:
    """May a value of a canonical type be a reference to an object of a heap?"""
    index = type_.heap_index
    return type_ & 0xFF in OBJECT_CODES if index is None else not is_function_type(index)


def type_of_number(number: int) -> FuncType:
    """The function type of a number that is held."""
    composite = type_at(number).composite
    assert isinstance(composite, FuncType)
    return composite


if TYPE_CHECKING:

    class DeclaredFuncType(FuncType):
        """A function type that knows as which one it was declared: equal ones may be different.

        Attributes:
            number: the canonical number, held.
        """

        number: TypeNumber
else:
    # Not a record of its own: a tuple of two with an attribute.
    DeclaredFuncType = type.__new__(type(FuncType), "DeclaredFuncType", (FuncType,), {})


def declared(number: TypeNumber) -> FuncType:
    """The function type of a number, which knows that."""
    found = tuple.__new__(DeclaredFuncType, number.type)
    found.number = number
    return found


def number_of(type_: FuncType) -> TypeNumber:
    """The canonical number of a function type: of the declared one, or of one that is alone.

    Raises:
        LookupError: it refers to a type that nobody holds.
    """
    return type_.number if isinstance(type_, DeclaredFuncType) else TypeNumber(type_)


@final
class _Types:
    """All types, by number."""

    __slots__ = ()

    def __getitem__(self, number: int) -> SubType:
        return type_at(number)


def relation() -> Subtyping:
    """The subtype relation of all types."""
    from runwell.module.subtyping import Subtyping

    return Subtyping(_Types())


def describe_func(number: int) -> str:
    """A function type as errors show it."""
    t = type_at(number)
    word = "func" if t.final and not t.supers else "final sub func" if t.final else "sub func"
    assert isinstance(t.composite, FuncType)
    return f"{word} {t.composite}"


def type_text(type_: ValType) -> str:
    """A canonical value type as errors show it; a defined type goes by its number."""
    if type_ & 0xFF:
        return type_.text
    return type_.text.replace(str(type_ >> INDEX_SHIFT), f"type-{type_ >> INDEX_SHIFT}")
