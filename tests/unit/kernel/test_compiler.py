"""Whole programs: what is reached, what can fail, what is defined where; symbols and tables."""

import ctypes

import pytest

from runwell.codegen.testing import bind, bind_units
from runwell.codegen.unit import Unit
from runwell.kernel import (
    Failure,
    Fn,
    KernelError,
    Ptr,
    const_array,
    extern,
    extern_data,
    f64,
    i8,
    i32,
    kernel,
    static,
    u8,
    u16,
    u32,
    u64,
)
from runwell.kernel.compiler import Program, failures, reachable
from runwell.kernel.text import ModuleText


class Invalid(Failure):
    pass


class Other(Failure):
    pass


@kernel
def deep(x: u32) -> u32:
    if x == 0:
        raise Invalid(3)
    return x


@kernel
def middle(x: u32) -> u32:
    return deep(x) + 1


@kernel(inline=True)
def careful(x: u32) -> u32:
    try:
        return middle(x)
    except Invalid:
        return 0


@kernel
def top(x: u32) -> u32:
    return careful(x) + COUNTS[x]


@kernel
def loop_a(x: u32) -> u32:
    return 0 if x == 0 else loop_b(x - 1)


@kernel
def loop_b(x: u32) -> u32:
    return loop_a(deep(x))


COUNTS = const_array("COUNTS", u32, lambda: [10, 11, 12])


def text_of(*roots, **options) -> str:
    module = ModuleText()
    Program(roots, **options).emit(module)
    return module.text()


def test_reachable():
    kernels, data = reachable([top])
    assert [k.name for k in kernels] == ["top", "careful", "middle", "deep"]
    assert data == [COUNTS]


def test_failures():
    found = failures(reachable([top, loop_a])[0])
    names = {k.name: sorted(f.__name__ for f in raises) for k, raises in found.items()}
    assert names == {
        "top": [],
        "careful": [],
        "middle": ["Invalid"],
        "deep": ["Invalid"],
        "loop_a": ["Invalid"],
        "loop_b": ["Invalid"],
    }


def test_what_may_fail_at_run_time():
    lib = bind(top, middle, loop_a)
    assert lib.top(1) == 13
    assert lib.top(0) == 10
    with pytest.raises(Invalid) as e:
        lib.middle(0)
    assert e.value.code == 3
    with pytest.raises(Invalid):
        lib.loop_a(3)


def test_text_is_the_same_every_time():
    assert text_of(top, loop_a) == text_of(top, loop_a)


def test_linkage():
    text = text_of(top, middle)
    assert "define i32 @top(i32 %arg.x)" in text
    assert "define internal i32 @careful(i32 %arg.x) alwaysinline" in text
    assert "define { i32, i32 } @middle.body(i32 %arg.x)" in text
    assert "define i32 @middle(ptr %out, i32 %arg.x)" in text
    assert "define internal { i32, i32 } @deep(i32 %arg.x)" in text
    assert "@COUNTS = internal unnamed_addr constant [3 x i32] [i32 10, i32 11, i32 12]" in text
    assert "!prof" in text


def test_units_share_kernels():
    low = Unit("low", [middle, shared, HITS])
    high = Unit("high", [top, use_shared], elsewhere=[middle, shared, HITS, deep_inline])
    text = high.text()
    assert "declare { i32, i32 } @middle.body(i32)" in text
    assert "declare zeroext i8 @shared(i8)" in text
    assert "@HITS = external global" in text
    assert "deep" not in text.replace("deep_inline", "")
    assert "define internal i32 @deep_inline" in text
    lib = bind_units([low, high], level=2)
    assert lib.top(1) == 13
    assert lib.top(0) == 10
    assert lib.use_shared(250) == 255 + 3 + 1
    assert ctypes.c_uint64.from_address(lib.address("HITS")).value == 1


HITS = static("HITS", u64)


@kernel
def shared(x: u8) -> u8:
    HITS[0] += 1
    return x + 5


@kernel(inline=True)
def deep_inline(x: u32) -> u32:
    return x + 3


@kernel
def use_shared(x: u8) -> u64:
    return u64(deep_inline(u32(shared(x)))) + HITS[0]


@kernel
def double(x: u32) -> u32:
    return x * 2


SMALL = const_array("SMALL", u8, [0, 255, -1])
SIGNED = const_array("SIGNED", i8, [-128, 127])
REALS = const_array("REALS", f64, [1, 2.5])
FLAGS = const_array("FLAGS", bool, [1, 0])
FUNCTIONS = const_array("FUNCTIONS", Fn[[u32], u32], lambda: [double, "triple", 0])
ADDRESSES = const_array("ADDRESSES", u64, ["triple", 7])
OUTSIDE = extern_data("OUTSIDE", u16)


@kernel
def tables(i: u32) -> f64:
    here: f64 = 10 if ADDRESSES[0] == u64(FUNCTIONS[1]) and ADDRESSES[i] == 7 else 0.0
    return REALS[1] + here + f64(SMALL[2]) + f64(SIGNED[0]) + f64(u8(FLAGS[0])) + f64(OUTSIDE[1])


@kernel
def call_tables(i: u32, x: u32) -> u32:
    f = FUNCTIONS[i]
    return f(x) + FUNCTIONS[i](0)


def test_tables():
    def extra(module: ModuleText) -> None:
        module.add_global("@OUTSIDE = constant [2 x i16] [i16 1, i16 40]")
        module.add_function("define i32 @triple(i32 %x) {\n  %y = mul i32 %x, 3\n  ret i32 %y\n}")

    lib = bind(tables, call_tables, extra=extra)
    assert lib.tables(1) == 2.5 + 10 + 255 - 128 + 1 + 40
    assert lib.call_tables(0, 5) == 10
    assert lib.call_tables(1, 5) == 15


@kernel
def ready(x: u32) -> bool:
    if x == 0:
        raise Invalid(1)
    return x > 5


def test_bool_of_a_fallible_kernel():
    lib = bind(ready)
    assert lib.ready(6) is True
    assert lib.ready(5) is False


def test_items_refused():
    for of, item in ((u8, 256), (u8, "f"), (u8, 1.5), (i8, -129), (Ptr[u8], 1.5)):
        table = const_array("T", of, [item])
        with pytest.raises(KernelError, match=r"const_array T: .* is not a"):
            text_of(table)


def test_names_clash(define):
    text = "@kernel\ndef f() -> u32:\n    return 1\n"
    with pytest.raises(KernelError, match="have the same name in one unit"):
        text_of(define(text).f, define(text).f)
    with pytest.raises(KernelError, match="have the same name in one unit"):
        text_of(define(text).f, static("f", u32))


def test_externs_may_be_declared_again(define):
    text = (
        "@extern\ndef labs(x: i64) -> i64: ...\n"
        "@kernel\ndef NAME(x: i64) -> i64:\n    return labs(x)\n"
    )
    a, b = define(text.replace("NAME", "a")).a, define(text.replace("NAME", "b")).b
    assert text_of(a, b).count("declare i64 @labs") == 1
    c = define(text.replace("NAME", "c").replace("x: i64", "x: u64")).c
    with pytest.raises(KernelError, match="have the same name"):
        text_of(a, c)


def test_uncaught_class(refusal):
    message = refusal("""
class A(Failure): ...
class B(Failure): ...
@kernel
def g(x: u32) -> None:
    if x > 1:
        raise B(1)
@kernel
def f(x: u32) -> None:
    try:
        g(x)
    except A:
        pass
""")
    assert message.startswith("12:5: in f: B may be raised here, which is not caught\n")


def test_address_of_a_fallible_kernel(refusal):
    message = refusal("""
@kernel
def g(x: u32) -> None:
    if x > 1:
        raise Failure(1)
@kernel
def f() -> u64:
    return u64(g)
""")
    assert "in f: g may raise: it cannot be a function pointer" in message


@extern
def never_resolved(x: i32) -> i32: ...


def test_extern_is_declared():
    @kernel
    def f(x: i32) -> i32:
        return never_resolved(x)

    assert "declare i32 @never_resolved(i32) nounwind" in text_of(f)
