"""What we know of CPython's memory is true of the Python that runs the tests."""

import sys

from runwell.host.layout import FuncObject, Hooks, PyObject, ThreadSlot, TupleObject
from runwell.host.native_type import types
from runwell.kernel.types import as_struct, ctype_of


def test_every_object_starts_with_count_and_type():
    value = object()
    head = ctype_of(PyObject).from_address(id(value))
    assert as_struct(PyObject).size == object.__basicsize__
    assert head.refcount == sys.getrefcount(value) - 1
    assert head.type == id(object)


def test_tuples_have_size_and_items():
    value = ("a", "b", "c")
    head = ctype_of(TupleObject).from_address(id(value))
    assert head.size == 3
    assert head.first == id(value[0])
    assert as_struct(TupleObject).offset("first") == tuple.__basicsize__


def test_our_objects_begin_as_python_objects_do():
    assert as_struct(FuncObject).offset("head") == 0
    assert types.func.__basicsize__ == as_struct(FuncObject).size


def test_slots_are_found_by_shifting():
    assert as_struct(ThreadSlot).size == 16
    assert as_struct(Hooks).size % 8 == 0
