"""Kernels that lay out what a module and its instances need."""

from runwell.base.limits import COLD
from runwell.base.types import ValType
from runwell.kernel import Ptr, addr, atomic_load, i32, kernel, null, sizeof, u8, u32, u64
from runwell.runtime.c_library import calloc, free, memmove
from runwell.runtime.exception_kernels import release_globals
from runwell.runtime.layout import (
    FuncCode,
    FuncRef,
    Instance,
    InstancePlan,
    Memory,
    ModuleCode,
    NativePlace,
    ResultClass,
    Segment,
    Table,
    Tag,
    TypeCode,
)

# Between them is F64.
F32, V128 = int(ValType.F32), int(ValType.V128)
LAST_REF = 0x74  # highest code of a reference type


@kernel
def describe_native(code: Ptr[FuncCode], type_: Ptr[TypeCode]) -> None:
    """Say how compiled code passes a function's parameters and results."""
    slot: u32 = 0
    for i in range(type_.n_params):
        kind = type_.params[i]
        if slot < 32 and V128 <= kind <= F32:
            code.float_mask |= u32(1) << slot
            if kind == V128:
                code.v128_mask |= u32(1) << slot
        if kind & 0xFF > LAST_REF:
            slot += 2 if kind == V128 else 1
    if type_.n_results == 1:
        result = type_.results[0]
        if V128 <= result <= F32:
            code.result_class = ResultClass.FLOAT
        elif result & 0xFF <= LAST_REF:
            code.result_class = ResultClass.MEMORY
    elif type_.n_results > 1:
        code.result_class = ResultClass.MEMORY


@kernel(export=True)
def fill_codes(module: Ptr[ModuleCode], bodies: Ptr[u32], stub: Ptr[u8], native: Ptr[u8]) -> None:
    """Describe every function: ``bodies`` are start and end of each defined one in the binary.

    The first call of each goes to ``stub``, which has it translated; compiled code calls
    ``native``.
    """
    for i in range(u32(0), module.n_functions):
        code = module.codes + i
        type_ = module.types + module.function_types[i]
        code.module = Ptr[u8](module)
        code.index = i
        code.heat = module.heat if module.heat != 0 else i32(COLD)
        code.param_bytes = type_.param_bytes
        code.ref_param_bytes = type_.ref_param_bytes
        code.ref_bytes = max(type_.ref_param_bytes, type_.ref_result_bytes)
        describe_native(code, type_)
        if i >= module.n_imported_functions:
            span = bodies + 2 * (i - module.n_imported_functions)
            code.entry = stub
            code.native = native
            code.body = module.source + span[0]
            code.body_end = module.source + span[1]


@kernel(export=True)
def find_code(module: Ptr[ModuleCode], ip: Ptr[u8]) -> Ptr[FuncCode]:
    """The function whose register code contains ``ip``; null if none of the module does."""
    low: u32 = 0
    high = atomic_load(addr(module.n_translated))
    if high == 0 or ip < module.translated[0].start or ip >= module.code_end:
        return Ptr[FuncCode](0)
    while high - low > 1:
        middle = low + (high - low) // 2
        if module.translated[middle].start <= ip:
            low = middle
        else:
            high = middle
    found: Ptr[FuncCode] = module.translated[low]
    return found


@kernel
def find_place(code: Ptr[FuncCode], offset: u32) -> Ptr[NativePlace]:
    """The place of a function at an instruction, or null."""
    places = atomic_load(addr(code.places))
    if places != null:
        found = Ptr[NativePlace](places + 1)
        for i in range(places.count):
            if found[i].offset == u64(offset):
                return found + i
    return Ptr[NativePlace](0)


@kernel
def place_of(code: Ptr[FuncCode], offset: u32) -> Ptr[u8]:
    """Where the compiled code of a function can be entered for an instruction, or null."""
    place = find_place(code, offset)
    return Ptr[u8](0) if place == null else place.entry


@kernel(export=True)
def instance_new(plan: Ptr[InstancePlan], imports: Ptr[u64], object_: u64) -> Ptr[Instance]:
    """Make an instance; null if there is no room.

    ``object_`` is the address of its Python face; ``imports`` are addresses: of the imported
    functions' references, of all memories, of all tables, of all tags, of the imported globals'
    cells.
    """
    base = calloc(plan.size, u64(1))
    if base == null:
        return Ptr[Instance](0)
    instance = Ptr[Instance](base)
    module = plan.module
    instance.module = Ptr[u8](module)
    instance.turn = addr(instance.own_turn)
    instance.object = object_
    instance.codes = module.codes
    instance.funcs = Ptr[Ptr[FuncRef]](base + plan.funcs)
    instance.memories = Ptr[Ptr[Memory]](base + plan.memories)
    instance.tables = Ptr[Ptr[Table]](base + plan.tables)
    instance.data = Ptr[Segment](base + plan.data)
    instance.elements = Ptr[Segment](base + plan.elements)
    instance.tags = Ptr[Ptr[Tag]](base + plan.tags)
    instance.exception_cells = Ptr[u32](base + plan.cells_at)
    instance.n_exception_cells = u64(plan.n_exception_cells)
    for i in range(u32(0), plan.n_exception_cells):
        instance.exception_cells[i] = plan.exception_cells[i]
    next_ = imports
    for i in range(u32(0), plan.n_imported_functions):
        instance.funcs[i] = Ptr[FuncRef](next_[0])
        next_ = next_ + 1
    for i in range(u32(0), plan.n_memories):
        instance.memories[i] = Ptr[Memory](next_[0])
        next_ = next_ + 1
    for i in range(u32(0), plan.n_tables):
        instance.tables[i] = Ptr[Table](next_[0])
        next_ = next_ + 1
    for i in range(u32(0), plan.n_tags):
        instance.tags[i] = Ptr[Tag](next_[0])
        next_ = next_ + 1
    if plan.n_memories != 0:
        instance.memory_base = instance.memories[0].base
    cells = Ptr[u64](base + sizeof(Instance))
    memmove(Ptr[u8](cells), plan.cells, 16 * u64(plan.n_globals))
    for i in range(u32(0), plan.n_imported_globals):
        cells[2 * i] = next_[0]
        next_ = next_ + 1
    ref = Ptr[FuncRef](base + plan.func_refs)
    for i in range(u32(0), plan.n_refs):
        x = plan.refs[i]
        ref.code = module.codes + x
        ref.instance = base
        type_ = module.types + module.function_types[x]
        ref.type = type_.number
        ref.supers = type_.supers
        instance.funcs[x] = ref
        ref = ref + 1
    for i in range(u32(0), plan.n_data):
        segment = instance.data + i
        segment.items = Ptr[u8](plan.spans[2 * i])
        segment.size = plan.spans[2 * i + 1]
    return instance


@kernel(export=True)
def instance_free(instance: Ptr[Instance]) -> None:
    """Give an instance back."""
    release_globals(instance)
    free(Ptr[u8](instance))
