"""Instructions of the heap: their code, and what is wrong with others."""

import pytest

TYPES = """
(type $s (sub (struct (field i8) (field (mut i64)) (field (mut (ref null $s))))))
(type $n (struct (field (ref func)))) (type $a (array (mut i16))) (type $b (array (mut i32)))
(type $r (array (mut funcref))) (type $c (array i32))
"""


def test_numbers(check_code):
    check_code(
        "(func (param i32) (result i32)"
        " (i32.add (local.get 0) (i31.get_s (ref.i31 (i32.const 1)))))",
        """
          zero_refs ref_slot:0 count:8
          ref.i31 1 -> {0}
          i31.get_s {0} -> acc
          i32.add acc, [0] -> acc
          return_value_8 acc
        """,
    )


def test_fields(check_code):
    check_code(
        "(type $p (struct (field i8) (field f64) (field (mut i32))))"
        "(func (param (ref $p) i32) (result i32)"
        " (struct.set $p 2 (local.get 0) (local.get 1)) (struct.get_u $p 0 (local.get 0)))",
        """
          zero_refs ref_slot:8 count:8
          struct.set.i32 {0}, [0] field:22
          struct.get.i8_u {0} field:6 -> acc
          return_value_8 acc
        """,
    )


def test_elements(check_code):
    check_code(
        "(type $p (array (mut i16)))"
        "(func (param (ref $p) i32) (result i32)"
        " (array.set $p (local.get 0) (i32.const 1) (local.get 1))"
        " (array.get_s $p (local.get 0) (array.len (local.get 0))))",
        """
          zero_refs ref_slot:8 count:16
          array.set.i16 {0}, 1, [0]
          array.len {0} -> acc
          array.get.i16_s {0}, acc -> acc
          return_value_8 acc
        """,
    )


def test_new_objects(check_code):
    check_code(
        "(type $p (struct (field i32) (field (ref null $p)) (field i64)))"
        "(func (param (ref null $p)) (result (ref $p))"
        " (struct.new $p (i32.const 1) (local.get 0) (i64.const 2)))",
        """
          zero_refs ref_slot:8 count:8
          i64.const 2 -> [24]
          copy_ref {0} -> {8}
          i32.const 1 -> [16]
          struct.new slot:16 count:16 ref_slot:8 ref_slot:16 def_type:1 -> {8}
          return_value_0_ref {8}
        """,
    )


def test_casts(check_code):
    check_code(
        "(type $p (sub (struct))) (type $q (sub $p (struct)))"
        "(func (param anyref) (result (ref $q))"
        " (br_on_cast 0 (ref null any) (ref $q) (local.get 0)) drop"
        " (ref.cast (ref $q) (ref.cast (ref null struct) (local.get 0))))",
        """
          zero_refs ref_slot:8 count:8
          is.object {0} type:T depth:1 -> unless L0
          return_value_0_ref {0}
        L0:
          cast_null.struct {0}
          cast.object {0} type:T depth:1
          return_value_0_ref {0}
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
