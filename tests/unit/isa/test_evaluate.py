import pytest

from runwell.base.errors import Trap
from runwell.base.traps import TrapCode
from runwell.base.types import F32, F64, I32, I64, V128
from runwell.isa.evaluate import Bits, Evaluator, evaluate
from runwell.isa.machine import I8, I8X16, I16X8, I32X2, I32X4, I64X2
from runwell.isa.table import TABLE


def i32(value):
    return Bits((value,), 32)


@pytest.mark.parametrize("verb", ["shl", "shr_s", "shr_u"])
def test_shift_by_the_width_breaks_the_requirement(verb):
    with pytest.raises(AssertionError):
        getattr(Evaluator(), verb)(i32(1), i32(32))


def test_requirements_of_division():
    m = Evaluator()
    least, minus_one = i32(1 << 31), i32(-1)
    with pytest.raises(AssertionError):
        m.div_s(least, minus_one)
    with pytest.raises(AssertionError):
        m.rem_s(least, minus_one)
    with pytest.raises(ZeroDivisionError):
        m.div_u(least, i32(0))


@pytest.mark.parametrize(
    ("verb", "ty", "operand"),
    [
        ("sext", I32, I64),
        ("zext", I32, I32),
        ("trunc", I64, I32),
        ("bitcast", F64, I32),
        ("sext", I32X4, I16X8),
    ],
)
def test_requirements_of_widths(verb, ty, operand):
    m = Evaluator()
    with pytest.raises(AssertionError):
        getattr(m, verb)(ty, m.const(operand, 1))


def test_truncation_must_fit():
    m = Evaluator()
    with pytest.raises(AssertionError):
        m.trunc_s(I32, m.real(F32, 2.0**31))
    assert m.trunc_sat_s(I32, m.real(F32, 2.0**31)).value == 2**31 - 1
    assert m.trunc_sat_u(I32, m.real(F32, -1.0)).value == 0


def test_lanes_are_little_endian():
    m = Evaluator()
    vector = m.const(V128, 0x0F0E0D0C0B0A09080706050403020100)
    assert m.bitcast(I8X16, vector).lanes == tuple(range(16))
    assert m.bitcast(I64X2, vector).lanes == (0x0706050403020100, 0x0F0E0D0C0B0A0908)
    assert m.extract(m.bitcast(I16X8, vector), i32(7)).value == 0x0F0E
    assert m.pick(m.const(I32X2, 1), m.const(I32X2, 2), (0, 3)).lanes == (1, 2)


def test_memory():
    memory = bytearray(range(8))
    m = Evaluator(memory)
    assert m.load(I32, i32(2), i32(1)).value == 0x06050403
    m.store(I8, i32(0), i32(7), i32(0x1FF))
    assert memory[7] == 0xFF
    with pytest.raises(Trap) as caught:
        m.load(I32, i32(0xFFFFFFFF), i32(5))
    assert caught.value.code == TrapCode.OUT_OF_BOUNDS_MEMORY


def test_evaluate_gives_bits():
    assert evaluate(TABLE["i32.add"], (0xFFFFFFFF, 2)) == 1
    assert evaluate(TABLE["i64.lt_s"], ((1 << 64) - 1, 0)) == 1
    assert evaluate(TABLE["i32.store"], (0, 0, 7), bytearray(4)) is None
    with pytest.raises(Trap):
        evaluate(TABLE["i32.div_u"], (1, 0))
