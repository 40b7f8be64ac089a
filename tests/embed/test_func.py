"""``runwell.Func`` made from Python callables."""

import weakref

import pytest

import runwell


def test_called_from_python_it_converts_like_any_function():
    f = runwell.Func(lambda a, b: a + b, "(i32, i32) -> i32")
    assert f(3, 4) == 7
    assert f(2**32 - 1, 0) == -1
    assert repr(f).endswith(": (i32, i32) -> i32>")
    with pytest.raises(TypeError, match="takes 2 arguments"):
        f(1)
    with pytest.raises(OverflowError):
        f(2**40, 0)
    with pytest.raises(OverflowError, match="the result of"):
        f(-(2**31), -1)


def test_every_type_at_once():
    types = "i32 i64 f32 f64 v128 externref funcref"
    f = runwell.Func(lambda *args: args, f"({types}) -> ({types})")
    value = []
    args = (1, 2, 0.5, 0.25, bytes(range(16)), value, f)
    result = f(*args)
    assert result == args
    assert result[5] is value
    assert result[6] is f


@pytest.mark.parametrize("data", [bytearray(16), memoryview(bytes(16))])
def test_vectors_are_sixteen_bytes(data):
    f = runwell.Func(lambda v: v, "(v128) -> v128")
    assert f(data) == bytes(16)
    for wrong in (b"", bytes(15), bytes(17), 16, "x" * 16):
        with pytest.raises(TypeError, match="must be 16 bytes for v128"):
            f(wrong)


@pytest.mark.parametrize(
    ("text", "params", "results"),
    [
        ("() -> ()", 0, 0),
        ("-> i32", 0, 1),
        ("(i32, f64) -> i64", 2, 1),
        ("i32 i32 -> i32 i32", 2, 2),
        ("(i32,i32)->(i32)", 2, 1),
    ],
)
def test_types_as_text(text, params, results):
    type_ = runwell.Func(print, text).type
    assert (len(type_.params), len(type_.results)) == (params, results)


def test_types_as_data():
    type_ = runwell.FuncType((runwell.ValType.I32,), ())
    assert runwell.Func(print, type_).type == type_


@pytest.mark.parametrize("text", ["", "i32", "(i33) -> ()", "x -> y"])
def test_bad_types(text):
    with pytest.raises(ValueError, match=r"is not a function type|there is no value type"):
        runwell.Func(print, text)


def test_what_cannot_be_called():
    with pytest.raises(TypeError, match="is not callable"):
        runwell.Func(5, "() -> ()")


def test_names():
    def hello():
        """Not this."""

    f = runwell.Func(hello, "() -> ()")
    assert f.name == f.__name__ == "hello"
    assert "WebAssembly function" in f.__doc__
    assert runwell.Func(hello, "() -> ()") is not f


def test_it_can_be_weakly_referenced_hashed_and_compared():
    f = runwell.Func(print, "() -> ()")
    ref = weakref.ref(f)
    assert {f: 1}[f] == 1
    assert f == f
    assert f != runwell.Func(print, "() -> ()")
    del f
    assert ref() is None


def test_it_cannot_be_changed_or_subclassed():
    f = runwell.Func(print, "() -> ()")
    for name in ("type", "name", "_ref", "_info", "_owner", "anything"):
        with pytest.raises((AttributeError, TypeError)):
            setattr(f, name, 1)
    with pytest.raises(TypeError):
        type("Sub", (runwell.Func,), {})


def test_exceptions_in_a_direct_call():
    def fail():
        raise KeyError("x")

    with pytest.raises(KeyError) as caught:
        runwell.Func(fail, "() -> ()")()
    assert not hasattr(caught.value, "__notes__")


def test_endless_recursion_in_direct_calls():
    f = None

    def again():
        f()

    f = runwell.Func(again, "() -> ()")
    with pytest.raises((RecursionError, runwell.ExhaustionError)):
        f()
