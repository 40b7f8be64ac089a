import random

import pytest

from runwell.isa.literal import (
    parse_float,
    parse_integer,
    parse_natural,
    print_float,
    to_signed,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("+12_345", 12345),
        ("-0x1_F", -31),
        ("007", 7),
        ("1__0", None),
        ("_1", None),
        ("1_", None),
        ("0x", None),
        ("", None),
        ("1.0", None),
        ("0b1", None),
        ("--1", None),
    ],
)
def test_integers(text, value):
    assert parse_integer(text) == value


def test_naturals_have_no_sign():
    assert parse_natural("0x10") == 16
    assert parse_natural("+1") is None


def test_range_is_that_of_signed_and_unsigned():
    assert to_signed(0xFFFFFFFF, 32) == -1
    assert to_signed(-(2**31), 32) == -(2**31)
    assert to_signed(2**32, 32) is None
    assert to_signed(-(2**31) - 1, 32) is None


@pytest.mark.parametrize(
    ("text", "bits"),
    [
        ("1", 0x3F800000),
        ("1.", 0x3F800000),
        ("-0.0", 0x80000000),
        ("0x1p-149", 1),
        ("0x0.8p-149", 0),
        ("0x1.8p-150", 1),
        ("0x1.00000100000000001p-50", 0x26800001),
        ("1e-1000000000000000000", 0),
        ("0e99999999999", 0),
        ("inf", 0x7F800000),
        ("-nan", 0xFFC00000),
        ("nan:0x1", 0x7F800001),
        ("3.4028234663852886e38", 0x7F7FFFFF),
        ("1e", None),
        (".5", None),
        ("0x1.p", None),
        ("nan:1", None),
        ("infinity", None),
    ],
)
def test_floats(text, bits):
    assert parse_float(text, 32) == bits


@pytest.mark.parametrize("text", ["1e39", "0x1p128", "1e99999999999999", "nan:0x0", "nan:0x800000"])
def test_floats_out_of_range(text):
    with pytest.raises(OverflowError):
        parse_float(text, 32)


def test_long_literals_are_not_computed_in_full():
    """Digit by digit, or as a power of ten, each of these would take hours."""
    assert parse_float("1" * 100_000 + "e-100000", 64) == parse_float("0.1111111111111111111", 64)
    assert parse_float("1e-" + "9" * 1000, 64) == 0
    assert parse_integer("9" * 10_000_000) > 1 << 64
    assert parse_integer("-" + "9" * 10_000_000) < -1 << 64


@pytest.mark.parametrize("bits", [32, 64])
def test_print_parse_is_identity(bits):
    rng = random.Random(bits)
    for value in (0, 1 << (bits - 1), *(rng.getrandbits(bits) for _ in range(1000))):
        assert parse_float(print_float(value, bits), bits) == value


def test_prints_the_shortest():
    assert print_float(0x3DCCCCCD, 32) == "0.1"
    assert print_float(0x7F7FFFFF, 32) == "3.4028235e+38"
    assert print_float(0x3FB999999999999A, 64) == "0.1"
    assert print_float(0xFFF8000000000000, 64) == "-nan"
