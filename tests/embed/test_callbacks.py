"""Python functions as imports."""

import sys
import traceback

import pytest

import runwell

CALL = """
(import "env" "f" (func $f (param {params}) (result {results})))
(func (export "call") (param {params}) (result {results}) {gets} (call $f))
"""


def passing(make, function, params, results):
    """An instance whose export hands its parameters and results on."""
    gets = " ".join(f"(local.get {i})" for i in range(len(params.split())))
    text = CALL.format(params=params, results=results, gets=gets)
    return make(text, {"env": {"f": function}})


def calling(make, function, params, results):
    return passing(make, function, params, results).exports.call


@pytest.mark.parametrize(
    ("t", "value"),
    [("i32", -5), ("i64", -(2**40)), ("f32", 0.25), ("f64", 1e100), ("externref", "x")],
)
def test_values_in_and_out(make, t, value):
    seen = []

    def f(x):
        seen.append(x)
        return x

    assert calling(make, f, t, t)(value) == value
    assert seen == [value]


def test_no_arguments_and_a_result_that_is_dropped(make):
    assert calling(make, lambda: 5, "", "")() is None


def test_several_results(make):
    call = calling(make, lambda a, b: (b, a), "i32 f64", "f64 i32")
    assert call(1, 2.5) == (2.5, 1)
    call = calling(make, lambda a, b: [b, a], "i32 f64", "f64 i32")
    assert call(1, 2.5) == (2.5, 1)


@pytest.mark.parametrize("n", [6, 7, 16, 17, 100])
def test_many_parameters(make, n):
    call = calling(make, lambda *args: sum(args), "i32 " * n, "i32")
    assert call(*range(n)) == n * (n - 1) // 2


@pytest.mark.parametrize(
    ("results", "value", "error", "message"),
    [
        ("i32", "x", TypeError, "the result of env.f() must be an int for i32, not str"),
        ("i32", None, TypeError, "the result of env.f() must be an int for i32, not NoneType"),
        ("i32", 2**32, OverflowError, "the result of env.f() does not fit i32"),
        ("f64", "x", TypeError, "the result of env.f() must be a float for f64, not str"),
        ("i32 i32", 1, TypeError, "env.f() must return a tuple of 2 values, not int"),
        ("i32 i32", (1, 2, 3), TypeError, "env.f() must return 2 values, not 3"),
        ("i32 i32", (1, "x"), TypeError, "result 2 of env.f() must be an int for i32, not str"),
        ("funcref", print, TypeError, "the result of env.f() must be a runwell.Func or None"),
    ],
)
def test_wrong_results(make, results, value, error, message):
    call = calling(make, lambda: value, "", results)
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value).startswith(message)


def test_results_are_converted_like_arguments(make):
    class Three:
        def __index__(self):
            return 3

    assert calling(make, Three, "", "i32")() == 3
    assert calling(make, lambda: True, "", "i64")() == 1
    assert calling(make, lambda: 2, "", "f32")() == 2.0


class Boom(Exception):
    pass


def test_an_exception_passes_through_unchanged(make):
    thrown = Boom("here")

    def f():
        raise thrown

    call = calling(make, f, "", "")
    with pytest.raises(Boom) as caught:
        call()
    assert caught.value is thrown
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert "f" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    (note,) = thrown.__notes__
    assert note.startswith("WebAssembly frames, innermost first:\n  0: call")


def test_an_exception_crosses_several_levels(make):
    thrown = Boom()
    levels = []

    def f(n):
        levels.append(n)
        if n == 0:
            raise thrown
        call(n - 1)

    call = calling(make, f, "i32", "")
    with pytest.raises(Boom) as caught:
        call(5)
    assert caught.value is thrown
    assert levels == [5, 4, 3, 2, 1, 0]
    assert len(thrown.__notes__) == 6


def test_exceptions_that_are_caught_on_the_way(make):
    def f(n):
        if n == 0:
            raise Boom
        try:
            return call(n - 1)
        except Boom:
            return 100 + n

    call = calling(make, f, "i32", "i32")
    assert call(3) == 101
    assert call(1) == 101


def test_what_ends_programs_gets_no_notes(make):
    def f():
        raise SystemExit(3)

    with pytest.raises(SystemExit) as caught:
        calling(make, f, "", "")()
    assert not hasattr(caught.value, "__notes__")


def test_a_trap_in_a_callback_of_a_callback(make):
    text = """
    (import "env" "f" (func $f (param i32)))
    (func (export "call") (param i32) (call $f (local.get 0)))
    (func (export "trap") unreachable)
    """

    def f(n):
        instance.exports.trap() if n == 0 else instance.exports.call(n - 1)

    instance = make(text, {"env": {"f": f}})
    with pytest.raises(runwell.Trap, match=r"^unreachable") as caught:
        instance.exports.call(3)
    assert caught.value.code == runwell.TrapCode.UNREACHABLE
    assert [frame.name for frame in caught.value.backtrace] == ["trap"]


def test_calls_into_other_instances(make):
    inner = make(
        '(func (export "double") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))'
    )
    call = calling(make, lambda x: inner.exports.double(x) + 1, "i32", "i32")
    assert call(20) == 41


def test_values_of_callers_survive_nested_calls(make):
    text = """
    (import "env" "f" (func $f (param i32) (result i32)))
    (func (export "call") (param $n i32) (result i32) (local $x i64)
      (local.set $x (i64.const 0x1122334455667788))
      (i32.add
        (i32.mul (local.get $n) (i32.const 1000))
        (i32.add
          (call $f (i32.sub (local.get $n) (i32.const 1)))
          (i64.ne (local.get $x) (i64.const 0x1122334455667788)))))
    """

    def f(n):
        return instance.exports.call(n) if n > 0 else 1

    instance = make(text, {"env": {"f": f}})
    assert instance.exports.call(4) == 10001


def test_endless_recursion_through_callbacks_ends(make):
    call = None

    def again(n):
        return call(n)

    call = calling(make, again, "i32", "i32")
    with pytest.raises((RecursionError, runwell.ExhaustionError)):
        call(1)
    assert calling(make, lambda n: n, "i32", "i32")(5) == 5


def test_endless_recursion_without_python_frames(make):
    """The callable is a native object, so that no Python frame counts the depth."""
    holder = []

    class Call:
        __slots__ = ()
        __call__ = property(lambda self: holder[0])

    call = calling(make, Call(), "i32", "i32")
    holder.append(call)
    with pytest.raises((RecursionError, runwell.ExhaustionError)):
        call(1)


class Caller:
    def __call__(self, x):
        return [x]

    def method(self, x):
        return (x,)


@pytest.mark.parametrize(
    ("function", "value", "result"),
    [
        (abs, -5, 5),
        (str.upper, "x", "X"),
        ({1: 2}.get, 1, 2),
        (list, "ab", ["a", "b"]),
        (Caller(), 1, [1]),
        (Caller().method, 1, (1,)),
    ],
)
def test_any_callable_will_do(make, function, value, result):
    assert calling(make, function, "externref", "externref")(value) == result


def test_references_are_exact(make):
    value = object()

    def f(x):
        return x

    instance = passing(make, f, "externref", "externref")
    call = instance.exports.call
    call(value)
    instance.collect()
    before = sys.getrefcount(value), sys.getrefcount(f), sys.getrefcount(None)
    for _ in range(100):
        call(value)
    instance.collect()
    after = sys.getrefcount(value), sys.getrefcount(f), sys.getrefcount(None)
    assert after[0] == before[0]
    assert after[1] == before[1]
    assert abs(after[2] - before[2]) < 20


def test_references_are_exact_when_things_fail(make):
    boom = Boom()
    value = object()

    def f(x):
        raise boom

    instance = passing(make, f, "externref", "i32")
    call = instance.exports.call

    def run():
        for _ in range(50):
            try:
                call(value)
            except Boom as e:
                e.__traceback__ = None
                e.__notes__.clear()
        instance.collect()

    run()
    before = sys.getrefcount(value), sys.getrefcount(f), sys.getrefcount(boom)
    run()
    assert (sys.getrefcount(value), sys.getrefcount(f), sys.getrefcount(boom)) == before
