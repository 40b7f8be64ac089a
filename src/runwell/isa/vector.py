"""Vector instructions: memory, lanes, bits (spec: execution of vector instructions).

A vector is seen under a shape by ``bitcast``; the verbs then work lane by lane.
"""

from runwell.base.light import Any, Callable
from runwell.base.types import F32, F64, I32, I64, V128, ValType
from runwell.isa.machine import (
    F32X4,
    F64X2,
    I8,
    I8X8,
    I8X16,
    I16,
    I16X4,
    I16X8,
    I32X2,
    I32X4,
    I64X2,
    Machine,
    Shape,
    Type,
    V,
)
from runwell.isa.op import MEMARG, Body, Decorator, Imm, Rows, Rule

PREFIX = 0xFD
ROWS = Rows("simd", PREFIX)
LaneBody = Callable[..., Any]


def shaped(body: LaneBody, shape: Shape, lanes: int) -> Body:
    """``body(m, shape, *lanes, *rest)`` as one over vectors, of which it takes ``lanes``."""

    def over_vectors(m: Machine[V], ty: ValType, *args: V) -> V:
        seen = [m.bitcast(shape, a) for a in args[:lanes]]
        return m.bitcast(V128, body(m, shape, *seen, *args[lanes:]))

    over_vectors.__doc__ = body.__doc__
    return over_vectors


def lane_op(
    rows: Rows, name: str, codes: dict[Shape, int], arity: int = 2, *, commutes: bool = False
) -> Callable[[LaneBody], LaneBody]:
    """Add the body for several shapes, from ``arity`` vectors to one."""

    def add(body: LaneBody) -> LaneBody:
        for shape, code in codes.items():
            rows.op(f"{shape.name}.{name}", code, (V128,) * arity, (V128,), commutes=commutes)(
                shaped(body, shape, arity)
            )
        return body

    return add


# Memory.


def _access(mnemonic: str, code: int, width: int, rule: Rule) -> Decorator:
    lane = rule in (Rule.LOAD_LANE, Rule.STORE_LANE)
    params = (I32,) if rule == Rule.LOAD else (I32, V128)
    results = (V128,) if rule in (Rule.LOAD, Rule.LOAD_LANE) else ()
    imms = (*MEMARG, Imm.LANE) if lane else MEMARG
    return ROWS.op(mnemonic, code, params, results, rule=rule, imms=imms, ty=V128, width=width)


@_access("v128.load", 0, 16, Rule.LOAD)
def load(m: Machine[V], ty: ValType, addr: V, offset: V) -> V:
    """Read 16 bytes; traps if out of bounds (exec-vload)."""
    return m.load(V128, addr, offset)


@_access("v128.store", 11, 16, Rule.STORE)
def store(m: Machine[V], ty: ValType, addr: V, offset: V, value: V) -> None:
    """Write 16 bytes; traps if out of bounds (exec-vstore)."""
    m.store(V128, addr, offset, value)


def _load_extend(half: Shape, whole: Shape, signed: bool) -> Body:
    def body(m: Machine[V], ty: ValType, addr: V, offset: V) -> V:
        lanes = m.load(half, addr, offset)
        return m.bitcast(V128, m.sext(whole, lanes) if signed else m.zext(whole, lanes))

    how = "signed" if signed else "unsigned"
    body.__doc__ = (
        f"Read 8 bytes as lanes and widen each, {how}; traps if out of bounds (exec-vload-ext)."
    )
    return body


for _i, (_half, _whole) in enumerate(((I8X8, I16X8), (I16X4, I32X4), (I32X2, I64X2))):
    _name = f"v128.load{_half.bits}x{_half.lanes}"
    _access(f"{_name}_s", 1 + 2 * _i, 8, Rule.LOAD)(_load_extend(_half, _whole, True))
    _access(f"{_name}_u", 2 + 2 * _i, 8, Rule.LOAD)(_load_extend(_half, _whole, False))

_CELLS: tuple[tuple[Type, Shape], ...] = ((I8, I8X16), (I16, I16X8), (I32, I32X4), (I64, I64X2))


def _load_splat(cell: Type, shape: Shape) -> Body:
    def body(m: Machine[V], ty: ValType, addr: V, offset: V) -> V:
        """Read one lane into all; traps if out of bounds (exec-vload-splat)."""
        return m.bitcast(V128, m.splat(shape, m.load(cell, addr, offset)))

    return body


def _load_zero(cell: ValType, shape: Shape) -> Body:
    def body(m: Machine[V], ty: ValType, addr: V, offset: V) -> V:
        """Read the lowest lane, the others are 0; traps if out of bounds (exec-vload-zero)."""
        lane = m.load(cell, addr, offset)
        return m.bitcast(V128, m.insert(m.const(shape, 0), m.const(I32, 0), lane))

    return body


def _load_lane(cell: Type, shape: Shape) -> Body:
    def body(m: Machine[V], ty: ValType, addr: V, offset: V, a: V, lane: V) -> V:
        """Read one lane and keep the others; traps if out of bounds (exec-vload-lane)."""
        value = m.load(cell, addr, offset)
        return m.bitcast(V128, m.insert(m.bitcast(shape, a), lane, value))

    return body


def _store_lane(cell: Type, shape: Shape) -> Body:
    def body(m: Machine[V], ty: ValType, addr: V, offset: V, a: V, lane: V) -> None:
        """Write one lane; traps if out of bounds (exec-vstore-lane)."""
        m.store(cell, addr, offset, m.extract(m.bitcast(shape, a), lane))

    return body


for _i, (_cell, _shape) in enumerate(_CELLS):
    _bits, _width = _shape.bits, _shape.bits // 8
    _access(f"v128.load{_bits}_splat", 7 + _i, _width, Rule.LOAD)(_load_splat(_cell, _shape))
    _access(f"v128.load{_bits}_lane", 84 + _i, _width, Rule.LOAD_LANE)(_load_lane(_cell, _shape))
    _access(f"v128.store{_bits}_lane", 88 + _i, _width, Rule.STORE_LANE)(_store_lane(_cell, _shape))
_access("v128.load32_zero", 92, 4, Rule.LOAD)(_load_zero(I32, I32X4))
_access("v128.load64_zero", 93, 8, Rule.LOAD)(_load_zero(I64, I64X2))


# Lanes.


@ROWS.op("v128.const", 12, (), (V128,), rule=Rule.CONST, imms=(Imm.V128,))
def const(m: Machine[V], ty: ValType, value: V) -> V:
    """The constant ``value`` (exec-vconst)."""
    return value


@ROWS.op("i8x16.shuffle", 13, (V128, V128), (V128,), rule=Rule.SHUFFLE, imms=(Imm.LANES,))
def shuffle(m: Machine[V], ty: ValType, a: V, b: V, lanes: V) -> V:
    """Any sixteen bytes of the two operands (exec-vec-shuffle)."""
    index = m.bitcast(I8X16, lanes)
    low = m.swizzle(m.bitcast(I8X16, a), index)
    high = m.swizzle(m.bitcast(I8X16, b), m.sub(index, m.const(I8X16, 16)))
    return m.bitcast(V128, m.or_(low, high))


@lane_op(ROWS, "swizzle", {I8X16: 14})
def swizzle(m: Machine[V], shape: Shape, a: V, indices: V) -> V:
    """Bytes of the first operand by index; 0 for indices beyond 15 (exec-vec-swizzle)."""
    return m.swizzle(a, indices)


def _splat(shape: Shape) -> Body:
    def body(m: Machine[V], ty: ValType, a: V) -> V:
        """The number in every lane (exec-vec-splat)."""
        return m.bitcast(V128, m.splat(shape, a))

    return body


def _extract(shape: Shape, signed: bool) -> Body:
    def body(m: Machine[V], ty: ValType, a: V, lane: V) -> V:
        value = m.extract(m.bitcast(shape, a), lane)
        if shape.bits >= 32:
            return value
        return m.sext(I32, value) if signed else m.zext(I32, value)

    how = "" if shape.bits >= 32 else ", widened, signed" if signed else ", widened, unsigned"
    body.__doc__ = f"One lane{how} (exec-vec-extract_lane)."
    return body


def _replace(shape: Shape) -> Body:
    def body(m: Machine[V], ty: ValType, a: V, b: V, lane: V) -> V:
        """Replace one lane (exec-vec-replace_lane)."""
        value = b if shape.bits >= 32 else m.trunc(I8 if shape.bits == 8 else I16, b)
        return m.bitcast(V128, m.insert(m.bitcast(shape, a), lane, value))

    return body


_SCALARS = {I8X16: I32, I16X8: I32, I32X4: I32, I64X2: I64, F32X4: F32, F64X2: F64}
_code = 21
for _i, (_shape, _of) in enumerate(_SCALARS.items()):
    ROWS.op(f"{_shape.name}.splat", 15 + _i, (_of,), (V128,))(_splat(_shape))
    for _suffix in ("_s", "_u") if _shape.bits < 32 else ("",):
        ROWS.op(
            f"{_shape.name}.extract_lane{_suffix}",
            _code,
            (V128,),
            (_of,),
            rule=Rule.LANE,
            imms=(Imm.LANE,),
        )(_extract(_shape, _suffix == "_s"))
        _code += 1
    ROWS.op(
        f"{_shape.name}.replace_lane",
        _code,
        (V128, _of),
        (V128,),
        rule=Rule.LANE,
        imms=(Imm.LANE,),
    )(_replace(_shape))
    _code += 1


# Bits.


@ROWS.op("v128.not", 77, (V128,), (V128,))
def not_(m: Machine[V], ty: ValType, a: V) -> V:
    """Bitwise complement (op-ivnot)."""
    return m.not_(a)


@ROWS.op("v128.and", 78, (V128, V128), (V128,), commutes=True)
def and_(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Bitwise and (op-ivand)."""
    return m.and_(a, b)


@ROWS.op("v128.andnot", 79, (V128, V128), (V128,))
def andnot(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Bitwise and with the complement of ``b`` (op-ivandnot)."""
    return m.and_(a, m.not_(b))


@ROWS.op("v128.or", 80, (V128, V128), (V128,), commutes=True)
def or_(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Bitwise or (op-ivor)."""
    return m.or_(a, b)


@ROWS.op("v128.xor", 81, (V128, V128), (V128,), commutes=True)
def xor(m: Machine[V], ty: ValType, a: V, b: V) -> V:
    """Bitwise exclusive or (op-ivxor)."""
    return m.xor(a, b)


@ROWS.op("v128.bitselect", 82, (V128, V128, V128), (V128,))
def bitselect(m: Machine[V], ty: ValType, a: V, b: V, mask: V) -> V:
    """Each bit of ``a`` where the mask is 1, else of ``b`` (op-ivbitselect)."""
    return m.or_(m.and_(a, mask), m.and_(b, m.not_(mask)))


@ROWS.op("v128.any_true", 83, (V128,), (I32,), ty=V128, is_compare=True)
def any_true(m: Machine[V], ty: ValType, a: V) -> V:
    """Is some bit 1? (op-vany_true)."""
    lanes = m.bitcast(I64X2, a)
    return m.any_true(m.ne(lanes, m.const(I64X2, 0)))
