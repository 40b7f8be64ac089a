"""Types in the text format, and the index spaces of the module being parsed.

Source: core spec 3.0, text format of types; text format of modules (type uses).
"""

from typing import final

from runwell.base.errors import MalformedError
from runwell.base.features import BIT
from runwell.base.types import (
    HEAP_NAMES,
    NON_NULL,
    FuncType,
    ValType,
    ref_to_index,
)
from runwell.isa.literal import parse_natural
from runwell.module.types import (
    ArrayType,
    CompositeType,
    FieldType,
    GlobalType,
    MemoryType,
    StructType,
    SubType,
    TableType,
)
from runwell.text.cursor import Cursor, Space

_PACKED = {t.text: t for t in (ValType.I8, ValType.I16)}
_VALUES = {t.text: t for t in ValType if t.text not in _PACKED}
_REFS = {name: t for name, t in _VALUES.items() if t.is_ref}
_HEAPS = {name: ValType(code) for code, name in HEAP_NAMES.items()}


@final
class TypeParser:
    """Parses types at a cursor.

    Attributes:
        spaces: index spaces by the word for one of their things.
        types: the type section so far.
        groups: sizes of its recursive groups.
        fields: identifiers of fields, by type index.
    """

    __slots__ = ("_by_shape", "_limit_bits", "cursor", "fields", "groups", "spaces", "types")

    def __init__(self, cursor: Cursor, features: int) -> None:
        self.cursor = cursor
        self._limit_bits = 64 if features & BIT["memory64"] else 32
        words = ("type", "func", "table", "memory", "global", "tag", "elem segment", "data segment")
        self.spaces = {word: Space(word) for word in words}
        self.types: list[SubType] = []
        self.groups: list[int] = []
        self.fields: dict[int, dict[str, int]] = {}
        # First type that a type use without an index may mean, by shape.
        self._by_shape: dict[FuncType, int] = {}

    def val_type(self) -> ValType:
        """A value type."""
        c = self.cursor
        t = _VALUES.get(c.items[c.at])
        if t is not None:
            c.at += 1
            return t
        return self.ref_type()

    def ref_type(self) -> ValType:
        """A reference type."""
        c = self.cursor
        t = _REFS.get(c.items[c.at])
        if t is not None:
            c.at += 1
            return t
        if not c.take_open("ref"):
            raise c.unexpected()
        nullable = c.take("null")
        heap = self.heap_type()
        c.expect(")")
        return heap if nullable else ValType(heap | NON_NULL)

    def heap_type(self) -> ValType:
        """A heap type, as the type of nullable references to it."""
        c = self.cursor
        t = _HEAPS.get(c.items[c.at])
        if t is not None:
            c.at += 1
            return t
        if not c.has_index():
            raise c.unexpected()
        index = c.index(self.spaces["type"])
        if index >= 1 << 20:
            raise c.error(f"unknown type {index}")
        return ref_to_index(index, nullable=True)

    def storage_type(self) -> ValType:
        """The type of a field."""
        c = self.cursor
        t = _PACKED.get(c.items[c.at])
        if t is not None:
            c.at += 1
            return t
        return self.val_type()

    def field_type(self) -> FieldType:
        """A field: its type, perhaps mutable."""
        c = self.cursor
        if not c.take_open("mut"):
            return FieldType(self.storage_type())
        t = self.storage_type()
        c.expect(")")
        return FieldType(t, mutable=True)

    def params(self, ids: list[str | None] | None) -> list[ValType]:
        """Any number of parameter clauses.

        Args:
            ids: gets the identifier, or None, of each; None: there must be no identifiers.
        """
        c = self.cursor
        types: list[ValType] = []
        while c.take_open("param"):
            if c.has_id() and ids is not None:
                name = c.id()
                if name in ids:
                    raise c.error(f"duplicate local {name}")
                ids.append(name)
                types.append(self.val_type())
                c.expect(")")
                continue
            while not c.take(")"):
                types.append(self.val_type())
                if ids is not None:
                    ids.append(None)
        return types

    def results(self) -> list[ValType]:
        """Any number of result clauses."""
        c = self.cursor
        types: list[ValType] = []
        while c.take_open("result"):
            while not c.take(")"):
                types.append(self.val_type())
        return types

    def func_type(self, ids: list[str | None] | None) -> FuncType:
        """Parameters and results."""
        params = self.params(ids)
        return FuncType(tuple(params), tuple(self.results()))

    def type_use(self, ids: list[str | None] | None = None) -> int:
        """A type by index, by shape, or both; the type index.

        Args:
            ids: gets the identifiers of parameters; None: they may have none.
        """
        c = self.cursor
        index: int | None = None
        if c.take_open("type"):
            index = c.index(self.spaces["type"])
            c.expect(")")
            if not (c.has_open("param") or c.has_open("result")):
                return index
        start = c.at
        shape = self.func_type(ids)
        if c.has_open("param") or c.has_open("type"):
            raise c.unexpected(-1)
        if index is None:
            return self.index_of(shape)
        if index >= len(self.types):
            raise c.error(f"unknown type {index}", c.at - start)
        if self.types[index].composite != shape:
            raise c.error("inline function type", c.at - start)
        return index

    def block_type(self) -> ValType | int | None:
        """The type of a block: nothing, one result, or a type index."""
        c = self.cursor
        if not (c.has_open("type") or c.has_open("param") or c.has_open("result")):
            return None
        if c.has_open("type"):
            return self.type_use()
        shape = self.func_type(None)
        if shape.params or len(shape.results) > 1:
            return self.index_of(shape)
        return shape.results[0] if shape.results else None

    def index_of(self, shape: FuncType) -> int:
        """Index of the first type of this shape, which is added if there is none."""
        index = self._by_shape.get(shape)
        if index is None:
            index = len(self.types)
            self.add_group([SubType(shape)])
            self.spaces["type"].count += 1
        return index

    def add_group(self, group: list[SubType]) -> None:
        """Append a recursive group to the type section."""
        if len(group) == 1:
            t = group[0]
            if isinstance(t.composite, FuncType) and t.final and not t.supers:
                self._by_shape.setdefault(t.composite, len(self.types))
        self.types += group
        self.groups.append(len(group))

    def definition(self, index: int) -> SubType:
        """What follows ``type`` and its identifier, without the last parenthesis."""
        c = self.cursor
        if not c.take_open("sub"):
            return SubType(self._composite(index))
        final_ = c.take("final")
        supers: list[int] = []
        while c.has_index():
            supers.append(c.index(self.spaces["type"]))
        composite = self._composite(index)
        c.expect(")")
        return SubType(composite, final_, tuple(supers))

    def _composite(self, index: int) -> CompositeType:
        c = self.cursor
        composite: CompositeType
        if c.take_open("func"):
            composite = self.func_type([])
        elif c.take_open("struct"):
            composite = StructType(self._fields(index))
        elif c.take_open("array"):
            composite = ArrayType(self.field_type())
        else:
            raise c.unexpected(-1 if c.has("(") else 0)
        c.expect(")")
        return composite

    def _fields(self, index: int) -> tuple[FieldType, ...]:
        c = self.cursor
        out: list[FieldType] = []
        ids = self.fields.setdefault(index, {})
        while c.take_open("field"):
            name = c.id()
            if name is None:
                while not c.take(")"):
                    out.append(self.field_type())
                continue
            if name in ids:
                raise c.error(f"duplicate field {name}")
            ids[name] = len(out)
            out.append(self.field_type())
            c.expect(")")
        return tuple(out)

    def address_type(self) -> bool:
        """The type of addresses, if it is given; is it 64 bits wide?"""
        c = self.cursor
        if c.take("i64"):
            return True
        c.take("i32")
        return False

    def limits(self) -> tuple[int, int | None]:
        """A least size and perhaps a greatest."""
        c = self.cursor
        least = c.natural(self._limit_bits)
        if parse_natural(c.items[c.at]) is None:
            return least, None
        return least, c.natural(self._limit_bits)

    def table_type(self, is_64: bool) -> TableType:
        """The type of a table, behind the type of its addresses."""
        least, most = self.limits()
        return TableType(self.ref_type(), least, most, is_64)

    def memory_type(self, is_64: bool) -> MemoryType:
        """The type of a memory, behind the type of its addresses."""
        least, most = self.limits()
        shared = self.cursor.take("shared")
        return MemoryType(least, most, is_64, shared, self.page_bits())

    def page_bits(self) -> int:
        """The size of a page, if it is given, as a power of two."""
        c = self.cursor
        if not c.take_open("pagesize"):
            return 16
        size = c.natural(64)
        if size.bit_count() != 1:
            raise c.error("invalid custom page size")
        c.expect(")")
        return size.bit_length() - 1

    def global_type(self) -> GlobalType:
        """The type of a global."""
        c = self.cursor
        if not c.take_open("mut"):
            return GlobalType(self.val_type())
        t = self.val_type()
        c.expect(")")
        return GlobalType(t, mutable=True)

    def error(self, message: str) -> MalformedError:
        """An error at the last token taken."""
        return self.cursor.error(message)
