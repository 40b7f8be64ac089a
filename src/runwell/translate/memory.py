"""Linear memory: loads and stores, and what concerns whole memories and data segments."""

from runwell.base.features import FEATURES
from runwell.base.types import I32, I64
from runwell.isa.form import Mode
from runwell.kernel import Ptr, addr, i64, kernel, likely, u32, u64
from runwell.translate.emit import (
    begin,
    emit_word,
    finish,
    made,
    operate_1,
    operate_2,
    operate_3,
    operate_staged,
    stage,
)
from runwell.translate.errors import Error, Invalid
from runwell.translate.fuel import BYTES, charge_size
from runwell.translate.reading import need_feature, next_byte, next_u32, next_unsigned, refuse
from runwell.translate.simple import result_type, second_type
from runwell.translate.stack import pop_value, push_type, result
from runwell.translate.tables import (
    ALIGN_SHIFT,
    ARITY_SHIFT,
    BASES,
    BYTE,
    KINDS,
    OP_SHIFT,
    base,
    form,
)
from runwell.translate.work import Class, Entry, Where, Work

GUARD, CHECKED, CHECKED64 = int(Mode.GUARD), int(Mode.CHECKED), int(Mode.CHECKED64)
MEMORY_IS_64, MEMORY_IS_EXPLICIT = 1, 4
# Flags of a memory operand: the alignment's exponent, and whether a memory index follows.
HAS_INDEX = 64
MULTI_MEMORY = FEATURES.index("multi-memory")
EXTEND = base("i64.extend_i32_u")
SIZE = form("memory.size ->SLOT")
GROW, GROW_64 = base("memory.grow"), base("memory64.grow")
COPY, COPY_64 = base("memory.copy"), base("memory64.copy")
FILL, FILL_64 = base("memory.fill"), base("memory64.fill")
INIT, INIT_64 = base("memory.init"), base("memory64.init")
DATA_DROP = form("data.drop")
FENCE = form("atomic.fence")
# The forms of the three that are for 64-bit addresses follow the others in the same order.
NOTIFY, NOTIFY_64 = base("memory.atomic.notify"), base("memory64.atomic.notify")


@kernel
def next_memory(w: Work) -> u32:
    """A memory index; where there can be one memory only, a byte that must be 0."""
    if w.features >> MULTI_MEMORY & 1 == 0:
        if next_byte(w) != 0:
            need_feature(w, MULTI_MEMORY)
        w.pc = w.pc - 1
    x = next_u32(w)
    if x >= w.module.n_memories:
        refuse(w, Error.UNKNOWN_MEMORY, x)
    return x


@kernel(inline=True)
def is_memory_64(w: Work, memory: u32) -> bool:
    """Has the memory 64-bit addresses?"""
    return u32(w.module.memory_flags[memory]) & MEMORY_IS_64 != 0


@kernel
def check_data(w: Work, x: u32) -> None:
    """Fail unless there is a data segment ``x``, and the module says how many there are."""
    if w.module.n_data < 0:
        raise Invalid(Error.DATA_COUNT_REQUIRED)
    if i64(x) >= w.module.n_data:
        refuse(w, Error.UNKNOWN_DATA, x)


@kernel
def mode_of(w: Work, memory: u32) -> u32:
    """How accesses to a memory are checked, a ``Mode``."""
    flags = w.module.memory_flags[memory]
    if flags & MEMORY_IS_64 != 0:
        return u32(CHECKED64)
    return u32(GUARD) if memory == 0 and flags & MEMORY_IS_EXPLICIT == 0 else u32(CHECKED)


@kernel
def next_long_operand(w: Work, align: u32) -> u32:
    """A memory operand, of any memory and length; gives the exponent of its alignment."""
    flags = next_u32(w)
    w.memory = 0
    if flags >= HAS_INDEX:
        if flags >= 2 * HAS_INDEX:
            raise Invalid(Error.MALFORMED_MEMOP_FLAGS)
        need_feature(w, MULTI_MEMORY)
        w.memory = next_u32(w)
        flags -= HAS_INDEX
    w.offset = next_unsigned(w, 64)
    if w.memory >= w.module.n_memories:
        refuse(w, Error.UNKNOWN_MEMORY, w.memory)
    if flags > align:
        raise Invalid(Error.ALIGNMENT)
    w.mode = mode_of(w, w.memory)
    if w.mode != CHECKED64 and w.offset >> 32 != 0:
        raise Invalid(Error.OFFSET_OUT_OF_RANGE)
    return flags


@kernel(inline=True)
def next_memory_operand(w: Work, row: u64) -> None:
    """A memory operand: sets ``memory``, ``mode`` and ``offset``."""
    at = w.pc
    align = u32(row >> ALIGN_SHIFT & 15)
    if likely(w.end - at >= 2 and u32(at[0]) <= align and w.first_mode <= CHECKED64):
        w.memory = 0
        w.mode = w.first_mode
        if likely(at[1] < 0x80):
            w.offset = u64(at[1])
            w.pc = at + 2
            return
    next_long_operand(w, align)


@kernel(inline=True)
def put_offset(w: Work, p: Ptr[u32]) -> Ptr[u32]:
    """Write the immediates of a memory access."""
    p[0] = u32(w.offset)
    p = p + 1
    if w.mode != GUARD:
        if w.mode == CHECKED64:
            p[0] = u32(w.offset >> 32)
            p = p + 1
        p[0] = w.memory
        p = p + 1
    return p


@kernel
def load(w: Work, row: u64) -> None:
    """A load."""
    next_memory_operand(w, row)
    t: u32 = I64 if w.mode == CHECKED64 else I32
    e = pop_value(w, t)
    if w.dead != 0:
        push_type(w, result_type(row))
    else:
        p = operate_1(w, BASES[row >> OP_SHIFT] + w.mode * KINDS, e, t)
        result(w, put_offset(w, p), result_type(row))


@kernel
def store(w: Work, row: u64) -> None:
    """A store."""
    next_memory_operand(w, row)
    value_type = second_type(row)
    value = pop_value(w, value_type)
    t: u32 = I64 if w.mode == CHECKED64 else I32
    e = pop_value(w, t)
    if w.dead == 0:
        forms = BASES[row >> OP_SHIFT] + w.mode * (KINDS * KINDS)
        p = operate_2(w, forms, e, t, value, value_type)
        finish(w, put_offset(w, p))


@kernel
def next_atomic_operand(w: Work, row: u64) -> None:
    """A memory operand that must state the natural alignment."""
    align = u32(row >> ALIGN_SHIFT & 15)
    if next_long_operand(w, align) != align:
        raise Invalid(Error.ATOMIC_ALIGNMENT)


@kernel
def pop_operands(w: Work, row: u64) -> u32:
    """Stage the operands of an atomic instruction, the first an address; gives their number."""
    n = u32(row >> ARITY_SHIFT & 3)
    i = n
    while i != 0:
        i -= 1
        t = u32(row >> u64(8 * i) & BYTE)
        if i == 0:
            t = index_type(w.mode == CHECKED64)
        stage(w, i, pop_value(w, t), t)
    return n


@kernel
def atomic_access(w: Work, row: u64) -> None:
    """An atomic load, store or exchange."""
    next_atomic_operand(w, row)
    n = pop_operands(w, row)
    t = result_type(row)
    if w.dead != 0:
        if t != 0:
            push_type(w, t)
        return
    forms = w.mode
    for _ in range(n):
        forms *= KINDS
    p = put_offset(w, operate_staged(w, BASES[row >> OP_SHIFT] + forms, n))
    if t != 0:
        result(w, p, t)
    else:
        finish(w, p)


@kernel
def wait_or_notify(w: Work, row: u64) -> None:
    """``memory.atomic.wait32``, ``memory.atomic.wait64`` and ``memory.atomic.notify``."""
    next_atomic_operand(w, row)
    n = pop_operands(w, row)
    # Others must be able to run meanwhile.
    w.brief = 0
    if w.dead != 0:
        push_type(w, I32)
        return
    forms = BASES[row >> OP_SHIFT]
    if w.mode == CHECKED64:
        forms += NOTIFY_64 - NOTIFY
    p = operate_staged(w, forms, n)
    p[0] = u32(w.offset)
    p = p + 1
    if w.mode == CHECKED64:
        p[0] = u32(w.offset >> 32)
        p = p + 1
    p[0] = w.memory
    result(w, p + 1, I32)


@kernel
def fence(w: Work) -> None:
    """``atomic.fence``."""
    if next_byte(w) != 0:
        raise Invalid(Error.ZERO_BYTE_EXPECTED)
    if w.dead == 0:
        finish(w, begin(w, FENCE))


@kernel
def widen(w: Work, e: Entry) -> None:
    """Extend an operand that was popped from 32 to 64 bits, unsigned."""
    if e.kind == Where.CONSTANT:
        e.value = i64(u64(u32(e.value)))
    else:
        p = operate_1(w, EXTEND, e, I32)
        made(w, p, u32(Class.INT), e.home, addr(e))
        e.kind = u32(Where.HOME)
        e.place = e.home


@kernel
def index_type(is_64: bool) -> u32:
    """The type of addresses or indices."""
    return u32(I64) if is_64 else u32(I32)


@kernel
def memory_size(w: Work) -> None:
    """``memory.size``."""
    memory = next_memory(w)
    t = index_type(is_memory_64(w, memory))
    if w.dead != 0:
        push_type(w, t)
        return
    p = begin(w, SIZE)
    p[0] = memory
    result(w, p + 1, t)


@kernel
def memory_grow_op(w: Work) -> None:
    """``memory.grow``."""
    memory = next_memory(w)
    is_64 = is_memory_64(w, memory)
    t = index_type(is_64)
    delta = pop_value(w, t)
    if w.dead != 0:
        push_type(w, t)
        return
    p = operate_1(w, GROW_64 if is_64 else GROW, delta, t)
    p[0] = memory
    result(w, p + 1, t)


@kernel
def memory_fill_op(w: Work) -> None:
    """``memory.fill``."""
    memory = next_memory(w)
    is_64 = is_memory_64(w, memory)
    t = index_type(is_64)
    size = pop_value(w, t)
    value = pop_value(w, I32)
    target = pop_value(w, t)
    if w.dead == 0:
        charge_size(w, size, t, BYTES)
        stage(w, 0, target, t)
        stage(w, 1, value, I32)
        stage(w, 2, size, t)
        p = operate_3(w, FILL_64 if is_64 else FILL)
        p[0] = memory
        finish(w, p + 1)


@kernel
def copy_between(
    w: Work, to_64: bool, from_64: bool, narrow: u32, wide: u32, to: u32, from_: u32, unit: u32
) -> None:
    """A copy within or between memories or tables, of either kind of index.

    ``unit`` is the shift of what it costs.
    """
    size_64 = to_64 and from_64
    size = pop_value(w, index_type(size_64))
    source = pop_value(w, index_type(from_64))
    target = pop_value(w, index_type(to_64))
    if w.dead != 0:
        return
    any_64 = to_64 or from_64
    if any_64 and not size_64:
        widen(w, size)
        widen(w, target if from_64 else source)
    t = index_type(any_64)
    charge_size(w, size, t, unit)
    stage(w, 0, target, t)
    stage(w, 1, source, t)
    stage(w, 2, size, t)
    p = operate_3(w, wide if any_64 else narrow)
    p[0] = to
    p[1] = from_
    finish(w, p + 2)


@kernel
def memory_copy_op(w: Work) -> None:
    """``memory.copy``."""
    to = next_memory(w)
    from_ = next_memory(w)
    copy_between(w, is_memory_64(w, to), is_memory_64(w, from_), COPY, COPY_64, to, from_, BYTES)


@kernel
def init_from(
    w: Work, is_64: bool, narrow: u32, wide: u32, segment: u32, to: u32, unit: u32
) -> None:
    """A copy from a segment; ``unit`` is the shift of what it costs."""
    size = pop_value(w, I32)
    source = pop_value(w, I32)
    target = pop_value(w, index_type(is_64))
    if w.dead == 0:
        charge_size(w, size, I32, unit)
        stage(w, 0, target, index_type(is_64))
        stage(w, 1, source, I32)
        stage(w, 2, size, I32)
        p = operate_3(w, wide if is_64 else narrow)
        p[0] = segment
        p[1] = to
        finish(w, p + 2)


@kernel
def memory_init_op(w: Work) -> None:
    """``memory.init``."""
    data = next_u32(w)
    memory = next_memory(w)
    check_data(w, data)
    init_from(w, is_memory_64(w, memory), INIT, INIT_64, data, memory, BYTES)


@kernel
def drop_data(w: Work) -> None:
    """``data.drop``."""
    data = next_u32(w)
    check_data(w, data)
    if w.dead == 0:
        emit_word(w, DATA_DROP, data)
