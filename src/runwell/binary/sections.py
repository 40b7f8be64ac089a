"""Decoding of each section but the code section.

Source: core spec 3.0, binary format of modules.
"""

from array import array

from runwell.base import limits
from runwell.base.errors import InvalidError, MalformedError
from runwell.base.features import BIT
from runwell.base.leb128 import decode_unsigned
from runwell.base.types import FUNCREF, FuncType, ValType
from runwell.binary.expressions import constant, skip_expression
from runwell.binary.reader import UNEXPECTED_END, Reader, needs
from runwell.module.module import Data, Element, Export, Import, ImportDesc, SegmentMode, Span
from runwell.module.types import (
    ArrayType,
    CompositeType,
    ExternKind,
    FieldType,
    GlobalType,
    MemoryType,
    StructType,
    SubType,
    TableType,
)

_REC, _SUB_FINAL, _SUB = 0x4E, 0x4F, 0x50
_FUNC, _STRUCT, _ARRAY = 0x60, 0x5F, 0x5E

_HAS_MAX, _SHARED, _IS_64, _PAGE_SIZE = 1, 2, 4, 8
_TABLE_WITH_INIT = 0x40
_END = 0x0B

_KINDS = tuple(ExternKind)
_FUNC_KIND, _TABLE_KIND, _MEMORY_KIND, _GLOBAL_KIND, _TAG_KIND = _KINDS


def need(features: int, name: str, at: int) -> None:
    """Check that a feature is on.

    Raises:
        MalformedError: it is off.
    """
    if not features & BIT[name]:
        raise needs(name, at)


def types(r: Reader, features: int) -> tuple[tuple[SubType, ...], tuple[int, ...]]:
    """The type section: the types, and the sizes of the recursive groups unless all are 1."""
    groups: list[int] = []
    out: list[SubType] = []
    simple = True
    for _ in range(r.count("types", limits.TYPES)):
        at = r.at
        if at < r.end and r.data[at] == _REC:
            need(features, "gc", at)
            r.at += 1
            size = r.count("types", limits.TYPES - len(out))
            out += [_sub_type(r, features) for _ in range(size)]
            groups.append(size)
            simple = False
        else:
            out.append(_sub_type(r, features))
            groups.append(1)
    return tuple(out), () if simple else tuple(groups)


def _sub_type(r: Reader, features: int) -> SubType:
    at = r.at
    code = r.byte()
    if code == _FUNC:
        return SubType(_func_type(r))
    if code in (_SUB, _SUB_FINAL):
        need(features, "gc", at)
        supers = tuple([r.u32() for _ in range(r.length())])
        at = r.at
        return SubType(_composite(r, r.byte(), features, at), code == _SUB_FINAL, supers)
    return SubType(_composite(r, code, features, at))


def _composite(r: Reader, code: int, features: int, at: int) -> CompositeType:
    if code == _FUNC:
        return _func_type(r)
    if code == _STRUCT:
        need(features, "gc", at)
        return StructType(tuple([_field(r) for _ in range(r.length())]))
    if code == _ARRAY:
        need(features, "gc", at)
        return ArrayType(_field(r))
    # Forms are signed integers of seven bits.
    long = code >= 0x80
    raise MalformedError(
        "integer representation too long" if long else "malformed definition type", at
    )


def _field(r: Reader) -> FieldType:
    t = r.storage_type()
    return FieldType(t, r.mutability())


def _func_type(r: Reader) -> FuncType:
    params = tuple([r.val_type() for _ in range(r.count("parameters", limits.PARAMS))])
    return FuncType(
        params, tuple([r.val_type() for _ in range(r.count("results", limits.RESULTS))])
    )


def imports(r: Reader, features: int) -> tuple[Import, ...]:
    """The import section."""
    out: list[Import] = []
    for _ in range(r.count("imports", limits.IMPORTS)):
        module, name, at = r.name(), r.name(), r.at
        kind = r.byte()
        desc: ImportDesc
        if kind == _FUNC_KIND:
            desc = r.u32()
        elif kind == _TABLE_KIND:
            desc = table_type(r, features)
        elif kind == _MEMORY_KIND:
            desc = memory_type(r, features)
        elif kind == _GLOBAL_KIND:
            desc = global_type(r)
        elif kind == _TAG_KIND:
            desc = tag(r, features)
        else:
            raise MalformedError("malformed import kind", at)
        out.append(Import(module, name, _KINDS[kind], desc))
    return tuple(out)


def table_type(r: Reader, features: int) -> TableType:
    """The type of a table."""
    element = r.ref_type()
    at = r.at
    flags = r.byte()
    if flags & ~(_HAS_MAX | _IS_64):
        raise MalformedError("malformed limits flags", at)
    if flags & _IS_64:
        need(features, "memory64", at)
    minimum, maximum = _limits(r, flags)
    return TableType(element, minimum, maximum, flags & _IS_64 != 0)


def memory_type(r: Reader, features: int) -> MemoryType:
    """The type of a memory."""
    at = r.at
    flags = r.byte()
    if flags & ~(_HAS_MAX | _SHARED | _IS_64 | _PAGE_SIZE):
        raise MalformedError("malformed limits flags", at)
    if flags & _SHARED:
        need(features, "threads", at)
    if flags & _IS_64:
        need(features, "memory64", at)
    if flags & _PAGE_SIZE and not features & BIT["custom-page-sizes"]:
        what = "malformed limits flags: this"
        raise MalformedError(f"{what} needs the feature 'custom-page-sizes', which is off", at)
    minimum, maximum = _limits(r, flags)
    page_bits = r.u32() if flags & _PAGE_SIZE else 16
    return MemoryType(minimum, maximum, flags & _IS_64 != 0, flags & _SHARED != 0, page_bits)


def _limits(r: Reader, flags: int) -> tuple[int, int | None]:
    return r.u64(), r.u64() if flags & _HAS_MAX else None


def global_type(r: Reader) -> GlobalType:
    """The type of a global."""
    t = r.val_type()
    return GlobalType(t, r.mutability())


def tag(r: Reader, features: int) -> int:
    """A tag: the index of its type."""
    at = r.at
    need(features, "exception-handling", at)
    if r.byte():
        raise MalformedError("malformed tag attribute", at)
    return r.u32()


def functions(r: Reader) -> "array[int]":
    """The function section: type indices."""
    return r.u32s(r.count("functions", limits.FUNCTIONS))


def tables(r: Reader, features: int, end: int) -> tuple[tuple[TableType, Span | None], ...]:
    """The table section: types, with initial elements where given."""
    out: list[tuple[TableType, Span | None]] = []
    for _ in range(r.count("tables", limits.TABLES)):
        if r.at < r.end and r.data[r.at] == _TABLE_WITH_INIT:
            at = r.skip(1)
            need(features, "function-references", at)
            if r.byte():
                raise MalformedError("malformed table", at)
            t = table_type(r, features)
            out.append((t, constant(r, end)))
        else:
            out.append((table_type(r, features), None))
    return tuple(out)


def memories(r: Reader, features: int) -> tuple[MemoryType, ...]:
    """The memory section."""
    return tuple([memory_type(r, features) for _ in range(r.count("memories", limits.MEMORIES))])


def tags(r: Reader, features: int) -> tuple[int, ...]:
    """The tag section: type indices."""
    return tuple([tag(r, features) for _ in range(r.count("tags", limits.TAGS))])


def globals_(r: Reader, end: int) -> tuple[tuple[GlobalType, Span], ...]:
    """The global section: types and initial values."""
    out: list[tuple[GlobalType, Span]] = []
    for _ in range(r.count("globals", limits.GLOBALS)):
        t = global_type(r)
        out.append((t, constant(r, end)))
    return tuple(out)


def exports(r: Reader) -> tuple[Export, ...]:
    """The export section."""
    out: list[Export] = []
    for _ in range(r.count("exports", limits.EXPORTS)):
        name, at = r.name(), r.at
        kind = r.byte()
        if kind >= len(_KINDS):
            raise MalformedError("malformed export kind", at)
        out.append(Export(name, _KINDS[kind], r.u32()))
    return tuple(out)


_NOT_ACTIVE, _EXPLICIT, _EXPRESSIONS = 1, 2, 4


def elements(r: Reader, end: int) -> tuple[Element, ...]:
    """The element section: flags are bits, of which the second means declared if not active."""
    out: list[Element] = []
    for _ in range(r.count("element segments", limits.ELEMENT_SEGMENTS)):
        at = r.at
        flags = r.u32()
        if flags > (_NOT_ACTIVE | _EXPLICIT | _EXPRESSIONS):
            raise MalformedError("malformed elements segment kind", at)
        table, offset = 0, None
        if flags & _NOT_ACTIVE:
            mode = SegmentMode.DECLARED if flags & _EXPLICIT else SegmentMode.PASSIVE
        else:
            mode = SegmentMode.ACTIVE
            if flags & _EXPLICIT:
                table = r.u32()
            offset = constant(r, end)
        t: ValType = FUNCREF
        if flags & _EXPRESSIONS:
            if flags & (_NOT_ACTIVE | _EXPLICIT):
                t = r.ref_type()
            count = r.count("elements of a segment", limits.TABLE_ELEMENTS)
            items = tuple([constant(r, end) for _ in range(count)])
            out.append(Element(mode, table, offset, t, None, items))
        else:
            if flags & (_NOT_ACTIVE | _EXPLICIT):
                at = r.at
                if r.byte():
                    raise MalformedError("malformed element kind", at)
            x = r.u32s(r.count("elements of a segment", limits.TABLE_ELEMENTS))
            out.append(Element(mode, table, offset, t, x, None))
    return tuple(out)


def bodies(r: Reader) -> "array[int]":
    """The code section: start and end of each body.  Their contents are not looked at."""
    count = r.count("functions", limits.FUNCTIONS)
    data, at, end = r.data, r.at, r.end
    out = array("I")
    append = out.append
    limit = limits.FUNCTION_BYTES
    for _ in range(count):
        start = at
        if at < end and (size := data[at]) < 0x80:
            at += 1
        elif at + 1 < end and (high := data[at + 1]) < 0x80:
            size = data[at] & 0x7F | high << 7
            at += 2
        else:
            size, at = decode_unsigned(data, at, end)
        append(at)
        at += size
        append(at)
        if at > end or not size:
            raise MalformedError(UNEXPECTED_END, end)
        if data[at - 1] != _END:
            raise _open_body(data, out[-2], end)
        if size > limit:
            raise InvalidError(
                f"function too large: {size} bytes, the limit is {limit}", offset=start
            )
    r.at = at
    return out


def _open_body(data: bytes, start: int, end: int) -> MalformedError:
    """What is wrong with a body that does not close: what reading on would meet."""
    r = Reader(data, start, end)
    try:
        for _ in range(r.length()):
            r.u32()
            r.val_type()
        at = skip_expression(data, r.at, end)
    except MalformedError as error:
        return error
    return MalformedError("section size mismatch", at)


def datas(r: Reader, end: int) -> tuple[Data, ...]:
    """The data section."""
    count = r.length()
    if count > limits.DATA_SEGMENTS:
        raise InvalidError(
            f"too many data segments: {count}, the limit is {limits.DATA_SEGMENTS}", offset=r.at
        )
    out: list[Data] = []
    for _ in range(count):
        at = r.at
        flags = r.u32()
        if flags > 2:
            raise MalformedError("malformed data segment kind", at)
        memory = r.u32() if flags == 2 else 0
        offset = None if flags == 1 else constant(r, end)
        size = r.u32()
        start = r.skip(size)
        out.append(Data(memory, offset, start, r.at))
    return tuple(out)
