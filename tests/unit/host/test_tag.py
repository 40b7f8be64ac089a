import gc

import pytest

import runwell
from runwell.base.types import F64, I32, FuncType
from runwell.module.types import TagType


def test_types():
    wanted = TagType(FuncType((I32, F64), ()))
    for given in ("i32 f64", "(i32, f64)", ["i32", F64], wanted):
        assert runwell.Tag(given).type == wanted
    assert runwell.Tag().type.type.params == ()


def test_there_is_one_for_a_tag():
    exports = runwell.Instance(runwell.Module('(module (tag (export "t")))')).exports
    tag = exports.t
    assert exports["t"] is tag
    again = runwell.Instance(
        runwell.Module('(module (import "m" "t" (tag)) (export "u" (tag 0)))'), {"m": {"t": tag}}
    ).exports
    assert again.u is tag
    address = tag.native.address
    del tag
    gc.collect()
    assert again.u.native.address == address


def test_a_tag_is_nothing_but_itself():
    import pickle

    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(runwell.Tag())
    assert runwell.Tag("i32") != runwell.Tag("i32")
