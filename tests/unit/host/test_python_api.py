"""Every function and object that the kernels name exists in the Python that runs the tests."""

import ctypes

import pytest

from runwell.host import python_api
from runwell.kernel.declare import Data, Kernel

NAMES = [
    thing.name
    for thing in vars(python_api).values()
    if isinstance(thing, Kernel | Data) and thing.name.lstrip("_").startswith("Py")
]


@pytest.mark.parametrize("name", NAMES)
def test_it_exists(name):
    assert ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value
