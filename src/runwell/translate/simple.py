"""Instructions that only compute: the row says all that there is to know."""

from runwell.base.types import ValType
from runwell.kernel import Ptr, i32, i64, kernel, u32, u64
from runwell.translate.emit import (
    ACC,
    begin,
    finish,
    operate_1,
    operate_2,
    operate_3,
    source,
    stage,
)
from runwell.translate.reading import need_bytes, next_signed
from runwell.translate.stack import pop_value, push_constant, result
from runwell.translate.tables import (
    ARITY_SHIFT,
    BASES,
    MIRRORS,
    RESULT_SHIFT,
)
from runwell.translate.work import Where, Work

ANY_BYTE = 0xFF


@kernel(inline=True)
def end_result(w: Work, p: Ptr[u32], row: u64) -> None:
    """End the last instruction, pushing its result if the row has one."""
    type = u32(row >> RESULT_SHIFT & ANY_BYTE)
    if type != 0:
        result(w, p, type)
    else:
        finish(w, p)


@kernel
def unary(w: Work, op: u32, row: u64) -> None:
    """A plain instruction of one operand."""
    type = u32(row & ANY_BYTE)
    e = pop_value(w, type)
    end_result(w, operate_1(w, BASES[op], e, type), row)


@kernel
def binary(w: Work, op: u32, row: u64) -> None:
    """A plain instruction of two operands."""
    left_type = u32(row & ANY_BYTE)
    right_type = u32(row >> 8 & ANY_BYTE)
    right = pop_value(w, right_type)
    left = pop_value(w, left_type)
    forms = BASES[op]
    mirror = MIRRORS[op]
    if mirror != 0 and (
        left.kind == Where.CONSTANT
        or (right.kind != Where.CONSTANT and source(w, right, right_type) == ACC)
    ):
        p = operate_2(w, mirror, right, right_type, left, left_type)
    else:
        p = operate_2(w, forms, left, left_type, right, right_type)
    end_result(w, p, row)


@kernel
def plain(w: Work, op: u32, row: u64) -> None:
    """A plain instruction."""
    match u32(row >> ARITY_SHIFT & 3):
        case 1:
            unary(w, op, row)
        case 2:
            binary(w, op, row)
        case 3:
            for k in range(u32(3)):
                i = 2 - k
                type = u32(row >> u64(8 * i) & ANY_BYTE)
                stage(w, i, pop_value(w, type), type)
            end_result(w, operate_3(w, BASES[op]), row)
        case _:
            end_result(w, begin(w, 0), row)


@kernel
def next_bits(w: Work, n: u32) -> u64:
    """A number of ``n`` bytes, little-endian."""
    need_bytes(w, i64(n))
    bits: u64 = 0
    for i in range(n):
        bits |= u64(w.pc[i]) << u64(8 * i)
    w.pc = w.pc + n
    return bits


@kernel
def constant(w: Work, row: u64) -> None:
    """A constant; it is loaded where it is used, if at all."""
    type = u32(row >> RESULT_SHIFT & ANY_BYTE)
    match type:
        case ValType.I32:
            push_constant(w, type, next_signed(w, 32))
        case ValType.I64:
            push_constant(w, type, next_signed(w, 64))
        case ValType.F32:
            push_constant(w, type, i64(i32(next_bits(w, 4))))
        case _:
            push_constant(w, type, i64(next_bits(w, 8)))
