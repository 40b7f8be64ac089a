"""Instantiation: from a module and its imports to a running instance.

Follows core spec 3.0, "Instantiation": imports are matched before anything happens; then globals
and tables get their values, element segments are written, then data segments, then the start
function runs.  What a trap on the way has already written to imported tables and memories stays,
and so does the instance, which those may refer to.
"""

from __future__ import annotations

from _weakref import ref
from array import array
from sys import modules

from runwell.base.errors import InternalError, LinkError, Trap, unknown_imports, unlinkable
from runwell.base.light import final
from runwell.base.light_ctypes import addressof
from runwell.base.log import DEBUG, log, logs
from runwell.base.types import I32, I64, FuncType, ValType
from runwell.kernel.types import ctype_of, sizeof, u64
from runwell.module.module import Import
from runwell.module.types import ExternKind, ExternType, GlobalType, MemoryType, TableType, TagType
from runwell.runtime import layout
from runwell.runtime.code import ModuleCode
from runwell.runtime.constant import Constant, How
from runwell.runtime.context import current_context
from runwell.runtime.func import Func, admit, func_at
from runwell.runtime.globals import CELL_BYTES, Global
from runwell.runtime.heap_layout import ROOT_INSTANCE
from runwell.runtime.memory import Memory, is_guarded
from runwell.runtime.native import Native, hooks, native
from runwell.runtime.plan import BYTES_HEAD, ElementPlan, Plan, describe
from runwell.runtime.store import Store, share
from runwell.runtime.table import Table
from runwell.runtime.types import relation, type_of_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, TypeAlias

    from runwell.runtime.tag import Tag
    from runwell.runtime.turn import Turn

# So many are searched one by one, which needs no module for it.
_FEW = 64

Extern: TypeAlias = "Func | Table | Memory | Global | Tag"


@final
class _LoggedLease(int):
    """Owns a native instance, whose end somebody wants to know (why an int: see ``Mapping``)."""

    __slots__ = ()

    def __del__(self, native: Native = native) -> None:
        native.instance_free(self)
        log("instance", DEBUG, "freed the instance at %#x", int(self))


@final
class InstanceBody:
    """What a store keeps of an instance; native code knows it as the instance's ``object``.

    Attributes:
        address: of the native ``Instance``.
        code: its module.
        store: a weak reference to the store that it is in.
        segments: the passive element segments, and what they refer to.
        handed: references to its functions that Python may have got hold of.
        lease: owns the native ``Instance``.
        owners: of the host functions that it imports.
        memories: by memory index.
        tables: address and type, by table index.
        globals: address, type and a weak reference to the store of the imported ones, in order.
        face: a weak reference to what the embedding made of the instance last; or None.
        ticket: anything that is to be let go of with the instance.
        turn: whose it is to run here; None while that concerns no other instance.
    """

    __slots__ = (
        "__weakref__",
        "address",
        "code",
        "face",
        "globals",
        "handed",
        "lease",
        "memories",
        "owners",
        "segments",
        "store",
        "tables",
        "ticket",
        "turn",
    )

    def __init__(self, code: ModuleCode, memories: list[Memory]) -> None:
        self.address = 0
        self.lease: object = None
        self.code, self.memories = code, memories
        self.segments: list[object] = []
        self.handed: set[int] = set()
        self.owners: list[object] = []
        self.tables: list[tuple[int, TableType]] = []
        self.globals: list[tuple[int, GlobalType, ref[Store]]] = []
        self.face: ref[Any] | None = None
        self.ticket: object = None
        self.turn: Turn | None = None
        self.store: ref[Store]


def plan_of(code: ModuleCode) -> Plan:
    """How to instantiate a module, worked out at the first time."""
    if code.plan is None:
        code.plan = Plan(code)
    plan: Plan = code.plan
    return plan


@final
class Instance:
    """An instance of a module.

    Attributes:
        code: its module.
        store: what lives as long as anybody can refer to any part of it.
        address: of the native ``Instance``.
        body: what the store keeps of it.
        memories: by memory index.
        tables: by table index.
        tags: by tag index.
    """

    __slots__ = (
        "__weakref__",
        "_imported_globals",
        "_plan",
        "address",
        "body",
        "code",
        "memories",
        "store",
        "tables",
        "tags",
    )

    def __init__(
        self,
        code: ModuleCode,
        imports: Sequence[Extern | None] = (),
        *,
        limit_bytes: int | None = None,
        limit_elements: int | None = None,
        fuel: int = 0,
        initialise: bool = True,
        time_limit_ns: int = 0,
        limit_heap: int | None = None,
    ) -> None:
        """Instantiate a module.

        Args:
            code: the module, which must be valid.
            imports: what it imports, in order; None where nothing was found.
            limit_bytes: none of its memories grows beyond.
            limit_elements: none of its tables grows beyond.
            fuel: what metered code starts with.
            initialise: else the caller calls ``initialise``.
            time_limit_ns: nanoseconds that a call from the host may take; 0 for no limit.
            limit_heap: bytes that its heap may have; if several instances have one heap, the
                highest of their limits.

        Raises:
            LinkError: an import is missing or has the wrong type, or a limit is exceeded.
            MemoryError: the system has no room.
            Trap: a segment does not fit, or the start function trapped.
        """
        plan: Plan = code.plan or plan_of(code)
        self.code, self._plan = code, plan
        if not _is_matched(plan, imports):
            _match(code, plan.imports, imports)
        self.store = store = Store()
        addresses: list[int] = []
        self.memories: list[Memory] = []
        self.body = body = InstanceBody(code, self.memories)
        self.tables: list[Table] = []
        self.tags: list[Tag] = []
        self._imported_globals: list[Global] = []
        if imports:
            self._link(imports, addresses)
        memories, tables = self.memories, self.tables
        for memory_type in plan.memories:
            memory = Memory(memory_type, limit_bytes=limit_bytes, explicit=code.explicit)
            memory.maker = ref(store)
            memories.append(memory)
        for table_type in plan.tables:
            tables.append(Table(table_type, limit=limit_elements, store=store))
        if memories:
            addresses += [m.address for m in memories]
        if tables:
            addresses += [t.address for t in tables]
            body.tables = [(t.address, t.type) for t in tables]
        if code.module.tag_types:
            self._make_tags()
            addresses += [t.address for t in self.tags]
        if self._imported_globals:
            addresses += [g.address for g in self._imported_globals]
            body.globals = [(g.address, g.type, ref(g.store.root)) for g in self._imported_globals]
        words = plan.pack(*addresses)
        address = native.instance_new(plan.address, id(words) + BYTES_HEAD, id(body))
        if not address:
            raise MemoryError("no room for an instance")
        if "logging" in modules and logs("instance", DEBUG):
            body.lease = _LoggedLease(address)
            native.untrack(body.lease)
        else:
            body.lease = native.lease_instance(address)
        self.address = body.address = address
        store.begin(body)
        if code.uses_objects:
            store.use_heap(limit_heap)
            store.add_root(ROOT_INSTANCE, address, plan.address)
        if fuel:
            self.fuel = fuel
        if time_limit_ns:
            self.time_limit_ns = time_limit_ns
        if plan.has_guard_pages:
            native.install_fault_handler()
        if initialise:
            self.initialise()

    @classmethod
    def of(cls, body: InstanceBody) -> Instance:
        """What an instance was whose body is still in its store."""
        store = body.store()
        assert store is not None  # whoever found the body has its store
        self = cls.__new__(cls)
        self.code, self._plan, self.body = body.code, plan_of(body.code), body
        self.store, self.memories, self.address = store, body.memories, body.address
        self.tables = [Table.of(address, type_, store) for address, type_ in body.tables]
        self._imported_globals = [
            Global(type_, kept() or store, address) for address, type_, kept in body.globals
        ]
        self.tags = []
        if body.code.module.tag_types:
            from runwell.runtime.tag import tag_at

            tags = ctype_of(layout.Instance).from_address(self.address).tags
            self.tags = [
                tag_at(ctype_of(u64).from_address(tags + 8 * i).value)
                for i in range(len(body.code.module.tag_types))
            ]
        return self

    def _link(self, imports: Sequence[Extern | None], addresses: list[int]) -> None:
        """Keep what is imported; ``addresses`` gets those of the functions."""
        store, owners = self.store, self.body.owners
        for extern in imports:
            if isinstance(extern, Func):
                owner = extern.owner
                if isinstance(owner, Store):
                    addresses.append(admit(store, extern))
                else:
                    owners.append(owner)
                    addresses.append(extern.ref)
            elif isinstance(extern, Memory):
                if not extern.type.shared:
                    share(store.turn, extern.find_turn())
                extern.lent = True
                self.memories.append(extern)
            elif isinstance(extern, Table):
                store.join(extern.store)
                extern.lent = True
                self.tables.append(extern)
            elif isinstance(extern, Global):
                if extern.type.type.is_ref:
                    store.join(extern.store)
                else:
                    store.keep(extern.store)
                    if extern.type.mutable:
                        store.connect(extern.store)
                extern.lent = True
                self._imported_globals.append(extern)
            elif extern is not None:
                extern.admit(store)
                self.tags.append(extern)

    def _make_tags(self) -> None:
        from runwell.runtime.tag import Tag

        code = self.code
        for x in code.module.tag_types[code.module.n_imported_tags :]:
            self.tags.append(Tag(code.numbers[x], self.store))

    @property
    def fuel(self) -> int:
        """What its code may still consume, if that is metered."""
        return int(ctype_of(layout.Instance).from_address(self.address).fuel)

    @fuel.setter
    def fuel(self, fuel: int) -> None:
        native_instance = ctype_of(layout.Instance).from_address(self.address)
        native_instance.fuel, native_instance.fuel_floor = fuel, layout.FUEL_UNSEEN

    @property
    def time_limit_ns(self) -> int:
        """Nanoseconds that a call from the host may take; 0 for no limit."""
        return int(ctype_of(layout.Instance).from_address(self.address).time_limit)

    @time_limit_ns.setter
    def time_limit_ns(self, time_limit_ns: int) -> None:
        ctype_of(layout.Instance).from_address(self.address).time_limit = time_limit_ns

    @property
    def active(self) -> int:
        """How many calls from Python are going on in it."""
        return int(ctype_of(layout.Instance).from_address(self.address).active)

    def leave_when_idle(self) -> None:
        """Have the hook for closed instances called when the last of the calls ends."""
        ctype_of(layout.Instance).from_address(self.address).closed = 1

    def func(self, index: int) -> Func:
        """A function, by index; one that is imported, exported, or otherwise named as a value."""
        code = self.code
        if index < code.module.n_imported_functions:
            return func_at(self._func_ref(index))
        address = self.address + self.func_offset(index)
        self.body.handed.add(address)
        number = code.numbers[code.module.function_types[index]]
        return Func(address, type_of_number(number), self.store, number)

    def func_offset(self, index: int) -> int:
        """Where the reference to one of its own functions is, from the instance's address."""
        referenced = self.code.referenced
        if len(referenced) <= _FEW:
            at = referenced.index(index)
        else:
            from _bisect import bisect_left

            at = bisect_left(referenced, index)
        return self._plan.func_refs + sizeof(layout.FuncRef) * at

    def global_(self, index: int) -> Global:
        """A global, by index."""
        if index < len(self._imported_globals):
            return self._imported_globals[index]
        return Global(self.code.global_type(index), self.store, self._cell(index))

    def extern(self, kind: ExternKind, index: int) -> Extern:
        """What an export of this kind and index names."""
        if kind == ExternKind.FUNC:
            return self.func(index)
        if kind == ExternKind.MEMORY:
            return self.memories[index]
        if kind == ExternKind.TABLE:
            return self.tables[index]
        if kind == ExternKind.TAG:
            return self.tags[index]
        return self.global_(index)

    def _func_ref(self, index: int) -> int:
        """The reference to a function, by index."""
        found: int = ctype_of(u64).from_address(self.address + self._plan.funcs + 8 * index).value
        return found

    def _cell(self, index: int) -> int:
        at: int = self.address + self._plan.cells + CELL_BYTES * index
        return at

    def initialise(self) -> None:
        """Give globals and tables their values, write segments, call the start function.

        Raises:
            Trap: a segment does not fit, or the start function trapped.
        """
        plan, module = self._plan, self.code.module
        if plan.is_complete:
            return
        for x, constant in plan.globals:
            type_ = module.global_types[x].type
            value = self._value(constant, type_)
            if type_.is_exception:
                native.exception_put(self.global_(x).address, value)
            else:
                self.global_(x).bits = value
        for x, constant in plan.table_inits:
            table = self.tables[x]
            bits = self._value(constant, module.table_types[x].element)
            native.table_set_all(table.address, bits)
        for element in plan.elements:
            self._place(element)
        data = plan.data
        if data:
            if plan.data_offsets:
                data = data[:]
                for i, offset in plan.data_offsets:
                    memory = self.memories[data[4 * i]]
                    data[4 * i + 1] = self._value(offset, I64 if memory.type.is_64 else I32)
            trap = native.apply_data(self.address, data.buffer_info()[0], len(data) // 4)
            if trap:
                raise _trap(trap)
        start = module.start
        if start is not None:
            self._start(start)

    def _place(self, element: ElementPlan) -> None:
        """Write an element segment to its table, or keep it for ``table.init``."""
        functions = element.functions
        count = len(element.items if functions is None else functions)
        items = array("Q", bytes(8 * count))
        address, size = items.buffer_info()
        at = self.address + self._plan.segments + sizeof(layout.Segment) * element.number
        segment = ctype_of(layout.Segment).from_address(at)
        if functions is not None:
            native.resolve_functions(self.address, functions.buffer_info()[0], count, address)
        else:
            # The collector knows of segments: an item is in use from the moment that it is there.
            segment.items, segment.size = address, size
            for i, item in enumerate(element.items):
                items[i] = self._value(item, element.type)
        if element.table is None:
            self.body.segments.append(items)
            if element.type.is_exception:
                from runwell.runtime.exception import hold

                self.body.segments += [hold(item) for item in items if item]
            segment.items, segment.size = address, size
            return
        try:
            self._write(element, address, size)
        finally:
            segment.items = segment.size = 0

    def _write(self, element: ElementPlan, address: int, size: int) -> None:
        """Write the items of an active element segment to its table."""
        assert element.table is not None
        table = self.tables[element.table]
        offset = self._value(element.offset, I64 if table.type.is_64 else I32)
        trap = native.table_write(table.address, offset, address, size)
        if trap:
            raise _trap(trap)

    def _value(self, constant: Constant, type_: ValType) -> int:
        """Bits of a constant expression's value."""
        if constant.how == How.LITERAL:
            return constant.value
        if constant.how == How.FUNC:
            return self._func_ref(constant.value)
        if constant.how == How.GLOBAL:
            return self.global_(constant.value).bits & ((1 << type_.bits) - 1)
        return self._run(constant, type_)

    def _run(self, constant: Constant, type_: ValType) -> int:
        """Evaluate an expression by running it."""
        translate = hooks.translate_constant
        if translate is None:
            raise InternalError("no translator is installed")
        code = translate(self.code, *constant.span, type_)
        func_ref = ctype_of(layout.FuncRef)(code=code, instance=self.address)
        context = current_context()
        top, ref_top = context.native.top, context.native.ref_top
        trap = native.enter_guest(context.address, addressof(func_ref), top)
        if trap:
            from runwell.runtime.trap import make_trap

            raise make_trap(context, trap)
        # The value is left where a parameter of its type would be.
        at = ref_top if type_.is_ref else top
        low, high = (ctype_of(u64).from_address(at + 8 * i).value for i in range(2))
        return int(low | high << 64) & ((1 << type_.bits) - 1)

    def _start(self, index: int) -> None:
        func = self.func(index)
        if hooks.call is not None:
            hooks.call(func, self.body)
            return
        context = current_context()
        trap = native.enter_guest(context.address, func.ref, context.native.top)
        if trap:
            from runwell.runtime.trap import make_trap

            raise make_trap(context, trap)


def _trap(code: int) -> Trap:
    """What stopped an instantiation while no guest was running."""
    from runwell.base.traps import TrapCode

    return Trap(TrapCode(code))


def _is_matched(plan: Plan, found: Sequence[Extern | None]) -> bool:
    """Are all imports functions of the very types that are wanted, as nearly always?"""
    if len(found) != len(plan.function_numbers):
        return False
    for number, extern in zip(plan.function_numbers, found, strict=True):
        if type(extern) is not Func or (extern.number is not number and extern.number != number):
            return False
    return True


def _match(
    code: ModuleCode, wanted: list[tuple[Import, ExternType]], found: Sequence[Extern | None]
) -> None:
    """Check imports against what is provided for them."""
    if len(wanted) != len(found):
        raise InternalError(f"{len(wanted)} imports, but {len(found)} externs")
    if None in found:
        raise unknown_imports(
            [
                (entry.module, entry.name, describe(type_, _number(code, entry)))
                for (entry, type_), extern in zip(wanted, found, strict=True)
                if extern is None
            ]
        )
    for (entry, type_), extern in zip(wanted, found, strict=True):
        if extern is None:
            continue  # there is none
        number = _number(code, entry)
        if not _fits(type_, number, extern):
            other = extern.number if isinstance(extern, Func) else 0
            raise unlinkable(
                entry.module, entry.name, describe(type_, number), describe(extern.type, other)
            )
        if (
            isinstance(extern, Memory)
            and not extern.guarded
            and is_guarded(extern.type, code.explicit)
        ):
            raise LinkError(
                f"memory {entry.module!r}.{entry.name!r} was made without guard pages, "
                "but the module was prepared to rely on them"
            )


def _number(code: ModuleCode, entry: Import) -> int:
    """The number of an imported function's or tag's type, or 0."""
    return code.numbers[entry.desc] if isinstance(entry.desc, int) else 0


def _fits(wanted: ExternType, number: int, extern: Extern) -> bool:
    """Does an extern match what an import wants?  Source: core spec 3.0, import matching.

    ``number`` is that of a function's or tag's type.
    """
    if isinstance(wanted, FuncType):
        return isinstance(extern, Func) and (
            extern.number == number or relation().is_declared_subtype(extern.number, number)
        )
    if isinstance(wanted, TagType):
        return _is_tag(extern, number)
    if isinstance(wanted, GlobalType):
        return isinstance(extern, Global) and (
            extern.type == wanted
            or (
                not (wanted.mutable or extern.type.mutable)
                and relation().matches(extern.type.type, wanted.type)
            )
        )
    if isinstance(wanted, TableType):
        return (
            isinstance(extern, Table)
            and extern.type.element == wanted.element
            and extern.type.is_64 == wanted.is_64
            and _within(extern.size, extern.type.maximum, wanted.minimum, wanted.maximum)
        )
    found = extern.type
    return (
        isinstance(extern, Memory)
        and isinstance(found, MemoryType)
        and found.is_64 == wanted.is_64
        and found.shared == wanted.shared
        and found.page_bits == wanted.page_bits
        and _within(extern.pages, found.maximum, wanted.minimum, wanted.maximum)
    )


def _is_tag(extern: Extern, number: int) -> bool:
    """Is this a tag of the type that has a canonical number?"""
    from runwell.runtime.tag import Tag

    return isinstance(extern, Tag) and extern.number == number


def _within(size: int, most: int | None, least: int, maximum: int | None) -> bool:
    """Do limits match?  ``size`` and ``most`` are what there is."""
    return size >= least and (maximum is None or (most is not None and most <= maximum))
