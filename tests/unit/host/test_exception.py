import pytest

import runwell
from runwell.host.exception import held_by, hold_exception, make_exception
from runwell.runtime.store import Store


@pytest.fixture
def error():
    return runwell.WasmException(runwell.Tag("i32 f32 i64 v128 externref"), VALUES)


VALUES = (-1, 0.5, 1 << 40, bytes(range(16)), "thing")


def test_values_come_back(error):
    held = held_by(error)
    assert held_by(error) is held
    copy = make_exception(held, ())
    assert copy.values == VALUES
    assert copy.tag is error.tag
    assert copy.backtrace == ()


def test_only_exceptions_are_exceptions(error):
    store = Store()
    held = hold_exception(store, error)
    assert hold_exception(store, held) is held
    with pytest.raises(TypeError, match="WasmException"):
        hold_exception(store, KeyError())


def test_functions_and_exceptions_as_values(error):
    func = runwell.Func(len, "(externref) -> i32")
    outer = runwell.WasmException(runwell.Tag("funcref exnref exnref"), (func, error, None))
    copy = make_exception(held_by(outer), ())
    assert copy.values[0] is func
    assert copy.values[1].values == VALUES
    assert copy.values[2] is None
    with pytest.raises(TypeError, match="value 2 must be a runwell"):
        runwell.WasmException(outer.tag, (None, 5, None))
