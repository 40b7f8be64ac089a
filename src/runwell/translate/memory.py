"""Linear memory: loads and stores, and what concerns whole memories and data segments."""

from runwell.base.types import I32, I64
from runwell.isa.form import Mode
from runwell.kernel import Ptr, addr, i64, kernel, u32, u64
from runwell.translate.emit import (
    begin,
    emit_word,
    finish,
    made,
    operate_1,
    operate_2,
    operate_3,
    stage,
)
from runwell.translate.errors import Error, Invalid
from runwell.translate.reading import next_u32, next_unsigned, refuse
from runwell.translate.simple import ANY_BYTE
from runwell.translate.stack import pop_value, result
from runwell.translate.tables import ALIGN_SHIFT, BASES, KINDS, RESULT_SHIFT, base, form
from runwell.translate.work import Class, Entry, Where, Work

GUARD, CHECKED, CHECKED64 = int(Mode.GUARD), int(Mode.CHECKED), int(Mode.CHECKED64)
MEMORY_IS_64, MEMORY_IS_EXPLICIT = 1, 4
# Flags of a memory operand: the alignment's exponent, and whether a memory index follows.
HAS_INDEX = 64
EXTEND = base("i64.extend_i32_u")
SIZE = form("memory.size ->SLOT")
GROW, GROW_64 = base("memory.grow"), base("memory64.grow")
COPY, COPY_64 = base("memory.copy"), base("memory64.copy")
FILL, FILL_64 = base("memory.fill"), base("memory64.fill")
INIT, INIT_64 = base("memory.init"), base("memory64.init")
DATA_DROP = form("data.drop")


@kernel
def next_memory(w: Work) -> u32:
    """A memory index."""
    x = next_u32(w)
    if x >= w.module.n_memories:
        refuse(w, Error.UNKNOWN_MEMORY, x)
    return x


@kernel(inline=True)
def is_memory_64(w: Work, memory: u32) -> bool:
    """Has the memory 64-bit addresses?"""
    return w.module.memory_flags[memory] & MEMORY_IS_64 != 0


@kernel
def next_data(w: Work) -> u32:
    """A data segment index."""
    x = next_u32(w)
    if w.module.n_data < 0:
        raise Invalid(Error.DATA_COUNT_REQUIRED)
    if i64(x) >= w.module.n_data:
        refuse(w, Error.UNKNOWN_DATA, x)
    return x


@kernel
def next_memory_operand(w: Work, row: u64) -> None:
    """A memory operand: sets ``memory``, ``mode`` and ``offset``."""
    flags = next_u32(w)
    memory: u32 = 0
    if flags >= HAS_INDEX:
        if flags >= 2 * HAS_INDEX:
            raise Invalid(Error.MALFORMED_MEMOP_FLAGS)
        memory = next_u32(w)
        flags -= HAS_INDEX
    if memory >= w.module.n_memories:
        next_unsigned(w, 64)
        refuse(w, Error.UNKNOWN_MEMORY, memory)
    if flags > u32(row >> ALIGN_SHIFT & 15):
        raise Invalid(Error.ALIGNMENT)
    kind = w.module.memory_flags[memory]
    w.memory = memory
    if kind & MEMORY_IS_64 != 0:
        w.mode = CHECKED64
        w.offset = next_unsigned(w, 64)
        return
    w.mode = GUARD if memory == 0 and kind & MEMORY_IS_EXPLICIT == 0 else CHECKED
    at = w.pc
    if at < w.end and at[0] < 0x80:
        w.offset = u64(at[0])
        w.pc = at + 1
    else:
        w.offset = next_unsigned(w, 64)
        if w.offset >> 32 != 0:
            raise Invalid(Error.OFFSET_OUT_OF_RANGE)


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
def load(w: Work, op: u32, row: u64) -> None:
    """A load."""
    next_memory_operand(w, row)
    type: u32 = I64 if w.mode == CHECKED64 else I32
    e = pop_value(w, type)
    p = operate_1(w, BASES[op] + w.mode * KINDS, e, type)
    result(w, put_offset(w, p), u32(row >> RESULT_SHIFT & ANY_BYTE))


@kernel
def store(w: Work, op: u32, row: u64) -> None:
    """A store."""
    next_memory_operand(w, row)
    value_type = u32(row >> 8 & ANY_BYTE)
    value = pop_value(w, value_type)
    type: u32 = I64 if w.mode == CHECKED64 else I32
    e = pop_value(w, type)
    p = operate_2(w, BASES[op] + w.mode * (KINDS * KINDS), e, type, value, value_type)
    finish(w, put_offset(w, p))


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
    p = begin(w, SIZE)
    p[0] = memory
    result(w, p + 1, index_type(is_memory_64(w, memory)))


@kernel
def memory_grow_op(w: Work) -> None:
    """``memory.grow``."""
    memory = next_memory(w)
    is_64 = is_memory_64(w, memory)
    type = index_type(is_64)
    p = operate_1(w, GROW_64 if is_64 else GROW, pop_value(w, type), type)
    p[0] = memory
    result(w, p + 1, type)


@kernel
def memory_fill_op(w: Work) -> None:
    """``memory.fill``."""
    memory = next_memory(w)
    is_64 = is_memory_64(w, memory)
    type = index_type(is_64)
    stage(w, 2, pop_value(w, type), type)
    stage(w, 1, pop_value(w, I32), I32)
    stage(w, 0, pop_value(w, type), type)
    p = operate_3(w, FILL_64 if is_64 else FILL)
    p[0] = memory
    finish(w, p + 1)


@kernel
def copy_between(w: Work, to_64: bool, from_64: bool, narrow: u32, wide: u32) -> Ptr[u32]:
    """Begin a copy within or between memories or tables, of either kind of index."""
    size_64 = to_64 and from_64
    size = pop_value(w, index_type(size_64))
    source = pop_value(w, index_type(from_64))
    to = pop_value(w, index_type(to_64))
    any_64 = to_64 or from_64
    if any_64 and not size_64:
        widen(w, size)
        widen(w, to if from_64 else source)
    type = index_type(any_64)
    stage(w, 0, to, type)
    stage(w, 1, source, type)
    stage(w, 2, size, type)
    return operate_3(w, wide if any_64 else narrow)


@kernel
def memory_copy_op(w: Work) -> None:
    """``memory.copy``."""
    to = next_memory(w)
    from_ = next_memory(w)
    p = copy_between(w, is_memory_64(w, to), is_memory_64(w, from_), COPY, COPY_64)
    p[0] = to
    p[1] = from_
    finish(w, p + 2)


@kernel
def init_from(w: Work, is_64: bool, narrow: u32, wide: u32) -> Ptr[u32]:
    """Begin a copy from a segment."""
    stage(w, 2, pop_value(w, I32), I32)
    stage(w, 1, pop_value(w, I32), I32)
    stage(w, 0, pop_value(w, index_type(is_64)), index_type(is_64))
    return operate_3(w, wide if is_64 else narrow)


@kernel
def memory_init_op(w: Work) -> None:
    """``memory.init``."""
    data = next_data(w)
    memory = next_memory(w)
    p = init_from(w, is_memory_64(w, memory), INIT, INIT_64)
    p[0] = data
    p[1] = memory
    finish(w, p + 2)


@kernel
def drop_data(w: Work) -> None:
    """``data.drop``."""
    emit_word(w, DATA_DROP, next_data(w))
