"""Calls through types of which few functions are in tables."""

import re

import pytest
from tests.unit.jit.guests import assert_same
from tests.unit.jit.programs import job_of, module_code

from runwell.jit.likely import likely
from runwell.jit.tier import ModuleTier
from runwell.jit.unit import job_text

TEXT = """(module
  (type $one (func (param i32) (result i32)))
  (type $two (func (param i32 i32) (result i32)))
  (type $same (func (param i32) (result i32)))
  (type $ref (func (param i32 externref) (result i32 externref)))
  (import "m" "h" (func $h (type $two)))
  (memory (export "memory") 1)
  (table $t 9 funcref) (table $other 1 funcref)
  (elem (table $t) (i32.const 1) func $a $b $h $r $r)
  (elem (table $t) (i32.const 6) funcref (ref.func $x))
  (elem func $same)
  (func $a (type $one) (i32.div_u (i32.const 100) (local.get 0)))
  (func $b (type $two) (i32.add (local.get 0) (local.get 1)))
  (func $r (type $ref)
    (if (result i32 externref) (i32.eqz (local.get 0)) (then unreachable)
      (else (local.get 0) (local.get 1))))
  (func $x (type $one) (i32.load offset=0x10000 (local.get 0)))
  (func $same (type $same) (local.get 0))
  (func (export "one") (type $two)
    (i32.add (call_indirect $t (type $one) (local.get 0) (local.get 1)) (i32.const 1)))
  (func (export "r") (param i32 i32 externref) (result i32 externref)
    (call_indirect $t (type $ref) (local.get 0) (local.get 2) (local.get 1)))
  (func (export "ref") (param i32 i32) (result i32)
    (call_ref $one (local.get 0)
      (select (result (ref null $one)) (ref.func $a) (ref.null $one) (local.get 1))))
  (func (export "tail") (type $two)
    (return_call_indirect $t (type $one) (local.get 0) (local.get 1)))
  (func (export "caught") (type $two)
    (block $h (result exnref) (try_table (result i32) (catch_all_ref $h)
      (call_indirect $t (type $one) (local.get 0) (local.get 1))) (return))
    (drop) (i32.const 77))
  (func (export "set") (param i32 i32) (result i32)
    (table.set $t (local.get 0) (table.get $t (local.get 1))) (i32.const 0)))"""
CALLS = [
    *[(name, x, at) for name in ("one", "tail", "caught") for x in (0, 7) for at in range(11)],
    *[("ref", x, y) for x in (0, 7) for y in (0, 1)],
    *[("r", x, at, "it") for x in (0, 7) for at in (3, 4, 5, 6)],
    ("set", 1, 6), ("one", 7, 1), ("set", 1, 8), ("one", 7, 1), ("set", 8, 5), ("one", 7, 8),
]  # fmt: skip


def test_what_is_likely():
    code = module_code(TEXT)
    found = likely(code.module, code.numbers)
    one, two, same, ref = code.numbers[:4]
    assert one == same
    assert found == {one: (1, 5), ref: (3,)}  # that of $two is imported
    assert two not in found


def test_they_count_as_called():
    code = module_code(TEXT)
    callees = ModuleTier().callees
    assert callees(code, 6) == {1, 5}
    assert callees(code, 7) == {3}
    assert callees(code, 1) == callees(code, 11) == frozenset()


def test_too_many_are_not():
    functions = "(func $f0) (func $f1) (func $f2)"
    code = module_code(f"(module {functions} (elem func $f0 $f1 $f2))")
    assert likely(code.module, code.numbers) == {}


def test_they_are_called_directly():
    text = job_text(job_of(TEXT), "x86_64")
    body = re.search(r"^define [^\n]* @f6\((.*?)^}", text, re.MULTILINE | re.DOTALL)[1]
    assert re.findall(r"call preserve_nonecc [^@]* @(f\d+)\(", body) == ["f1", "f5"]
    assert "@call_type_0(" in body


@pytest.mark.parametrize("bounds", ["guard", "explicit"])
def test_they_do_the_same(bounds):
    """Whatever is in the table, at the time of the call."""
    found = assert_same(TEXT, CALLS, bounds=bounds)
    assert {outcome[0] for outcome in found if isinstance(outcome, list)} == {
        "INTEGER_DIVIDE_BY_ZERO",
        "INDIRECT_CALL_TYPE_MISMATCH",
        "OUT_OF_BOUNDS_MEMORY",
        "UNDEFINED_ELEMENT",
        "UNINITIALIZED_ELEMENT",
        "NULL_FUNCTION_REFERENCE",
        "UNREACHABLE",
    }
