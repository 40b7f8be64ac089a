import pytest

from runwell.base.types import EXTERNREF, FUNCREF, FuncType
from runwell.runtime.func import Func, admit, decode_ref, encode_ref, object_at
from runwell.runtime.store import Store


def test_null_is_none():
    for type_ in (FUNCREF, EXTERNREF):
        assert encode_ref(Store(), type_, None) == 0
        assert decode_ref(type_, 0) is None


def test_host_objects_are_their_addresses():
    store, value = Store(), ["x"]
    bits = encode_ref(store, EXTERNREF, value)
    assert bits == id(value)
    assert decode_ref(EXTERNREF, bits) is value
    assert object_at(bits) is value


def test_functions_only_where_functions_are_wanted():
    with pytest.raises(TypeError, match="funcref wanted, not str"):
        encode_ref(Store(), FUNCREF, "f")


def test_a_function_as_external_reference():
    f = Func(64, FuncType((), ()), object(), 1)
    store = Store()
    assert decode_ref(EXTERNREF, encode_ref(store, EXTERNREF, f)) is f


@pytest.mark.parametrize(("params", "joined"), [((), False), ((FUNCREF,), True)])
def test_admitting_a_guest_function(params, joined):
    mine, theirs = Store(), Store()
    assert admit(mine, Func(64, FuncType(params, ()), theirs, 1)) == 64
    assert (mine.root is theirs.root) is joined


def test_admitting_a_host_function_keeps_its_owner():
    import weakref

    class Owner:
        pass

    store, owner = Store(), Owner()
    kept = weakref.ref(owner)
    encode_ref(store, FUNCREF, Func(64, FuncType((FUNCREF,), ()), owner, 1))
    del owner
    assert kept() is not None
    del store
    assert kept() is None
