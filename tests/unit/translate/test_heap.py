"""Instructions of the heap are checked, and trap."""

import pytest

TYPES = """
(type $s (sub (struct (field i8) (field (mut i64)) (field (mut (ref null $s))))))
(type $n (struct (field (ref func)))) (type $a (array (mut i16))) (type $b (array (mut i32)))
(type $r (array (mut funcref))) (type $c (array i32))
"""


def test_code(check_code):
    check_code(
        TYPES + "(func (param i32) (result i32) (block (drop (ref.i31 (local.get 0))) (br 0))"
        " (i32.add (local.get 0) (i31.get_s (ref.i31 (i32.const 1)))))",
        """
          no_heap
        """,
    )


def test_code_behind_it_that_is_branched_to(check_code):
    check_code(
        TYPES + "(func (param i32) (block (br_if 0 (local.get 0))"
        " (drop (ref.i31 (local.get 0)))) (call $i (local.get 0)))",
        """
          br_if [0] -> if L0
          no_heap
        L0:
          copy [0] -> [24]
          call_import func:0 slot:24 count:8 ref_slot:0
          return_8
        """,
    )


VALID = [
    "(func (result (ref $s)) (struct.new $s (i32.const 1) (i64.const 2) (ref.null none)))",
    "(func (result (ref $s)) (struct.new_default $s))",
    "(func (param (ref null $s)) (result i32) (struct.get_u $s 0 (local.get 0)))",
    "(func (param (ref $s)) (struct.set $s 1 (local.get 0) (i64.const 1)))",
    "(func (result (ref array)) (array.new_fixed $b 2 (i32.const 1) (i32.const 2)))",
    "(func (result (ref $b)) unreachable (array.new_fixed $b 1000000))",
    "(func (param (ref $a)) (result i32) (array.get_s $a (local.get 0) (i32.const 0)))",
    "(func (param (ref $b) (ref $c)) (array.copy $b $c (local.get 0) (i32.const 0)"
    " (local.get 1) (i32.const 0) (i32.const 1)))",
    "(func (param anyref) (result (ref $s)) (ref.cast (ref $s) (local.get 0)))",
    "(func (param funcref) (result i32) (ref.test (ref null $t) (local.get 0)))",
    "(func (param anyref) (result (ref i31)) (br_on_cast 0 anyref (ref i31) (local.get 0))"
    " unreachable)",
    "(func (param anyref) (result anyref) (br_on_cast_fail 0 anyref (ref i31) (local.get 0)))",
    "(func (param (ref extern)) (result (ref any)) (any.convert_extern (local.get 0)))",
    "(func (result i32) unreachable any.convert_extern ref.is_null)",
    "(func (param i31ref) (result i32) (ref.eq (local.get 0) (ref.i31 (i32.const 0))))",
]


@pytest.mark.parametrize("text", VALID)
def test_valid(text, refusal):
    assert refusal(TYPES + text) == ""


INVALID = [
    ("(func (struct.new $a) drop)", "unknown type 3"),
    ("(func (drop (struct.new_default $n)))", "type mismatch: a field has no default value"),
    ("(func (param (ref $s)) (drop (struct.get $s 0 (local.get 0))))", "type mismatch"),
    ("(func (param (ref $s)) (drop (struct.get_s $s 1 (local.get 0))))", "type mismatch"),
    ("(func (param (ref $s)) (drop (struct.get $s 3 (local.get 0))))", "unknown field 3"),
    ("(func (param (ref $s)) (struct.set $s 0 (local.get 0) (i32.const 1)))", "immutable field"),
    ("(func (param (ref $c)) (array.set $c (local.get 0) (i32.const 1) (i32.const 1)))",
     "immutable array"),
    ("(func (result (ref $b)) (array.new_fixed $b 2 (i32.const 1)))", "type mismatch"),
    ("(func (param (ref $a) (ref $b)) (array.copy $a $b (local.get 0) (i32.const 0)"
     " (local.get 1) (i32.const 0) (i32.const 1)))", "array types do not match"),
    ("(func (drop (ref.cast (ref $s) (ref.null func))))", "type mismatch"),
    ("(func (param anyref) (result funcref) (br_on_cast 0 anyref (ref func) (local.get 0)))",
     "type mismatch"),
    ("(func (param eqref) (br_on_cast 0 eqref (ref i31) (local.get 0)) drop)", "type mismatch"),
    ("(func (drop (any.convert_extern (ref.null any))))", "type mismatch"),
    ("(func (drop (ref.eq (ref.null func) (ref.null eq))))", "type mismatch"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), INVALID)
def test_invalid(text, message, refusal):
    assert refusal(TYPES + text) == message
