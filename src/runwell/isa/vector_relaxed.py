"""Relaxed vector instructions (spec: execution of vector instructions, relaxed operations).

The specification lets each choose among results.  These always choose the one of its deterministic
profile, on every machine, so that programs do the same everywhere.
"""

from runwell.base.types import V128, ValType
from runwell.isa.machine import (
    F32X4,
    F64X2,
    I8X16,
    I16X8,
    I32X4,
    I64X2,
    Machine,
    Shape,
    V,
)
from runwell.isa.op import Rows
from runwell.isa.vector import PREFIX, bitselect, lane_op, shaped, swizzle
from runwell.isa.vector_float import max_, min_, truncations
from runwell.isa.vector_int import dot, q15mulr

ROWS = Rows("relaxed-simd", PREFIX)

lane_op(ROWS, "relaxed_swizzle", {I8X16: 0x100})(swizzle)
truncations(ROWS, "relaxed_trunc", (0x101, 0x102, 0x103, 0x104), "op-relaxed_trunc")


@lane_op(ROWS, "relaxed_madd", {F32X4: 0x105, F64X2: 0x107}, 3)
def madd(m: Machine[V], shape: Shape, a: V, b: V, c: V) -> V:
    """``a * b + c``, rounded twice (op-frelaxed_madd)."""
    return m.fadd(m.fmul(a, b), c)


@lane_op(ROWS, "relaxed_nmadd", {F32X4: 0x106, F64X2: 0x108}, 3)
def nmadd(m: Machine[V], shape: Shape, a: V, b: V, c: V) -> V:
    """``-(a * b) + c``, rounded twice (op-frelaxed_nmadd)."""
    return m.fadd(m.fmul(m.fneg(a), b), c)


for _i, _shape in enumerate((I8X16, I16X8, I32X4, I64X2)):
    ROWS.op(f"{_shape.name}.relaxed_laneselect", 0x109 + _i, (V128,) * 3, (V128,))(bitselect)
lane_op(ROWS, "relaxed_min", {F32X4: 0x10D, F64X2: 0x10F}, commutes=True)(min_)
lane_op(ROWS, "relaxed_max", {F32X4: 0x10E, F64X2: 0x110}, commutes=True)(max_)
lane_op(ROWS, "relaxed_q15mulr_s", {I16X8: 0x111}, commutes=True)(q15mulr)
ROWS.op("i16x8.relaxed_dot_i8x16_i7x16_s", 0x112, (V128, V128), (V128,))(shaped(dot, I8X16, 2))


@ROWS.op("i32x4.relaxed_dot_i8x16_i7x16_add_s", 0x113, (V128,) * 3, (V128,))
def dot_add(m: Machine[V], ty: ValType, a: V, b: V, c: V) -> V:
    """Sums of the products of four neighbouring lanes, signed, and ``c`` (op-irelaxed_dot_add)."""
    pairs = dot(m, I8X16, m.bitcast(I8X16, a), m.bitcast(I8X16, b))
    even, odd = (m.pick(pairs, pairs, tuple(range(first, 8, 2))) for first in (0, 1))
    sums = m.add(m.sext(I32X4, even), m.sext(I32X4, odd))
    return m.bitcast(V128, m.add(sums, m.bitcast(I32X4, c)))
