"""Plain instructions and constants: where operands come from, where results go."""

import pytest

from runwell.isa.facts import facts
from runwell.isa.table import TABLE
from runwell.translate import tables

CASES = {
    "reading a local is free": (
        """
        (func (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
        """,
        """
          i32.add [0], [8] -> acc
          return_value_16 acc
        """,
    ),
    "const right": (
        """
        (func (param i32) (result i32) (i32.sub (local.get 0) (i32.const 7)))
        """,
        """
          i32.sub [0], 7 -> acc
          return_value_8 acc
        """,
    ),
    "const left commutes": (
        """
        (func (param i32) (result i32) (i32.add (i32.const 7) (local.get 0)))
        """,
        """
          i32.add [0], 7 -> acc
          return_value_8 acc
        """,
    ),
    "const left": (
        """
        (func (param i32) (result i32) (i32.sub (i32.const 7) (local.get 0)))
        """,
        """
          i32.sub 7, [0] -> acc
          return_value_8 acc
        """,
    ),
    "compare const left mirrors": (
        """
        (func (param i32) (result i32) (i32.lt_s (i32.const 7) (local.get 0)))
        """,
        """
          i32.gt_s [0], 7 -> acc
          return_value_8 acc
        """,
    ),
    "wide": (
        """
        (func (param i64) (result i64) (i64.add (local.get 0) (i64.const 0x123456789)))
        """,
        """
          i64.add [0], 4886718345L -> acc
          return_value_8 acc
        """,
    ),
    "wide numbers": (
        """
        (func (param i64 i64) (result i64 i64)
          (i64.add128 (i64.const 1) (i64.const 0)
            (i64.mul_wide_u (local.get 0) (i64.add (local.get 1) (i64.const 2)))))
        """,
        """
          i64.add [8], 2 -> acc
          i64.mul_wide_u [0], acc -> [48]
          i64.const 1 -> [32]
          i64.const 0 -> [40]
          i64.add128 [32], [40], [48], [56] -> [32]
          return_many slot:32 count:16 ref_slot:0 count:0 slot:16
        """,
    ),
    "f64 const": (
        """
        (func (param f64) (result f64) (f64.mul (local.get 0) (f64.const 2)))
        """,
        """
          f64.mul [0], 0x4000000000000000L -> acc
          return_value_8_f64 acc
        """,
    ),
    "a constant that no form takes": (
        """
        (func (param f64) (result f64) (f64.sub (f64.const 2) (local.get 0)))
        """,
        """
          f64.const 0x4000000000000000L -> acc
          f64.sub acc, [0] -> acc
          return_value_8_f64 acc
        """,
    ),
    "results stay in the accumulator": (
        """
        (func (param i32 i32 i32) (result i32) (i32.mul (i32.sub (local.get 0) (local.get 1))
        (local.get 2)))
        """,
        """
          i32.sub [0], [8] -> acc
          i32.mul acc, [16] -> acc
          return_value_24 acc
        """,
    ),
    "the right operand in the accumulator": (
        """
        (func (param i32 i32 i32) (result i32) (i32.sub (local.get 2) (i32.rotl (local.get 0)
        (local.get 1))))
        """,
        """
          i32.rotl [0], [8] -> acc
          i32.sub [16], acc -> acc
          return_value_24 acc
        """,
    ),
    "two consts": (
        """
        (func (result i32) (i32.sub (i32.const 1) (i32.const 2)))
        """,
        """
          i32.const 1 -> acc
          i32.sub acc, 2 -> acc
          return_value_0 acc
        """,
    ),
    "float acc": (
        """
        (func (param f64 f64) (result f64) (f64.sqrt (f64.add (f64.mul (local.get 0) (local.get
        0)) (local.get 1))))
        """,
        """
          f64.mul [0], [0] -> acc
          f64.add acc, [8] -> acc
          f64.sqrt acc -> acc
          return_value_16_f64 acc
        """,
    ),
    "trunc": (
        """
        (func (param f64) (result i64) (i64.trunc_sat_f64_u (local.get 0)))
        """,
        """
          i64.trunc_sat_f64_u [0] -> acc
          return_value_8 acc
        """,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_code(name, check_code):
    check_code(*CASES[name])


DETERMINISTIC = {
    "results stay in the accumulator": (
        """
        (func (param f64 f64) (result f64)
          (f64.neg (f64.mul (f64.add (local.get 0) (local.get 1)) (local.get 1))))
        """,
        """
          f64.add [0], [8] -> acc
          f64.mul acc, [8] -> acc
          canonical_f64 acc -> acc
          f64.neg acc -> acc
          return_value_16_f64 acc
        """,
    ),
    "into a local": (
        """
        (func (param f32) (local.set 0 (f32.sqrt (local.get 0))))
        """,
        """
          f32.sqrt [0] -> acc
          canonical_f32 acc -> [0]
          return_8
        """,
    ),
    "nobody sees its bits": (
        """
        (func (param f64 f64) (result i32)
          (i32.trunc_f64_s (f64.mul (local.get 0) (local.get 1)))
          (f64.lt (f64.sqrt (local.get 0)) (local.get 1))
          i32.add)
        """,
        """
          f64.mul [0], [8] -> acc
          i32.trunc_f64_s acc -> [32]
          f64.sqrt [0] -> acc
          f64.lt acc, [8] -> acc
          i32.add acc, [32] -> acc
          return_value_16 acc
        """,
    ),
    "several results": (
        """
        (func (param f64 f32) (result f64 f32)
          (f64.add (local.get 0) (local.get 0)) (f32.mul (local.get 1) (local.get 1)))
        """,
        """
          f64.add [0], [0] -> [32]
          f32.mul [8], [8] -> [40]
          canonical_f64 [32] -> [32]
          canonical_f32 [40] -> [40]
          return_many slot:32 count:16 ref_slot:0 count:0 slot:16
        """,
    ),
    "lanes of another width": (
        """
        (func (param v128) (result v128)
          (f32x4.add (f32x4.mul (local.get 0) (local.get 0)) (f64x2.sqrt (local.get 0))))
        """,
        """
          f32x4.mul [0], [0] -> [32]
          f64x2.sqrt [0] -> [48]
          canonical_f32x4 [32] -> [32]
          canonical_f64x2 [48] -> [48]
          f32x4.add acc, [32] -> [32]
          canonical_f32x4 acc -> [32]
          return_value_16_v128 acc
        """,
    ),
    "lanes of the same width": (
        """
        (func (param v128) (result v128)
          (f64x2.add (f64x2.mul (local.get 0) (local.get 0)) (f64x2.sqrt (local.get 0))))
        """,
        """
          f64x2.mul [0], [0] -> [32]
          f64x2.sqrt [0] -> [48]
          f64x2.add acc, [32] -> [32]
          canonical_f64x2 acc -> [32]
          return_value_16_v128 acc
        """,
    ),
    "what cannot make a NaN": (
        """
        (func (param f64) (result i32) (f64.lt (f64.abs (local.get 0)) (f64.const 1)))
        """,
        """
          f64.abs [0] -> acc
          f64.lt acc, 0x3ff0000000000000L -> acc
          return_value_8 acc
        """,
    ),
}


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_deterministic_code(name, check_code):
    check_code(*DETERMINISTIC[name], deterministic=True)


def test_other_code_leaves_nans_alone(code):
    for text, _ in DETERMINISTIC.values():
        assert "canonical" not in code(text)


def test_all_that_make_nans_are_known():
    made = tables.CANONICAL.values()
    assert [cell != 0 for cell in made] == [facts(op).nan_width != 0 for op in TABLE]
