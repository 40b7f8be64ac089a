"""From a module to the text format.

What is printed parses back to the same module.  Names become identifiers where they are unique in
their index space, else annotations; instructions are printed flat, one a line, by their rows.

Source: core spec 3.0, text format.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, final

from runwell.base import limits
from runwell.base.errors import MalformedError
from runwell.base.leb128 import decode_unsigned
from runwell.base.types import FuncType, ValType
from runwell.binary.decoder import DATA
from runwell.binary.names import SECTION
from runwell.binary.reader import UNEXPECTED_END, Reader
from runwell.isa.imms import decode_imms
from runwell.isa.imms_text import Names, print_imms
from runwell.isa.op import Imm, Op, Rule
from runwell.isa.table import PREFIXES, TABLE
from runwell.module.module import Element, Module, SegmentMode, Span
from runwell.module.types import (
    ExternKind,
    FieldType,
    GlobalType,
    MemoryType,
    StructType,
    SubType,
    TableType,
)
from runwell.text.lexer import is_id
from runwell.text.naming import SECTIONS

_OPENS = (Rule.BLOCK, Rule.LOOP, Rule.IF, Rule.TRY_TABLE)
_TYPE_KINDS = (Imm.TYPE, Imm.DEF_TYPE)
_INDENT = "  "
_ESCAPES = {0x22: '\\"', 0x5C: "\\\\", 0x0A: "\\n", 0x09: "\\t", 0x0D: "\\r"}


def print_module(module: Module) -> str:
    """The text of a module.

    Raises:
        MalformedError: a body or constant expression is malformed.
    """
    return "\n".join(_Printer(module).module()) + "\n"


def print_function(module: Module, function: int) -> str:
    """The text of one function that the module defines.

    Raises:
        MalformedError: its body is malformed.
    """
    return "\n".join(_Printer(module).function(function)) + "\n"


def instructions(data: bytes, at: int, end: int) -> Iterator[tuple[int, Op, tuple[Any, ...]]]:
    """Offset, row and immediates of each instruction in a range of bytes.

    Raises:
        MalformedError: the bytes are no instructions.
    """
    while at < end:
        start, prefix, code = at, 0, data[at]
        at += 1
        if code in PREFIXES[1:]:
            prefix = code
            code, at = decode_unsigned(data, at, end)
        op = TABLE.at(prefix, code)
        if op is None:
            raise MalformedError(f"illegal opcode {data[start:at].hex(' ')}", start)
        values, at = decode_imms(op, data, at, end)
        yield start, op, values


def quote(data: bytes) -> str:
    """A string literal of bytes, printable ASCII as it is."""
    parts = [
        _ESCAPES[b] if b in _ESCAPES else chr(b) if 0x20 <= b < 0x7F else f"\\{b:02x}" for b in data
    ]
    return f'"{"".join(parts)}"'


def quote_name(name: str) -> str:
    """A string literal of text, letters of all scripts as they are."""
    parts = [c if ord(c) >= 0x80 and c.isprintable() else quote(c.encode())[1:-1] for c in name]
    return f'"{"".join(parts)}"'


def identifier(name: str) -> str:
    """The identifier that stands for a name."""
    plain = "$" + name
    return plain if is_id(plain) and '"' not in plain else "$" + quote_name(name)


def identifiers(names: Mapping[int, str], count: int) -> dict[int, str]:
    """An identifier for each thing below ``count`` whose name is unique and not empty."""
    uses = Counter(names.values())
    return {
        x: identifier(name) for x, name in names.items() if name and uses[name] == 1 and x < count
    }


@final
class _Printer(Names):
    """Prints one module."""

    def __init__(self, module: Module) -> None:
        self.m = module
        n = module.names
        self._names: dict[Imm, Mapping[int, str]] = {
            Imm.FUNC: n.functions,
            Imm.TYPE: n.types,
            Imm.TABLE: n.tables,
            Imm.MEMORY: n.memories,
            Imm.GLOBAL: n.globals,
            Imm.TAG: n.tags,
            Imm.ELEM: n.elements,
            Imm.DATA: n.data,
        }
        sizes = {
            Imm.FUNC: len(module.function_types),
            Imm.TYPE: len(module.types),
            Imm.TABLE: len(module.table_types),
            Imm.MEMORY: len(module.memory_types),
            Imm.GLOBAL: len(module.global_types),
            Imm.TAG: len(module.tag_types),
            Imm.ELEM: len(module.elements),
            Imm.DATA: len(module.datas),
        }
        self._ids = {kind: identifiers(self._names[kind], size) for kind, size in sizes.items()}
        self._locals: dict[int, str] = {}
        # Identifiers of the labels that are open, innermost last; "" where there is none.
        self._labels: list[str] = []

    def index(self, kind: Imm, index: int) -> str:
        """An index of a kind's index space: the number, or an identifier."""
        if kind in _TYPE_KINDS:
            kind = Imm.TYPE
        if kind == Imm.LABEL:
            return self._label(index)
        ids = self._locals if kind == Imm.LOCAL else self._ids.get(kind)
        found = ids.get(index) if ids else None
        return str(index) if found is None else found

    def _label(self, depth: int) -> str:
        """A label: the identifier, if no inner one has the same."""
        if depth < len(self._labels):
            name = self._labels[-1 - depth]
            if name and name not in self._labels[len(self._labels) - depth :]:
                return name
        return str(depth)

    def _head(self, word: str, kind: Imm, x: int) -> str:
        """Keyword, identifier or annotation, and number of a definition."""
        found = self._ids[kind].get(x)
        if found is not None:
            return f"({word} {found}"
        name = self._names[kind].get(x)
        note = f" (@name {quote_name(name)})" if name is not None else ""
        return f"({word}{note} (;{x};)"

    def module(self) -> Iterator[str]:
        """The lines of the module."""
        m = self.m
        name = m.names.module
        yield f"(module {identifier(name)}" if name else "(module"
        for field in self._fields():
            yield _INDENT + field
        yield from (_INDENT + line for line in self._segments())
        for custom in m.customs:
            if custom.name != SECTION:
                contents = quote(m.data[custom.start : custom.end])
                place = _place(custom.place)
                yield f"{_INDENT}(@custom {quote_name(custom.name)} {place} {contents})"
        yield ")"

    def _fields(self) -> Iterator[str]:
        m = self.m
        yield from self._types()
        yield from self._imports()
        for x in range(m.n_imported_functions, len(m.function_types)):
            yield from self.function(x)
        for x, init in enumerate(m.table_inits, m.n_imported_tables):
            value = f" {self._expression(init)}" if init is not None else ""
            t = self._table_type(m.table_types[x])
            yield f"{self._head('table', Imm.TABLE, x)} {t}{value})"
        for x in range(m.n_imported_memories, len(m.memory_types)):
            yield f"{self._head('memory', Imm.MEMORY, x)} {_memory_type(m.memory_types[x])})"
        for x in range(m.n_imported_tags, len(m.tag_types)):
            yield f"{self._head('tag', Imm.TAG, x)} {self._use(m.tag_types[x])})"
        for x, init in enumerate(m.global_inits, m.n_imported_globals):
            t = self._global_type(m.global_types[x])
            yield f"{self._head('global', Imm.GLOBAL, x)} {t} {self._expression(init)})"
        for name, kind, x in m.exports:
            yield f"(export {quote_name(name)} ({kind.text} {self.index(_SPACES[kind], x)}))"
        if m.start is not None:
            yield f"(start {self.index(Imm.FUNC, m.start)})"

    # Types.

    def _types(self) -> Iterator[str]:
        m = self.m
        x = 0
        for size in m.rec_groups or (1,) * len(m.types):
            if size == 1:
                yield self._type(x)
            else:
                yield "(rec"
                for y in range(x, x + size):
                    yield _INDENT + self._type(y)
                yield ")"
            x += size

    def _type(self, x: int) -> str:
        t = self.m.types[x]
        body = self._composite(t, x)
        if not t.final or t.supers:
            words = ["final"] if t.final else []
            words += [self.index(Imm.TYPE, y) for y in t.supers]
            body = f"(sub {' '.join([*words, body])})"
        return f"{self._head('type', Imm.TYPE, x)} {body})"

    def _composite(self, t: SubType, x: int) -> str:
        c = t.composite
        if isinstance(c, FuncType):
            return f"(func{self._signature(c)})"
        if isinstance(c, StructType):
            ids = identifiers(self.m.names.fields.get(x, {}), len(c.fields))
            fields = "".join(f" {self._field(f, ids.get(y))}" for y, f in enumerate(c.fields))
            return f"(struct{fields})"
        return f"(array {self._storage(c.field)})"

    def _field(self, f: FieldType, name: str | None) -> str:
        return f"(field {name} {self._storage(f)})" if name else f"(field {self._storage(f)})"

    def _storage(self, f: FieldType) -> str:
        return f"(mut {self.val_type(f.type)})" if f.mutable else self.val_type(f.type)

    def _signature(self, t: FuncType, names: Mapping[int, str] | None = None) -> str:
        """Parameters and results; a space before each clause."""
        words: list[str] = []
        run: list[str] = []
        for x, v in enumerate(t.params):
            name = names.get(x) if names else None
            if name is None:
                run.append(self.val_type(v))
                continue
            if run:
                words.append(f" (param {' '.join(run)})")
                run = []
            words.append(f" (param {name} {self.val_type(v)})")
        if run:
            words.append(f" (param {' '.join(run)})")
        if t.results:
            words.append(f" (result {' '.join(map(self.val_type, t.results))})")
        return "".join(words)

    def _use(self, type_index: int) -> str:
        return f"(type {self.index(Imm.TYPE, type_index)})"

    def _table_type(self, t: TableType) -> str:
        return f"{_limits(t.minimum, t.maximum, t.is_64)} {self.val_type(t.element)}"

    def _global_type(self, t: GlobalType) -> str:
        return f"(mut {self.val_type(t.type)})" if t.mutable else self.val_type(t.type)

    def _imports(self) -> Iterator[str]:
        counts = dict.fromkeys(ExternKind, 0)
        for module, name, kind, desc in self.m.imports:
            x = counts[kind]
            counts[kind] += 1
            if isinstance(desc, int):
                t = self._use(desc)
            elif isinstance(desc, TableType):
                t = self._table_type(desc)
            elif isinstance(desc, MemoryType):
                t = _memory_type(desc)
            else:
                t = self._global_type(desc)
            what = f"{self._head(kind.text, _SPACES[kind], x)} {t})"
            yield f"(import {quote_name(module)} {quote_name(name)} {what})"

    # Functions.

    def function(self, x: int) -> Iterator[str]:
        """The lines of a function."""
        m = self.m
        body = m.body(x)
        if body is None:
            raise ValueError(f"function {x} is an import")
        type_index = m.function_types[x]
        t = m.types[type_index].composite if type_index < len(m.types) else None
        head = f"{self._head('func', Imm.FUNC, x)} {self._use(type_index)}"
        r = Reader(m.data, body.start, body.end)
        groups = [(r.u32(), r.val_type()) for _ in range(r.length())]
        n_params = len(t.params) if isinstance(t, FuncType) else 0
        n_locals = n_params + sum(count for count, _ in groups)
        if n_locals > limits.LOCALS:
            raise MalformedError("too many locals", body.start)
        self._locals = identifiers(m.names.locals.get(x, {}), n_locals)
        if isinstance(t, FuncType):
            head += self._signature(t, self._locals)
        yield head
        yield from self._local_lines(groups, n_params)
        yield from self._body_lines(r.at, body.end, m.names.labels.get(x, {}))
        yield ")"

    def _local_lines(self, groups: list[tuple[int, ValType]], x: int) -> Iterator[str]:
        for count, v in groups:
            text = self.val_type(v)
            end = x + count
            # Only few locals have names, and a group may be huge.
            for y in sorted(y for y in self._locals if x <= y < end):
                yield from self._local_run(text, y - x)
                yield f"{_INDENT}(local {self._locals[y]} {text})"
                x = y + 1
            yield from self._local_run(text, end - x)
            x = end

    @staticmethod
    def _local_run(text: str, count: int) -> Iterator[str]:
        if count:
            yield f"{_INDENT}(local{f' {text}' * count})"

    def _body_lines(self, at: int, end: int, names: Mapping[int, str]) -> Iterator[str]:
        depth, n_labels, self._labels = 1, 0, []
        for start, op, values in instructions(self.m.data, at, end):
            if op.rule == Rule.END:
                depth -= 1
                del self._labels[max(depth - 1, 0) :]
                if not depth:
                    if start != end - 1:
                        raise MalformedError("junk after the end of a function", start)
                    return
            words = print_imms(op, values, self)
            dedent = op.rule == Rule.ELSE
            line = _INDENT * (depth - dedent) + op.keyword
            if op.rule in _OPENS:
                depth += 1
                name = names.get(n_labels, "")
                n_labels += 1
                self._labels.append(identifier(name) if name else "")
                line += f" {self._labels[-1]}" if name else ""
            yield f"{line} {words}" if words else line
        raise MalformedError(UNEXPECTED_END, end)

    def _expression(self, span: Span) -> str:
        """A constant expression: in parentheses if it is one instruction, else flat."""
        texts = []
        for _, op, values in instructions(self.m.data, span.start, span.end - 1):
            words = print_imms(op, values, self)
            texts.append(f"{op.keyword} {words}" if words else op.keyword)
        return f"({texts[0]})" if len(texts) == 1 else " ".join(texts)

    def _wrapped(self, span: Span, word: str) -> str:
        """A constant expression, in a clause unless it is one instruction."""
        text = self._expression(span)
        return text if text.startswith("(") and text.count("(") == 1 else f"({word} {text})"

    # Segments.

    def _segments(self) -> Iterator[str]:
        m = self.m
        for x, segment in enumerate(m.elements):
            words = [self._head("elem", Imm.ELEM, x)]
            if segment.mode == SegmentMode.DECLARED:
                words.append("declare")
            if segment.offset is not None:
                if segment.table:
                    words.append(f"(table {self.index(Imm.TABLE, segment.table)})")
                words.append(self._wrapped(segment.offset, "offset"))
            words += self._items(segment)
            yield " ".join(words) + ")"
        for x, data in enumerate(m.datas):
            words = [self._head("data", Imm.DATA, x)]
            if data.offset is not None:
                if data.memory:
                    words.append(f"(memory {self.index(Imm.MEMORY, data.memory)})")
                words.append(self._wrapped(data.offset, "offset"))
            words.append(quote(m.data[data.start : data.end]))
            yield " ".join(words) + ")"

    def _items(self, segment: Element) -> Iterator[str]:
        if segment.functions is not None:
            yield "func"
            yield from (self.index(Imm.FUNC, x) for x in segment.functions)
        else:
            yield self.val_type(segment.type)
            yield from (self._wrapped(span, "item") for span in segment.expressions or ())


_SPACES = {
    ExternKind.FUNC: Imm.FUNC,
    ExternKind.TABLE: Imm.TABLE,
    ExternKind.MEMORY: Imm.MEMORY,
    ExternKind.GLOBAL: Imm.GLOBAL,
    ExternKind.TAG: Imm.TAG,
}


def _limits(minimum: int, maximum: int | None, is_64: bool) -> str:
    words = ["i64"] if is_64 else []
    words.append(str(minimum))
    if maximum is not None:
        words.append(str(maximum))
    return " ".join(words)


def _memory_type(t: MemoryType) -> str:
    shared = " shared" if t.shared else ""
    page = f" (pagesize {1 << t.page_bits})" if t.page_bits != 16 else ""
    return f"{_limits(t.minimum, t.maximum, t.is_64)}{shared}{page}"


def _place(section: int) -> str:
    if not section:
        return "(before first)"
    if section == DATA:
        return "(after last)"
    return f"(after {next(name for name, x in SECTIONS.items() if x == section)})"
