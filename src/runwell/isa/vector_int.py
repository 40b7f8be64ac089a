"""Integer arithmetic on vectors, lane by lane (spec: execution of vector instructions)."""

from runwell.base.types import I32, I64, V128, ValType
from runwell.isa.machine import (
    I8X8,
    I8X16,
    I16X4,
    I16X8,
    I16X16,
    I32X2,
    I32X4,
    I32X8,
    I64X2,
    Machine,
    Shape,
    V,
)
from runwell.isa.op import Body, Rows
from runwell.isa.vector import PREFIX, LaneBody, lane_op, shaped

ROWS = Rows("simd", PREFIX)
SHAPES = (I8X16, I16X8, I32X4, I64X2)
# Lanes of twice the width: as many, or half as many.
DOUBLE = {I8X16: I16X16, I16X8: I32X8}
WIDE = {I8X16: I16X8, I16X8: I32X4, I32X4: I64X2}
HALF = {I8X16: I8X8, I16X8: I16X4, I32X4: I32X2}


def _codes(first: int, step: int = 32) -> dict[Shape, int]:
    return {shape: first + step * i for i, shape in enumerate(SHAPES)}


def _without(codes: dict[Shape, int], *shapes: Shape) -> dict[Shape, int]:
    return {shape: code for shape, code in codes.items() if shape not in shapes}


# Comparison.  Lanes of all ones or all zeros.


def _mask(compare: str, meaning: str, anchor: str) -> LaneBody:
    def body(m: Machine[V], shape: Shape, a: V, b: V) -> V:
        return m.sext(shape, getattr(m, compare)(a, b))

    body.__doc__ = f"All ones where ``a`` {meaning} ``b``, else zeros ({anchor})."
    return body


for _i, (_name, _meaning) in enumerate(
    (
        ("eq", "equals"),
        ("ne", "differs from"),
        ("lt_s", "is less than, signed,"),
        ("lt_u", "is less than, unsigned,"),
        ("gt_s", "is greater than, signed,"),
        ("gt_u", "is greater than, unsigned,"),
        ("le_s", "is at most, signed,"),
        ("le_u", "is at most, unsigned,"),
        ("ge_s", "is at least, signed,"),
        ("ge_u", "is at least, unsigned,"),
    )
):
    _shapes = {I8X16: 35 + _i, I16X8: 45 + _i, I32X4: 55 + _i}
    if not _name.endswith("_u"):
        _shapes[I64X2] = 214 + ("eq", "ne", "lt_s", "gt_s", "le_s", "ge_s").index(_name)
    lane_op(ROWS, _name, _shapes, commutes=_i < 2)(
        _mask(_name, _meaning, f"op-i{_name.replace('_', '-')}")
    )


# Of one operand.


@lane_op(ROWS, "abs", _codes(96), 1)
def abs_(m: Machine[V], shape: Shape, a: V) -> V:
    """Absolute value, MIN unchanged (op-iabs)."""
    return m.select(m.lt_s(a, m.const(shape, 0)), m.sub(m.const(shape, 0), a), a)


@lane_op(ROWS, "neg", _codes(97), 1)
def neg(m: Machine[V], shape: Shape, a: V) -> V:
    """Negate (op-ineg)."""
    return m.sub(m.const(shape, 0), a)


@lane_op(ROWS, "popcnt", {I8X16: 98}, 1)
def popcnt(m: Machine[V], shape: Shape, a: V) -> V:
    """Count one bits (op-ipopcnt)."""
    return m.popcnt(a)


def _all_true(shape: Shape) -> Body:
    def body(m: Machine[V], ty: ValType, a: V) -> V:
        """Is no lane 0? (op-vall_true)."""
        return m.not_(m.any_true(m.eq(m.bitcast(shape, a), m.const(shape, 0))))

    return body


def _bitmask(shape: Shape) -> Body:
    def body(m: Machine[V], ty: ValType, a: V) -> V:
        """The sign bits of the lanes, lane 0 lowest (op-vbitmask)."""
        return m.bitmask(m.lt_s(m.bitcast(shape, a), m.const(shape, 0)))

    return body


for _i, _shape in enumerate(SHAPES):
    _name = _shape.name
    ROWS.op(f"{_name}.all_true", 99 + 32 * _i, (V128,), (I32,), ty=V128, is_compare=True)(
        _all_true(_shape)
    )
    ROWS.op(f"{_name}.bitmask", 100 + 32 * _i, (V128,), (I32,), ty=V128)(_bitmask(_shape))


# Shifts: the count is a number, modulo the width.


def _count(m: Machine[V], shape: Shape, count: V) -> V:
    low = m.and_(count, m.const(I32, shape.bits - 1))
    return m.splat(shape, m.zext(I64, low) if shape.bits == 64 else low)


def _shl(m: Machine[V], shape: Shape, a: V, count: V) -> V:
    """Shift left by ``b`` modulo the width (op-ishl)."""
    return m.shl(a, _count(m, shape, count))


def _shr_s(m: Machine[V], shape: Shape, a: V, count: V) -> V:
    """Shift right by ``b`` modulo the width, copying the sign (op-ishr-s)."""
    return m.shr_s(a, _count(m, shape, count))


def _shr_u(m: Machine[V], shape: Shape, a: V, count: V) -> V:
    """Shift right by ``b`` modulo the width, filling with zeros (op-ishr-u)."""
    return m.shr_u(a, _count(m, shape, count))


for _i, _shape in enumerate(SHAPES):
    for _j, (_name, _body) in enumerate((("shl", _shl), ("shr_s", _shr_s), ("shr_u", _shr_u))):
        _code = 107 + 32 * _i + _j
        ROWS.op(f"{_shape.name}.{_name}", _code, (V128, I32), (V128,))(shaped(_body, _shape, 1))


# Wrapping arithmetic.


@lane_op(ROWS, "add", _codes(110), commutes=True)
def add(m: Machine[V], shape: Shape, a: V, b: V) -> V:
    """Wrapping sum (op-iadd)."""
    return m.add(a, b)


@lane_op(ROWS, "sub", _codes(113))
def sub(m: Machine[V], shape: Shape, a: V, b: V) -> V:
    """Wrapping difference (op-isub)."""
    return m.sub(a, b)


@lane_op(ROWS, "mul", _without(_codes(117), I8X16), commutes=True)
def mul(m: Machine[V], shape: Shape, a: V, b: V) -> V:
    """Wrapping product (op-imul)."""
    return m.mul(a, b)


@lane_op(ROWS, "min_s", _without(_codes(118), I64X2), commutes=True)
def min_s(m: Machine[V], shape: Shape, a: V, b: V) -> V:
    """The lesser, signed (op-imin-s)."""
    return m.select(m.lt_s(a, b), a, b)


@lane_op(ROWS, "min_u", _without(_codes(119), I64X2), commutes=True)
def min_u(m: Machine[V], shape: Shape, a: V, b: V) -> V:
    """The lesser, unsigned (op-imin-u)."""
    return m.select(m.lt_u(a, b), a, b)


@lane_op(ROWS, "max_s", _without(_codes(120), I64X2), commutes=True)
def max_s(m: Machine[V], shape: Shape, a: V, b: V) -> V:
    """The greater, signed (op-imax-s)."""
    return m.select(m.gt_s(a, b), a, b)


@lane_op(ROWS, "max_u", _without(_codes(121), I64X2), commutes=True)
def max_u(m: Machine[V], shape: Shape, a: V, b: V) -> V:
    """The greater, unsigned (op-imax-u)."""
    return m.select(m.gt_u(a, b), a, b)


# Saturating and averaging arithmetic, in lanes of double width, where nothing overflows.


def clamp(m: Machine[V], wide: Shape, to: Shape, a: V, signed: bool) -> V:
    """The lanes of ``wide``, which are signed, brought into the range of ``to``, and narrowed."""
    low = -1 << (to.bits - 1) if signed else 0
    high = low + (1 << to.bits) - 1
    a = m.select(m.lt_s(a, m.const(wide, low)), m.const(wide, low), a)
    a = m.select(m.gt_s(a, m.const(wide, high)), m.const(wide, high), a)
    return m.trunc(to, a)


def _saturating(verb: str, signed: bool) -> LaneBody:
    def body(m: Machine[V], shape: Shape, a: V, b: V) -> V:
        wide = DOUBLE[shape]
        widen = m.sext if signed else m.zext
        combine = m.add if verb == "add" else m.sub
        return clamp(m, wide, shape, combine(widen(wide, a), widen(wide, b)), signed)

    word, sign = "sum" if verb == "add" else "difference", "signed" if signed else "unsigned"
    body.__doc__ = f"Saturating {word}, {sign} (op-i{verb}_sat-{sign[0]})."
    return body


for _i, (_name, _verb) in enumerate((("add_sat", "add"), ("sub_sat", "sub"))):
    for _j, _signed in enumerate((True, False)):
        _codes_of = {I8X16: 111 + 3 * _i + _j, I16X8: 143 + 3 * _i + _j}
        lane_op(ROWS, f"{_name}_{'su'[_j]}", _codes_of, commutes=_verb == "add")(
            _saturating(_verb, _signed)
        )


@lane_op(ROWS, "avgr_u", {I8X16: 123, I16X8: 155}, commutes=True)
def avgr_u(m: Machine[V], shape: Shape, a: V, b: V) -> V:
    """Average, rounded up, unsigned (op-iavgr-u)."""
    wide = DOUBLE[shape]
    total = m.add(m.add(m.zext(wide, a), m.zext(wide, b)), m.const(wide, 1))
    return m.trunc(shape, m.shr_u(total, m.const(wide, 1)))


@lane_op(ROWS, "q15mulr_sat_s", {I16X8: 130}, commutes=True)
def q15mulr(m: Machine[V], shape: Shape, a: V, b: V) -> V:
    """Product of Q15 fractions, rounded, saturating (op-iq15mulr_sat-s)."""
    wide = DOUBLE[shape]
    product = m.add(m.mul(m.sext(wide, a), m.sext(wide, b)), m.const(wide, 0x4000))
    return clamp(m, wide, shape, m.shr_s(product, m.const(wide, 15)), signed=True)


# From one shape to another.


def _narrow(to: Shape, signed: bool) -> LaneBody:
    def body(m: Machine[V], shape: Shape, a: V, b: V) -> V:
        both = m.pick(a, b, tuple(range(to.lanes)))
        return clamp(m, DOUBLE[to], to, both, signed)

    how = "signed" if signed else "unsigned"
    body.__doc__ = f"Lanes of both operands, saturated to half the width, {how} (op-narrow)."
    return body


for _to, _code in ((I8X16, 101), (I16X8, 133)):
    _of = WIDE[_to]
    for _signed, _suffix in ((True, "s"), (False, "u")):
        ROWS.op(f"{_to.name}.narrow_{_of.name}_{_suffix}", _code, (V128, V128), (V128,))(
            shaped(_narrow(_to, _signed), _of, 2)
        )
        _code += 1


def _extend(m: Machine[V], of: Shape, a: V, first: int, step: int, signed: bool) -> V:
    """Half of the lanes, from ``first`` on, widened."""
    half = WIDE[of].lanes
    lanes = m.pick(a, a, tuple(range(first, first + half * step, step)))
    return m.sext(WIDE[of], lanes) if signed else m.zext(WIDE[of], lanes)


def _extend_half(high: bool, signed: bool) -> LaneBody:
    def body(m: Machine[V], shape: Shape, a: V) -> V:
        return _extend(m, shape, a, shape.lanes // 2 if high else 0, 1, signed)

    which, how = "high" if high else "low", "signed" if signed else "unsigned"
    body.__doc__ = f"The {which} half of the lanes, widened, {how} (op-vextend)."
    return body


def _extmul(high: bool, signed: bool) -> LaneBody:
    def body(m: Machine[V], shape: Shape, a: V, b: V) -> V:
        first = shape.lanes // 2 if high else 0
        return m.mul(_extend(m, shape, a, first, 1, signed), _extend(m, shape, b, first, 1, signed))

    which, how = "high" if high else "low", "signed" if signed else "unsigned"
    body.__doc__ = f"Whole products of the {which} half of the lanes, {how} (op-vextmul)."
    return body


def _extadd(signed: bool) -> LaneBody:
    def body(m: Machine[V], shape: Shape, a: V) -> V:
        return m.add(_extend(m, shape, a, 0, 2, signed), _extend(m, shape, a, 1, 2, signed))

    how = "signed" if signed else "unsigned"
    body.__doc__ = f"Whole sums of neighbouring lanes, {how} (op-vextadd_pairwise)."
    return body


for _i, (_of, _to) in enumerate(WIDE.items()):
    for _j, (_signed, _high) in enumerate(
        ((True, False), (True, True), (False, False), (False, True))
    ):
        _tail = f"{'high' if _high else 'low'}_{_of.name}_{'s' if _signed else 'u'}"
        ROWS.op(f"{_to.name}.extend_{_tail}", 135 + 32 * _i + _j, (V128,), (V128,))(
            shaped(_extend_half(_high, _signed), _of, 1)
        )
        ROWS.op(
            f"{_to.name}.extmul_{_tail}",
            156 + 32 * _i + _j,
            (V128, V128),
            (V128,),
            commutes=True,
        )(shaped(_extmul(_high, _signed), _of, 2))
for _of, _code in ((I8X16, 124), (I16X8, 126)):
    for _signed, _suffix in ((True, "s"), (False, "u")):
        ROWS.op(f"{WIDE[_of].name}.extadd_pairwise_{_of.name}_{_suffix}", _code, (V128,), (V128,))(
            shaped(_extadd(_signed), _of, 1)
        )
        _code += 1


def dot(m: Machine[V], shape: Shape, a: V, b: V) -> V:
    """Sums of the products of neighbouring lanes, signed (op-idot)."""
    even = m.mul(_extend(m, shape, a, 0, 2, True), _extend(m, shape, b, 0, 2, True))
    odd = m.mul(_extend(m, shape, a, 1, 2, True), _extend(m, shape, b, 1, 2, True))
    return m.add(even, odd)


ROWS.op("i32x4.dot_i16x8_s", 186, (V128, V128), (V128,), commutes=True)(shaped(dot, I16X8, 2))
