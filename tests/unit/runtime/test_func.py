from ctypes import addressof, c_uint64

import pytest

from runwell.base.types import EXTERNREF, FUNCREF, FuncType
from runwell.runtime.func import Func, admit, encode_ref, object_at, read_ref
from runwell.runtime.reference import host_object
from runwell.runtime.store import Store

pytestmark = pytest.mark.usefixtures("core")


def read(type_, bits):
    """The value of a reference in a cell."""
    cell = c_uint64(bits)
    return read_ref(type_, addressof(cell))


def test_null_is_none():
    for type_ in (FUNCREF, EXTERNREF):
        assert encode_ref(Store(), type_, None) == 0
        assert read(type_, 0) is None


def test_host_objects():
    store, value = Store(), ["x"]
    bits = encode_ref(store, EXTERNREF, value)
    assert read(EXTERNREF, bits) is value
    assert host_object(bits) is value
    assert object_at(id(value)) is value


def test_functions_only_where_functions_are_wanted():
    with pytest.raises(TypeError, match="funcref wanted, not str"):
        encode_ref(Store(), FUNCREF, "f")


def test_a_function_as_external_reference():
    f = Func(64, FuncType((), ()), object(), 1)
    store = Store()
    assert read(EXTERNREF, encode_ref(store, EXTERNREF, f)) is f


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
