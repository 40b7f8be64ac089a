import gc

import pytest

from runwell.base.types import EXNREF, EXTERNREF, I32, V128, FuncType
from runwell.kernel.types import ctype_of
from runwell.runtime import layout, tag
from runwell.runtime.exception import Held
from runwell.runtime.native import native
from runwell.runtime.store import Store
from runwell.runtime.tag import Tag, tag_at
from runwell.runtime.types import TypeNumber


@pytest.fixture
def number(core):
    return TypeNumber(FuncType((I32, EXTERNREF, V128, EXNREF), ()))


def test_what_exceptions_carry(number):
    made = Tag(number)
    struct = ctype_of(layout.Tag).from_address(made.address)
    assert (struct.value_bytes, struct.ref_bytes, struct.n_exceptions) == (24, 16, 1)
    assert made.type.type == number.type
    assert made.number == number
    assert Tag(number).address != made.address


def test_a_tag_is_found_by_its_address(number):
    made = Tag(number)
    found = tag_at(made.address)
    assert (found.address, found.store) == (made.address, made.store)


def test_a_tag_follows_its_store(number):
    made = Tag(number)
    other = Store()
    for _ in range(3):
        other.keep(object())
    made.admit(other)
    assert tag_at(made.address).store is other.root


def test_an_exception_keeps_its_tag(core):
    made = Tag(TypeNumber(FuncType((), ())))
    held = Held(native.exception_new(made.address, 0, 0))
    address = made.address
    known = tag._natives[address]  # so that no other tag gets its memory
    del made
    gc.collect()
    Tag(TypeNumber(FuncType((), ())))
    assert tag_at(address).address == address
    assert held.tag.address == address
    del held
    gc.collect()
    for _ in range(3):
        Tag(TypeNumber(FuncType((), ())))
    assert address not in tag._natives
    assert known.address == address


def test_tags_are_given_back(core):
    number = TypeNumber(FuncType((), ()))
    for _ in range(100):
        Tag(number)
    gc.collect()
    Tag(number)
    before = len(tag._natives)
    for _ in range(1000):
        Tag(number)
    assert len(tag._natives) <= before + 2
