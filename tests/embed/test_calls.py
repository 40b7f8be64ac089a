"""Calling exports from Python."""

import inspect
import math
import pydoc
import struct

import pytest

import runwell

TYPES = "i32 i64 f32 f64 externref funcref".split()
IDENTITIES = "\n".join(
    f'(func (export "{t}") (param {t}) (result {t}) (local.get 0))' for t in TYPES
)


@pytest.fixture
def same(make):
    return make(IDENTITIES).exports


@pytest.mark.parametrize(
    ("name", "value", "result"),
    [
        ("i32", 0, 0),
        ("i32", 2**31 - 1, 2**31 - 1),
        ("i32", 2**31, -(2**31)),
        ("i32", 2**32 - 1, -1),
        ("i32", -(2**31), -(2**31)),
        ("i32", True, 1),
        ("i64", 2**63 - 1, 2**63 - 1),
        ("i64", 2**63, -(2**63)),
        ("i64", 2**64 - 1, -1),
        ("i64", -(2**63), -(2**63)),
        ("i64", 2**32, 2**32),
        ("f32", 1.5, 1.5),
        ("f32", 0.1, struct.unpack("f", struct.pack("f", 0.1))[0]),
        ("f32", 1e300, math.inf),
        ("f32", 3, 3.0),
        ("f64", 0.1, 0.1),
        ("f64", -3, -3.0),
        ("f64", math.inf, math.inf),
        ("f64", True, 1.0),
        ("externref", None, None),
        ("funcref", None, None),
    ],
)
def test_values_that_fit(same, name, value, result):
    found = same[name](value)
    assert found == result
    assert type(found) is type(result)


def test_negative_zero_and_nan_survive(same):
    assert math.copysign(1, same.f64(-0.0)) == -1
    assert math.isnan(same.f32(math.nan))


def test_anything_with_an_index_is_an_int(same):
    class Three:
        def __index__(self):
            return 3

    assert same.i32(Three()) == 3
    assert same.i64(Three()) == 3


def test_anything_with_a_float_is_a_float(same):
    class Half:
        def __float__(self):
            return 0.5

    assert same.f32(Half()) == 0.5
    assert same.f64(Half()) == 0.5


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("i32", 2**32, OverflowError, "i32() argument 1 does not fit i32: 4294967296"),
        ("i32", -(2**31) - 1, OverflowError, "i32() argument 1 does not fit i32: -2147483649"),
        ("i64", 2**64, OverflowError, "i64() argument 1 does not fit i64"),
        ("i64", 10**1000, OverflowError, "i64() argument 1 does not fit i64: an int of 3322 bits"),
        ("i32", "1", TypeError, "i32() argument 1 must be an int for i32, not str"),
        ("i32", 1.0, TypeError, "i32() argument 1 must be an int for i32, not float"),
        ("i32", None, TypeError, "i32() argument 1 must be an int for i32, not NoneType"),
        ("f32", "1", TypeError, "f32() argument 1 must be a float for f32, not str"),
        ("f64", 10**400, OverflowError, "f64() argument 1 does not fit f64"),
        ("f64", 1j, TypeError, "f64() argument 1 must be a float for f64, not complex"),
        ("funcref", print, TypeError, "funcref() argument 1 must be a runwell.Func or None"),
    ],
)
def test_values_that_do_not_fit(same, name, value, error, message):
    with pytest.raises(error) as caught:
        same[name](value)
    assert str(caught.value).startswith(message)


def test_errors_of_conversions_pass_through(same):
    class Bad:
        def __index__(self):
            raise ZeroDivisionError("no")

    class Worse:
        def __index__(self):
            return "3"  # noqa: PLE0305

    with pytest.raises(ZeroDivisionError):
        same.i32(Bad())
    with pytest.raises(TypeError):
        same.i32(Worse())


def test_objects_pass_through_the_guest_as_themselves(same):
    value = object()
    assert same.externref(value) is value


def test_functions_pass_through_the_guest_as_themselves(same):
    assert same.funcref(same.i32) is same.i32


@pytest.mark.parametrize("args", [(), (1, 2), (1, 2, 3)])
def test_wrong_arity(same, args):
    message = rf"i32\(\) takes 1 argument \(i32\), {len(args)} given"
    with pytest.raises(TypeError, match=message):
        same.i32(*args)


def test_keywords_are_refused(same):
    with pytest.raises(TypeError, match="no keyword arguments"):
        same.i32(x=1)
    assert same.i32(*[1]) == 1


def test_no_results_are_none(make):
    assert make('(func (export "f"))').exports.f() is None


def test_several_results_are_a_tuple(make):
    text = """(func (export "f") (param i32 f64 externref) (result externref f64 i32 i64)
        (local.get 2) (local.get 1) (local.get 0) (i64.const -1))"""
    value = []
    result = make(text).exports.f(7, 0.5, value)
    assert result == (value, 0.5, 7, -1)
    assert result[0] is value


@pytest.mark.parametrize("n", [1, 2, 3, 6, 7, 16, 17, 100, 1000])
@pytest.mark.parametrize("t", ["i32", "i64", "f32", "f64"])
def test_many_parameters(make, n, t):
    adds = " ".join(f"(local.get {i}) ({t}.add)" for i in range(1, n))
    text = f'(func (export "f") (param {f"{t} " * n}) (result {t}) (local.get 0) {adds})'
    assert make(text).exports.f(*range(n)) == n * (n - 1) // 2


def test_many_results(make):
    values = " ".join(f"(i32.const {i})" for i in range(1000))
    text = f'(func (export "f") (result {"i32 " * 1000}) {values})'
    assert make(text).exports.f() == tuple(range(1000))


def test_a_call_inside_the_conversion_of_an_argument(make):
    exports = make(
        '(func (export "sub") (param i32 i32) (result i32) (i32.sub (local.get 0) (local.get 1)))'
    ).exports

    class Nested:
        def __index__(self):
            return exports.sub(100, 1)

    assert exports.sub(Nested(), Nested()) == 0
    assert exports.sub(200, Nested()) == 101


def test_a_function_knows_its_type(make):
    text = '(func (export "f") (param $left i32) (param f64) (result i64) (i64.const 0))'
    f = make(text).exports.f
    i32, i64, f64 = runwell.ValType.I32, runwell.ValType.I64, runwell.ValType.F64
    assert f.type == runwell.FuncType((i32, f64), (i64,))
    assert repr(f) == "<runwell.Func f: (i32, f64) -> i64>"
    assert f.name == f.__name__ == f.__qualname__ == "f"
    assert f.__doc__.startswith("f(i32, f64) -> i64")
    assert isinstance(f, runwell.Func)
    assert callable(f)
    signature = inspect.signature(f)
    assert [p.annotation for p in signature.parameters.values()] == [int, float]
    assert {p.kind for p in signature.parameters.values()} == {inspect.Parameter.POSITIONAL_ONLY}
    assert signature.return_annotation is int
    assert list(signature.parameters) == ["left", "arg1"]


def test_help_says_what_a_function_takes(make):
    text = """(func (export "f") (param $left i32) (param i64 f32 v128 externref funcref)
      (result i32 v128) (i32.const 0) (v128.const i64x2 0 0))"""
    f = make(text).exports.f
    assert f.__doc__.splitlines() == [
        "f(i32, i64, f32, v128, externref, funcref) -> (i32, v128)",
        "",
        "A WebAssembly function.",
        "",
        "Args:",
        "    left: i32, an int from -2**31 to 2**32 - 1.",
        "    arg1: i64, an int from -2**63 to 2**64 - 1.",
        "    arg2: f32, a float or int.",
        "    arg3: v128, 16 bytes.",
        "    arg4: externref, any object.",
        "    arg5: funcref, a runwell.Func or None.",
        "",
        "Returns:",
        "    an int from -2**31 to 2**31 - 1, 16 bytes.",
    ]
    assert f.__doc__.splitlines()[5] in pydoc.render_doc(f, renderer=pydoc.plaintext)


def test_signatures_of_other_results(make):
    exports = make(
        """(func (export "none")) (func (export "two") (result i32 f32) (i32.const 0)
        (f32.const 0))"""
    ).exports
    assert inspect.signature(exports.none).return_annotation is None
    assert inspect.signature(exports.two).return_annotation == tuple[int, float]


def test_the_type_of_functions_is_documented():
    assert "WebAssembly function" in runwell.Func.__doc__
    assert runwell.Func.__name__ == "Func"
    assert runwell.Func.__module__ == "runwell"
