import ctypes

import pytest

from runwell.host.builtin import make_builtin
from runwell.runtime.native import native

FUNCTIONS = {
    "sum": ctypes.CFUNCTYPE(ctypes.c_uint64, *[ctypes.c_uint64] * 8)(lambda *args: sum(args)),
    "low": ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_uint64)(lambda x: x),
    "same": ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_uint64, ctypes.py_object)(lambda _, x: x),
}


def make(name, signature):
    def address_of(symbol):
        if symbol in FUNCTIONS:
            return ctypes.cast(FUNCTIONS[symbol], ctypes.c_void_p).value
        return native.address(symbol)

    return make_builtin(name, signature, address_of)


def test_numbers():
    total = make("sum", "u64 u64 u64 u64 u64 u64 u64 u64 u64")
    assert total(1, 2, 3, 4, 5, 6, 7, 2**40) == 28 + 2**40
    assert total.__name__ == "sum"


def test_results():
    assert make("low", "u64 u64")(2**64 - 1) == 2**64 - 1
    assert make("low", "u32 u64")(2**40 + 7) == 7
    assert make("low", "None u64")(7) is None


def test_objects_are_passed_as_they_are():
    value = object()
    assert make("same", "object u64 object")(3, value) is value


def test_numbers_are_taken_as_c_takes_them():
    low = make("low", "u64 u64")
    assert low(-1) == 2**64 - 1
    assert low(True) == 1
    with pytest.raises(TypeError):
        low("x")


def test_wrong_counts():
    low = make("low", "u64 u64")
    for args in (), (1, 2):
        with pytest.raises(TypeError, match="wrong number of arguments"):
            low(*args)
    with pytest.raises(TypeError):
        low(x=1)
