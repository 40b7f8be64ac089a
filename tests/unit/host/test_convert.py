import pytest

from runwell.base.types import EXTERNREF, F32, F64, FUNCREF, I32, I64, V128, FuncType
from runwell.host.convert import canonical, canonical_arguments, canonical_results
from runwell.runtime.store import Store


def what():
    return "it"


class Index:
    def __index__(self):
        return 7


@pytest.mark.parametrize(
    ("type_", "value", "result"),
    [
        (I32, True, 1),
        (I32, Index(), 7),
        (I64, 2**64 - 1, 2**64 - 1),
        (F32, 1, 1.0),
        (F64, Index(), 7.0),
        (V128, bytearray(16), bytes(16)),
        (EXTERNREF, None, None),
        (FUNCREF, None, None),
    ],
)
def test_canonical_values(type_, value, result):
    found = canonical(type_, value, Store(), what)
    assert found == result
    assert type(found) is type(result)


@pytest.mark.parametrize(
    ("type_", "value", "error", "message"),
    [
        (I32, 2**32, OverflowError, "it does not fit i32: 4294967296"),
        (I64, -(2**63) - 1, OverflowError, "it does not fit i64: -9223372036854775809"),
        (I32, 1 << 300, OverflowError, "it does not fit i32: an int of 301 bits"),
        (I32, "x", TypeError, "it must be an int for i32, not str"),
        (F32, "x", TypeError, "it must be a float for f32, not str"),
        (F64, 10**400, OverflowError, "it does not fit f64: an int of 1329 bits"),
        (V128, b"x", TypeError, "it must be 16 bytes for v128, not 1 bytes"),
        (V128, "x", TypeError, "it must be 16 bytes for v128, not str"),
        (FUNCREF, 1, TypeError, "it must be a runwell.Func or None, not int"),
    ],
)
def test_errors_name_the_value_and_its_type(type_, value, error, message):
    with pytest.raises(error) as caught:
        canonical(type_, value, Store(), what)
    assert str(caught.value) == message


def test_a_function_is_kept_by_the_store():
    from runwell.host.func import Func

    store, function = Store(), Func(abs, "(i32) -> i32")
    assert canonical(FUNCREF, function, store, what) is function
    assert function.native.owner in store._kept.values()


def test_arguments():
    type_ = FuncType((I32, F64), ())
    assert canonical_arguments("f", type_, (True, 2), Store()) == (1, 2.0)
    with pytest.raises(TypeError, match=r"^f\(\) takes 2 arguments \(i32, f64\), 1 given"):
        canonical_arguments("f", type_, (1,), Store())
    with pytest.raises(TypeError, match=r"^f\(\) argument 2 must be a float"):
        canonical_arguments("f", type_, (1, "x"), Store())


def test_results():
    one, two = FuncType((), (I32,)), FuncType((), (I32, I32))
    assert canonical_results("f", one, True, Store()) == (1,)
    assert canonical_results("f", two, [True, 2], Store()) == (1, 2)
    with pytest.raises(TypeError, match=r"^f\(\) must return a tuple of 2 values, not str"):
        canonical_results("f", two, "ab", Store())
    with pytest.raises(TypeError, match=r"^f\(\) must return 2 values, not 1"):
        canonical_results("f", two, (1,), Store())
    with pytest.raises(TypeError, match=r"^result 1 of f\(\) must be an int"):
        canonical_results("f", two, ("x", 1), Store())
