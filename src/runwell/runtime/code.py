"""Modules as native code sees them.

A ``ModuleCode`` belongs to one decoded module and one way of bounding memory accesses, and is
shared by all its instances and threads.  Functions are described by one kernel, because there may
be tens of thousands.
"""

from __future__ import annotations

from array import array
from itertools import compress
from struct import pack_into

from runwell.base import features as feature_bits
from runwell.base.light import final
from runwell.base.light_ctypes import c_char_p, c_void_p
from runwell.base.types import (
    FUNCREF,
    I32,
    INDEX_SHIFT,
    NON_NULL,
    OBJECT_CODES,
    FuncType,
    ValType,
    ref_to_index,
)
from runwell.kernel.types import ctype_of, sizeof
from runwell.module.module import Module, Span
from runwell.module.subtyping import value_types
from runwell.module.types import (
    CompositeType,
    ExternKind,
    ExternType,
    FieldType,
    GlobalType,
    ImportType,
    StructType,
    TableType,
    TagType,
)
from runwell.runtime import layout
from runwell.runtime.constant import How, named_functions, read_constant
from runwell.runtime.mapping import Block, Mapping
from runwell.runtime.memory import is_guarded
from runwell.runtime.native import native
from runwell.runtime.types import TypeNumber, declared, hold_types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

# Address space for register code: for each byte of the code section, and beside it, because the
# translator wants room for the longest instruction before each.  A byte becomes the most code in a
# `br_table` whose branches carry values: each gets a branch of its own.
ARENA_FACTOR, ARENA_BYTES = 64, 8 << 20

MEMORY_IS_64, MEMORY_SHARED, MEMORY_CHECKED = 1, 2, 4
TABLE_IS_64 = 1
# Of the elements of a segment that is given as function indices.
REF_FUNC = ValType(FUNCREF | NON_NULL)


def slot_bytes(types: tuple[ValType, ...]) -> tuple[int, int]:
    """Bytes that values take on the value stack and on the reference stack."""
    values = refs = 0
    for t in types:
        if t.is_ref:
            refs += 8
        else:
            values += 16 if t.bits > 64 else 8
    return values, refs


@final
class ModuleCode:
    """A module made ready for translation and instantiation.

    Attributes:
        module: what was decoded.
        address: of the native ``ModuleCode``.
        compiled: machine code of its functions, which goes with it.
        compiler: what compiles it, and in how many processes; see ``jit.compiler``.
        tier: what is compiled of it; see ``jit.tier``.
        deterministic: every NaN that its code makes is the canonical one.
        explicit: every memory access is checked, none relies on guard pages.
        features: bit set of what the module may use.
        max_frames: frames that a call from the host may have; None for no limit but the context's.
        metered: its code consumes fuel.
        numbers: canonical number by type index.
        embedding: what the embedding keeps with it.
        referenced: indices of the module's own functions that references can be made to, and of
            the start function.
    """

    __slots__ = (
        "__weakref__",
        "_arena",
        "_blocks",
        "_canon",
        "_native",
        "_tag_types",
        "_uses_objects",
        "address",
        "compiled",
        "compiler",
        "deterministic",
        "embedding",
        "explicit",
        "features",
        "max_frames",
        "metered",
        "module",
        "numbers",
        "plan",
        "referenced",
        "tier",
    )

    def __init__(
        self,
        module: Module,
        *,
        explicit: bool = False,
        features: int = feature_bits.ALL,
        max_frames: int | None = None,
        metered: bool = False,
        deterministic: bool = False,
        heat: int = 0,
    ) -> None:
        """Describe a module; functions are translated when they are first called.

        Args:
            module: what was decoded; bodies and constant expressions need not be valid yet.
            explicit: do not rely on guard pages.
            features: bit set of what the module may use.
            max_frames: frames that a call from the host may have.
            metered: let the code consume fuel.
            deterministic: let the code make canonical NaNs only.
            heat: turns after which a function is reported as hot; 0 for never.

        Raises:
            MemoryError: the system has no room for the code.
        """
        self.module, self.explicit, self.max_frames = module, explicit, max_frames
        self.metered, self.features = metered, features
        self.deterministic = deterministic
        self.compiled: list[object] = []
        self.compiler: tuple[str, int | None] = ("process", None)
        self.tier: Any = None
        self.embedding: Any = None
        self.plan: Any = None  # how to instantiate; see ``instance``
        self.numbers: tuple[TypeNumber, ...] = ()
        self._blocks: list[object] = []
        self._uses_objects: bool | None = None
        self._canon: Sequence[int] = ()
        bodies = module.bodies
        size = bodies[-1] - bodies[0] if bodies else 0
        directory = 8 * len(module.function_types)
        self._arena = Mapping(ARENA_BYTES + ARENA_FACTOR * size + 2 * directory)
        block = self._block(sizeof(layout.ModuleCode))
        self.address = block.address
        self._native = ctype_of(layout.ModuleCode).from_address(self.address)
        functions = len(module.function_types)
        declared = self._declared(functions)
        first = module.n_imported_functions
        referenced = declared[first:]
        if module.start is not None and first <= module.start < functions:
            referenced[module.start - first] = 1
        self.referenced = array("I", compress(range(first, functions), referenced))
        n = self._native
        n.types = self._types()
        n.function_types = module.function_types.buffer_info()[0]
        n.global_types = self._words(
            x for t, m in module.global_types for x in (self.native_type(t), m)
        )
        n.memory_flags = self._bytes(
            t.is_64 * MEMORY_IS_64
            | t.shared * MEMORY_SHARED
            | (not is_guarded(t, explicit)) * MEMORY_CHECKED
            for t in module.memory_types
        )
        n.table_types = self._words(
            x
            for t in module.table_types
            for x in (self.native_type(t.element), t.is_64 * TABLE_IS_64)
        )
        n.element_types = self._words(
            self.native_type(e.type if e.functions is None else REF_FUNC) for e in module.elements
        )
        n.declared = self._bytes(declared)
        n.codes = self._block(sizeof(layout.FuncCode) * functions).address
        n.n_types = len(module.types)
        n.n_functions = functions
        n.n_imported_functions = module.n_imported_functions
        n.n_globals = len(module.global_types)
        n.n_imported_globals = module.n_imported_globals
        n.n_memories = len(module.memory_types)
        n.n_tables = len(module.table_types)
        n.n_elements = len(module.elements)
        n.n_data = -1 if module.data_count is None else module.data_count
        n.features = features
        n.code = n.code_out = int(self._arena)
        # The lists of what is translated, and of its handlers, have the arena's end.
        n.handlers = self._arena + self._arena.size - directory
        n.translated = n.code_end = n.handlers - directory
        self._tag_types = array("I", module.tag_types)
        n.tag_types, n.n_tags = self._tag_types.buffer_info()[0], len(module.tag_types)
        n.explicit_bounds = explicit
        n.metered = metered
        n.deterministic = deterministic
        n.heat = heat
        n.object = id(self)
        n.source = address_of(module.data)
        if functions:
            stub, native_stub = native.address("stub_translate"), native.address("native_interpret")
            native.fill_codes(self.address, bodies.buffer_info()[0], stub, native_stub)

    @property
    def n_functions(self) -> int:
        """Functions, imports included."""
        return len(self.module.function_types)

    def code_address(self, function: int) -> int:
        """Address of a function's ``FuncCode``."""
        return int(self._native.codes) + sizeof(layout.FuncCode) * function

    def contains(self, ip: int) -> bool:
        """Is an address in this module's register code?"""
        return self._arena <= ip < int(self._native.code_end)

    def _block(self, size: int) -> Block:
        block = Block(size)
        self._blocks.append(block)
        return block

    def _bytes(self, content: Any) -> int:
        data = bytes(content)
        self._blocks.append(data)
        return address_of(data)

    def _words(self, content: Any) -> int:
        data = array("I", content)
        self._blocks.append(data)
        return data.buffer_info()[0]

    def native_type(self, type_: ValType) -> int:
        """A value type as native code has it: equal types are equal numbers."""
        index = type_ >> INDEX_SHIFT
        if type_ & 0xFF or index >= len(self._canon):
            return int(type_)
        return self._canon[index] << INDEX_SHIFT | type_ & NON_NULL

    def canonical(self, type_: ValType) -> ValType:
        """A value type as it is known outside of the module."""
        if type_ & 0xFF:
            return type_
        return ref_to_index(self.numbers[type_ >> INDEX_SHIFT], not type_ & NON_NULL)

    def signature(self, function: int) -> FuncType:
        """The canonical type of a function."""
        return self.numbers[self.module.function_types[function]].type

    def global_type(self, index: int) -> GlobalType:
        """The canonical type of a global."""
        t = self.module.global_types[index]
        return t if t.type & 0xFF else GlobalType(self.canonical(t.type), t.mutable)

    def table_type(self, index: int) -> TableType:
        """The canonical type of a table."""
        t = self.module.table_types[index]
        return t if t.element & 0xFF else t._replace(element=self.canonical(t.element))

    def import_types(self) -> list[ImportType]:
        """The canonical types of the imports, in order."""
        found = []
        for module, name, kind, desc in self.module.imports:
            t: ExternType
            if isinstance(desc, int):
                t = self.numbers[desc].type
                if kind == ExternKind.TAG:
                    t = TagType(declared(self.numbers[desc]))
            elif isinstance(desc, GlobalType):
                t = GlobalType(self.canonical(desc.type), desc.mutable)
            elif isinstance(desc, TableType):
                t = desc._replace(element=self.canonical(desc.element))
            else:
                t = desc
            found.append(ImportType(module, name, kind, t))
        return found

    def _types(self) -> int:
        """Describe the types; the address of the first."""
        types = self.module.types
        self.numbers = numbers = hold_types(types, self.module.rec_groups)
        heap_types: Sequence[int] = ()
        if any(not isinstance(t.composite, FuncType) for t in types):
            from runwell.runtime.heap_type import HeapTypes

            described = HeapTypes(types, numbers)
            self._blocks.append(described)
            heap_types = described.addresses
        lowest: dict[int, int] = {}
        self._canon = canon = [lowest.setdefault(number, x) for x, number in enumerate(numbers)]
        shapes = [_shape(t.composite) for t in types]
        names = array("I")
        for signature, fields in shapes:
            names.extend([self.native_type(t) for ts in signature for t in ts])
            for f in fields:
                names.extend((self.native_type(f.type), f.mutable))
        at = self._words(names)
        record = sizeof(layout.TypeCode)
        block = self._block(record * len(types))
        for i, (signature, fields) in enumerate(shapes):
            results = at + 4 * len(signature.params)
            end = results + 4 * len(signature.results)
            supers, composite = types[i].supers, types[i].composite
            pack_into(
                "<QQ10IQQQ",
                block.bytes,
                record * i,
                at,
                results,
                len(signature.params),
                len(signature.results),
                numbers[i],
                *slot_bytes(signature.params),
                *slot_bytes(signature.results),
                0 if signature is composite else 1 if isinstance(composite, StructType) else 2,
                canon[i],
                canon[supers[0]] + 1 if supers else 0,
                end,
                numbers[i].supers,
                heap_types[i] if heap_types else 0,
            )
            at = end + 8 * len(fields)
        return block.address

    @property
    def uses_objects(self) -> bool:
        """Can references to objects of a heap get into its instances?"""
        found = self._uses_objects
        if found is None:
            found = self._uses_objects = self._find_objects()
        return found

    def _find_objects(self) -> bool:
        module = self.module
        parts = [part for t in module.types for part in value_types(t)]
        parts += [g.type for g in module.global_types]
        parts += [t.element for t in module.table_types]
        return any(not isinstance(t.composite, FuncType) for t in module.types) or any(
            self.may_be_object(t) for t in set(parts)
        )

    def may_be_object(self, type_: ValType) -> bool:
        """May a value of a type of the module be a reference to an object of a heap?"""
        index = type_.heap_index
        if index is None:
            return type_ & 0xFF in OBJECT_CODES
        return not isinstance(self.module.types[index].composite, FuncType)

    def _declared(self, functions: int) -> bytearray:
        """Which functions a reference can be made to: those named outside of bodies."""
        module = self.module
        declared = bytearray(functions)

        def declare(x: int) -> None:
            if x < functions:  # else validation will say so
                declared[x] = 1

        def look(span: Span | None) -> None:
            if span is None:
                return
            constant = read_constant(module.data, span)
            if constant.how == How.FUNC:
                declare(constant.value)
            elif constant.how == How.RUN:
                for x in named_functions(module.data, span):
                    declare(x)

        for export in module.exports:
            if export.kind == ExternKind.FUNC:
                declare(export.item)
        for span in module.global_inits:
            look(span)
        for span_or_null in module.table_inits:
            look(span_or_null)
        for element in module.elements:
            for x in element.functions or ():
                declare(x)
            for span in element.expressions or ():
                look(span)
        return declared


def _shape(composite: CompositeType) -> tuple[FuncType, tuple[FieldType, ...]]:
    """A type as a function type, of which the unpacked fields are the parameters; the fields."""
    if isinstance(composite, FuncType):
        return composite, ()
    fields = composite.fields if isinstance(composite, StructType) else (composite.field,)
    packed = (ValType.I8, ValType.I16)
    return FuncType(tuple([I32 if f.type in packed else f.type for f in fields]), ()), fields


def address_of(data: bytes) -> int:
    """Where the bytes of a bytes object are; they stay while it lives."""
    return c_void_p.from_buffer(c_char_p(data)).value or 0
