"""Operands worth trying, for every type: edges first, then random ones; the same in every run."""

import random
from functools import cache
from itertools import product

from runwell.base.types import F32, F64, I32, I64, V128, ValType
from runwell.isa.op import Op, Rule

CASES = 160
PAIRS = 120  # of edges, at most
MEMORY_BYTES = 64

_INTS = (0, 1, 2, 7, 8, 31, 32, 33, 63, 64, 127, 128, 255, 0x8000, 0xFFFF)
_FLOATS_32 = (
    0x00000000, 0x00000001, 0x007FFFFF, 0x00800000, 0x3E800000, 0x3EFFFFFF, 0x3F000000, 0x3F7FFFFF,
    0x3F800000, 0x3FC00000, 0x40200000, 0x40490FDB, 0x4B000001, 0x4B7FFFFF, 0x4EFFFFFF, 0x4F000000,
    0x4F7FFFFF, 0x4F800000, 0x5EFFFFFF, 0x5F000000, 0x5F7FFFFF, 0x5F800000, 0x7F7FFFFF, 0x7F800000,
    0x7F800001, 0x7FA00000, 0x7FC00000, 0x7FC00001, 0x7FFFFFFF,
)  # fmt: skip
_FLOATS_64 = (
    0x0000000000000000, 0x0000000000000001, 0x000FFFFFFFFFFFFF, 0x0010000000000000,
    0x36A0000000000000, 0x380FFFFFE0000000, 0x3810000000000000, 0x3FD0000000000000,
    0x3FDFFFFFFFFFFFFF, 0x3FE0000000000000, 0x3FEFFFFFFFFFFFFF, 0x3FF0000000000000,
    0x3FF0000010000000, 0x3FF0000030000000, 0x3FF8000000000000, 0x4004000000000000,
    0x400921FB54442D18, 0x41DFFFFFFFC00000, 0x41DFFFFFFFE00000, 0x41E0000000000000,
    0x41E0000000200000, 0x41EFFFFFFFE00000, 0x41EFFFFFFFFFFFFF, 0x41F0000000000000,
    0x4330000000000001, 0x433FFFFFFFFFFFFF, 0x43DFFFFFFFFFFFFF, 0x43E0000000000000,
    0x43EFFFFFFFFFFFFF, 0x43F0000000000000, 0x47EFFFFFE0000000, 0x47EFFFFFF0000000,
    0x7FEFFFFFFFFFFFFF, 0x7FF0000000000000, 0x7FF0000000000001, 0x7FF4000000000000,
    0x7FF8000000000000, 0x7FF8000000000001, 0x7FFFFFFFFFFFFFFF,
)  # fmt: skip
_LANE_BITS = {"i8": 8, "i16": 16, "i32": 32, "i64": 64, "f32": 32, "f64": 64}


@cache
def edges(ty: ValType) -> list[int]:
    """Numbers at which instructions go wrong, with either sign."""
    if ty in (I32, I64):
        top = 1 << ty.bits
        return [*dict.fromkeys(n % top for i in _INTS for n in (i, -i, top // 2 + i, top // 2 - i))]
    if ty in (F32, F64):
        return [b | s << (ty.bits - 1) for b in (_FLOATS_32, _FLOATS_64)[ty == F64] for s in (0, 1)]
    return [0, (1 << 128) - 1]


def _worst(ty: ValType) -> list[int]:
    if ty in (I32, I64):
        half = 1 << (ty.bits - 1)
        return [0, 1, 2 * half - 1, half, half - 1]
    if ty in (F32, F64):
        found = edges(ty)
        # Zeros, infinities and a signalling NaN, which are at both ends.
        return [*found[:2], *found[-12:-7]]
    return edges(ty)


def _lane_edges(width: int, is_float: bool) -> list[int]:
    if is_float:
        return edges(F32 if width == 32 else F64)
    return [0, 1, 2, (1 << width) - 1, (1 << width) - 2, 1 << (width - 1), (1 << (width - 1)) - 1]


def _draw(rng: random.Random, ty: ValType, shapes: list[str]) -> int:
    if ty == V128:
        shape = rng.choice(shapes or ["i8", "i32", "f32", "f64"])
        width = _LANE_BITS[shape]
        values = _lane_edges(width, shape[0] == "f")
        lanes = [
            rng.choice(values) if rng.random() < 0.6 else rng.getrandbits(width)
            for _ in range(128 // width)
        ]
        return sum(lane << (width * i) for i, lane in enumerate(lanes))
    if ty in (F32, F64) and rng.random() < 0.5:
        # Close together in size, so that sums and rounding matter.
        bias = 127 if ty == F32 else 1023
        digits = 23 if ty == F32 else 52
        exponent = bias + rng.randrange(-3, 70)
        return rng.getrandbits(1) << (ty.bits - 1) | exponent << digits | rng.getrandbits(digits)
    return rng.getrandbits(ty.bits)


def wide_operands(op: Op) -> list[tuple[int, ...]]:
    """Inputs for a body that accesses a memory of 64-bit addresses, some of them huge."""
    rng = random.Random(f"{op.mnemonic} wide")
    top = 1 << 64
    far = (top - 1, top - op.width, top - MEMORY_BYTES, 1 << 63, 1 << 32, MEMORY_BYTES, 0, 1)
    cases = [(rng.choice(far), rng.choice(far), *rest) for _, _, *rest in operands(op)]
    return operands(op) + cases


def operands(op: Op) -> list[tuple[int, ...]]:
    """Inputs for a row's body."""
    rng = random.Random(op.mnemonic)
    inputs = op.inputs
    assert inputs is not None
    if op.width:
        return [_access(rng, op) for _ in range(CASES)]
    shapes = [name for name in _LANE_BITS if f"{name}x" in op.mnemonic]
    if op.rule in (Rule.LANE, Rule.SHUFFLE):
        return [_lanes(rng, op, shapes) for _ in range(CASES)]
    # The five worst of each type all meet, of the others some.
    worst = list(product(*(_worst(ty) for ty in inputs)))
    others = _others(inputs)
    cases = worst + rng.sample(others, min(PAIRS, len(others)))
    draws = max(CASES - len(cases), CASES - PAIRS)
    return cases + [tuple(_draw(rng, ty, shapes) for ty in inputs) for _ in range(draws)]


@cache
def _others(inputs: tuple[ValType, ...]) -> list[tuple[int, ...]]:
    return list(product(*map(edges, inputs)))


def _lanes(rng: random.Random, op: Op, shapes: list[str]) -> tuple[int, ...]:
    values = [_draw(rng, ty, shapes) for ty in op.inputs or ()]
    if op.rule == Rule.SHUFFLE:
        values[-1] = sum(rng.randrange(32) << (8 * i) for i in range(16))
    else:
        values[-1] = rng.randrange(128 // _LANE_BITS[shapes[0]])
    return tuple(values)


def _access(rng: random.Random, op: Op) -> tuple[int, ...]:
    """Addresses at the end of a memory of ``MEMORY_BYTES``, mostly."""
    near = MEMORY_BYTES - op.width
    choices = (rng.randrange(near + 1), near, near + 1, 0xFFFF_FFFF, rng.getrandbits(32))
    total = rng.choice(choices)
    if op.rule >= Rule.ATOMIC_LOAD and rng.random() < 0.8:
        total -= total % op.width
    offset = rng.choice((0, rng.randrange(total + 1), 0xFFFF_FFFF))
    values = [_draw(rng, ty, []) for ty in (op.inputs or ())[2:]]
    if op.rule in (Rule.LOAD_LANE, Rule.STORE_LANE):
        values[-1] = rng.randrange(16 // op.width)
    return max(total - offset, 0), offset, *values
