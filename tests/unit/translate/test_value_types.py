"""Reading of value types, and subtyping in bodies."""

import pytest

from runwell.base.features import ALL, BIT
from runwell.text.parser import parse

TYPES = """(rec (type $a (sub (func))) (type $b (sub $a (func))) (type $c (sub final $b (func))))
  (type $d (func)) (type $e (func)) (type $s (struct)) (type $x (array i8))"""


def coerce(source, target):
    return f"(module {TYPES} (func (param {source}) (result {target}) (local.get 0)))"


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("(ref $c)", "(ref null $a)"),
        ("(ref $d)", "(ref $e)"),
        ("(ref $b)", "funcref"),
        ("nullfuncref", "(ref null $c)"),
        ("(ref $s)", "structref"),
        ("(ref $x)", "anyref"),
        ("nullref", "(ref null $x)"),
        ("(ref i31)", "(ref eq)"),
        ("nullexternref", "externref"),
        ("nullexnref", "exnref"),
    ],
)
def test_below(source, target, translator):
    assert translator.verdict(parse(coerce(source, target))) == ""


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("(ref null $d)", "(ref $d)"),
        ("(ref $d)", "(ref $a)"),
        ("(ref $s)", "arrayref"),
        ("nullref", "funcref"),
        ("funcref", "externref"),
        ("i32", "funcref"),
    ],
)
def test_not_below(source, target, translator):
    assert translator.verdict(parse(coerce(source, target))) == "type mismatch"


@pytest.mark.parametrize(
    ("feature", "text"),
    [
        ("function-references", "(type (func)) (func (local (ref null 0)))"),
        ("gc", "(func (local anyref))"),
        ("exception-handling", "(func (local exnref))"),
        ("simd", "(func (local v128))"),
    ],
)
def test_features(feature, text, translator):
    binary = parse(f"(module {text})")
    assert translator.verdict(binary) == ""
    off = translator.prepare(binary, features=ALL & ~BIT[feature])
    assert translator.validate(off) is not None
