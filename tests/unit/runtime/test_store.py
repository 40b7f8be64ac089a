import gc
import weakref

import pytest

from runwell.base.types import EXTERNREF, FUNCREF, I32, FuncType
from runwell.runtime.reference import host_object
from runwell.runtime.store import Store, carries_refs

pytestmark = pytest.mark.usefixtures("core")


class Thing:
    store = None


def kept(store):
    thing = Thing()
    store.keep(thing)
    return weakref.ref(thing)


def test_which_functions_carry_references():
    assert not carries_refs(FuncType((I32,), (I32,)))
    assert carries_refs(FuncType((I32, FUNCREF), ()))
    assert carries_refs(FuncType((), (EXTERNREF,)))


def test_things_live_as_long_as_their_store():
    store = Store()
    thing = kept(store)
    gc.collect()
    assert thing() is not None
    del store
    assert thing() is None


def test_joined_stores_live_and_die_together():
    stores = [Store() for _ in range(4)]
    things = [kept(s) for s in stores]
    stores[0].join(stores[1])
    stores[2].join(stores[3])
    stores[3].join(stores[0])
    assert len({id(s.root) for s in stores}) == 1
    late = kept(stores[2])
    for i in (2, 0, 3):
        stores[i] = None
        assert all(t() is not None for t in (*things, late))
    stores[1] = None
    assert all(t() is None for t in (*things, late))


def test_joining_twice_or_with_itself_changes_nothing():
    a, b = Store(), Store()
    a.join(b)
    b.join(a)
    a.join(a)
    thing = kept(a)
    del a
    assert thing() is not None
    del b
    assert thing() is None


def test_a_kept_store_outlives_its_owners_but_does_not_keep_back():
    importer, exporter = Store(), Store()
    importer.keep(exporter)
    mine, theirs = kept(importer), kept(exporter)
    del exporter
    assert theirs() is not None
    del importer
    assert (mine(), theirs()) == (None, None)


def test_no_cycle_remains_when_a_store_joins_one_that_it_keeps():
    gc.disable()
    try:
        for swap in (False, True):
            a, b, c = Store(), Store(), Store()
            a.keep(b)
            c.keep(b)
            things = [kept(a), kept(b), kept(c)]
            if swap:
                for _ in range(5):
                    kept(b)
                    b.keep([])
            b.join(a)
            a.join(c)
            a.keep(c)
            a.keep(a)
            del a, b, c
            assert [t() for t in things] == [None] * 3
    finally:
        gc.enable()


def test_members_find_their_store():
    stores = [Store() for _ in range(3)]
    members = [Thing() for _ in stores]
    for store, member in zip(stores, members, strict=True):
        store.add(member)
    stores[2].join(stores[1])
    stores[0].join(stores[1])
    root = stores[0].root
    assert all(m.store() is root for m in members)
    keep_one = stores[2]
    stores.clear()
    assert members[0].store().root is keep_one.root


def test_host_objects_are_held_as_long_as_their_references():
    store = Store()
    value = Thing()
    alive = weakref.ref(value)
    word = store.hold(value)
    assert host_object(word) is value
    assert store.hold(None) == 0
    del value
    store.heap.collect()
    assert alive() is not None
    del word
    assert alive() is not None
    store.heap.collect()
    assert alive() is None


def test_host_objects_go_with_their_store():
    store = Store()
    value = Thing()
    alive = weakref.ref(value)
    store.hold(value)
    del value
    assert alive() is not None
    del store
    assert alive() is None


def test_held_objects_outlive_a_join():
    a, b = Store(), Store()
    values = [Thing(), Thing()]
    alive = [weakref.ref(v) for v in values]
    words = [a.hold(values[0]), b.hold(values[1])]
    a.join(b)
    del values
    a.heap.collect()
    assert [host_object(word) for word in words] == [v() for v in alive]
    assert None not in [v() for v in alive]
    words.pop()
    a.heap.collect()
    assert [v() is not None for v in alive] == [True, False]
    del a
    assert alive[0]() is not None
    del b
    assert alive[0]() is None


def test_a_long_series_of_joins_is_cheap():
    first = Store()
    for _ in range(20_000):
        s = Store()
        s.add(Thing())
        s.join(first)
        assert s.root is first.root
