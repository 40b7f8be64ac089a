"""Comparison of results with what scripts expect."""

import pytest

from runwell.base.types import EXTERNREF, F32, F64, FUNCREF, I32, I64, V128
from runwell.cli.script_values import argument_bits, describe_results, matches
from runwell.text.wast import Either, Number, Reference, Vector

QUIET_F32, QUIET_F64 = 0x7FC00000, 0x7FF8000000000000


@pytest.mark.parametrize(
    ("t", "bits", "wanted", "expected"),
    [
        (I32, 5, Number(I32, 5), True),
        (I32, 5, Number(I64, 5), False),
        (F32, QUIET_F32, Number(F32, "nan:canonical"), True),
        (F32, QUIET_F32 | 1 << 31, Number(F32, "nan:canonical"), True),
        (F32, QUIET_F32 | 1, Number(F32, "nan:canonical"), False),
        (F32, QUIET_F32 | 1, Number(F32, "nan:arithmetic"), True),
        (F32, 0x7FA00000, Number(F32, "nan:arithmetic"), False),
        (F64, QUIET_F64, Number(F64, "nan:canonical"), True),
        (F64, 0, Number(F64, 1 << 63), False),
        (V128, 2 << 64 | 1, Vector(I64, 64, (1, 2)), True),
        (V128, 2 << 64 | 1, Vector(I64, 64, (2, 1)), False),
        (V128, QUIET_F32 << 96, Vector(F32, 32, (0, 0, 0, "nan:canonical")), True),
        (I32, 1, Vector(I64, 64, (1, 0)), False),
        (FUNCREF, 0, Reference("null"), True),
        (FUNCREF, 64, Reference("null"), False),
        (FUNCREF, 64, Reference("func"), True),
        (FUNCREF, 0, Reference("func"), False),
        (EXTERNREF, 64, Reference("func"), False),
        (EXTERNREF, 64, Reference("extern"), True),
        (I32, 64, Reference("extern"), False),
        (I32, 2, Either((Number(I32, 1), Number(I32, 2))), True),
        (I32, 3, Either((Number(I32, 1), Number(I32, 2))), False),
    ],
)
def test_matches(t, bits, wanted, expected):
    assert matches(t, bits, wanted) is expected


def test_arguments():
    assert argument_bits(Number(I32, 7)) == 7
    assert argument_bits(Vector(I32, 32, (1, 2, 3, 4))) == 4 << 96 | 3 << 64 | 2 << 32 | 1
    with pytest.raises(TypeError, match="is no argument"):
        argument_bits(Number(F32, "nan:canonical"))


def test_descriptions():
    found = [(I32, 1), (F32, QUIET_F32), (V128, 255)]
    assert describe_results(found) == "(i32 1, f32 nan, v128 0xff)"
