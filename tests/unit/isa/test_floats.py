"""Against Python's own floats, which are IEEE doubles, and numbers chosen by hand."""

import math
import random
import struct
from fractions import Fraction

import pytest

from runwell.isa.floats import FLOAT32, FLOAT64, FORMATS


def bits64(x):
    return int.from_bytes(struct.pack("<d", x), "little")


def float64(b):
    return struct.unpack("<d", b.to_bytes(8, "little"))[0]


def some_doubles(n):
    rng = random.Random("doubles")
    for _ in range(n):
        a, b = rng.getrandbits(64), rng.getrandbits(64)
        if rng.random() < 0.5:
            b = (b & ~(0x7FF << 52)) | ((a >> 52 & 0x7FF) + rng.randrange(-3, 4)) % 0x7FF << 52
        yield a, b


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (FLOAT64.add, lambda x, y: x + y),
        (FLOAT64.mul, lambda x, y: x * y),
        (FLOAT64.div, lambda x, y: x / y if y else None),
    ],
)
def test_arithmetic_is_that_of_doubles(ours, theirs):
    for a, b in some_doubles(3000):
        expected = theirs(float64(a), float64(b))
        if expected is None:
            continue
        got = ours(a, b)
        assert FLOAT64.is_nan(got) if math.isnan(expected) else got == bits64(expected), (a, b)


def test_sqrt_is_that_of_doubles():
    for a, _ in some_doubles(2000):
        x = float64(a & ~FLOAT64.sign)
        if not math.isnan(x):
            assert FLOAT64.sqrt(bits64(x)) == bits64(math.sqrt(x))


@pytest.mark.parametrize(
    ("how", "theirs"),
    [("ceil", math.ceil), ("floor", math.floor), ("trunc", math.trunc), ("nearest", round)],
)
def test_integral_keeps_the_sign_of_zero(how, theirs):
    for x in (-0.5, -0.4, -0.0, 0.0, 0.4, 0.5, 1.5, 2.5, -2.5, 1e300, 4503599627370497.5):
        expected = math.copysign(float(theirs(x)), x)
        assert FLOAT64.integral(bits64(x), how) == bits64(expected), x


@pytest.mark.parametrize("bits", [32, 64])
def test_round_undoes_split(bits):
    form = FORMATS[bits]
    rng = random.Random(bits)
    for _ in range(2000):
        a = rng.getrandbits(bits)
        if not form.is_nan(a) and not form.is_inf(a) and a & ~form.sign:
            significand, exponent = form.split(a)
            assert form.round(significand, 1, exponent) == a


def test_round_at_the_limits():
    least = Fraction(1, 1 << 149)
    for numerator, expected in ((1, 0), (2, 1), (3, 2), (5, 2), (6, 3), (7, 4)):
        half = least * numerator / 2
        assert FLOAT32.round(half.numerator, half.denominator) == expected
    most = (1 << 128) - (1 << 104)
    assert FLOAT32.round(most, 1) == 0x7F7FFFFF
    assert FLOAT32.round(most + (1 << 103) - 1, 1) == 0x7F7FFFFF
    assert FLOAT32.round(most + (1 << 103), 1) == FLOAT32.inf
    assert FLOAT32.round(-1, 1, 10**9) == FLOAT32.inf | FLOAT32.sign


def test_conversion_rounds_once():
    for a, _ in some_doubles(2000):
        x = float64(a)
        if math.isnan(x):
            continue
        try:
            expected = int.from_bytes(struct.pack("<f", x), "little")
        except OverflowError:
            expected = FLOAT32.inf | (FLOAT32.sign if x < 0 else 0)
        assert FLOAT64.to(FLOAT32, a) == expected


def test_signalling_nan_becomes_quiet():
    assert FLOAT32.add(0x7F800001, 0x3F800000) == 0x7FC00001
    assert FLOAT32.to(FLOAT64, 0xFF800001) == 0xFFF8000020000000
    assert FLOAT64.to(FLOAT32, 0x7FF0000000000001) == 0x7FC00000


def test_order_of_zeros():
    minus, plus = FLOAT32.sign, 0
    assert FLOAT32.min(plus, minus) == FLOAT32.min(minus, plus) == minus
    assert FLOAT32.max(plus, minus) == FLOAT32.max(minus, plus) == plus
    assert FLOAT32.equal(plus, minus)
    assert not FLOAT32.less(minus, plus)
