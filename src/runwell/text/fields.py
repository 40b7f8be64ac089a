"""Fields of a module in the text format."""

from array import array
from collections.abc import Callable
from typing import final

from runwell.base.leb128 import encode_unsigned
from runwell.base.types import FUNCREF, I32, I64, FuncType, ValType
from runwell.binary.decoder import DATA_COUNT
from runwell.binary.encoder import encode_value_type
from runwell.isa.imms import encode_op
from runwell.isa.op import Rule
from runwell.isa.table import TABLE
from runwell.module.module import (
    Custom,
    Element,
    Export,
    Import,
    ImportDesc,
    Module,
    SegmentMode,
    Span,
)
from runwell.module.module import Data as DataSegment
from runwell.module.types import ExternKind, GlobalType, MemoryType, SubType, TableType
from runwell.text.body import BodyParser
from runwell.text.cursor import Cursor, Space
from runwell.text.naming import BRANCH_HINT, IdNames, encode_hints
from runwell.text.types import TypeParser

_EXTERNS = {kind.text: kind for kind in ExternKind}
_DEFINITIONS = tuple(_EXTERNS)
_CONST = {op.ty: op for op in TABLE if op.rule == Rule.CONST}
_REF_FUNC = next(op for op in TABLE if op.rule == Rule.REF_FUNC)
# How often somebody who wants to know is told how far it is.
_TELL_TOKENS = 20_000
(_END,) = [op for op in TABLE if op.rule == Rule.END]


@final
class FieldParser:
    """Parses the fields of one module into the parts of a ``Module``."""

    def __init__(self, cursor: Cursor, types: TypeParser, body: BodyParser) -> None:
        self.cursor, self.types, self.body = cursor, types, body
        self.names = IdNames(cursor)
        self._begin = cursor.at
        self._fields: list[tuple[str, int]] = []
        self._defined: list[str] = []
        self._next = dict.fromkeys(_DEFINITIONS, 0)
        self._pool = bytearray()
        self._imports: list[Import] = []
        self._functions = array("I")
        self._tables: list[tuple[TableType, Span | None]] = []
        self._memories: list[MemoryType] = []
        self._tags: list[int] = []
        self._globals: list[tuple[GlobalType, Span]] = []
        self._exports: list[Export] = []
        self._start: int | None = None
        self._elements: list[Element] = []
        self._bodies = array("I")
        self._hints: dict[int, list[tuple[int, int]]] = {}
        self._datas: list[DataSegment] = []

    def parse(self, anonymous: bool, progress: Callable[[int, int], object] | None = None) -> None:
        """Parse all fields up to the parenthesis that closes the module, or the end.

        Args:
            anonymous: there is no keyword before them, hence no identifier.
            progress: is told now and then how many tokens of how many are parsed.
        """
        c = self.cursor
        self._begin = told = c.at
        if not anonymous:
            self.names.bind_module()
        while c.take("("):
            self._scan()
        end = c.at
        for word, at in self._fields:
            if word in ("type", "rec"):
                c.at = at
                self._type(word)
        for word, at in self._fields:
            if word not in ("type", "rec"):
                c.at = at
                _PARSERS[word](self)
                c.expect(")")
                if progress is not None and c.at - told > _TELL_TOKENS:
                    told = c.at
                    progress(told, len(c.items))
        c.at = end

    # First pass: identifiers.

    def _scan(self) -> None:
        """Bind the identifiers of a field whose parenthesis has been taken, and pass over it."""
        c = self.cursor
        word = c.word()
        start = c.at
        spaces = self.types.spaces
        if word == "type":
            self.names.bind(spaces["type"])
        elif word == "rec":
            while c.take_open("type"):
                self.names.bind(spaces["type"])
                c.skip()
        elif word == "import":
            self._check_order()
            c.string()
            c.string()
            c.expect("(")
            kind = c.word()
            if kind not in _EXTERNS:
                raise c.unexpected(1)
            self.names.bind(spaces[kind])
            c.skip()
        elif word in _EXTERNS:
            self._scan_definition(word)
        elif word == "elem":
            self.names.bind(spaces["elem segment"])
        elif word == "data":
            self.names.bind(spaces["data segment"])
        elif word == "start":
            if any(field == "start" for field, _ in self._fields):
                raise c.error("multiple start sections")
        elif word != "export":
            raise c.unexpected(1)
        self._fields.append((word, start))
        c.skip()

    def _scan_definition(self, word: str) -> None:
        c = self.cursor
        spaces = self.types.spaces
        self.names.bind(spaces[word])
        while c.take_open("export"):
            c.skip()
        if c.has_open("import"):
            self._check_order()
            return
        self._defined.append(word)
        # Segments that are part of a table or memory have indices, too.
        if word == "table":
            self.types.address_type()
            spaces["elem segment"].count += not c.has_index()
        elif word == "memory":
            self.types.address_type()
            self.types.page_bits()
            spaces["data segment"].count += c.has_open("data")

    def _check_order(self) -> None:
        for word in self._defined:
            if word != "tag":
                what = "function" if word == "func" else word
                raise self.cursor.error(f"import after {what}")

    # Second pass: types.

    def _type(self, word: str) -> None:
        c = self.cursor
        if word == "type":
            self.types.add_group([self._definition()])
            return
        group: list[SubType] = []
        base = len(self.types.types)
        while c.take_open("type"):
            group.append(self._definition(base + len(group)))
        c.expect(")")
        self.types.add_group(group)

    def _definition(self, index: int | None = None) -> SubType:
        c = self.cursor
        c.id()
        c.expect("(")
        c.at -= 1
        t = self.types.definition(len(self.types.types) if index is None else index)
        c.expect(")")
        return t

    # Third pass: everything else.

    def _import(self) -> None:
        c = self.cursor
        module, name = c.name(), c.name()
        c.expect("(")
        kind = _EXTERNS[c.word()]
        c.id()
        self._imports.append(Import(module, name, kind, self._desc(kind)))
        self._next[kind.text] += 1
        c.expect(")")

    def _desc(self, kind: ExternKind) -> ImportDesc:
        """What is imported, behind its identifier."""
        types = self.types
        if kind == ExternKind.TABLE:
            return types.table_type(types.address_type())
        if kind == ExternKind.MEMORY:
            return types.memory_type(types.address_type())
        if kind == ExternKind.GLOBAL:
            return types.global_type()
        return types.type_use([])

    def _head(self, kind: ExternKind) -> tuple[int, bool]:
        """Identifier, exports and import that may begin a definition.

        Returns:
            The index of what is defined, and whether it is an import and hence complete.
        """
        c = self.cursor
        c.id()
        x = self._next[kind.text]
        self._next[kind.text] = x + 1
        while c.take_open("export"):
            self._exports.append(Export(c.name(), kind, x))
            c.expect(")")
        if not c.take_open("import"):
            return x, False
        module, name = c.name(), c.name()
        c.expect(")")
        self._imports.append(Import(module, name, kind, self._desc(kind)))
        return x, True

    def _func(self) -> None:
        c, body, pool = self.cursor, self.body, self._pool
        x, imported = self._head(ExternKind.FUNC)
        if imported:
            return
        ids: list[str | None] = []
        type_index = self.types.type_use(ids)
        n_params = 0
        if type_index < len(self.types.types):
            t = self.types.types[type_index].composite
            n_params = len(t.params) if isinstance(t, FuncType) else 0
        body.start_function(ids, n_params)
        start = len(pool)
        groups: list[tuple[int, ValType]] = []
        while c.take_open("local"):
            self._locals(body.locals, groups)
        pool += encode_unsigned(len(groups))
        for count, v in groups:
            pool += encode_unsigned(count) + encode_value_type(v)
        body.expression(pool)
        self._functions.append(type_index)
        self._bodies.extend((start, len(pool)))
        if body.hints:
            self._hints[x] = sorted((at - start, value) for at, value in body.hints)
        if body.locals.ids:
            self.names.add_locals(x, body.locals)
        if body.label_names:
            self.names.add_labels(x, body.label_names)

    def _locals(self, space: Space, groups: list[tuple[int, ValType]]) -> None:
        """A clause of locals; ``groups`` are runs of one type."""
        c = self.cursor
        named = c.has_id()
        while named or not c.has(")"):
            c.bind(space)
            t = self.types.val_type()
            if groups and groups[-1][1] == t:
                groups[-1] = (groups[-1][0] + 1, t)
            else:
                groups.append((1, t))
            if named:
                break
        c.expect(")")

    def _table(self) -> None:
        c, types = self.cursor, self.types
        x, imported = self._head(ExternKind.TABLE)
        if imported:
            return
        is_64 = types.address_type()
        if c.has_index():
            t = types.table_type(is_64)
            self._tables.append((t, None if c.has(")") else self._expression()))
            return
        element = types.ref_type()
        if not c.take_open("elem"):
            raise c.unexpected()
        if c.has("("):
            segment = self._expressions(element)
        elif element == FUNCREF:
            segment = self._indices()
        else:
            segment = self._typed_indices(element)
        c.expect(")")
        self._tables.append((TableType(element, segment.size, segment.size, is_64), None))
        self._elements.append(
            segment._replace(mode=SegmentMode.ACTIVE, table=x, offset=self._zero(is_64))
        )

    def _memory(self) -> None:
        c, types = self.cursor, self.types
        x, imported = self._head(ExternKind.MEMORY)
        if imported:
            return
        is_64 = types.address_type()
        if c.has_index():
            self._memories.append(types.memory_type(is_64))
            return
        page_bits = types.page_bits()
        if not c.take_open("data"):
            raise c.unexpected()
        offset = self._zero(is_64)
        start, end = self._contents()
        c.expect(")")
        pages = -(-(end - start) >> page_bits)
        self._memories.append(MemoryType(pages, pages, is_64, page_bits=page_bits))
        self._datas.append(DataSegment(x, offset, start, end))

    def _global(self) -> None:
        _, imported = self._head(ExternKind.GLOBAL)
        if not imported:
            t = self.types.global_type()
            self._globals.append((t, self._expression()))

    def _tag(self) -> None:
        _, imported = self._head(ExternKind.TAG)
        if not imported:
            self._tags.append(self.types.type_use([]))

    def _export(self) -> None:
        c = self.cursor
        name = c.name()
        c.expect("(")
        kind = c.word()
        if kind not in _EXTERNS:
            raise c.unexpected(1)
        self._exports.append(Export(name, _EXTERNS[kind], c.index(self.types.spaces[kind])))
        c.expect(")")

    def _start_field(self) -> None:
        self._start = self.cursor.index(self.types.spaces["func"])

    def _elem(self) -> None:
        c = self.cursor
        c.id()
        if c.take("declare"):
            self._elements.append(self._items(bare=False)._replace(mode=SegmentMode.DECLARED))
            return
        target, explicit = self._target("table")
        if not explicit and not c.has("("):
            self._elements.append(self._items(bare=False)._replace(mode=SegmentMode.PASSIVE))
            return
        if not explicit and c.has_open("ref"):
            self._elements.append(self._items(bare=False)._replace(mode=SegmentMode.PASSIVE))
            return
        offset = self._offset()
        segment = self._items(bare=True)
        self._elements.append(
            segment._replace(mode=SegmentMode.ACTIVE, table=target, offset=offset)
        )

    def _data(self) -> None:
        c = self.cursor
        c.id()
        target, explicit = self._target("memory")
        offset = self._offset() if explicit or c.has("(") else None
        start, end = self._contents()
        self._datas.append(DataSegment(target, offset, start, end))

    def _target(self, word: str) -> tuple[int, bool]:
        """The table or memory of a segment, and whether it is named."""
        c = self.cursor
        space = self.types.spaces[word]
        if c.take_open(word):
            x = c.index(space)
            c.expect(")")
            return x, True
        if c.has_index():
            return c.index(space), True
        return 0, False

    def _offset(self) -> Span:
        """Where an active segment goes."""
        c = self.cursor
        if not c.take_open("offset"):
            return self._folded()
        span = self._expression()
        c.expect(")")
        return span

    def _items(self, bare: bool) -> Element:
        """The elements of a segment; ``bare``: function indices need no keyword."""
        c = self.cursor
        if c.take("func"):
            return self._indices()
        if bare and (c.has_index() or c.has(")")):
            return self._indices()
        return self._expressions(self.types.ref_type())

    def _indices(self) -> Element:
        c, space = self.cursor, self.types.spaces["func"]
        x = array("I")
        while not c.has(")"):
            x.append(c.index(space))
        return Element(SegmentMode.PASSIVE, 0, None, FUNCREF, x, None)

    def _typed_indices(self, element: ValType) -> Element:
        """Function indices as expressions, for a table of typed references."""
        spans = [
            self._store(encode_op(_REF_FUNC, (x,)) + encode_op(_END))
            for x in self._indices().functions or ()
        ]
        return Element(SegmentMode.PASSIVE, 0, None, element, None, tuple(spans))

    def _expressions(self, element: ValType) -> Element:
        c = self.cursor
        spans: list[Span] = []
        while not c.has(")"):
            if c.take_open("item"):
                spans.append(self._expression())
                c.expect(")")
            else:
                spans.append(self._folded())
        return Element(SegmentMode.PASSIVE, 0, None, element, None, tuple(spans))

    def _contents(self) -> Span:
        """The strings of a data segment."""
        return self._store(self.cursor.strings())

    def _expression(self) -> Span:
        start = len(self._pool)
        self.body.start_function([], 0)
        self.body.expression(self._pool)
        return Span(start, len(self._pool))

    def _folded(self) -> Span:
        start = len(self._pool)
        self.body.start_function([], 0)
        self.body.folded_expression(self._pool)
        return Span(start, len(self._pool))

    def _zero(self, is_64: bool) -> Span:
        """The offset of a segment that is part of a table or memory."""
        return self._store(encode_op(_CONST[I64 if is_64 else I32], (0,)) + encode_op(_END))

    def _store(self, data: bytes) -> Span:
        start = len(self._pool)
        self._pool += data
        return Span(start, len(self._pool))

    def module(self, with_names: bool) -> Module:
        """The module of the fields parsed."""
        types = self.types
        customs: list[Custom] = []
        if self._hints:
            start, end = self._store(encode_hints(self._hints))
            customs.append(Custom(BRANCH_HINT, start, end, DATA_COUNT))
        names = self.names.names(types) if with_names else None
        for name, place, contents in self.names.customs(self._begin, names):
            start, end = self._store(contents)
            customs.append(Custom(name, start, end, place))
        return Module(
            bytes(self._pool),
            types=tuple(types.types),
            rec_groups=() if all(size == 1 for size in types.groups) else tuple(types.groups),
            imports=tuple(self._imports),
            functions=self._functions,
            tables=tuple(self._tables),
            memories=tuple(self._memories),
            tags=tuple(self._tags),
            globals=tuple(self._globals),
            exports=tuple(self._exports),
            start=self._start,
            elements=tuple(self._elements),
            data_count=len(self._datas) if self.body.uses_data else None,
            bodies=self._bodies,
            datas=tuple(self._datas),
            customs=tuple(customs),
        )


_PARSERS = {
    "import": FieldParser._import,
    "func": FieldParser._func,
    "table": FieldParser._table,
    "memory": FieldParser._memory,
    "global": FieldParser._global,
    "tag": FieldParser._tag,
    "export": FieldParser._export,
    "start": FieldParser._start_field,
    "elem": FieldParser._elem,
    "data": FieldParser._data,
}
