"""Conversions against ctypes, and those that do not exist."""

import ctypes
import math
import struct as pack

import pytest

from runwell.codegen.testing import bind
from runwell.kernel import Ptr, cast, f32, f64, i8, i32, i64, kernel, struct, u8, u16, u32, u64
from runwell.kernel.declare import Kernel

INTS = ["u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64"]


def twin(of: str):
    return getattr(ctypes, f"c_{'u' * (of[0] == 'u')}int{of[1:]}")


def test_integers_to_integers(define):
    pairs = [(a, b) for a in INTS for b in INTS]
    text = "".join(f"@kernel\ndef {a}_{b}(x: {a}) -> {b}:\n    return {b}(x)\n" for a, b in pairs)
    lib = bind(*(k for k in vars(define(text)).values() if isinstance(k, Kernel)))
    for a, b in pairs:
        for x in (0, 1, -1, 127, 128, 200, 40_000, 1 << 31, 1 << 63, 0x0123456789ABCDEF):
            y = twin(a)(x).value
            assert getattr(lib, f"{a}_{b}")(y) == twin(b)(y).value, (a, b, y)


@kernel
def from_signed(x: i32) -> f64:
    return f64(x)


@kernel
def from_unsigned(x: u32) -> f64:
    return f64(x)


@kernel
def to_signed(x: f64) -> i32:
    return i32(x)


@kernel
def to_byte(x: f32) -> u8:
    return u8(x)


@kernel
def narrow(x: f64) -> f32:
    return f32(x)


@kernel
def widen(x: f32) -> f64:
    return f64(x)


@kernel
def truth(x: bool) -> i8:
    return i8(x)


def test_floats():
    lib = bind(from_signed, from_unsigned, to_signed, to_byte, narrow, widen, truth)
    assert lib.from_signed(-1) == -1.0
    assert lib.from_unsigned(-1) == 2.0**32 - 1
    assert [lib.to_signed(x) for x in (-1.9, 1e300, -math.inf, math.nan)] == [
        -1, 2**31 - 1, -(2**31), 0,
    ]  # fmt: skip
    assert [lib.to_byte(x) for x in (-1.0, 3.7, 1000.0)] == [0, 3, 255]
    assert lib.narrow(0.1) == pack.unpack("<f", pack.pack("<f", 0.1))[0]
    assert lib.widen(1.5) == 1.5
    assert lib.truth(True) == 1


@struct
class Pair:
    a: u32
    b: u32


@kernel
def views(p: Ptr[u8]) -> u64:
    pair = cast(Pair, p + 8)
    words = Ptr[u16](p)
    back = Ptr[u64](u64(p))
    return back[0] + u64(pair.b) + u64(words[0]) + u64(cast(u64, pair) - u64(p))


@kernel
def bits_of(x: f32) -> u32:
    return cast(u32, x)


@kernel
def of_bits(x: i64) -> f64:
    return cast(f64, x)


@kernel
def constants() -> u64:
    return u64(u32(-1)) + u64(u8(0x1FF)) + u64(i64(2.9)) + u64(f64(3)) + u64(Ptr[u8](16))


@kernel
def least() -> i64:
    return i64(i8(0x80)) + i64(-(1 << 63)) // 2


def test_views():
    lib = bind(views, bits_of, of_bits, constants, least)
    data = pack.pack("<QII", 1 << 40 | 5, 1, 2)
    assert lib.views(data) == (1 << 40) + 5 + 2 + 5 + 8
    assert lib.bits_of(1.0) == 0x3F800000
    assert lib.of_bits(0x3FF0000000000000) == 1.0
    assert lib.constants() == (2**32 - 1) + 0xFF + 2 + 3 + 16
    assert lib.least() == -128 - (1 << 62)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("u32(p)", "no conversion from Ptr[u8] to u32; an address is a u64"),
        ("u32(bool(x))", "no conversion from u32 to bool; compare with 0"),
        ("u32(f64(x > 1))", "no conversion from bool to f64"),
        ("u64(Ptr[u8](x))", "no conversion from u32 to Ptr[u8]"),
        ("u32(Ptr[u8](z))", "no conversion from f64 to Ptr[u8]"),
        ("cast(f64, x)", "u32 and f64 are not two views of the same bits"),
        ("cast(Ptr[u8], x)", "u32 and Ptr[u8] are not two views"),
        ("cast(u32, 1)", "cast of a constant: write u32(...)"),
        ("u32(1e999)", "inf has no integer value"),
        ("u32(x, x)", "u32 takes 1 arguments, not 2"),
        ("Pair(p)", "write cast(Pair, ...) or Ptr[Pair](...)"),
        ("int(x)", "int has no width: write i64(...) or f64(...)"),
        ("f64(True)", "a bool where f64 is needed"),
    ],
)
def test_refused(refusal, expression, message):
    text = f"""
@struct
class Pair:
    a: u32
@kernel
def f(x: u32, z: f64, p: Ptr[u8]) -> u32:
    return {expression}
"""
    assert f"in f: {message}" in refusal(text)
