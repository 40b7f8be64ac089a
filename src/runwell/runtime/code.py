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
from runwell.base.types import INDEX_SHIFT, NON_NULL, FuncType, ValType
from runwell.kernel.types import ctype_of, sizeof
from runwell.module.module import Module, Span
from runwell.module.types import ExternKind, StructType, SubType
from runwell.runtime import layout
from runwell.runtime.constant import How, read_constant
from runwell.runtime.mapping import Block, Mapping
from runwell.runtime.memory import is_guarded
from runwell.runtime.native import native
from runwell.runtime.types import TypeNumber

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
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
        "_canon",
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
        self._canon = _canonical(module)
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
        n.global_types = self._words(
            x for t, m in module.global_types for x in (self.canonical(t), m)
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
            for x in (self.canonical(t.element), t.is_64 * TABLE_IS_64)
        )
        n.element_types = self._words(self.canonical(e.type) for e in module.elements)
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

    def _words(self, content: Any) -> int:
        data = array("I", content)
        self._blocks.append(data)
        return data.buffer_info()[0]

    def canonical(self, t: ValType) -> int:
        """A value type; a defined type goes by the lowest index of an equal one."""
        index = t >> INDEX_SHIFT
        if t & 0xFF or index >= len(self._canon):
            return int(t)
        return self._canon[index] << INDEX_SHIFT | t & NON_NULL

    def _types(self) -> int:
        """Describe the types; the address of the first."""
        types = self.module.types
        record = sizeof(layout.TypeCode)
        block = self._block(record * len(types))
        names = array("I")
        numbers: list[TypeNumber | int] = []
        for type_ in types:
            t = type_.composite
            if isinstance(t, FuncType):
                names.extend([self.canonical(x) for ts in t for x in ts])
                numbers.append(TypeNumber(t))
            else:
                numbers.append(0)
        at = self._words(names)
        for i, type_ in enumerate(types):
            t = type_.composite
            signature = t if isinstance(t, FuncType) else _NO_SIGNATURE
            results = at + 4 * len(signature.params)
            parent = self._canon[type_.supers[0]] + 1 if type_.supers else 0
            pack_into(
                "<QQ10I",
                block.bytes,
                record * i,
                at,
                results,
                len(signature.params),
                len(signature.results),
                numbers[i],
                *slot_bytes(signature.params),
                *slot_bytes(signature.results),
                0 if signature is t else 1 if isinstance(t, StructType) else 2,
                self._canon[i],
                parent,
            )
            at = results + 4 * len(signature.results)
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


_NO_SIGNATURE = FuncType((), ())


def _canonical(module: Module) -> Sequence[int]:
    """For each type of a module the lowest index of an equal one."""
    types = module.types
    keys: Sequence[object] = [t.composite for t in types]
    if module.rec_groups or not all(map(_is_plain, types)):
        from runwell.module.subtyping import TypeStore

        keys = TypeStore().add(types, module.rec_groups)
    lowest: dict[object, int] = {}
    return [lowest.setdefault(key, i) for i, key in enumerate(keys)]


def _is_plain(t: SubType) -> bool:
    """Is it a function type that refers to no other type?"""
    c = t.composite
    return (
        isinstance(c, FuncType)
        and t.final
        and not t.supers
        and all(x & 0xFF for ts in c for x in ts)
    )


def address_of(data: bytes) -> int:
    """Where the bytes of a bytes object are; they stay while it lives."""
    from ctypes import c_char_p, c_void_p, cast

    return cast(c_char_p(data), c_void_p).value or 0
