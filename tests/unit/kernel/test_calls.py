"""Calls: kernels, externs, function pointers, built-in functions."""

import ctypes
import threading
from typing import Never

import pytest

from runwell.codegen.testing import bind
from runwell.kernel import (
    Fn,
    Ptr,
    addr,
    atomic_add,
    atomic_cas,
    atomic_load,
    atomic_store,
    atomic_swap,
    clz,
    ctz,
    extern,
    i8,
    i32,
    i64,
    kernel,
    likely,
    local_array,
    null,
    popcount,
    struct,
    u8,
    u16,
    u32,
    u64,
    unlikely,
)


@extern
def memcmp(a: Ptr[u8], b: Ptr[u8], n: u64) -> i32: ...


@extern
def toupper(c: i32) -> i32: ...


@extern
def abort() -> Never: ...


@kernel
def shout(text: Ptr[u8], n: u32) -> None:
    for i in range(n):
        text[i] = u8(toupper(i32(text[i])))


@kernel
def same(a: Ptr[u8], b: Ptr[u8], n: u64) -> bool:
    return memcmp(a, b, n) == 0


@kernel
def checked(x: u32) -> u32:
    if x < 10:
        return x
    abort()


def test_externs():
    lib = bind(shout, same, checked)
    text = bytearray(b"hello")
    lib.shout(text, 5)
    assert text == b"HELLO"
    assert lib.same(b"abc", b"abd", 2)
    assert not lib.same(b"abc", b"abd", 3)
    assert lib.checked(3) == 3


@kernel
def apply(f: Fn[[i8, u16, bool], i8], x: i8) -> i32:
    return i32(f(x, u16(x), x < 0))


def test_small_arguments_of_foreign_code():
    seen = []

    @ctypes.CFUNCTYPE(ctypes.c_int8, ctypes.c_int8, ctypes.c_uint16, ctypes.c_bool)
    def callback(a, b, c):
        seen.append((a, b, c))
        return a - 1

    lib = bind(apply)
    assert lib.apply(callback, -5) == -6
    assert lib.apply(callback, 5) == 4
    assert seen == [(-5, 65531, True), (5, 5, False)]


@kernel
def small(a: i8, b: u8, c: bool) -> i8:
    return a + i8(b) + i8(c)


def test_small_results_are_extended():
    lib = bind(small)
    assert lib.small(-100, 5, True) == -94


@kernel
def even(n: u32) -> bool:
    return n == 0 or odd(n - 1)


@kernel
def odd(n: u32) -> bool:
    return n != 0 and even(n - 1)


def test_recursion():
    lib = bind(even)
    assert lib.even(10)
    assert not lib.even(7)


@kernel
def bits(x: u16) -> u32:
    return u32(ctz(x)) | u32(clz(x)) << 8 | u32(popcount(x)) << 16


@kernel
def extremes(a: i32, b: i32, c: u32) -> i64:
    return i64(min(a, b)) * 1_000_000 + i64(max(a, 0)) * 1000 + i64(min(c, 7)) + i64(abs(b))


def test_numbers():
    lib = bind(bits, extremes)
    assert lib.bits(0) == 16 | 16 << 8
    assert lib.bits(0x0110) == 4 | 7 << 8 | 2 << 16
    assert lib.extremes(5, -3, 0xFFFF_FFFF) == -3_000_000 + 5000 + 7 + 3


@struct
class Cell:
    pad: u32
    n: u32
    p: Ptr[u8]


@kernel
def increment(cell: Cell, times: u32) -> None:
    for _ in range(times):
        atomic_add(addr(cell.n), 1)


@kernel
def locked(cell: Cell, times: u32) -> None:
    for _ in range(times):
        while not atomic_cas(addr(cell.pad), 0, 1):
            pass
        cell.n += 1
        atomic_store(addr(cell.pad), 0)


@kernel
def exchange(cell: Cell, value: u32) -> u32:
    old = atomic_swap(addr(cell.n), value)
    atomic_swap(addr(cell.p), null)
    return old * 100 + atomic_load(addr(cell.n)) + u32(atomic_load(addr(cell.p)) == null)


@pytest.mark.parametrize("name", ["increment", "locked"])
def test_atomics_of_threads(name):
    run = getattr(bind(increment, locked, level=2), name)
    cell = Cell.ctype()
    threads = [threading.Thread(target=run, args=(cell, 100_000)) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert (cell.n, cell.pad) == (400_000, 0)


def test_atomic_exchange():
    cell = Cell.ctype(n=5, p=77)
    assert bind(exchange).exchange(cell, 9) == 510
    assert (cell.n, cell.p) == (9, 0)


@kernel
def reverse(digits: Ptr[u8], n: u32) -> u64:
    copy = local_array(u8, 16)
    total = local_array(u64, 1)
    total[0] = 0
    for i in range(n):
        copy[n - 1 - i] = digits[i]
    for i in range(n):
        total[0] = total[0] * 10 + u64(copy[i] - 48)
    return total[0]


@kernel
def set_to(p: Ptr[u32], value: u32) -> bool:
    p[0] = value
    return likely(value > 1)


@kernel
def through_local(x: u32) -> u32:
    y = x
    ok = set_to(addr(y), x + 1)
    set_to(addr(x), 100)
    flag = False
    set_flag(addr(flag))
    if unlikely(y == 1) or not ok:
        return 0
    return y + x + u32(flag)


@kernel
def set_flag(p: Ptr[bool]) -> None:
    p[0] = True


@pytest.mark.parametrize("level", [0, 2])
def test_local_memory(level):
    lib = bind(reverse, through_local, level=level)
    assert lib.reverse(b"12345", 5) == 54321
    assert lib.through_local(5) == 107
    assert lib.through_local(0) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("g(x)", "g takes 2 arguments, not 1"),
        ("g(x, x)", "this is u32, but u8 is needed: convert it, u8(...)"),
        ("g(x, y=x)", "keyword arguments are not"),
        ("g(*x)", "starred arguments are not"),
        ("print(x)", "print is unknown"),
        ("Failure(1)", "Failure is not a kernel, an extern or a type"),
        ("x(1)", "u32 cannot be called"),
        ("null()", "null cannot be called"),
        ("min(x)", "min takes 2 arguments, not 1"),
        ("min(z, z)", "no min for f64"),
        ("abs(x)", "no abs for u32"),
        ("ctz(z)", "no ctz for f64"),
        ("addr(x + 1)", "BinOp is not a place"),
        ("addr(s.items)", "s.items is already an address"),
        ("local_array(u8, x)", "the count must be a positive constant"),
        ("local_array(u8, 0)", "the count must be a positive constant"),
        ("local_array(None, 1)", "None has no size"),
        ("likely(x)", "this is u32, but bool is needed"),
        ("atomic_load(x)", "no atomic load through u32"),
        ("atomic_add(addr(z), 1.0)", "no atomic add through Ptr[f64]"),
        ("atomic_add(addr(s.next), null)", "no atomic add through Ptr[Ptr[u8]]"),
        ("atomic_store(addr(x), z)", "this is f64, but u32 is needed"),
        ("atomic_load(addr(s))", "no atomic load through Ptr[S]"),
    ],
)
def test_refused(refusal, call, message):
    text = f"""
@struct
class S:
    items: Array[u8, 3]
    next: Ptr[u8]
@kernel
def g(x: u32, y: u8) -> None:
    pass
@kernel
def f(x: u32, z: f64, s: S) -> None:
    {call}
"""
    assert f"in f: {message}" in refusal(text)
