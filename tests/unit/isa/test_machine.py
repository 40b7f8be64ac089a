import pytest

from runwell.base.types import F32, F64, I32
from runwell.codegen.machine import Value
from runwell.isa.evaluate import Bits, Evaluator
from runwell.isa.facts import Note
from runwell.isa.machine import F32X4, Machine, float_bits


@pytest.mark.parametrize("value", [Value("%a", "i32"), Bits((1,), 32), Note(32)])
def test_a_value_is_no_condition_of_python(value):
    with pytest.raises(TypeError):
        bool(value)


def test_a_machine_without_a_verb_cannot_be_made():
    with pytest.raises(TypeError, match="abstract"):
        type("Lazy", (Machine,), {})()


def test_real():
    m = Evaluator()
    assert m.real(F64, 1.5).value == 0x3FF8000000000000
    assert m.real(F32, 1.5).value == 0x3FC00000
    assert m.real(F32X4, 1.5).lanes == (0x3FC00000,) * 4
    assert float_bits(-0.0, 32) == 1 << 31


def test_flag():
    m = Evaluator()
    one = m.flag(m.eq(m.const(I32, 3), m.const(I32, 3)))
    assert (one.value, one.width) == (1, 32)
