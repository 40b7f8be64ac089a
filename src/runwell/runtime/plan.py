"""What instantiation does for every instance of a module, worked out once."""

from _struct import Struct
from array import array

from runwell.base.light import NamedTuple, final
from runwell.base.light_ctypes import addressof
from runwell.base.types import FuncType, ValType
from runwell.kernel.types import ctype_of, sizeof
from runwell.module.module import Import, Module, SegmentMode
from runwell.module.types import ExternKind, ExternType, MemoryType, TableType
from runwell.runtime import layout
from runwell.runtime.code import ModuleCode, address_of
from runwell.runtime.constant import NULL, Constant, How, read_constant
from runwell.runtime.globals import CELL_BYTES
from runwell.runtime.mapping import guard_pages_available
from runwell.runtime.types import describe_func

BYTES_HEAD = bytes.__basicsize__ - 1  # where the bytes of a bytes object begin


class ElementPlan(NamedTuple):
    """An element segment that is written or kept.

    Attributes:
        number: among the module's element segments.
        type: of the items.
        table: where it is written; None if it is passive.
        offset: in the table.
        functions: the functions that it refers to, or None if the items are expressions.
        items: the expressions.
    """

    number: int
    type: ValType
    table: int | None
    offset: Constant
    functions: "array[int] | None"
    items: tuple[Constant, ...]


@final
class Plan:
    """How to instantiate a module.

    Attributes:
        imports: with their types, in order; types of all are canonical.
        memories: types of the module's own memories.
        tables: types of the module's own tables.
        globals: number and value of the module's own globals that are not literals.
        table_inits: number and value of the module's own tables that do not start out null.
        elements: active and passive element segments, in order.
        data: memory, offset, address and size of each active data segment.
        data_offsets: number in ``data`` and offset of those whose offset is not literal.
        address: of the native ``InstancePlan``.
        cells: byte offset of the first global cell in an instance.
        segments: byte offset of the array of element segments in an instance.
        data_at: byte offset of the array of data segments in an instance.
        size: bytes of an instance.
        function_numbers: canonical numbers of the imports' types, None for what is no function.
        pack: makes bytes of the addresses that an instance begins with.
        has_guard_pages: does its code rely on them?
        is_complete: is an instance, once it is laid out?
        funcs: byte offset of the array of addresses of function references in an instance.
        func_refs: byte offset of its own function references.
    """

    __slots__ = (
        "_kept",
        "address",
        "cells",
        "data",
        "data_at",
        "data_offsets",
        "elements",
        "func_refs",
        "funcs",
        "function_numbers",
        "globals",
        "has_guard_pages",
        "imports",
        "is_complete",
        "memories",
        "pack",
        "segments",
        "size",
        "table_inits",
        "tables",
    )

    def __init__(self, code: ModuleCode) -> None:
        module = code.module
        self.imports: list[tuple[Import, ExternType]] = [
            (entry, wanted.type)
            for entry, wanted in zip(module.imports, code.import_types(), strict=True)
        ]
        self.memories: list[MemoryType] = list(module.memory_types[module.n_imported_memories :])
        self.tables: list[TableType] = [
            code.table_type(x) for x in range(module.n_imported_tables, len(module.table_types))
        ]
        data = module.data
        image = bytearray(CELL_BYTES * len(module.global_types))
        self.globals: list[tuple[int, Constant]] = []
        for x, span in enumerate(module.global_inits, module.n_imported_globals):
            constant = read_constant(data, span)
            if constant.how == How.LITERAL:
                at = CELL_BYTES * x
                image[at : at + 8] = constant.value.to_bytes(8, "little")
            else:
                self.globals.append((x, constant))
        self.table_inits: list[tuple[int, Constant]] = []
        for x, init in enumerate(module.table_inits, module.n_imported_tables):
            if init is not None and (constant := read_constant(data, init))[:2] != NULL[:2]:
                self.table_inits.append((x, constant))
        self.elements = list(_elements(code))
        source = address_of(data)
        spans = array("Q")
        self.data = array("Q")
        self.data_offsets: list[tuple[int, Constant]] = []
        for segment in module.datas:
            address, size = source + segment.start, segment.end - segment.start
            # An active segment is dropped once it is written.
            spans.extend((address, size if segment.offset is None else 0))
            if segment.offset is not None:
                offset = read_constant(data, segment.offset)
                if offset.how != How.LITERAL:
                    self.data_offsets.append((len(self.data) // 4, offset))
                self.data.extend((segment.memory, offset.value, address, size))
        cells = bytes(image)
        objects = array(
            "I",
            [
                sizeof(layout.Instance) + CELL_BYTES * x
                for x, t in enumerate(module.global_types)
                if x >= module.n_imported_globals and t.type.is_ref and code.may_be_object(t.type)
            ],
        )
        exceptions = array(
            "I",
            [
                sizeof(layout.Instance) + CELL_BYTES * x
                for x, t in enumerate(module.global_types)
                if x >= module.n_imported_globals and t.type.is_exception
            ],
        )
        plan = ctype_of(layout.InstancePlan)(
            module=code.address,
            refs=code.referenced.buffer_info()[0],
            cells=address_of(cells),
            spans=spans.buffer_info()[0],
            n_refs=len(code.referenced),
            n_globals=len(module.global_types),
            n_data=len(module.datas),
            n_elements=len(module.elements),
            n_imported_functions=module.n_imported_functions,
            n_imported_globals=module.n_imported_globals,
            n_memories=len(module.memory_types),
            n_tables=len(module.table_types),
            n_tags=len(module.tag_types),
            n_exception_cells=len(exceptions),
            exception_cells=exceptions.buffer_info()[0],
            n_object_cells=len(objects),
            object_cells=objects.buffer_info()[0],
        )
        at = self.cells = sizeof(layout.Instance)
        at += len(cells)
        plan.memories = at
        at += 8 * len(module.memory_types)
        plan.tables = at
        at += 8 * len(module.table_types)
        plan.tags = at
        at += 8 * len(module.tag_types)
        plan.data = self.data_at = at
        at += sizeof(layout.Segment) * len(module.datas)
        plan.elements = self.segments = at
        at += sizeof(layout.Segment) * len(module.elements)
        plan.func_refs = self.func_refs = at
        at += sizeof(layout.FuncRef) * len(code.referenced)
        plan.funcs = self.funcs = at
        plan.cells_at = at + 8 * len(module.function_types)
        plan.size = self.size = plan.cells_at + 4 * len(exceptions)
        self.pack = Struct(f"={_count_of_addresses(module)}Q").pack
        self.function_numbers = [
            code.numbers[entry.desc]
            if entry.kind == ExternKind.FUNC and isinstance(entry.desc, int)
            else None
            for entry in module.imports
        ]
        self.has_guard_pages = (
            len(module.memory_types) > 0 and not code.explicit and guard_pages_available()
        )
        self.is_complete = module.start is None and not (
            self.globals or self.table_inits or self.elements or self.data
        )
        self._kept = (plan, cells, spans, code.referenced, exceptions, objects)
        self.address: int = addressof(plan)


def _count_of_addresses(module: Module) -> int:
    return (
        module.n_imported_functions
        + len(module.memory_types)
        + len(module.table_types)
        + len(module.tag_types)
        + module.n_imported_globals
    )


def _elements(code: ModuleCode) -> "list[ElementPlan]":
    module = code.module
    plans = []
    for i, segment in enumerate(module.elements):
        if segment.mode == SegmentMode.DECLARED:
            continue
        items = tuple(read_constant(module.data, e) for e in segment.expressions or ())
        active = segment.mode == SegmentMode.ACTIVE
        offset = NULL if segment.offset is None else read_constant(module.data, segment.offset)
        table = segment.table if active else None
        functions = None if segment.expressions is not None else segment.functions
        plans.append(ElementPlan(i, segment.type, table, offset, functions, items))
    return plans


def describe(extern: ExternType, number: int = 0) -> str:
    """An extern type as errors show it; ``number`` is that of a function's type, if it is known."""
    if isinstance(extern, FuncType):
        return describe_func(number) if number else f"func {extern}"
    return str(extern)
