"""From bytes to a module.

Function bodies, constant expressions and names stay undecoded: the code section is scanned for
the ranges of its bodies only.  What is checked here is that the module is well formed apart from
its instructions; ``module.validate`` checks that it is valid, translation looks at instructions.

Source: core spec 3.0, binary format of modules.
"""

from array import array

from runwell.base import limits
from runwell.base.errors import InvalidError, MalformedError
from runwell.base.features import DEFAULT
from runwell.base.light import NamedTuple, final
from runwell.binary import sections
from runwell.binary.reader import UNEXPECTED_END, Reader
from runwell.module.module import Custom, Data, Element, Export, Import, Module, Names, Span
from runwell.module.types import GlobalType, MemoryType, SubType, TableType

MAGIC = b"\0asm"
VERSION = b"\1\0\0\0"

CUSTOM, TYPE, IMPORT, FUNCTION, TABLE, MEMORY, GLOBAL, EXPORT = range(8)
START, ELEMENT, CODE, DATA, DATA_COUNT, TAG = range(8, 14)

# Sections in the order in which they must come.
ORDER = (
    TYPE, IMPORT, FUNCTION, TABLE, MEMORY, TAG, GLOBAL, EXPORT, START, ELEMENT,
    DATA_COUNT, CODE, DATA,
)  # fmt: skip
SECTION_NAMES = (
    "custom", "type", "import", "function", "table", "memory", "global", "export", "start",
    "element", "code", "data", "data count", "tag",
)  # fmt: skip
_RANK = {section: rank for rank, section in enumerate(ORDER)}


def decode(data: bytes, features: int = DEFAULT) -> Module:
    """Decode a binary.

    Args:
        data: the whole binary; the module keeps it.
        features: the set of features that are on.

    Raises:
        MalformedError: the bytes are not a module, or one that needs a feature that is off.
        InvalidError: the module exceeds an implementation limit.
    """
    end = len(data)
    _check_header(data, end)
    if end > limits.MODULE_BYTES:
        raise InvalidError(f"module too large: {end} bytes, the limit is {limits.MODULE_BYTES}")
    r = Reader(data, 8, end, features)
    parts = _Parts()
    customs: list[Custom] = []
    rank, place = -1, CUSTOM
    while r.at < end:
        start = r.at
        section = r.byte()
        if section != CUSTOM and section not in _RANK:
            raise MalformedError("malformed section id", start)
        size = r.length()
        stop = r.at + size
        if stop > end:
            raise MalformedError(UNEXPECTED_END, end)
        if section == CUSTOM:
            customs.append(_custom(data, r.at, stop, place))
            r.at = stop
            continue
        if _RANK[section] <= rank:
            raise MalformedError("unexpected content after last section", start)
        rank, place = _RANK[section], section
        parts.decode(section, r, features, stop)
        if r.at != stop:
            raise MalformedError("section size mismatch", start)
    return parts.module(data, tuple(customs))


class SectionRange(NamedTuple):
    """A section's number, and the range of its contents."""

    number: int
    start: int
    end: int


def section_ranges(data: bytes) -> list[SectionRange]:
    """Where the sections of a well-formed binary are, in order."""
    r = Reader(data, 8, len(data))
    ranges: list[SectionRange] = []
    while r.at < r.end:
        number = r.byte()
        size = r.length()
        start = r.skip(size)
        ranges.append(SectionRange(number, start, r.at))
    return ranges


def _check_header(data: bytes, end: int) -> None:
    for at, word, message in (
        (0, MAGIC, "magic header not detected"),
        (4, VERSION, "unknown binary version"),
    ):
        if end < at + 4:
            raise MalformedError("unexpected end", end)
        if data[at : at + 4] != word:
            raise MalformedError(message, at)


def _custom(data: bytes, at: int, stop: int, place: int) -> Custom:
    r = Reader(data, at, stop)
    name = r.name()
    return Custom(name, r.at, stop, place)


def _names(module: Module) -> Names:
    from runwell.binary.names import decode_names

    return decode_names(module)


@final
class _Parts:
    """What the sections decoded so far hold."""

    __slots__ = (
        "bodies",
        "data_count",
        "datas",
        "elements",
        "exports",
        "functions",
        "globals",
        "imports",
        "memories",
        "rec_groups",
        "start",
        "tables",
        "tags",
        "types",
    )

    def __init__(self) -> None:
        self.types: tuple[SubType, ...] = ()
        self.rec_groups: tuple[int, ...] = ()
        self.imports: tuple[Import, ...] = ()
        self.functions = array("I")
        self.tables: tuple[tuple[TableType, Span | None], ...] = ()
        self.memories: tuple[MemoryType, ...] = ()
        self.tags: tuple[int, ...] = ()
        self.globals: tuple[tuple[GlobalType, Span], ...] = ()
        self.exports: tuple[Export, ...] = ()
        self.start: int | None = None
        self.elements: tuple[Element, ...] = ()
        self.data_count: int | None = None
        self.bodies = array("I")
        self.datas: tuple[Data, ...] = ()

    def decode(self, section: int, r: Reader, features: int, stop: int) -> None:
        """Decode the contents of a section other than a custom one."""
        if section == TYPE:
            self.types, self.rec_groups = sections.types(r, features)
        elif section == IMPORT:
            self.imports = sections.imports(r, features)
        elif section == FUNCTION:
            self.functions = sections.functions(r)
        elif section == TABLE:
            self.tables = sections.tables(r, features, stop)
        elif section == MEMORY:
            self.memories = sections.memories(r, features)
        elif section == TAG:
            self.tags = sections.tags(r, features)
        elif section == GLOBAL:
            self.globals = sections.globals_(r, stop)
        elif section == EXPORT:
            self.exports = sections.exports(r)
        elif section == START:
            self.start = r.u32()
        elif section == ELEMENT:
            self.elements = sections.elements(r, stop)
        elif section == DATA_COUNT:
            self.data_count = r.u32()
        elif section == CODE:
            self.bodies = sections.bodies(r)
        elif section == DATA:
            self.datas = sections.datas(r, stop)

    def module(self, data: bytes, customs: tuple[Custom, ...]) -> Module:
        """The module, if sections that must agree do."""
        if len(self.bodies) != 2 * len(self.functions):
            raise MalformedError("function and code section have inconsistent lengths", len(data))
        if self.data_count is not None and self.data_count != len(self.datas):
            raise MalformedError("data count and data section have inconsistent lengths", len(data))
        return Module(
            data,
            types=self.types,
            rec_groups=self.rec_groups,
            imports=self.imports,
            functions=self.functions,
            tables=self.tables,
            memories=self.memories,
            tags=self.tags,
            globals=self.globals,
            exports=self.exports,
            start=self.start,
            elements=self.elements,
            data_count=self.data_count,
            bodies=self.bodies,
            datas=self.datas,
            customs=customs,
            read_names=_names,
        )
