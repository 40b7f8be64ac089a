"""``runwell.Global``."""

import math

import pytest

import runwell

TEXT = """
(global (export "c") i32 (i32.const -7))
(global (export "v") (mut i64) (i64.const 5))
(func (export "get") (result i64) (global.get 1))
"""


def test_values(make):
    exports = make(TEXT).exports
    assert exports.c.value == -7
    assert exports.v.value == 5
    assert not exports.c.mutable
    assert exports.v.mutable
    exports.v.value = 2**64 - 1
    assert exports.v.value == -1
    assert exports.get() == -1
    assert exports.v is exports["v"]
    assert repr(exports.v) == "<runwell.Global: global (mut i64) = -1>"
    with pytest.raises(AttributeError, match="immutable"):
        exports.c.value = 1


@pytest.mark.parametrize(
    ("kind", "value", "found"),
    [
        ("i32", 2**32 - 1, -1),
        ("i64", -(2**63), -(2**63)),
        ("f32", 0.5, 0.5),
        ("f32", 1e300, math.inf),
        ("f64", 1e300, 1e300),
        ("v128", bytes(range(16)), bytes(range(16))),
        ("externref", "x", "x"),
        ("funcref", None, None),
        ("i32", None, 0),
        ("f64", None, 0.0),
    ],
)
def test_made_in_python(kind, value, found):
    g = runwell.Global(kind, value, mutable=True)
    assert g.value == found
    g.value = value if value is not None else g.value
    assert g.value == found


def test_functions_as_values(make):
    f = runwell.Func(lambda: 3, "() -> i32")
    g = runwell.Global("funcref", f, mutable=True)
    assert g.value is f
    text = """
    (import "m" "g" (global (mut funcref)))
    (table 1 funcref)
    (func (export "call") (result i32)
      (table.set (i32.const 0) (global.get 0)) (call_indirect (result i32) (i32.const 0)))
    """
    assert make(text, {"m": {"g": g}}).exports.call() == 3


@pytest.mark.parametrize(
    ("kind", "value", "error"),
    [
        ("i32", "x", TypeError),
        ("i32", 2**32, OverflowError),
        ("f64", "1", TypeError),
        ("v128", b"short", TypeError),
        ("funcref", print, TypeError),
        ("nothing", 1, ValueError),
    ],
)
def test_wrong_values(kind, value, error):
    with pytest.raises(error):
        runwell.Global(kind, value)


def test_imported(make):
    g = runwell.Global("i32", 5, mutable=True)
    text = """(import "m" "g" (global $g (mut i32)))
    (func (export "inc") (global.set $g (i32.add (global.get $g) (i32.const 1))))"""
    exports = make(text, {"m": {"g": g}}).exports
    exports.inc()
    assert g.value == 6


def test_a_number_for_an_immutable_global(make):
    text = '(import "m" "g" (global {})) (func (export "get") (result {}) (global.get 0))'
    assert make(text.format("i32", "i32"), {"m": {"g": 5}}).exports.get() == 5
    assert make(text.format("f64", "f64"), {"m": {"g": 5}}).exports.get() == 5.0
    with pytest.raises(runwell.LinkError, match=r"^incompatible import type for 'm'\.'g'"):
        make(text.format("i32", "i32"), {"m": {"g": 2**40}})
    with pytest.raises(runwell.LinkError, match="incompatible import type"):
        make(text.format("(mut i32)", "i32"), {"m": {"g": 5}})


def test_made_from_an_import_type():
    module = runwell.Module('(module (import "m" "g" (global (mut f32))))')
    g = runwell.Global(module.imports[0].type, 1.5)
    assert g.mutable
    runwell.Instance(module, {"m": {"g": g}})
