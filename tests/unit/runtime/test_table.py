import gc

import pytest

from runwell.base.errors import LinkError
from runwell.base.types import EXTERNREF, FUNCREF
from runwell.module.types import TableType
from runwell.runtime.table import Table

pytestmark = pytest.mark.usefixtures("core")


def test_elements_start_as_asked_for(core):
    assert [Table(TableType(EXTERNREF, 2)).get(i) for i in range(2)] == [None, None]
    thing = object()
    for maximum in (2, 5):
        t = Table(TableType(EXTERNREF, 2, maximum), thing)
        assert [t.get(i) for i in range(2)] == [thing, thing]


def test_set_and_get(core):
    t = Table(TableType(EXTERNREF, 3))
    t.set(1, "one")
    t.set(2, t)
    assert [t.get(i) for i in range(3)] == [None, "one", t]
    t.set(1, None)
    assert t.get(1) is None


@pytest.mark.parametrize("index", [-1, 3, 1 << 64])
def test_out_of_bounds(core, index):
    t = Table(TableType(EXTERNREF, 3))
    with pytest.raises(IndexError, match="out of bounds"):
        t.get(index)
    with pytest.raises(IndexError, match="out of bounds"):
        t.set(index, None)


def test_only_functions_in_function_tables(core):
    with pytest.raises(TypeError, match="funcref wanted, not int"):
        Table(TableType(FUNCREF, 1)).set(0, 5)


def test_grow(core):
    t = Table(TableType(EXTERNREF, 1, 2000))
    elements = t._native.elements
    assert t.grow(999, "new") == 1
    assert t.size == 1000
    assert (t.get(0), t.get(1), t.get(999)) == (None, "new", "new")
    assert t.grow(1001) == -1
    assert t.grow(-1) == -1
    assert t.grow(1 << 63) == -1
    assert t.grow(1000) == 1000
    assert t.get(1999) is None
    assert t._native.elements == elements
    assert t.grow(0) == 2000


def test_a_table_that_cannot_grow(core):
    t = Table(TableType(EXTERNREF, 1000, 1000), "x")
    assert t.get(999) == "x"
    assert t.grow(1) == -1
    assert t.grow(0) == 1000
    assert Table(TableType(EXTERNREF, 0, 0)).size == 0


def test_limits(core):
    t = Table(TableType(EXTERNREF, 1), limit=4)
    assert t.maximum == 4
    assert t.grow(3) == 1
    assert t.grow(1) == -1
    assert Table(TableType(EXTERNREF, 1)).maximum == 10_000_000
    with pytest.raises(LinkError, match="exceeds the limit of 4 elements"):
        Table(TableType(EXTERNREF, 5), limit=4)


def test_a_table_keeps_host_objects_and_no_longer_than_it_lives(core):
    import weakref

    class Thing:
        pass

    thing = Thing()
    alive = weakref.ref(thing)
    t = Table(TableType(EXTERNREF, 1))
    t.set(0, thing)
    del thing
    gc.collect()
    assert t.get(0) is alive()
    del t
    assert alive() is None


def test_tables_are_given_back(core):
    for _ in range(30_000):
        Table(TableType(EXTERNREF, 1))
