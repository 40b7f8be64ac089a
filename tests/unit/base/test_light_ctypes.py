"""The types that every run uses instead of those of ``ctypes`` are like those."""

import ctypes
import math

import pytest

from runwell.base import light_ctypes

NUMBERS = [name for name in dir(light_ctypes) if name.startswith("c_")]


def test_the_list():
    assert {"c_bool", "c_uint64", "c_void_p"} <= set(NUMBERS)


@pytest.mark.parametrize("name", NUMBERS)
def test_sizes(name):
    mine, theirs = getattr(light_ctypes, name), getattr(ctypes, name)
    assert ctypes.sizeof(mine) == ctypes.sizeof(theirs)
    assert ctypes.alignment(mine) == ctypes.alignment(theirs)


@pytest.mark.parametrize("name", [n for n in NUMBERS if n not in ("c_char", "c_char_p")])
def test_values(name):
    mine, theirs = getattr(light_ctypes, name), getattr(ctypes, name)
    for value in (0, 1, 100, 200, 2**31, 2**63):
        assert mine(value).value == theirs(value).value


def test_a_structure():
    fields = [("a", light_ctypes.c_uint8), ("b", light_ctypes.c_int32 * 2)]
    pair = type("Pair", (light_ctypes.Structure,), {"_fields_": fields})
    cell = pair(7, (1, -2))
    at = light_ctypes.addressof(cell)
    assert ctypes.string_at(at, 12) == b"\7\0\0\0\1\0\0\0\xfe\xff\xff\xff"
    assert pair.from_address(at).b[1] == -2


def test_functions_of_the_process():
    sqrt = ctypes.CDLL("libm.so.6").sqrt
    address = ctypes.cast(sqrt, ctypes.c_void_p).value
    prototype = light_ctypes.CFUNCTYPE(light_ctypes.c_double, light_ctypes.c_double)
    assert prototype(address)(2.0) == math.sqrt(2)
    length = light_ctypes.python_function(
        "PyObject_Size", light_ctypes.c_int64, light_ctypes.py_object
    )
    assert length([1, 2, 3]) == 3
    with pytest.raises(TypeError, match="no len"):
        length(5)


def test_a_function_that_is_not_there():
    with pytest.raises(OSError, match="no_such_function"):
        light_ctypes.symbol("no_such_function")
