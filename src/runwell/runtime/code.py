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
from runwell.base.types import FuncType, ValType
from runwell.kernel.types import ctype_of, sizeof
from runwell.module.module import Module, Span
from runwell.module.types import ExternKind
from runwell.runtime import layout
from runwell.runtime.constant import How, read_constant
from runwell.runtime.mapping import Block, Mapping
from runwell.runtime.memory import is_guarded
from runwell.runtime.native import native
from runwell.runtime.types import TypeNumber

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Address space for register code: for each byte of the code section, and beside it, because the
# translator wants room for the longest instruction before each.
ARENA_FACTOR, ARENA_BYTES = 24, 8 << 20

MEMORY_IS_64, MEMORY_SHARED, MEMORY_CHECKED = 1, 2, 4
TABLE_IS_64 = 1


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
        explicit: every memory access is checked, none relies on guard pages.
        max_frames: frames that a call from the host may have; None for no limit but the context's.
        numbers: canonical number by type index; 0 for types that are not of functions.
        referenced: indices of the module's own functions that references can be made to, and of
            the start function.
    """

    __slots__ = (
        "__weakref__",
        "_arena",
        "_blocks",
        "_native",
        "address",
        "explicit",
        "max_frames",
        "module",
        "numbers",
        "plan",
        "referenced",
    )

    def __init__(
        self,
        module: Module,
        *,
        explicit: bool = False,
        features: int = feature_bits.ALL,
        max_frames: int | None = None,
    ) -> None:
        """Describe a module; functions are translated when they are first called.

        Args:
            module: what was decoded; it need not be valid yet.
            explicit: do not rely on guard pages.
            features: bit set of what the module may use.
            max_frames: frames that a call from the host may have.

        Raises:
            MemoryError: the system has no room for the code.
        """
        self.module, self.explicit, self.max_frames = module, explicit, max_frames
        self.plan: Any = None  # how to instantiate; see ``instance``
        self.numbers: tuple[TypeNumber | int, ...] = ()
        self._blocks: list[object] = []
        bodies = module.bodies
        size = bodies[-1] - bodies[0] if bodies else 0
        self._arena = Mapping(ARENA_BYTES + ARENA_FACTOR * size)
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
        n.global_types = self._bytes(x for t, m in module.global_types for x in (t & 0xFF, m))
        n.memory_flags = self._bytes(
            t.is_64 * MEMORY_IS_64
            | t.shared * MEMORY_SHARED
            | (not is_guarded(t, explicit)) * MEMORY_CHECKED
            for t in module.memory_types
        )
        n.table_types = self._bytes(
            x for t in module.table_types for x in (t.element & 0xFF, t.is_64 * TABLE_IS_64)
        )
        n.element_types = self._bytes(e.type & 0xFF for e in module.elements)
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
        n.code_end = self._arena + self._arena.size
        n.explicit_bounds = explicit
        n.object = id(self)
        n.source = address_of(module.data)
        if functions:
            stub = native.address("stub_translate")
            native.fill_codes(self.address, bodies.buffer_info()[0], stub)

    @property
    def n_functions(self) -> int:
        """Functions, imports included."""
        return len(self.module.function_types)

    def code_address(self, function: int) -> int:
        """Address of a function's ``FuncCode``."""
        return int(self._native.codes) + sizeof(layout.FuncCode) * function

    def contains(self, ip: int) -> bool:
        """Is an address in this module's register code?"""
        return self._arena <= ip < self._arena + self._arena.size

    def _block(self, size: int) -> Block:
        block = Block(size)
        self._blocks.append(block)
        return block

    def _bytes(self, content: Any) -> int:
        data = bytes(content)
        self._blocks.append(data)
        return address_of(data)

    def _types(self) -> int:
        """Describe the types; the address of the first."""
        types = self.module.types
        record = sizeof(layout.TypeCode)
        block = self._block(record * len(types))
        names = bytearray()
        numbers: list[TypeNumber | int] = []
        places: list[tuple[int, int]] = []
        for type_ in types:
            t = type_.composite
            places.append((len(names), 0))
            if isinstance(t, FuncType):
                names += bytes(x & 0xFF for x in t.params)
                places[-1] = (places[-1][0], len(names))
                names += bytes(x & 0xFF for x in t.results)
                numbers.append(TypeNumber(t))
            else:
                numbers.append(0)
        first = self._bytes(names)
        for i, (type_, (params, results)) in enumerate(zip(types, places, strict=True)):
            t = type_.composite
            if isinstance(t, FuncType):
                pack_into(
                    "<QQ7I",
                    block.bytes,
                    record * i,
                    first + params,
                    first + results,
                    len(t.params),
                    len(t.results),
                    numbers[i],
                    *slot_bytes(t.params),
                    *slot_bytes(t.results),
                )
        self.numbers = tuple(numbers)
        return block.address

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


def address_of(data: bytes) -> int:
    """Where the bytes of a bytes object are; they stay while it lives."""
    from ctypes import c_char_p, c_void_p, cast

    return cast(c_char_p(data), c_void_p).value or 0
