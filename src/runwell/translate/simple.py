"""Instructions that only compute: the row says all that there is to know."""

from runwell.base.types import I64, ValType
from runwell.kernel import i32, i64, kernel, u32, u64, unlikely
from runwell.translate.determinism import canonical
from runwell.translate.emit import (
    ACC,
    finish,
    operate_1,
    operate_2,
    operate_3,
    operate_staged,
    source,
    stage,
)
from runwell.translate.reading import need_bytes, next_signed
from runwell.translate.stack import pop_value, push_constant, push_type, push_value, result
from runwell.translate.tables import (
    ARITY_SHIFT,
    BASES,
    BYTE,
    MIRRORS,
    OP_SHIFT,
    RESULT_SHIFT,
)
from runwell.translate.work import NOWHERE, Where, Work


@kernel(inline=True)
def first_type(row: u64) -> u32:
    """The type of a row's first operand."""
    return u32(row & BYTE)


@kernel(inline=True)
def second_type(row: u64) -> u32:
    """The type of a row's second operand."""
    return u32(row >> 8 & BYTE)


@kernel(inline=True)
def result_type(row: u64) -> u32:
    """The type of a row's result, or 0."""
    return u32(row >> RESULT_SHIFT & BYTE)


@kernel
def unary(w: Work, row: u64) -> None:
    """A plain instruction of one operand."""
    t = first_type(row)
    e = pop_value(w, t)
    if w.dead != 0:
        push_type(w, result_type(row))
    else:
        result(w, operate_1(w, BASES[row >> OP_SHIFT], e, t), result_type(row))


@kernel
def binary(w: Work, row: u64) -> None:
    """A plain instruction of two operands."""
    right_type = second_type(row)
    left_type = first_type(row)
    right = pop_value(w, right_type)
    left = pop_value(w, left_type)
    if w.dead != 0:
        push_type(w, result_type(row))
        return
    mirror = MIRRORS[row >> OP_SHIFT]
    if mirror != 0 and (
        left.kind == Where.CONSTANT
        or (right.kind != Where.CONSTANT and source(w, right, right_type) == ACC)
    ):
        p = operate_2(w, mirror, right, right_type, left, left_type)
    else:
        p = operate_2(w, BASES[row >> OP_SHIFT], left, left_type, right, right_type)
    result(w, p, result_type(row))


@kernel
def ternary(w: Work, row: u64) -> None:
    """A plain instruction of three operands."""
    for k in range(u32(3)):
        i = 2 - k
        t = u32(row >> u64(8 * i) & BYTE)
        stage(w, i, pop_value(w, t), t)
    if w.dead != 0:
        push_type(w, result_type(row))
    else:
        result(w, operate_3(w, BASES[row >> OP_SHIFT]), result_type(row))


@kernel(inline=True)
def plain(w: Work, row: u64) -> None:
    """A plain instruction."""
    match u32(row >> ARITY_SHIFT & 3):
        case 1:
            unary(w, row)
        case 2:
            binary(w, row)
        case _:
            ternary(w, row)
    if unlikely(w.deterministic != 0):
        canonical(w, row)


@kernel
def wide(w: Work, row: u64) -> None:
    """An instruction that gives the two halves of a wide number, which fill adjacent slots."""
    n = u32(row >> ARITY_SHIFT & 3)
    if n == 0:
        n = 4
    i = n
    while i != 0:
        i -= 1
        stage(w, i, pop_value(w, I64), I64)
    if w.dead != 0:
        push_type(w, I64)
        push_type(w, I64)
        return
    p = operate_staged(w, BASES[row >> OP_SHIFT], n)
    low = push_value(w, I64).home
    high = push_value(w, I64).home
    p[0] = low
    finish(w, p + 1)
    # It went through the other accumulator.
    w.facc = NOWHERE
    if w.acc == low or w.acc == high:
        w.acc = NOWHERE


@kernel
def next_bits(w: Work, n: u32) -> u64:
    """A number of ``n`` bytes, little-endian."""
    need_bytes(w, i64(n))
    bits: u64 = 0
    for i in range(n):
        bits |= u64(w.pc[i]) << u64(8 * i)
    w.pc = w.pc + n
    return bits


@kernel(inline=True)
def constant(w: Work, row: u64) -> None:
    """A constant; it is loaded where it is used, if at all."""
    t = result_type(row)
    value: i64 = 0
    match t:
        case ValType.I32:
            value = next_signed(w, 32)
        case ValType.I64:
            value = next_signed(w, 64)
        case ValType.F32:
            value = i64(i32(next_bits(w, 4)))
        case _:
            value = i64(next_bits(w, 8))
    if w.dead != 0:
        push_type(w, t)
    else:
        push_constant(w, t, value)
