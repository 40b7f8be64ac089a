"""Operators against Python's integers, places, and what is ill typed."""

import ctypes
import operator
import random
import struct as pack

import pytest

from runwell.codegen.testing import bind
from runwell.kernel import (
    Array,
    Fn,
    Ptr,
    addr,
    const_array,
    f32,
    f64,
    i32,
    i64,
    kernel,
    null,
    static,
    struct,
    u8,
    u32,
    u64,
)
from runwell.kernel.declare import Kernel

INTS = ["u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64"]
OPS = {
    "add": ("+", operator.add),
    "sub": ("-", operator.sub),
    "mul": ("*", operator.mul),
    "and_": ("&", operator.and_),
    "or_": ("|", operator.or_),
    "xor": ("^", operator.xor),
    "div": ("//", lambda a, b: abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)),
    "rem": ("%", lambda a, b: abs(a) % abs(b) * (-1 if a < 0 else 1)),
    "shl": ("<<", operator.lshift),
    "shr": (">>", operator.rshift),
}
COMPARES = {
    "eq": ("==", operator.eq),
    "ne": ("!=", operator.ne),
    "lt": ("<", operator.lt),
    "le": ("<=", operator.le),
    "gt": (">", operator.gt),
    "ge": (">=", operator.ge),
}


def wrap(of: str, value: int) -> int:
    bits = int(of[1:])
    value &= (1 << bits) - 1
    return value - (1 << bits) if of[0] == "i" and value >> (bits - 1) else value


def samples(of: str) -> list[int]:
    bits = int(of[1:])
    rng = random.Random(bits)
    edges = [0, 1, 2, -1, 1 << (bits - 1), (1 << (bits - 1)) - 1]
    return [wrap(of, v) for v in [*edges, *(rng.getrandbits(bits) for _ in range(4))]]


@pytest.mark.parametrize("of", INTS)
def test_integers(define, of):
    lines = []
    for name, (symbol, _) in OPS.items():
        lines.append(f"@kernel\ndef {name}(a: {of}, b: {of}) -> {of}:\n    return a {symbol} b\n")
    for name, (symbol, _) in COMPARES.items():
        lines.append(f"@kernel\ndef {name}(a: {of}, b: {of}) -> bool:\n    return a {symbol} b\n")
    lines.append(f"@kernel\ndef neg(a: {of}) -> {of}:\n    return -a\n")
    lines.append(f"@kernel\ndef inv(a: {of}) -> {of}:\n    return ~a\n")
    lib = bind(*(k for k in vars(define("".join(lines))).values() if isinstance(k, Kernel)))
    bits = int(of[1:])
    for a in samples(of):
        assert lib.neg(a) == wrap(of, -a)
        assert lib.inv(a) == wrap(of, ~a)
        for b in samples(of):
            for name, (_, want) in OPS.items():
                if name in ("div", "rem") and (
                    b == 0 or (b == -1 and a == wrap(of, 1 << bits - 1))
                ):
                    continue
                if name in ("shl", "shr") and not 0 <= b < bits:
                    continue
                assert getattr(lib, name)(a, b) == wrap(of, want(a, b)), (name, a, b)
            for name, (_, want) in COMPARES.items():
                assert getattr(lib, name)(a, b) is want(a, b), (name, a, b)


@kernel
def polynomial(x: f64, y: f64) -> f64:
    return -(x * x) + y / 2 - 1.5


@kernel
def single(x: f32) -> f32:
    return x * 0.1


@kernel
def order(x: f64, y: f64) -> u32:
    return (
        (u32(x < y) << 0)
        | (u32(x <= y) << 1)
        | (u32(x == y) << 2)
        | (u32(x != y) << 3)
        | (u32(x > y) << 4)
        | (u32(x >= y) << 5)
    )


def test_floats():
    lib = bind(polynomial, single, order)
    assert lib.polynomial(3.0, 8.0) == -6.5
    tenth = pack.unpack("<f", pack.pack("<f", 0.1))[0]
    assert lib.single(1.0) == tenth
    assert lib.order(1.0, 2.0) == 0b001011
    assert lib.order(2.0, 2.0) == 0b100110
    assert lib.order(float("nan"), 2.0) == 0b001000


@struct
class Node:
    value: u32
    ready: bool
    inside: "Inside"
    bytes: Array[u8, 4]
    pairs: Array["Inside", 2]
    next: "Ptr[Node]"
    call: Fn[[u8, u32], u32]


@struct
class Inside:
    x: u8
    y: u64


@kernel
def walk(n: Node) -> u64:
    total: u64 = 0
    at = addr(n)
    while at != null:
        if at.ready:
            total += u64(at.value) + u64(at[0].inside.x) + at.pairs[1].y + u64(at.bytes[3])
        at = at.next
    return total


@kernel
def fill(n: Node, value: u32) -> None:
    n.value = value
    n.ready = value > 3
    n.inside.x = u8(value)
    inside = n.pairs[1]
    inside.y = u64(value) * 2
    n.bytes[value % 4] = 9
    n.pairs[0] = inside
    n.value += 1
    n.bytes[3] |= 0x40


def test_structs():
    lib = bind(walk, fill)
    nodes = (Node.ctype * 3)()
    for i, node in enumerate(nodes):
        lib.fill(node, 3 + i)
        node.next = ctypes.addressof(nodes[i + 1]) if i < 2 else 0
    a, b, c = nodes
    assert (a.value, a.ready, a.inside.x, list(a.bytes)) == (4, False, 3, [0, 0, 0, 9 | 0x40])
    assert (b.value, b.ready, b.pairs[0].y, list(b.bytes)) == (5, True, 8, [9, 0, 0, 0x40])
    assert c.pairs[1].y == 10
    assert lib.walk(a) == (5 + 4 + 8 + 0x40) + (6 + 5 + 10 + 0x40)


@kernel
def move(p: Ptr[u32], n: u8) -> i64:
    q = p + n
    q += 2
    r = q - 1
    r[0] = 7
    r[-1] = 6
    return (q - p) * 10 + i64(q > p) + i64(p - n < p) * 2


@kernel
def compare_addresses(p: Ptr[Node]) -> u32:
    second = p[1]
    same = addr(p[1]) == second
    return u32(same) + u32(second == p + 1) * 2 + u32(p == null) * 4 + u32(i64(p + 1 - p)) * 8


def test_pointers():
    lib = bind(move, compare_addresses)
    cells = (ctypes.c_uint32 * 8)()
    assert lib.move(cells, 3) == 53
    assert list(cells) == [0, 0, 0, 6, 7, 0, 0, 0]
    assert lib.compare_addresses((Node.ctype * 2)()) == 1 + 2 + 8


@kernel
def shorten(p: Ptr[u32], n: u32) -> bool:
    return (p != null and n > 0 and p[0] == 5) or not (n < 100)


@kernel
def pick(n: i32) -> i32:
    return (1 if n > 0 else 0 if n == 0 else -1) + n


@kernel
def between(a: i32, x: i32, b: i32) -> bool:
    return a <= x < b


@kernel
def flags(a: bool, b: bool) -> bool:
    both = a and b
    return (both ^ a) | (not a & b)


@kernel
def masked(x: u64) -> u64:
    return (x + 7) & ~7


def test_logic():
    lib = bind(shorten, pick, between, flags, masked)
    cell = ctypes.c_uint32(5)
    assert lib.shorten(cell, 1)
    assert not lib.shorten(cell, 0)
    assert not lib.shorten(None, 1)
    assert lib.shorten(None, 100)
    assert [lib.pick(n) for n in (5, 0, -5)] == [6, 0, -6]
    assert [lib.between(1, x, 4) for x in range(6)] == [False, True, True, True, False, False]
    assert [lib.flags(a, b) for a in (0, 1) for b in (0, 1)] == [True] * 3 + [False]
    assert lib.masked(13) == 16


@kernel
def twice(x: u8, y: u32) -> u32:
    return u32(x) * 2 + y


TABLE = const_array("TABLE", u32, [2, 3, 5])
CALLS = const_array("CALLS", Fn[[u8, u32], u32], lambda: [twice, "absolute"])
COUNTER = static("COUNTER", u64)


@kernel(export=True)
def absolute(x: u8, y: u32) -> u32:
    return u32(x) + y * 10


@kernel
def through(n: Node, i: u32) -> u32:
    COUNTER[0] += 1
    n.call = twice
    f = twice
    return n.call(200, TABLE[i]) + CALLS[i](1, 2) + f(0, 1) + u32(COUNTER[0]) * 1000


def test_tables_and_function_pointers():
    lib = bind(through, absolute, COUNTER)
    node = Node.ctype()
    assert lib.through(node, 1) == 403 + 21 + 1 + 1000
    assert lib.through(node, 0) == 402 + 4 + 1 + 2000
    assert node.call != 0
    assert ctypes.c_uint64.from_address(lib.address("COUNTER")).value == 2


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return y", "y is unknown"),
        ("return Failure", "Failure is <class"),
        ("return x + 1.5", "the constant 1.5 is not a u32"),
        ("return x + w", "this is u64, but u32 is needed: convert it, u32(...)"),
        ("return x + p", "this is Ptr[u32], but u32 is needed\n"),
        ("return x / 2", "no / for u32; use //"),
        ("return x ** x", "no ** for u32"),
        ("return x @ x", "no @ for u32"),
        ("return p * 2", "no * for Ptr[u32]"),
        ("return p[z]", "an index is an integer, not f64"),
        ("return p[1.5]", "1.5 is no index"),
        ("return x[0]", "cannot index u32"),
        ("return s.nothing", "S has no field nothing"),
        ("return x.field", "u32 has no fields"),
        ("b = 300 + b", "300 does not fit u8"),
        ("b += -1", "-1 does not fit u8"),
        ("return x + True", "a bool where u32 is needed"),
        ("return 1 if x else 2", "this is u32, but bool is needed"),
        ("return 1 if z else 2", "this is f64, but bool is needed"),
        ("return 1 if x > 0 else p", "this is Ptr[u32], but u32 is needed"),
        ("return not x", "this is u32, but bool is needed"),
        ("return -p", "no - for Ptr[u32]"),
        ("return ~z", "no ~ for f64"),
        ("return +x", "no + for u32"),
        ("return x is x", "is/in is not in the kernel language"),
        ("return u32(x < f(x, w, z, b, p, s) < x)", "a call in the middle of a chained"),
        ("return u32(s < s)", "S has no order"),
        ("return u32((x > 1) < (x > 2))", "bool has no order"),
        ("return [1, 2]", "List is not in the kernel language"),
        ("return 'x'", "Constant is not in the kernel language"),
        ("return (lambda: 1)()", "Lambda is not in the kernel language"),
        ("return null", "null where u32 is needed"),
        ("y = null\n    return x", "null where no pointer type is needed"),
        ("y = 1\n    return x", "the constant 1 needs a type here, e.g. u32(1)"),
        ("return u32(p == 0)", "the constant 0 is not a Ptr[u32]; write null"),
        ("return g", "this is Fn[[u8], u8], but u32 is needed"),
        ("h = tiny\n    return x", "tiny is inline: it has no address"),
        ("if x > 1:\n        y = x\n    return y", "y may have no value here"),
    ],
)
def test_refused(refusal, body, message):
    text = f"""
@struct
class S:
    x: u32
@kernel
def g(x: u8) -> u8:
    return x
@kernel(inline=True)
def tiny(x: u8) -> u8:
    return x
@kernel
def f(x: u32, w: u64, z: f64, b: u8, p: Ptr[u32], s: S) -> u32:
    {body}
"""
    assert f"in f: {message}" in refusal(text)
