"""Float arithmetic on vectors, lane by lane, and conversions (spec: vector instructions)."""

from runwell.base.types import V128, ValType
from runwell.isa.machine import F32X2, F32X4, F64X2, I32X2, I32X4, I64X2, Machine, Shape, V
from runwell.isa.op import Body, Rows
from runwell.isa.vector import PREFIX, LaneBody, lane_op

ROWS = Rows("simd", PREFIX)
INTS = {F32X4: I32X4, F64X2: I64X2}


def _codes(f32x4: int, f64x2: int) -> dict[Shape, int]:
    return {F32X4: f32x4, F64X2: f64x2}


# Comparison.  Lanes of all ones or all zeros.


def _mask(compare: str, meaning: str) -> LaneBody:
    def body(m: Machine[V], shape: Shape, a: V, b: V) -> V:
        return m.sext(INTS[shape], getattr(m, compare)(a, b))

    body.__doc__ = f"All ones where ``a`` {meaning} ``b``, else zeros (op-{compare})."
    return body


for _i, (_verb, _meaning) in enumerate(
    (
        ("feq", "equals"),
        ("fne", "does not equal"),
        ("flt", "is less than"),
        ("fgt", "is greater than"),
        ("fle", "is at most"),
        ("fge", "is at least"),
    )
):
    lane_op(ROWS, _verb[1:], _codes(65 + _i, 71 + _i), commutes=_i < 2)(_mask(_verb, _meaning))


# Of one operand.


@lane_op(ROWS, "ceil", _codes(103, 116), 1)
def ceil(m: Machine[V], shape: Shape, a: V) -> V:
    """Round up to an integral value (op-fceil)."""
    return m.fceil(a)


@lane_op(ROWS, "floor", _codes(104, 117), 1)
def floor(m: Machine[V], shape: Shape, a: V) -> V:
    """Round down to an integral value (op-ffloor)."""
    return m.ffloor(a)


@lane_op(ROWS, "trunc", _codes(105, 122), 1)
def trunc(m: Machine[V], shape: Shape, a: V) -> V:
    """Round toward zero to an integral value (op-ftrunc)."""
    return m.ftrunc(a)


@lane_op(ROWS, "nearest", _codes(106, 148), 1)
def nearest(m: Machine[V], shape: Shape, a: V) -> V:
    """Round to the nearest integral value, ties to even (op-fnearest)."""
    return m.fnearest(a)


@lane_op(ROWS, "abs", _codes(224, 236), 1)
def abs_(m: Machine[V], shape: Shape, a: V) -> V:
    """Clear the sign (op-fabs)."""
    return m.fabs(a)


@lane_op(ROWS, "neg", _codes(225, 237), 1)
def neg(m: Machine[V], shape: Shape, a: V) -> V:
    """Flip the sign (op-fneg)."""
    return m.fneg(a)


@lane_op(ROWS, "sqrt", _codes(227, 239), 1)
def sqrt(m: Machine[V], shape: Shape, a: V) -> V:
    """Rounded square root (op-fsqrt)."""
    return m.fsqrt(a)


# Of two operands.


@lane_op(ROWS, "add", _codes(228, 240), commutes=True)
def add(m: Machine[V], shape: Shape, a: V, b: V) -> V:
    """Rounded sum (op-fadd)."""
    return m.fadd(a, b)


@lane_op(ROWS, "sub", _codes(229, 241))
def sub(m: Machine[V], shape: Shape, a: V, b: V) -> V:
    """Rounded difference (op-fsub)."""
    return m.fsub(a, b)


@lane_op(ROWS, "mul", _codes(230, 242), commutes=True)
def mul(m: Machine[V], shape: Shape, a: V, b: V) -> V:
    """Rounded product (op-fmul)."""
    return m.fmul(a, b)


@lane_op(ROWS, "div", _codes(231, 243))
def div(m: Machine[V], shape: Shape, a: V, b: V) -> V:
    """Rounded quotient (op-fdiv)."""
    return m.fdiv(a, b)


@lane_op(ROWS, "min", _codes(232, 244), commutes=True)
def min_(m: Machine[V], shape: Shape, a: V, b: V) -> V:
    """The lesser; NaN if either is; -0 is less than 0 (op-fmin)."""
    return m.fmin(a, b)


@lane_op(ROWS, "max", _codes(233, 245), commutes=True)
def max_(m: Machine[V], shape: Shape, a: V, b: V) -> V:
    """The greater; NaN if either is; 0 is greater than -0 (op-fmax)."""
    return m.fmax(a, b)


@lane_op(ROWS, "pmin", _codes(234, 246))
def pmin(m: Machine[V], shape: Shape, a: V, b: V) -> V:
    """``b`` if it is less than ``a``, else ``a`` (op-fpmin)."""
    return m.select(m.flt(b, a), b, a)


@lane_op(ROWS, "pmax", _codes(235, 247))
def pmax(m: Machine[V], shape: Shape, a: V, b: V) -> V:
    """``b`` if ``a`` is less than it, else ``a`` (op-fpmax)."""
    return m.select(m.flt(a, b), b, a)


# Conversions.


def _convert(verb: str, of: Shape, to: Shape, doc: str) -> Body:
    """Of all lanes; of the low ones if ``to`` has fewer; with zeros above if it has more."""

    def body(m: Machine[V], ty: ValType, a: V) -> V:
        lanes = m.bitcast(of, a)
        if to.lanes < of.lanes:
            lanes = m.pick(lanes, lanes, (0, 1))
        half = {F32X4: F32X2, I32X4: I32X2}[to] if to.lanes > of.lanes else to
        result = getattr(m, verb)(half, lanes)
        if half != to:
            result = m.pick(result, m.const(half, 0), (0, 1, 2, 3))
        return m.bitcast(V128, result)

    body.__doc__ = doc
    return body


def _add(
    mnemonic: str, code: int, verb: str, of: Shape, to: Shape, doc: str, rows: Rows = ROWS
) -> None:
    rows.op(mnemonic, code, (V128,), (V128,))(_convert(verb, of, to, doc))


_add(
    "f32x4.demote_f64x2_zero", 94, "demote", F64X2, F32X4,
    "To single precision, rounded; the high lanes are 0 (op-demote).",
)  # fmt: skip
_add(
    "f64x2.promote_low_f32x4", 95, "promote", F32X4, F64X2,
    "The low lanes to double precision (op-promote).",
)  # fmt: skip


def truncations(rows: Rows, name: str, codes: tuple[int, int, int, int], anchor: str) -> None:
    """Add the four saturating conversions to integers."""
    for i, (suffix, sign) in enumerate((("s", "signed"), ("u", "unsigned"))):
        verb = f"trunc_sat_{suffix}"
        meaning = f"Round toward zero, {sign}; the nearest bound beyond; 0 for NaN"
        doc = f"{meaning}{{}} ({anchor}-{suffix})."
        _add(f"i32x4.{name}_f32x4_{suffix}", codes[i], verb, F32X4, I32X4, doc.format(""), rows)
        zero = doc.format("; the high lanes are 0")
        mnemonic = f"i32x4.{name}_f64x2_{suffix}_zero"
        _add(mnemonic, codes[2 + i], verb, F64X2, I32X4, zero, rows)


truncations(ROWS, "trunc_sat", (248, 249, 252, 253), "op-trunc-sat")
for _i, (_suffix, _sign) in enumerate((("s", "signed"), ("u", "unsigned"))):
    _add(
        f"f32x4.convert_i32x4_{_suffix}", 250 + _i, f"convert_{_suffix}", I32X4, F32X4,
        f"To float, {_sign}, rounded (op-convert-{_suffix}).",
    )  # fmt: skip
    _add(
        f"f64x2.convert_low_i32x4_{_suffix}", 254 + _i, f"convert_{_suffix}", I32X4, F64X2,
        f"The low lanes to float, {_sign} (op-convert-{_suffix}).",
    )  # fmt: skip
