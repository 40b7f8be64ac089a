from ctypes import addressof, c_uint64

import pytest

from runwell.base.types import EXNREF, I64, FuncType
from runwell.kernel.types import ctype_of
from runwell.runtime import layout
from runwell.runtime.exception import Held, hold, read_cell
from runwell.runtime.native import native
from runwell.runtime.tag import Tag
from runwell.runtime.types import TypeNumber


@pytest.fixture
def tag(core):
    return Tag(TypeNumber(FuncType((I64, EXNREF), ())))


def make(tag, value, inner=0):
    values, refs = c_uint64(value), c_uint64(inner)
    return Held(native.exception_new(tag.address, addressof(values), addressof(refs)))


def holders(held):
    return ctype_of(layout.ExceptionObject).from_address(held).holders


def alive(tag):
    return ctype_of(layout.Tag).from_address(tag.address).holders - 1


def test_values(tag):
    inner = make(tag, 5)
    held = make(tag, 7, inner)
    assert c_uint64.from_address(held.values).value == 7
    assert c_uint64.from_address(held.references).value == inner
    assert held.tag.address == tag.address


def test_holders_are_counted(tag):
    held = make(tag, 1)
    assert (holders(held), alive(tag)) == (1, 1)
    again = hold(int(held))
    assert holders(held) == 2
    del again
    assert holders(held) == 1
    del held
    assert alive(tag) == 0


def test_an_exception_holds_those_that_it_carries(tag):
    inner = make(tag, 1)
    outer = make(tag, 2, inner)
    assert holders(inner) == 2
    del inner
    assert alive(tag) == 2
    del outer
    assert alive(tag) == 0


def test_cells(tag):
    cell = c_uint64(0)
    at = addressof(cell)
    assert read_cell(at) is None
    held = make(tag, 1)
    native.exception_put(at, held)
    assert holders(held) == 2
    assert read_cell(at) == held
    native.exception_put(at, held)
    assert holders(held) == 2
    del held
    native.exception_put(at, make(tag, 2))
    assert alive(tag) == 1
    native.exception_put(at, 0)
    assert alive(tag) == 0
