"""``runwell.Table``."""

import pytest

import runwell

TEXT = """
(table (export "t") 3 5 funcref)
(elem (i32.const 0) $one)
(func $one (export "one") (result i32) (i32.const 1))
(func (export "call") (param i32) (result i32) (call_indirect (result i32) (local.get 0)))
"""


def test_elements(make):
    exports = make(TEXT).exports
    assert exports.t is exports["t"]
    assert (len(exports.t), exports.t.size) == (3, 3)
    assert exports.t[0] is exports.one
    assert exports.t[1] is None
    assert list(exports.t) == [exports.one, None, None]
    exports.t[2] = exports.one
    assert exports.call(2) == 1
    assert exports.t[-1] is exports.one
    exports.t[2] = None
    with pytest.raises(runwell.Trap, match=r"^uninitialized element"):
        exports.call(2)
    assert repr(exports.t) == "<runwell.Table: table 3 5 funcref>"


def test_bounds(make):
    table = make(TEXT).exports.t
    for index in (3, -4, 2**40):
        with pytest.raises(IndexError):
            table[index]
        with pytest.raises(IndexError):
            table[index] = None


def test_wrong_values(make):
    table = make(TEXT).exports.t
    with pytest.raises(TypeError, match=r"element 0 must be a runwell.Func or None, not int"):
        table[0] = 5


def test_growing(make):
    exports = make(TEXT).exports
    assert exports.t.grow(2, exports.one) == 3
    assert len(exports.t) == 5
    assert exports.call(4) == 1
    with pytest.raises(MemoryError):
        exports.t.grow(1)
    with pytest.raises(ValueError, match="shrink"):
        exports.t.grow(-1)
    with pytest.raises(TypeError):
        exports.t.grow(1, 5)


def test_a_python_function_in_a_table(make):
    exports = make(TEXT).exports
    exports.t[1] = runwell.Func(lambda: 42, "() -> i32")
    assert exports.call(1) == 42
    exports.t[1] = runwell.Func(lambda: 42, "() -> i64")
    with pytest.raises(runwell.Trap, match=r"^indirect call type mismatch"):
        exports.call(1)


def test_functions_of_other_instances_in_a_table(make):
    exports = make(TEXT).exports
    exports.t[1] = make('(func (export "two") (result i32) (i32.const 2))').exports.two
    assert exports.call(1) == 2


def test_made_in_python(make):
    values = [object(), object()]
    table = runwell.Table("externref", 2, 3, init=values[0])
    text = """
    (import "m" "t" (table 2 3 externref))
    (func (export "get") (param i32) (result externref) (table.get (local.get 0)))
    (func (export "set") (param i32 externref) (table.set (local.get 0) (local.get 1)))
    """
    exports = make(text, {"m": {"t": table}}).exports
    assert exports.get(1) is values[0]
    exports.set(1, values[1])
    assert table[1] is values[1]
    table[0] = None
    assert exports.get(0) is None
    assert runwell.Table(runwell.TableType(runwell.ValType.FUNCREF, 4)).size == 4


@pytest.mark.parametrize("args", [("i32", 1), ("nothing", 1), ("funcref", -1)])
def test_bad_types(args):
    with pytest.raises(ValueError, match=r"has references|no value type|negative"):
        runwell.Table(*args)


def test_tables_are_not_for_pickling():
    import pickle

    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(runwell.Table("funcref", 1))
