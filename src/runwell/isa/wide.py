"""Arithmetic on numbers of 128 bits (wide-arithmetic proposal).

A wide number is two ``i64``, the low half first.  The bodies give one value of 128 bits, of which
the results are the halves; in register code they are one result that fills two slots.
"""

from runwell.base.types import I64, V128, ValType
from runwell.isa.machine import Machine, Shape, V
from runwell.isa.op import Rows, Rule

ROWS = Rows("wide-arithmetic", 0xFC)
I128 = Shape("i128", 128, 1)


def _join(m: Machine[V], low: V, high: V) -> V:
    return m.or_(m.zext(I128, low), m.shl(m.zext(I128, high), m.const(I128, 64)))


@ROWS.op("i64.add128", 19, (I64,) * 4, (I64, I64), rule=Rule.WIDE)
def add128(m: Machine[V], ty: ValType, low_a: V, high_a: V, low_b: V, high_b: V) -> V:
    """Wrapping sum of wide numbers (op-iadd128)."""
    return m.bitcast(V128, m.add(_join(m, low_a, high_a), _join(m, low_b, high_b)))


@ROWS.op("i64.sub128", 20, (I64,) * 4, (I64, I64), rule=Rule.WIDE)
def sub128(m: Machine[V], ty: ValType, low_a: V, high_a: V, low_b: V, high_b: V) -> V:
    """Wrapping difference of wide numbers (op-isub128)."""
    return m.bitcast(V128, m.sub(_join(m, low_a, high_a), _join(m, low_b, high_b)))


@ROWS.op("i64.mul_wide_s", 21, (I64, I64), (I64, I64), rule=Rule.WIDE)
def mul_wide_s(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """The whole product of signed numbers (op-imul_wide_s)."""
    return m.bitcast(V128, m.mul(m.sext(I128, a), m.sext(I128, b)))


@ROWS.op("i64.mul_wide_u", 22, (I64, I64), (I64, I64), rule=Rule.WIDE)
def mul_wide_u(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """The whole product of unsigned numbers (op-imul_wide_u)."""
    return m.bitcast(V128, m.mul(m.zext(I128, a), m.zext(I128, b)))
