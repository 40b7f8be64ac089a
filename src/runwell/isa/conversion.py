"""Conversions between number types (spec: execution of cvtop)."""

from runwell.base.traps import TrapCode
from runwell.base.types import F32, F64, I32, I64, ValType
from runwell.isa.machine import I8, I16, Machine, Shape, V
from runwell.isa.op import Body, Rows

ROWS = Rows()


@ROWS.op("i32.wrap_i64", 0xA7, (I64,), (I32,))
def wrap(m: Machine[V], ty: ValType, a: V) -> V:
    """The low 32 bits (op-wrap)."""
    return m.trunc(ty, a)


@ROWS.op("i64.extend_i32_s", 0xAC, (I32,), (I64,))
def extend_s(m: Machine[V], ty: ValType, a: V) -> V:
    """Widen, signed (op-extend-s)."""
    return m.sext(ty, a)


@ROWS.op("i64.extend_i32_u", 0xAD, (I32,), (I64,))
def extend_u(m: Machine[V], ty: ValType, a: V) -> V:
    """Widen, unsigned (op-extend-u)."""
    return m.zext(ty, a)


def _truncate(of: ValType, to: ValType, signed: bool) -> Body:
    """The trapping conversion; ``low`` is the greatest float too small, or the least that fits."""
    high = 2.0 ** (to.bits - 1 if signed else to.bits)
    # -2**31 - 1 is a double; the other lower bounds minus one are not floats of their type.
    exact = signed and of == F64 and to == I32
    low = -(2.0**31) - 1 if exact else -high if signed else -1.0

    def body(m: Machine[V], ty: ValType, a: V) -> V:
        above = m.fgt if exact or not signed else m.fge
        fits = m.and_(above(a, m.real(of, low)), m.flt(a, m.real(of, high)))
        m.trap_if(m.fne(a, a), TrapCode.INVALID_CONVERSION)
        m.trap_if(m.not_(fits), TrapCode.INTEGER_OVERFLOW)
        return m.trunc_s(ty, a) if signed else m.trunc_u(ty, a)

    body.__doc__ = (
        "Round toward zero, signed; traps on NaN and if it does not fit (op-trunc-s)."
        if signed
        else "Round toward zero, unsigned; traps on NaN and if it does not fit (op-trunc-u)."
    )
    return body


def _truncate_sat(signed: bool) -> Body:
    if signed:

        def body_s(m: Machine[V], ty: ValType, a: V) -> V:
            """Round toward zero, signed; the nearest bound beyond; 0 for NaN (op-trunc-sat-s)."""
            return m.trunc_sat_s(ty, a)

        return body_s

    def body_u(m: Machine[V], ty: ValType, a: V) -> V:
        """Round toward zero, unsigned; the nearest bound beyond; 0 for NaN (op-trunc-sat-u)."""
        return m.trunc_sat_u(ty, a)

    return body_u


for _i, (_to, _of) in enumerate(((I32, F32), (I32, F64), (I64, F32), (I64, F64))):
    _code = (0xA8, 0xAA, 0xAE, 0xB0)[_i]
    for _signed, _suffix in ((True, "s"), (False, "u")):
        ROWS.op(f"{_to.text}.trunc_{_of.text}_{_suffix}", _code + (not _signed), (_of,), (_to,))(
            _truncate(_of, _to, _signed)
        )


def _convert_s(m: Machine[V], ty: ValType, a: V) -> V:
    """To float, signed, rounded (op-convert-s)."""
    return m.convert_s(ty, a)


def _convert_u(m: Machine[V], ty: ValType, a: V) -> V:
    """To float, unsigned, rounded (op-convert-u)."""
    return m.convert_u(ty, a)


for _to, _code in ((F32, 0xB2), (F64, 0xB7)):
    ROWS.op(f"{_to.text}.convert_i32_s", _code, (I32,), (_to,))(_convert_s)
    ROWS.op(f"{_to.text}.convert_i32_u", _code + 1, (I32,), (_to,))(_convert_u)
    ROWS.op(f"{_to.text}.convert_i64_s", _code + 2, (I64,), (_to,))(_convert_s)
    ROWS.op(f"{_to.text}.convert_i64_u", _code + 3, (I64,), (_to,))(_convert_u)


@ROWS.op("f32.demote_f64", 0xB6, (F64,), (F32,))
def demote(m: Machine[V], ty: ValType, a: V) -> V:
    """To single precision, rounded (op-demote)."""
    return m.demote(ty, a)


@ROWS.op("f64.promote_f32", 0xBB, (F32,), (F64,))
def promote(m: Machine[V], ty: ValType, a: V) -> V:
    """To double precision (op-promote)."""
    return m.promote(ty, a)


def _reinterpret(m: Machine[V], ty: ValType, a: V) -> V:
    """The same bits as another type (op-reinterpret)."""
    return m.bitcast(ty, a)


ROWS.op("i32.reinterpret_f32", 0xBC, (F32,), (I32,))(_reinterpret)
ROWS.op("i64.reinterpret_f64", 0xBD, (F64,), (I64,))(_reinterpret)
ROWS.op("f32.reinterpret_i32", 0xBE, (I32,), (F32,))(_reinterpret)
ROWS.op("f64.reinterpret_i64", 0xBF, (I64,), (F64,))(_reinterpret)


ROWS.feature = "sign-extension"


def _extend(cell: Shape | ValType) -> Body:
    def body(m: Machine[V], ty: ValType, a: V) -> V:
        """Widen the low bits, signed (op-iextendn-s)."""
        return m.sext(ty, m.trunc(cell, a))

    return body


ROWS.op("i32.extend8_s", 0xC0, (I32,), (I32,))(_extend(I8))
ROWS.op("i32.extend16_s", 0xC1, (I32,), (I32,))(_extend(I16))
ROWS.op("i64.extend8_s", 0xC2, (I64,), (I64,))(_extend(I8))
ROWS.op("i64.extend16_s", 0xC3, (I64,), (I64,))(_extend(I16))
ROWS.op("i64.extend32_s", 0xC4, (I64,), (I64,))(_extend(I32))


ROWS.feature, ROWS.prefix = "saturating-truncation", 0xFC
for _i, (_to, _of) in enumerate(((I32, F32), (I32, F64), (I64, F32), (I64, F64))):
    ROWS.op(f"{_to.text}.trunc_sat_{_of.text}_s", 2 * _i, (_of,), (_to,))(_truncate_sat(True))
    ROWS.op(f"{_to.text}.trunc_sat_{_of.text}_u", 2 * _i + 1, (_of,), (_to,))(_truncate_sat(False))
