"""The decoded module: light immutable records over the bytes of the binary.

Function bodies and constant expressions are not decoded: they are ranges of ``data``.  Index
spaces are whole: imports first, then definitions, as instructions number them.

Letters: ``x`` index, ``t`` type, ``v`` value, ``e`` instruction or expression, ``f`` function,
``m`` machine or memory.  Source: core spec 3.0, structure of modules.
"""

from __future__ import annotations

from array import array

from runwell.base.light import IntEnum, NamedTuple, final
from runwell.base.types import FuncType, ValType
from runwell.module.types import (
    ExportType,
    ExternKind,
    ExternType,
    GlobalType,
    ImportType,
    MemoryType,
    SubType,
    TableType,
    TagType,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias


class Span(NamedTuple):
    """A range of the module's bytes; of a constant expression, with its final ``end`` opcode."""

    start: int
    end: int


ImportDesc: TypeAlias = int | TableType | MemoryType | GlobalType


class Import(NamedTuple):
    """An import; ``desc`` is a type index for functions and tags, else the type."""

    module: str
    name: str
    kind: ExternKind
    desc: ImportDesc


class Export(NamedTuple):
    """An export of number ``item`` in the index space of its kind."""

    name: str
    kind: ExternKind
    item: int


class SegmentMode(IntEnum):
    """When a segment is copied."""

    ACTIVE = 0
    PASSIVE = 1
    DECLARED = 2


class Element(NamedTuple):
    """An element segment.

    Attributes:
        mode: active, passive or declared.
        table: index of the table, of an active segment; else 0.
        offset: where in the table, a constant expression; None unless active.
        type: type of the elements.
        functions: function indices, or None if the items are expressions.
        expressions: one constant expression an item, or None if the items are function indices.
    """

    mode: SegmentMode
    table: int
    offset: Span | None
    type: ValType
    functions: array[int] | None
    expressions: tuple[Span, ...] | None

    @property
    def size(self) -> int:
        """Number of items."""
        items = self.functions if self.expressions is None else self.expressions
        return len(items) if items is not None else 0


class Data(NamedTuple):
    """A data segment; ``start`` to ``end`` are its bytes, ``offset`` is None if it is passive."""

    memory: int
    offset: Span | None
    start: int
    end: int


class Custom(NamedTuple):
    """A custom section; ``start`` to ``end`` are its bytes behind the name.

    ``place`` is the id of the section that it follows, 0 at the beginning, so that it keeps its
    place when the module is written again.
    """

    name: str
    start: int
    end: int
    place: int


class Names(NamedTuple):
    """What the name section says; parts that are damaged or absent are empty."""

    module: str = ""
    functions: Mapping[int, str] = {}
    locals: Mapping[int, Mapping[int, str]] = {}
    labels: Mapping[int, Mapping[int, str]] = {}
    types: Mapping[int, str] = {}
    tables: Mapping[int, str] = {}
    memories: Mapping[int, str] = {}
    globals: Mapping[int, str] = {}
    elements: Mapping[int, str] = {}
    data: Mapping[int, str] = {}
    fields: Mapping[int, Mapping[int, str]] = {}
    tags: Mapping[int, str] = {}


@final
class Module:
    """A decoded module.  Nothing changes it after construction.

    Attributes:
        data: the binary; spans are ranges of it.
        types: the type section, recursive groups flattened.
        rec_groups: sizes of the recursive groups in order, or () if every type is alone.
        imports: in order.
        function_types: type index by function index.
        table_types: by table index.
        table_inits: initial element of each *defined* table; None: null.
        memory_types: by memory index.
        tag_types: type index by tag index.
        global_types: by global index.
        global_inits: initial value of each *defined* global.
        exports: in order.
        start: index of the start function, or None.
        elements: element segments.
        data_count: from the data count section, or None.
        bodies: start and end of each *defined* function's body (its locals), two items a function.
        datas: data segments.
        customs: custom sections, in order.
        n_imported_functions, n_imported_tables, n_imported_memories, n_imported_globals,
        n_imported_tags: how many of each index space are imports.
    """

    __slots__ = (
        "_names",
        "_read_names",
        "bodies",
        "customs",
        "data",
        "data_count",
        "datas",
        "elements",
        "exports",
        "function_types",
        "global_inits",
        "global_types",
        "imports",
        "memory_types",
        "n_imported_functions",
        "n_imported_globals",
        "n_imported_memories",
        "n_imported_tables",
        "n_imported_tags",
        "rec_groups",
        "start",
        "table_inits",
        "table_types",
        "tag_types",
        "types",
    )

    def __init__(
        self,
        data: bytes,
        *,
        types: tuple[SubType, ...] = (),
        rec_groups: tuple[int, ...] = (),
        imports: tuple[Import, ...] = (),
        functions: array[int] | None = None,
        tables: tuple[tuple[TableType, Span | None], ...] = (),
        memories: tuple[MemoryType, ...] = (),
        tags: tuple[int, ...] = (),
        globals: tuple[tuple[GlobalType, Span], ...] = (),  # noqa: A002 - the spec's word
        exports: tuple[Export, ...] = (),
        start: int | None = None,
        elements: tuple[Element, ...] = (),
        data_count: int | None = None,
        bodies: array[int] | None = None,
        datas: tuple[Data, ...] = (),
        customs: tuple[Custom, ...] = (),
        read_names: Callable[[Module], Names] | None = None,
    ) -> None:
        """Make a module of its sections; ``functions`` to ``globals`` are the definitions."""
        self.data, self.types, self.rec_groups, self.imports = data, types, rec_groups, imports
        self.exports, self.start, self.elements = exports, start, elements
        self.data_count, self.datas, self.customs = data_count, datas, customs
        self.bodies = bodies if bodies is not None else array("I")
        function_types = array("I")
        table_types: list[TableType] = []
        memory_types: list[MemoryType] = []
        global_types: list[GlobalType] = []
        tag_types: list[int] = []
        for entry in imports:
            desc = entry.desc
            if isinstance(desc, int):
                (function_types if entry.kind == 0 else tag_types).append(desc)
            elif isinstance(desc, TableType):
                table_types.append(desc)
            elif isinstance(desc, MemoryType):
                memory_types.append(desc)
            else:
                global_types.append(desc)
        self.n_imported_functions = len(function_types)
        self.n_imported_tables = len(table_types)
        self.n_imported_memories = len(memory_types)
        self.n_imported_globals = len(global_types)
        self.n_imported_tags = len(tag_types)
        if functions is not None:
            function_types.extend(functions)
        self.function_types = function_types
        self.table_types = (*table_types, *(t for t, _ in tables))
        self.table_inits = tuple(init for _, init in tables)
        self.memory_types = (*memory_types, *memories)
        self.global_types = (*global_types, *(t for t, _ in globals))
        self.global_inits = tuple(init for _, init in globals)
        self.tag_types = (*tag_types, *tags)
        self._read_names = read_names
        self._names: Names | None = None

    @property
    def names(self) -> Names:
        """The name section, decoded when first asked for."""
        if self._names is None:
            self._names = self._read_names(self) if self._read_names is not None else Names()
        return self._names

    def __str__(self) -> str:
        """Its name; what else tells it apart if it has none."""
        return self.names.module or f"a module of {len(self.data)} bytes"

    def body(self, function: int) -> Span | None:
        """Where the body of a function is; None for an import."""
        x = (function - self.n_imported_functions) * 2
        return Span(self.bodies[x], self.bodies[x + 1]) if x >= 0 else None

    def func_type(self, type_index: int) -> FuncType:
        """The function type at a type index.

        Raises:
            LookupError: no function type has that index.
        """
        composite = self.types[type_index].composite
        if not isinstance(composite, FuncType):
            raise LookupError(f"type {type_index} is not a function type")
        return composite

    def signature(self, function: int) -> FuncType:
        """The type of a function, by function index."""
        return self.func_type(self.function_types[function])

    def function_name(self, function: int) -> str:
        """A function's name from the name section, else from an export or import, or ``""``."""
        name = self.names.functions.get(function)
        if name is not None:
            return name
        for export in self.exports:
            if export.kind == ExternKind.FUNC and export.item == function:
                return export.name
        if function < self.n_imported_functions:
            imported = [entry for entry in self.imports if entry.kind == ExternKind.FUNC]
            return f"{imported[function].module}.{imported[function].name}"
        return ""

    def type_of(self, kind: ExternKind, index: int) -> ExternType:
        """The type of the thing at an index of an index space; the module must be valid."""
        if kind == ExternKind.FUNC:
            return self.signature(index)
        if kind == ExternKind.TABLE:
            return self.table_types[index]
        if kind == ExternKind.MEMORY:
            return self.memory_types[index]
        if kind == ExternKind.GLOBAL:
            return self.global_types[index]
        return TagType(self.func_type(self.tag_types[index]))

    def import_types(self) -> tuple[ImportType, ...]:
        """What the module wants, typed, in order; the module must be valid."""
        return tuple(
            ImportType(module, name, kind, self._import_type(kind, desc))
            for module, name, kind, desc in self.imports
        )

    def _import_type(self, kind: ExternKind, desc: ImportDesc) -> ExternType:
        if isinstance(desc, int):
            t = self.func_type(desc)
            return t if kind == ExternKind.FUNC else TagType(t)
        return desc

    def export_types(self) -> tuple[ExportType, ...]:
        """What the module offers, typed, in order; the module must be valid."""
        return tuple(
            ExportType(name, kind, self.type_of(kind, item)) for name, kind, item in self.exports
        )

    def custom(self, name: str) -> bytes | None:
        """The bytes of the first custom section of a name, or None."""
        for section in self.customs:
            if section.name == name:
                return self.data[section.start : section.end]
        return None
