"""Meaning on Python ints: the reference that every engine is compared with.

A value is the bits of its lanes, so that floats keep their NaNs; a number or condition has one
lane.  Requirements of the verbs are asserted.  Where WebAssembly leaves the payload of a NaN open,
this machine gives the payload of the first NaN operand, made quiet; compare with care.
"""

from collections.abc import Callable, Iterable
from typing import NoReturn, final

from runwell.base.errors import Trap
from runwell.base.traps import TrapCode
from runwell.base.types import I32, ValType
from runwell.isa.floats import FORMATS, Format
from runwell.isa.machine import Machine, Shape, Type
from runwell.isa.op import Op


@final
class Bits:
    """Lanes of ``width`` bits each, as unsigned ints, lane 0 first."""

    __slots__ = ("lanes", "width")

    def __init__(self, lanes: Iterable[int], width: int) -> None:
        mask = (1 << width) - 1
        self.lanes, self.width = tuple([lane & mask for lane in lanes]), width

    @property
    def value(self) -> int:
        """All bits as one number, lane 0 lowest."""
        if len(self.lanes) == 1:
            return self.lanes[0]
        return sum(lane << (self.width * i) for i, lane in enumerate(self.lanes))

    @property
    def signed(self) -> tuple[int, ...]:
        """The lanes as signed ints."""
        half = 1 << (self.width - 1)
        return tuple([(lane ^ half) - half for lane in self.lanes])

    def __bool__(self) -> NoReturn:
        raise TypeError("use select or trap_if")

    def __repr__(self) -> str:
        return f"Bits({[hex(lane) for lane in self.lanes]}, {self.width})"


def _shape(ty: Type) -> tuple[int, int]:
    """Lanes, and bits of each."""
    return (1, ty.bits) if isinstance(ty, ValType) else (ty.lanes, ty.bits)


def _map2(f: Callable[[int, int], int], a: Bits, b: Bits, width: int = 0) -> Bits:
    assert a.width == b.width
    pairs = zip(a.lanes, b.lanes, strict=True)
    return Bits([f(x, y) for x, y in pairs], width or a.width)


def _map2s(f: Callable[[int, int], int], a: Bits, b: Bits, width: int = 0) -> Bits:
    assert a.width == b.width
    pairs = zip(a.signed, b.signed, strict=True)
    return Bits([f(x, y) for x, y in pairs], width or a.width)


def _map(f: Callable[[int], int], a: Bits, width: int = 0) -> Bits:
    return Bits([f(x) for x in a.lanes], width or a.width)


def _quotient(a: int, b: int) -> int:
    q = abs(a) // abs(b)
    return -q if (a < 0) != (b < 0) else q


@final
class Evaluator(Machine[Bits]):
    """``Machine`` over ``Bits``; ``memory`` is what loads and stores access."""

    def __init__(self, memory: bytearray | None = None) -> None:
        self.memory = memory if memory is not None else bytearray()

    # Constants and choice.

    def const(self, ty: Type, value: int) -> Bits:
        count, width = _shape(ty)
        return Bits([value] * count, width)

    def select(self, cond: Bits, a: Bits, b: Bits) -> Bits:
        assert cond.width == 1
        conds = cond.lanes * len(a.lanes) if len(cond.lanes) == 1 else cond.lanes
        lanes = zip(conds, a.lanes, b.lanes, strict=True)
        return Bits([x if c else y for c, x, y in lanes], a.width)

    def select_rarely(self, cond: Bits, a: Bits, b: Bits) -> Bits:
        return self.select(cond, a, b)

    def trap_if(self, cond: Bits, code: TrapCode) -> None:
        assert cond.width == 1
        if cond.value:
            raise Trap(code)

    # Integers.

    def add(self, a: Bits, b: Bits) -> Bits:
        return _map2(lambda x, y: x + y, a, b)

    def sub(self, a: Bits, b: Bits) -> Bits:
        return _map2(lambda x, y: x - y, a, b)

    def mul(self, a: Bits, b: Bits) -> Bits:
        return _map2(lambda x, y: x * y, a, b)

    def div_s(self, a: Bits, b: Bits) -> Bits:
        result = _map2s(_quotient, a, b)
        assert result.signed == tuple(map(_quotient, a.signed, b.signed))
        return result

    def div_u(self, a: Bits, b: Bits) -> Bits:
        return _map2(lambda x, y: x // y, a, b)

    def rem_s(self, a: Bits, b: Bits) -> Bits:
        least = -1 << (a.width - 1)
        assert all(x != least or y != -1 for x, y in zip(a.signed, b.signed, strict=True))
        return _map2s(lambda x, y: x - y * _quotient(x, y), a, b)

    def rem_u(self, a: Bits, b: Bits) -> Bits:
        return _map2(lambda x, y: x % y, a, b)

    def and_(self, a: Bits, b: Bits) -> Bits:
        return _map2(lambda x, y: x & y, a, b)

    def or_(self, a: Bits, b: Bits) -> Bits:
        return _map2(lambda x, y: x | y, a, b)

    def xor(self, a: Bits, b: Bits) -> Bits:
        return _map2(lambda x, y: x ^ y, a, b)

    def not_(self, a: Bits) -> Bits:
        return _map(lambda x: ~x, a)

    def _check_shift(self, b: Bits) -> None:
        assert all(x < b.width for x in b.lanes)

    def shl(self, a: Bits, b: Bits) -> Bits:
        self._check_shift(b)
        return _map2(lambda x, y: x << y, a, b)

    def shr_s(self, a: Bits, b: Bits) -> Bits:
        self._check_shift(b)
        return Bits([x >> y for x, y in zip(a.signed, b.lanes, strict=True)], a.width)

    def shr_u(self, a: Bits, b: Bits) -> Bits:
        self._check_shift(b)
        return _map2(lambda x, y: x >> y, a, b)

    def rotl(self, a: Bits, b: Bits) -> Bits:
        w = a.width
        return _map2(lambda x, y: x << (y % w) | x >> (w - y % w), a, b)

    def rotr(self, a: Bits, b: Bits) -> Bits:
        w = a.width
        return _map2(lambda x, y: x >> (y % w) | x << (w - y % w), a, b)

    def clz(self, a: Bits) -> Bits:
        return _map(lambda x: a.width - x.bit_length(), a)

    def ctz(self, a: Bits) -> Bits:
        return _map(lambda x: (x & -x).bit_length() - 1 if x else a.width, a)

    def popcnt(self, a: Bits) -> Bits:
        return _map(lambda x: x.bit_count(), a)

    def eq(self, a: Bits, b: Bits) -> Bits:
        return _map2(lambda x, y: x == y, a, b, 1)

    def ne(self, a: Bits, b: Bits) -> Bits:
        return _map2(lambda x, y: x != y, a, b, 1)

    def lt_s(self, a: Bits, b: Bits) -> Bits:
        return _map2s(lambda x, y: x < y, a, b, 1)

    def lt_u(self, a: Bits, b: Bits) -> Bits:
        return _map2(lambda x, y: x < y, a, b, 1)

    def gt_s(self, a: Bits, b: Bits) -> Bits:
        return _map2s(lambda x, y: x > y, a, b, 1)

    def gt_u(self, a: Bits, b: Bits) -> Bits:
        return _map2(lambda x, y: x > y, a, b, 1)

    def le_s(self, a: Bits, b: Bits) -> Bits:
        return _map2s(lambda x, y: x <= y, a, b, 1)

    def le_u(self, a: Bits, b: Bits) -> Bits:
        return _map2(lambda x, y: x <= y, a, b, 1)

    def ge_s(self, a: Bits, b: Bits) -> Bits:
        return _map2s(lambda x, y: x >= y, a, b, 1)

    def ge_u(self, a: Bits, b: Bits) -> Bits:
        return _map2(lambda x, y: x >= y, a, b, 1)

    def sext(self, ty: Type, a: Bits) -> Bits:
        count, width = _shape(ty)
        assert count == len(a.lanes)
        assert width > a.width
        return Bits(a.signed, width)

    def zext(self, ty: Type, a: Bits) -> Bits:
        count, width = _shape(ty)
        assert count == len(a.lanes)
        assert width > a.width
        return Bits(a.lanes, width)

    def trunc(self, ty: Type, a: Bits) -> Bits:
        count, width = _shape(ty)
        assert count == len(a.lanes)
        assert width < a.width
        return Bits(a.lanes, width)

    # Floats.

    def fadd(self, a: Bits, b: Bits) -> Bits:
        return _map2(FORMATS[a.width].add, a, b)

    def fsub(self, a: Bits, b: Bits) -> Bits:
        form = FORMATS[a.width]
        return _map2(lambda x, y: form.add(x, y if form.is_nan(y) else y ^ form.sign), a, b)

    def fmul(self, a: Bits, b: Bits) -> Bits:
        return _map2(FORMATS[a.width].mul, a, b)

    def fdiv(self, a: Bits, b: Bits) -> Bits:
        return _map2(FORMATS[a.width].div, a, b)

    def fmin(self, a: Bits, b: Bits) -> Bits:
        return _map2(FORMATS[a.width].min, a, b)

    def fmax(self, a: Bits, b: Bits) -> Bits:
        return _map2(FORMATS[a.width].max, a, b)

    def fsqrt(self, a: Bits) -> Bits:
        return _map(FORMATS[a.width].sqrt, a)

    def _integral(self, a: Bits, how: str) -> Bits:
        form = FORMATS[a.width]
        return _map(lambda x: form.integral(x, how), a)

    def fceil(self, a: Bits) -> Bits:
        return self._integral(a, "ceil")

    def ffloor(self, a: Bits) -> Bits:
        return self._integral(a, "floor")

    def ftrunc(self, a: Bits) -> Bits:
        return self._integral(a, "trunc")

    def fnearest(self, a: Bits) -> Bits:
        return self._integral(a, "nearest")

    def fabs(self, a: Bits) -> Bits:
        return _map(lambda x: x & ~FORMATS[a.width].sign, a)

    def fneg(self, a: Bits) -> Bits:
        return _map(lambda x: x ^ FORMATS[a.width].sign, a)

    def fcopysign(self, a: Bits, b: Bits) -> Bits:
        sign = FORMATS[a.width].sign
        return _map2(lambda x, y: x & ~sign | y & sign, a, b)

    def feq(self, a: Bits, b: Bits) -> Bits:
        return _map2(FORMATS[a.width].equal, a, b, 1)

    def fne(self, a: Bits, b: Bits) -> Bits:
        return self.not_(self.feq(a, b))

    def flt(self, a: Bits, b: Bits) -> Bits:
        return _map2(FORMATS[a.width].less, a, b, 1)

    def fgt(self, a: Bits, b: Bits) -> Bits:
        return self.flt(b, a)

    def fle(self, a: Bits, b: Bits) -> Bits:
        return self.or_(self.flt(a, b), self.feq(a, b))

    def fge(self, a: Bits, b: Bits) -> Bits:
        return self.fle(b, a)

    # Conversions.

    def _truncate(self, ty: Type, a: Bits, low: int, high: int, saturate: bool) -> Bits:
        form = FORMATS[a.width]
        lanes = []
        for x in a.lanes:
            value = _integer(form, x)
            assert saturate or (value is not None and low <= value <= high)
            lanes.append(min(max(value, low), high) if value is not None else 0)
        return Bits(lanes, _shape(ty)[1])

    def _truncate_s(self, ty: Type, a: Bits, saturate: bool) -> Bits:
        half = 1 << (_shape(ty)[1] - 1)
        return self._truncate(ty, a, -half, half - 1, saturate)

    def _truncate_u(self, ty: Type, a: Bits, saturate: bool) -> Bits:
        return self._truncate(ty, a, 0, (1 << _shape(ty)[1]) - 1, saturate)

    def trunc_s(self, ty: Type, a: Bits) -> Bits:
        return self._truncate_s(ty, a, saturate=False)

    def trunc_u(self, ty: Type, a: Bits) -> Bits:
        return self._truncate_u(ty, a, saturate=False)

    def trunc_sat_s(self, ty: Type, a: Bits) -> Bits:
        return self._truncate_s(ty, a, saturate=True)

    def trunc_sat_u(self, ty: Type, a: Bits) -> Bits:
        return self._truncate_u(ty, a, saturate=True)

    def convert_s(self, ty: Type, a: Bits) -> Bits:
        form = FORMATS[_shape(ty)[1]]
        return Bits([form.round(x, 1) for x in a.signed], form.bits)

    def convert_u(self, ty: Type, a: Bits) -> Bits:
        form = FORMATS[_shape(ty)[1]]
        return Bits([form.round(x, 1) for x in a.lanes], form.bits)

    def demote(self, ty: Type, a: Bits) -> Bits:
        return self.promote(ty, a)

    def promote(self, ty: Type, a: Bits) -> Bits:
        source, target = FORMATS[a.width], FORMATS[_shape(ty)[1]]
        return Bits([source.to(target, x) for x in a.lanes], target.bits)

    def bitcast(self, ty: Type, a: Bits) -> Bits:
        count, width = _shape(ty)
        assert count * width == len(a.lanes) * a.width
        value = a.value
        return Bits([value >> (width * i) for i in range(count)], width)

    # Lanes.

    def splat(self, shape: Shape, a: Bits) -> Bits:
        return Bits(a.lanes * shape.lanes, shape.bits)

    def extract(self, a: Bits, lane: Bits) -> Bits:
        return Bits([a.lanes[lane.value]], a.width)

    def insert(self, a: Bits, lane: Bits, b: Bits) -> Bits:
        assert a.width == b.width
        assert lane.value < len(a.lanes)
        return Bits([b.value if i == lane.value else x for i, x in enumerate(a.lanes)], a.width)

    def pick(self, a: Bits, b: Bits, indices: tuple[int, ...]) -> Bits:
        assert a.width == b.width
        lanes = a.lanes + b.lanes
        return Bits([lanes[x] for x in indices], a.width)

    def swizzle(self, a: Bits, indices: Bits) -> Bits:
        assert len(a.lanes) == len(indices.lanes) == 16
        return Bits([a.lanes[x] if x < 16 else 0 for x in indices.lanes], a.width)

    def any_true(self, cond: Bits) -> Bits:
        assert cond.width == 1
        return Bits([any(cond.lanes)], 1)

    def bitmask(self, cond: Bits) -> Bits:
        assert cond.width == 1
        return Bits([cond.value], 32)

    # Memory.

    def _at(self, width: int, addr: Bits, offset: Bits, *, aligned: bool = False) -> slice:
        at = addr.value + offset.value
        if aligned and at % width:
            raise Trap(TrapCode.UNALIGNED_ATOMIC)
        if at + width > len(self.memory):
            raise Trap(TrapCode.OUT_OF_BOUNDS_MEMORY)
        return slice(at, at + width)

    def _read(self, ty: Type, at: slice) -> Bits:
        count, width = _shape(ty)
        value = int.from_bytes(self.memory[at], "little")
        return Bits([value >> (width * i) for i in range(count)], width)

    def _write(self, at: slice, value: Bits) -> None:
        size = at.stop - at.start
        self.memory[at] = (value.value & ((1 << (8 * size)) - 1)).to_bytes(size, "little")

    def load(self, ty: Type, addr: Bits, offset: Bits) -> Bits:
        return self._read(ty, self._at(_bytes(ty), addr, offset))

    def store(self, ty: Type, addr: Bits, offset: Bits, value: Bits) -> None:
        self._write(self._at(_bytes(ty), addr, offset), value)

    def atomic_load(self, ty: Type, addr: Bits, offset: Bits) -> Bits:
        return self._read(ty, self._at(_bytes(ty), addr, offset, aligned=True))

    def atomic_store(self, ty: Type, addr: Bits, offset: Bits, value: Bits) -> None:
        self._write(self._at(_bytes(ty), addr, offset, aligned=True), value)

    def atomic_rmw(self, ty: Type, how: str, addr: Bits, offset: Bits, value: Bits) -> Bits:
        at = self._at(_bytes(ty), addr, offset, aligned=True)
        old, new = self._read(ty, at), Bits(value.lanes, _shape(ty)[1])
        a, b = old.value, new.value
        values = {"add": a + b, "sub": a - b, "and": a & b, "or": a | b, "xor": a ^ b, "xchg": b}
        self._write(at, Bits([values[how]], old.width))
        return old

    def atomic_cmpxchg(
        self, ty: Type, addr: Bits, offset: Bits, expected: Bits, value: Bits
    ) -> Bits:
        at = self._at(_bytes(ty), addr, offset, aligned=True)
        old = self._read(ty, at)
        if old.value == Bits(expected.lanes, _shape(ty)[1]).value:
            self._write(at, value)
        return old

    def fence(self) -> None:
        """One thread needs none."""


def _bytes(ty: Type) -> int:
    count, width = _shape(ty)
    return count * width // 8


def _integer(form: Format, a: int) -> int | None:
    """The integer toward zero, beyond every range for infinities; None for NaN."""
    if form.is_nan(a):
        return None
    if form.is_inf(a):
        return -1 << 256 if a & form.sign else 1 << 256
    return form.trunc(a)


def evaluate(
    op: Op,
    args: Iterable[int],
    memory: bytearray | None = None,
    inputs: tuple[ValType, ...] | None = None,
) -> int | None:
    """Run the body of an instruction.

    Args:
        op: an instruction whose ``inputs`` is not None.
        args: the bits of each input.
        memory: what it accesses.
        inputs: their types, if not ``op.inputs``: addresses of 64-bit memories are ``i64``.

    Returns:
        The bits of the result, or None if it has none.

    Raises:
        Trap: the body traps.
    """
    m = Evaluator(memory)
    types = inputs or op.inputs or ()
    values = [Bits((a,), t.bits) for a, t in zip(args, types, strict=True)]
    result = op.body(m, op.ty, *values)
    if result is None:
        return None
    if op.is_compare:
        result = m.zext(I32, result)
    value: int = result.value
    return value
