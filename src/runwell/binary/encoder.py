"""From a module to bytes.

The encoding is canonical: shortest integers, no empty sections, the shortest form of a segment.
A module decoded from canonical bytes is encoded to the same bytes.

Source: core spec 3.0, binary format of modules.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

from runwell.base.leb128 import encode_signed, encode_unsigned
from runwell.base.types import INDEX_SHIFT, NON_NULL, FuncType, ValType
from runwell.binary import decoder
from runwell.binary.names import encode_name
from runwell.module.module import Data, Element, Export, Import, Module, SegmentMode, Span
from runwell.module.types import (
    FieldType,
    GlobalType,
    MemoryType,
    StructType,
    SubType,
    TableType,
)

T = TypeVar("T")


def encode(module: Module) -> bytes:
    """The binary of a module."""
    out = bytearray(decoder.MAGIC + decoder.VERSION)
    _customs(out, module, decoder.CUSTOM)
    for section in decoder.ORDER:
        contents = _contents(module, section)
        if contents:
            append_section(out, section, contents)
        _customs(out, module, section)
    return bytes(out)


def append_section(out: bytearray, section: int, contents: bytes) -> None:
    """Append a section."""
    out.append(section)
    out += encode_unsigned(len(contents))
    out += contents


def _customs(out: bytearray, module: Module, place: int) -> None:
    for custom in module.customs:
        if custom.place == place:
            contents = encode_name(custom.name) + module.data[custom.start : custom.end]
            append_section(out, decoder.CUSTOM, contents)


def _contents(module: Module, section: int) -> bytes:
    """The contents of a section, b"" if there are none."""
    data = module.data
    n = module
    if section == decoder.TYPE:
        return _types(module)
    if section == decoder.IMPORT:
        return _vector(module.imports, _import)
    if section == decoder.FUNCTION:
        return _vector(n.function_types[n.n_imported_functions :], encode_unsigned)
    if section == decoder.TABLE:
        own = zip(n.table_types[n.n_imported_tables :], n.table_inits, strict=True)
        return _vector(list(own), lambda t: _table(data, *t))
    if section == decoder.MEMORY:
        return _vector(n.memory_types[n.n_imported_memories :], encode_memory_type)
    if section == decoder.TAG:
        return _vector(n.tag_types[n.n_imported_tags :], _tag)
    if section == decoder.GLOBAL:
        variables = zip(n.global_types[n.n_imported_globals :], n.global_inits, strict=True)
        return _vector(
            list(variables), lambda g: encode_global_type(g[0]) + data[g[1].start : g[1].end]
        )
    if section == decoder.EXPORT:
        return _vector(module.exports, _export)
    if section == decoder.START:
        return b"" if module.start is None else encode_unsigned(module.start)
    if section == decoder.ELEMENT:
        return _vector(module.elements, lambda e: _element(data, e))
    if section == decoder.DATA_COUNT:
        return b"" if module.data_count is None else encode_unsigned(module.data_count)
    if section == decoder.CODE:
        return _bodies(module)
    return _vector(module.datas, lambda d: _data(data, d))


def _vector(items: "Iterable[T]", encode_item: Callable[[T], bytes]) -> bytes:
    """A length and so many items; nothing at all for none."""
    parts = [encode_item(item) for item in items]
    return encode_unsigned(len(parts)) + b"".join(parts) if parts else b""


def _types(module: Module) -> bytes:
    if not module.types:
        return b""
    groups = module.rec_groups or (1,) * len(module.types)
    out = bytearray(encode_unsigned(len(groups)))
    at = 0
    for size in groups:
        if size != 1:
            out.append(0x4E)
            out += encode_unsigned(size)
        for t in module.types[at : at + size]:
            out += encode_sub_type(t)
        at += size
    return bytes(out)


def encode_sub_type(t: SubType) -> bytes:
    """An entry of the type section."""
    out = bytearray()
    if not t.final or t.supers:
        out.append(0x4F if t.final else 0x50)
        out += encode_unsigned(len(t.supers))
        for x in t.supers:
            out += encode_unsigned(x)
    c = t.composite
    if isinstance(c, FuncType):
        out.append(0x60)
        for values in c:
            out += encode_unsigned(len(values))
            for v in values:
                out += encode_value_type(v)
    elif isinstance(c, StructType):
        out.append(0x5F)
        out += encode_unsigned(len(c.fields))
        for f in c.fields:
            out += _field(f)
    else:
        out.append(0x5E)
        out += _field(c.field)
    return bytes(out)


def _field(f: FieldType) -> bytes:
    return encode_value_type(f.type) + bytes((f.mutable,))


def encode_value_type(t: ValType) -> bytes:
    """A value type or storage type."""
    if 0 < t < NON_NULL:
        return bytes((t,))
    return bytes((0x64 if t & NON_NULL else 0x63,)) + encode_heap_type(t)


def encode_heap_type(t: int) -> bytes:
    """The heap type of a reference type."""
    return bytes((t & 0xFF,)) if t & 0xFF else encode_signed(t >> INDEX_SHIFT)


def _import(entry: Import) -> bytes:
    head = encode_name(entry.module) + encode_name(entry.name) + bytes((entry.kind,))
    desc = entry.desc
    if isinstance(desc, int):
        return head + (_tag(desc) if entry.kind else encode_unsigned(desc))
    if isinstance(desc, TableType):
        return head + encode_table_type(desc)
    if isinstance(desc, MemoryType):
        return head + encode_memory_type(desc)
    return head + encode_global_type(desc)


def _tag(type_index: int) -> bytes:
    return b"\0" + encode_unsigned(type_index)


def encode_table_type(t: TableType) -> bytes:
    """The type of a table."""
    flags = (t.maximum is not None) | t.is_64 << 2
    return encode_value_type(t.element) + bytes((flags,)) + _limits(t.minimum, t.maximum)


def encode_memory_type(t: MemoryType) -> bytes:
    """The type of a memory."""
    flags = (t.maximum is not None) | t.shared << 1 | t.is_64 << 2 | (t.page_bits != 16) << 3
    page = encode_unsigned(t.page_bits) if t.page_bits != 16 else b""
    return bytes((flags,)) + _limits(t.minimum, t.maximum) + page


def _limits(minimum: int, maximum: int | None) -> bytes:
    most = b"" if maximum is None else encode_unsigned(maximum)
    return encode_unsigned(minimum) + most


def encode_global_type(t: GlobalType) -> bytes:
    """The type of a global."""
    return encode_value_type(t.type) + bytes((t.mutable,))


def _table(data: bytes, t: TableType, init: Span | None) -> bytes:
    if init is None:
        return encode_table_type(t)
    return b"\x40\0" + encode_table_type(t) + data[init.start : init.end]


def _export(export: Export) -> bytes:
    return encode_name(export.name) + bytes((export.kind,)) + encode_unsigned(export.item)


def _element(data: bytes, e: Element) -> bytes:
    out = bytearray()
    general = e.functions is None
    if e.mode == SegmentMode.ACTIVE:
        assert e.offset is not None
        explicit = e.table != 0 or (general and e.type != ValType.FUNCREF)
        out.append(explicit << 1 | general << 2)
        if explicit:
            out += encode_unsigned(e.table)
        out += data[e.offset.start : e.offset.end]
    else:
        explicit = True
        out.append((3 if e.mode == SegmentMode.DECLARED else 1) | general << 2)
    if e.functions is not None:
        if explicit:
            out.append(0)
        out += encode_unsigned(len(e.functions))
        for x in e.functions:
            out += encode_unsigned(x)
    if e.expressions is not None:
        if explicit:
            out += encode_value_type(e.type)
        out += encode_unsigned(len(e.expressions))
        for start, end in e.expressions:
            out += data[start:end]
    return bytes(out)


def _bodies(module: Module) -> bytes:
    bodies, data = module.bodies, module.data
    if not bodies:
        return b""
    out = bytearray(encode_unsigned(len(bodies) // 2))
    for x in range(0, len(bodies), 2):
        start, end = bodies[x], bodies[x + 1]
        out += encode_unsigned(end - start)
        out += data[start:end]
    return bytes(out)


def _data(data: bytes, d: Data) -> bytes:
    contents = encode_unsigned(d.end - d.start) + data[d.start : d.end]
    if d.offset is None:
        return b"\1" + contents
    head = b"\2" + encode_unsigned(d.memory) if d.memory else b"\0"
    return head + data[d.offset.start : d.offset.end] + contents
