"""Vector instructions with immediates; the others are plain."""

from runwell.base.types import I32, I64, V128
from runwell.kernel import Ptr, kernel, u32, u64
from runwell.translate.emit import begin, finish, operate_1, operate_2
from runwell.translate.errors import Error, Invalid
from runwell.translate.memory import CHECKED64, GUARD, next_memory_operand
from runwell.translate.reading import need_bytes, next_byte
from runwell.translate.simple import next_bits, result_type, second_type
from runwell.translate.stack import pop_value, push_type, result
from runwell.translate.tables import ARITY_SHIFT, BASES, KINDS, LANES, OP_SHIFT, form
from runwell.translate.work import Work

CONST = form("v128.const ->SLOT")
BYTES = 16


@kernel
def put_bits(w: Work, p: Ptr[u32]) -> Ptr[u32]:
    """Write sixteen bytes of the body."""
    for i in range(u32(4)):
        p[i] = u32(next_bits(w, 4))
    return p + 4


@kernel
def vector_constant(w: Work) -> None:
    """``v128.const``."""
    need_bytes(w, BYTES)
    if w.dead != 0:
        w.pc = w.pc + BYTES
        push_type(w, V128)
    else:
        result(w, put_bits(w, begin(w, CONST)), V128)


@kernel
def shuffle(w: Work, row: u64) -> None:
    """``i8x16.shuffle``."""
    need_bytes(w, BYTES)
    for i in range(u32(BYTES)):
        if w.pc[i] >= 2 * BYTES:
            raise Invalid(Error.LANE_INDEX)
    right = pop_value(w, V128)
    left = pop_value(w, V128)
    if w.dead != 0:
        w.pc = w.pc + BYTES
        push_type(w, V128)
    else:
        p = operate_2(w, BASES[row >> OP_SHIFT], left, V128, right, V128)
        result(w, put_bits(w, p), V128)


@kernel
def next_lane(w: Work, row: u64) -> u32:
    """The number of a lane."""
    lane = next_byte(w)
    if lane >= LANES[row >> OP_SHIFT]:
        raise Invalid(Error.LANE_INDEX)
    return u32(lane)


@kernel
def use_lane(w: Work, row: u64) -> None:
    """An instruction that reads or replaces a lane."""
    lane = next_lane(w, row)
    forms = BASES[row >> OP_SHIFT]
    is_binary = row >> ARITY_SHIFT & 3 == 2
    value = pop_value(w, second_type(row) if is_binary else V128)
    vector = pop_value(w, V128) if is_binary else value
    if w.dead != 0:
        push_type(w, result_type(row))
        return
    if is_binary:
        p = operate_2(w, forms, vector, V128, value, second_type(row))
    else:
        p = operate_1(w, forms, vector, V128)
    p[0] = lane
    result(w, p + 1, result_type(row))


@kernel
def access_lane(w: Work, row: u64) -> None:
    """A load or store of one lane."""
    next_memory_operand(w, row)
    lane = next_lane(w, row)
    vector = pop_value(w, V128)
    t: u32 = I64 if w.mode == CHECKED64 else I32
    address = pop_value(w, t)
    is_load = result_type(row) != 0
    if w.dead != 0:
        if is_load:
            push_type(w, V128)
        return
    forms = BASES[row >> OP_SHIFT] + w.mode * (KINDS * KINDS)
    p = operate_2(w, forms, address, t, vector, V128)
    p[0] = u32(w.offset)
    p = p + 1
    if w.mode == CHECKED64:
        p[0] = u32(w.offset >> 32)
        p = p + 1
    p[0] = lane
    p = p + 1
    if w.mode != GUARD:
        p[0] = w.memory
        p = p + 1
    if is_load:
        result(w, p, V128)
    else:
        finish(w, p)
