"""Integer and floating-point instructions (spec: execution of numerics)."""

from runwell.base.traps import TrapCode
from runwell.base.types import F32, F64, I32, I64, ValType
from runwell.isa.machine import Machine, V
from runwell.isa.op import Imm, Rows, Rule

ROWS = Rows()


def _const(m: Machine[V], ty: ValType, value: V) -> V:
    """The constant ``value`` (exec-const)."""
    return value


ROWS.op("i32.const", 0x41, (), (I32,), rule=Rule.CONST, imms=(Imm.I32,))(_const)
ROWS.op("i64.const", 0x42, (), (I64,), rule=Rule.CONST, imms=(Imm.I64,))(_const)
ROWS.op("f32.const", 0x43, (), (F32,), rule=Rule.CONST, imms=(Imm.F32,))(_const)
ROWS.op("f64.const", 0x44, (), (F64,), rule=Rule.CONST, imms=(Imm.F64,))(_const)


# Integer comparison.


@ROWS.compare("eqz", {I32: 0x45, I64: 0x50}, arity=1)
def eqz(m: Machine[V], ty: ValType, a: V) -> V:
    """Is ``a`` zero? (op-ieqz)."""
    return m.eq(a, m.const(ty, 0))


@ROWS.compare("eq", {I32: 0x46, I64: 0x51}, commutes=True)
def eq(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Are the operands equal? (op-ieq)."""
    return m.eq(a, b)


@ROWS.compare("ne", {I32: 0x47, I64: 0x52}, commutes=True)
def ne(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Are the operands not equal? (op-ine)."""
    return m.ne(a, b)


@ROWS.compare("lt_s", {I32: 0x48, I64: 0x53})
def lt_s(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Is ``a`` less than ``b``, signed? (op-ilt-s)."""
    return m.lt_s(a, b)


@ROWS.compare("lt_u", {I32: 0x49, I64: 0x54})
def lt_u(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Is ``a`` less than ``b``, unsigned? (op-ilt-u)."""
    return m.lt_u(a, b)


@ROWS.compare("gt_s", {I32: 0x4A, I64: 0x55})
def gt_s(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Is ``a`` greater than ``b``, signed? (op-igt-s)."""
    return m.gt_s(a, b)


@ROWS.compare("gt_u", {I32: 0x4B, I64: 0x56})
def gt_u(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Is ``a`` greater than ``b``, unsigned? (op-igt-u)."""
    return m.gt_u(a, b)


@ROWS.compare("le_s", {I32: 0x4C, I64: 0x57})
def le_s(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Is ``a`` at most ``b``, signed? (op-ile-s)."""
    return m.le_s(a, b)


@ROWS.compare("le_u", {I32: 0x4D, I64: 0x58})
def le_u(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Is ``a`` at most ``b``, unsigned? (op-ile-u)."""
    return m.le_u(a, b)


@ROWS.compare("ge_s", {I32: 0x4E, I64: 0x59})
def ge_s(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Is ``a`` at least ``b``, signed? (op-ige-s)."""
    return m.ge_s(a, b)


@ROWS.compare("ge_u", {I32: 0x4F, I64: 0x5A})
def ge_u(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Is ``a`` at least ``b``, unsigned? (op-ige-u)."""
    return m.ge_u(a, b)


# Float comparison.


@ROWS.compare("eq", {F32: 0x5B, F64: 0x61}, commutes=True)
def feq(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Are the operands equal, and neither NaN? (op-feq)."""
    return m.feq(a, b)


@ROWS.compare("ne", {F32: 0x5C, F64: 0x62}, commutes=True)
def fne(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Are the operands not equal, or either NaN? (op-fne)."""
    return m.fne(a, b)


@ROWS.compare("lt", {F32: 0x5D, F64: 0x63})
def flt(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Is ``a`` less than ``b``, and neither NaN? (op-flt)."""
    return m.flt(a, b)


@ROWS.compare("gt", {F32: 0x5E, F64: 0x64})
def fgt(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Is ``a`` greater than ``b``, and neither NaN? (op-fgt)."""
    return m.fgt(a, b)


@ROWS.compare("le", {F32: 0x5F, F64: 0x65})
def fle(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Is ``a`` at most ``b``, and neither NaN? (op-fle)."""
    return m.fle(a, b)


@ROWS.compare("ge", {F32: 0x60, F64: 0x66})
def fge(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Is ``a`` at least ``b``, and neither NaN? (op-fge)."""
    return m.fge(a, b)


# Integer arithmetic.


@ROWS.int_op("clz", i32=0x67, i64=0x79, arity=1)
def clz(m: Machine[V], ty: ValType, a: V) -> V:
    """Count leading zero bits; the width for 0 (op-iclz)."""
    return m.clz(a)


@ROWS.int_op("ctz", i32=0x68, i64=0x7A, arity=1)
def ctz(m: Machine[V], ty: ValType, a: V) -> V:
    """Count trailing zero bits; the width for 0 (op-ictz)."""
    return m.ctz(a)


@ROWS.int_op("popcnt", i32=0x69, i64=0x7B, arity=1)
def popcnt(m: Machine[V], ty: ValType, a: V) -> V:
    """Count one bits (op-ipopcnt)."""
    return m.popcnt(a)


@ROWS.int_op("add", i32=0x6A, i64=0x7C, commutes=True)
def add(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Wrapping sum (op-iadd)."""
    return m.add(a, b)


@ROWS.int_op("sub", i32=0x6B, i64=0x7D)
def sub(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Wrapping difference (op-isub)."""
    return m.sub(a, b)


@ROWS.int_op("mul", i32=0x6C, i64=0x7E, commutes=True)
def mul(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Wrapping product (op-imul)."""
    return m.mul(a, b)


@ROWS.int_op("div_s", i32=0x6D, i64=0x7F)
def div_s(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Signed quotient toward zero; traps if ``b`` is 0 and on MIN / -1 (op-idiv-s)."""
    m.trap_if(m.eq(b, m.const(ty, 0)), TrapCode.INTEGER_DIVIDE_BY_ZERO)
    is_min = m.eq(a, m.const(ty, 1 << (ty.bits - 1)))
    m.trap_if(m.and_(is_min, m.eq(b, m.const(ty, -1))), TrapCode.INTEGER_OVERFLOW)
    return m.div_s(a, b)


@ROWS.int_op("div_u", i32=0x6E, i64=0x80)
def div_u(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Unsigned quotient; traps if ``b`` is 0 (op-idiv-u)."""
    m.trap_if(m.eq(b, m.const(ty, 0)), TrapCode.INTEGER_DIVIDE_BY_ZERO)
    return m.div_u(a, b)


@ROWS.int_op("rem_s", i32=0x6F, i64=0x81)
def rem_s(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Signed remainder, of the sign of ``a``; traps if ``b`` is 0 (op-irem-s)."""
    m.trap_if(m.eq(b, m.const(ty, 0)), TrapCode.INTEGER_DIVIDE_BY_ZERO)
    # MIN % -1 is 0 but faults in hardware; any value's remainder by 1 is 0 as well.
    return m.rem_s(a, m.select(m.eq(b, m.const(ty, -1)), m.const(ty, 1), b))


@ROWS.int_op("rem_u", i32=0x70, i64=0x82)
def rem_u(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Unsigned remainder; traps if ``b`` is 0 (op-irem-u)."""
    m.trap_if(m.eq(b, m.const(ty, 0)), TrapCode.INTEGER_DIVIDE_BY_ZERO)
    return m.rem_u(a, b)


@ROWS.int_op("and", i32=0x71, i64=0x83, commutes=True)
def and_(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Bitwise and (op-iand)."""
    return m.and_(a, b)


@ROWS.int_op("or", i32=0x72, i64=0x84, commutes=True)
def or_(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Bitwise or (op-ior)."""
    return m.or_(a, b)


@ROWS.int_op("xor", i32=0x73, i64=0x85, commutes=True)
def xor(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Bitwise exclusive or (op-ixor)."""
    return m.xor(a, b)


@ROWS.int_op("shl", i32=0x74, i64=0x86)
def shl(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Shift left by ``b`` modulo the width (op-ishl)."""
    return m.shl(a, m.and_(b, m.const(ty, ty.bits - 1)))


@ROWS.int_op("shr_s", i32=0x75, i64=0x87)
def shr_s(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Shift right by ``b`` modulo the width, copying the sign (op-ishr-s)."""
    return m.shr_s(a, m.and_(b, m.const(ty, ty.bits - 1)))


@ROWS.int_op("shr_u", i32=0x76, i64=0x88)
def shr_u(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Shift right by ``b`` modulo the width, filling with zeros (op-ishr-u)."""
    return m.shr_u(a, m.and_(b, m.const(ty, ty.bits - 1)))


@ROWS.int_op("rotl", i32=0x77, i64=0x89)
def rotl(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Rotate left by ``b`` modulo the width (op-irotl)."""
    return m.rotl(a, b)


@ROWS.int_op("rotr", i32=0x78, i64=0x8A)
def rotr(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Rotate right by ``b`` modulo the width (op-irotr)."""
    return m.rotr(a, b)


# Float arithmetic.


@ROWS.float_op("abs", f32=0x8B, f64=0x99, arity=1)
def abs_(m: Machine[V], ty: ValType, a: V) -> V:
    """Clear the sign (op-fabs)."""
    return m.fabs(a)


@ROWS.float_op("neg", f32=0x8C, f64=0x9A, arity=1)
def neg(m: Machine[V], ty: ValType, a: V) -> V:
    """Flip the sign (op-fneg)."""
    return m.fneg(a)


@ROWS.float_op("ceil", f32=0x8D, f64=0x9B, arity=1)
def ceil(m: Machine[V], ty: ValType, a: V) -> V:
    """Round up to an integral value (op-fceil)."""
    return m.fceil(a)


@ROWS.float_op("floor", f32=0x8E, f64=0x9C, arity=1)
def floor(m: Machine[V], ty: ValType, a: V) -> V:
    """Round down to an integral value (op-ffloor)."""
    return m.ffloor(a)


@ROWS.float_op("trunc", f32=0x8F, f64=0x9D, arity=1)
def trunc(m: Machine[V], ty: ValType, a: V) -> V:
    """Round toward zero to an integral value (op-ftrunc)."""
    return m.ftrunc(a)


@ROWS.float_op("nearest", f32=0x90, f64=0x9E, arity=1)
def nearest(m: Machine[V], ty: ValType, a: V) -> V:
    """Round to the nearest integral value, ties to even (op-fnearest)."""
    return m.fnearest(a)


@ROWS.float_op("sqrt", f32=0x91, f64=0x9F, arity=1)
def sqrt(m: Machine[V], ty: ValType, a: V) -> V:
    """Rounded square root (op-fsqrt)."""
    return m.fsqrt(a)


@ROWS.float_op("add", f32=0x92, f64=0xA0, commutes=True)
def fadd(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Rounded sum (op-fadd)."""
    return m.fadd(a, b)


@ROWS.float_op("sub", f32=0x93, f64=0xA1)
def fsub(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Rounded difference (op-fsub)."""
    return m.fsub(a, b)


@ROWS.float_op("mul", f32=0x94, f64=0xA2, commutes=True)
def fmul(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Rounded product (op-fmul)."""
    return m.fmul(a, b)


@ROWS.float_op("div", f32=0x95, f64=0xA3)
def fdiv(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Rounded quotient (op-fdiv)."""
    return m.fdiv(a, b)


@ROWS.float_op("min", f32=0x96, f64=0xA4, commutes=True)
def fmin(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """The lesser; NaN if either is; -0 is less than 0 (op-fmin)."""
    return m.fmin(a, b)


@ROWS.float_op("max", f32=0x97, f64=0xA5, commutes=True)
def fmax(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """The greater; NaN if either is; 0 is greater than -0 (op-fmax)."""
    return m.fmax(a, b)


@ROWS.float_op("copysign", f32=0x98, f64=0xA6)
def copysign(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """``a`` with the sign of ``b`` (op-fcopysign)."""
    return m.fcopysign(a, b)
