"""Canonical types and the subtype relation.

Types are equal if their recursive groups have the same shape.  Every group of a shape that was not
seen before gets a run of numbers, so that equality of defined types is equality of numbers.  A
``TypeStore`` does so for one module; for all of a process ``runtime.types`` does.

Source: core spec 3.0, "Type Equivalence" and "Matching".
"""

from __future__ import annotations

from runwell.base.light import final
from runwell.base.types import INDEX_SHIFT, NON_NULL, FuncType, ValType
from runwell.module.types import ArrayType, CompositeType, FieldType, StructType, SubType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol, TypeAlias

    Key: TypeAlias = tuple[object, ...]

    class Types(Protocol):
        """Types by number; their references are numbers."""

        def __getitem__(self, number: int, /) -> SubType:
            """The type of a number."""


_NOEXN, _NOFUNC, _NOEXTERN, _NONE, _FUNC, _EXTERN = 0x74, 0x73, 0x72, 0x71, 0x70, 0x6F
_ANY, _EQ, _I31, _STRUCT, _ARRAY, _EXN = 0x6E, 0x6D, 0x6C, 0x6B, 0x6A, 0x69

# Abstract heap types above each abstract heap type.
ABOVE = {
    _NOEXN: (_EXN,),
    _NOFUNC: (_FUNC,),
    _NOEXTERN: (_EXTERN,),
    _NONE: (_I31, _STRUCT, _ARRAY, _EQ, _ANY),
    _EQ: (_ANY,),
    _I31: (_EQ, _ANY),
    _STRUCT: (_EQ, _ANY),
    _ARRAY: (_EQ, _ANY),
}


def top_of(composite: CompositeType) -> int:
    """The abstract heap type that a defined type belongs to."""
    if isinstance(composite, FuncType):
        return _FUNC
    return _STRUCT if isinstance(composite, StructType) else _ARRAY


@final
class Subtyping:
    """The subtype relation of canonical types; indices in types are their numbers."""

    __slots__ = ("_types",)

    def __init__(self, types: Types) -> None:
        self._types = types

    def matches(self, a: ValType, b: ValType) -> bool:
        """Is ``a`` a subtype of ``b``?"""
        if a == b:
            return True
        if not (a.is_ref and b.is_ref) or (b & NON_NULL and not a & NON_NULL):
            return False
        return self.heap_matches(a & ~NON_NULL, b & ~NON_NULL)

    def heap_matches(self, a: int, b: int) -> bool:
        """Is a heap type a subtype of another?  Coded as nullable references to them."""
        if a == b:
            return True
        if a & 0xFF:
            if b & 0xFF:
                return b in ABOVE.get(a, ())
            top = top_of(self._types[b >> INDEX_SHIFT].composite)
            return a == (_NOFUNC if top == _FUNC else _NONE)
        if b & 0xFF:
            top = top_of(self._types[a >> INDEX_SHIFT].composite)
            return b == top or b in ABOVE.get(top, ())
        return self.is_declared_subtype(a >> INDEX_SHIFT, b >> INDEX_SHIFT)

    def is_declared_subtype(self, a: int, b: int) -> bool:
        """Is the type numbered ``a`` the one numbered ``b``, or declared below it?"""
        while a != b:
            supers = self._types[a].supers
            if not supers:
                return False
            a = supers[0]
        return True

    def composite_matches(self, a: CompositeType, b: CompositeType) -> bool:
        """May a type with structure ``a`` be declared a subtype of one with ``b``?"""
        if isinstance(a, FuncType) and isinstance(b, FuncType):
            return (
                len(a.params) == len(b.params)
                and len(a.results) == len(b.results)
                and all(map(self.matches, b.params, a.params))
                and all(map(self.matches, a.results, b.results))
            )
        if isinstance(a, StructType) and isinstance(b, StructType):
            return len(a.fields) >= len(b.fields) and all(
                map(self._field_matches, a.fields, b.fields)
            )
        if isinstance(a, ArrayType) and isinstance(b, ArrayType):
            return self._field_matches(a.field, b.field)
        return False

    def _field_matches(self, a: FieldType, b: FieldType) -> bool:
        if a.mutable or b.mutable:
            return a == b
        return self.matches(a.type, b.type)


@final
class TypeStore:
    """Canonical types; a type's number is its index in ``types``, whose references are numbers.

    Attributes:
        types: by number.
        relation: which of them are below which.
    """

    __slots__ = ("_groups", "relation", "types")

    def __init__(self) -> None:
        self.types: list[SubType] = []
        self.relation = Subtyping(self.types)
        self._groups: dict[Key, int] = {}

    def add(self, types: Sequence[SubType], rec_groups: Sequence[int] = ()) -> list[int]:
        """Number the types of a module.

        Args:
            types: all its types, each referring to none beyond its group.
            rec_groups: sizes of the groups, or () if each type is alone.

        Returns:
            The number of each type.
        """
        numbers: list[int] = []
        for size in rec_groups or (1,) * len(types):
            first = len(numbers)
            group = types[first : first + size]
            key = group_key(group, numbers)
            base = self._groups.get(key)
            if base is None:
                base = self._groups[key] = len(self.types)
                self.types += renumbered(group, numbers, base)
            numbers += range(base, base + size)
        return numbers


def group_key(group: Sequence[SubType], numbers: Sequence[int]) -> Key:
    """A key for a recursive group, equal for groups of the same shape.

    Args:
        group: its types, behind those with ``numbers`` in the module.
        numbers: numbers of the types before.

    Returns:
        The key; that of a function type that is alone, final, and below none is parameters and
        results.
    """
    first = len(numbers)
    keys = tuple([_key(t, first, numbers) for t in group])
    if len(group) == 1 and keys[0][:3] == (True, (), "func"):
        return keys[0][3:]
    return keys


def renumbered(group: Sequence[SubType], numbers: Sequence[int], base: int) -> list[SubType]:
    """The types of a group that gets numbers from ``base``, behind those with ``numbers``."""
    return [_renamed(t, len(numbers), numbers, base) for t in group]


def value_types(t: SubType) -> list[ValType]:
    """The types that a type is made of."""
    c = t.composite
    if isinstance(c, FuncType):
        return [*c.params, *c.results]
    return [f.type for f in (c.fields if isinstance(c, StructType) else (c.field,))]


def rename(t: ValType, numbers: Sequence[int]) -> ValType:
    """A type whose index, if it has one, is replaced by the number of the type at that index."""
    if t & 0xFF:
        return t
    return ValType(numbers[t >> INDEX_SHIFT] << INDEX_SHIFT | t & NON_NULL)


def _renamed(t: SubType, first: int, numbers: Sequence[int], base: int) -> SubType:
    """The type with references into its group numbered from ``base``, others by ``numbers``."""

    def value(v: ValType) -> ValType:
        index = v >> INDEX_SHIFT
        if v & 0xFF or index < first:
            return rename(v, numbers)
        return ValType((base + index - first) << INDEX_SHIFT | v & NON_NULL)

    def field(f: FieldType) -> FieldType:
        return FieldType(value(f.type), f.mutable)

    supers = tuple([numbers[x] if x < first else base + x - first for x in t.supers])
    c = t.composite
    if isinstance(c, FuncType):
        c = FuncType(tuple(map(value, c.params)), tuple(map(value, c.results)))
    elif isinstance(c, StructType):
        c = StructType(tuple(map(field, c.fields)))
    else:
        c = ArrayType(field(c.field))
    return SubType(c, t.final, supers)


def _key(t: SubType, first: int, numbers: Sequence[int]) -> Key:
    """A key for the type: equal for types of the same shape at the same place in their groups.

    References into the group are told from numbers by their sign.
    """

    def value(v: ValType) -> int:
        index = v >> INDEX_SHIFT
        if v & 0xFF:
            return int(v)
        number = numbers[index] if index < first else first - index - 1
        return number << INDEX_SHIFT | v & NON_NULL

    supers = tuple([numbers[x] if x < first else first - x - 1 for x in t.supers])
    c = t.composite
    if isinstance(c, FuncType):
        return t.final, supers, "func", tuple(map(value, c.params)), tuple(map(value, c.results))
    fields = c.fields if isinstance(c, StructType) else (c.field,)
    shape = "struct" if isinstance(c, StructType) else "array"
    return t.final, supers, shape, tuple([(value(f.type), f.mutable) for f in fields])
