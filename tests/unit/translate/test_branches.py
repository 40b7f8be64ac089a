"""Branches and what they carry."""

import pytest

CASES = {
    "loop": (
        """
        (func (param i32) (loop (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br_if 0
        (local.get 0))))
        """,
        """
        L0:
          i32.sub [0], 1 -> [0]
          br_if acc -> loop_if L0
          return_8
        """,
    ),
    "loop compare": (
        """
        (func (param i32 i32) (loop (br_if 0 (i32.lt_s (local.tee 0 (i32.add (local.get 0)
        (i32.const 1))) (local.get 1)))))
        """,
        """
        L0:
          i32.add [0], 1 -> [0]
          i32.lt_s acc, [8] -> loop_if L0
          return_16
        """,
    ),
    "block result br_if": (
        """
        (func (param i32) (result i32) (block (result i32) (drop (br_if 0 (i32.const 5)
        (local.get 0))) (i32.const 6)))
        """,
        """
          br_if [0] -> unless L0
          i32.const 5 -> [24]
          br -> jump L1
        L0:
          i32.const 6 -> [24]
        L1:
          return_value_8 [24]
        """,
    ),
    "br to block with value": (
        """
        (func (param i32 i32) (result i32) (i32.const 1) (block (result i32) (i32.const 8)
        (i32.add (local.get 0) (local.get 1)) (br 0)) i32.add)
        """,
        """
          i32.const 1 -> [32]
          i32.add [0], [8] -> [40]
          br -> jump L0
        L0:
          i32.add [32], [40] -> acc
          return_value_16 acc
        """,
    ),
    "br_table": (
        """
        (func (param i32) (result i32) (block (block (block (br_table 0 1 2 1 (local.get 0)))
        (return (i32.const 10))) (return (i32.const 11))) (i32.const 12))
        """,
        """
          br_table [0] targets:L0,L1,L2,L1
        L0:
          return_value_8 10
        L1:
          return_value_8 11
        L2:
          return_value_8 12
        """,
    ),
    "br_table to loop": (
        """
        (func (param i32) (loop (block (br_table 0 1 2 (local.get 0)))))
        """,
        """
        L0:
          br_table [0] targets:L3,L1,L2
        L1:
          br -> loop L0
        L2:
          return_8
        L3:
          return_8
        """,
    ),
    "br_table with value": (
        """
        (func (param i32) (result i64) (block (result i64) (i64.const 3) (br_table 0 1
        (local.get 0))) (drop) (i64.const 4))
        """,
        """
          i64.const 3 -> [24]
          br_table [0] targets:L1,L0
        L0:
          return_value_8 [24]
        L1:
          return_value_8 4
        """,
    ),
    "return early": (
        """
        (func (param i32) (result i32) (br_if 0 (i32.const 2) (local.get 0)) (drop) (i32.const
        3))
        """,
        """
          i32.const 2 -> [24]
          br_if [0] -> if L0
          return_value_8 3
        L0:
          return_value_8 [24]
        """,
    ),
    "return early f64": (
        """
        (func (param i32) (result f64) (br_if 0 (f64.const 2.5) (local.get 0)))
        """,
        """
          f64.const 0x4004000000000000L -> [24]
          br_if [0] -> if L0
          return_value_8_f64 acc
        L0:
          return_value_8 [24]
        """,
    ),
    "br_if eq then acc survives": (
        """
        (func (param i32) (result i32) (local i32) (block (br_if 0 (i32.gt_s (local.tee 1
        (i32.clz (local.get 0))) (i32.const 3))) (return (i32.ctz (local.get 1)))) (i32.const
        0))
        """,
        """
          zero slot:24 count:8
          i32.clz [0] -> [24]
          i32.gt_s acc, 3 -> if L0
          i32.ctz acc -> acc
          return_value_8 acc
        L0:
          return_value_8 0
        """,
    ),
    "many carried": (
        """
        (func (param i32) (result i32) (i32.const 0) (block (result i32 i32 i32 i32 i32)
        (i32.const 9) (i32.const 1) (local.get 0) (i32.const 3) (i32.const 4) (i32.const 5)
        (br_if 0 (local.get 0)) (br 0)) drop drop drop drop i32.add)
        """,
        """
          i32.const 0 -> [24]
          i32.const 5 -> [72]
          i32.const 4 -> [64]
          i32.const 3 -> [56]
          copy [0] -> [48]
          i32.const 1 -> [40]
          i32.const 9 -> [32]
          br_if [0] -> unless L0
          copy_many slot:40 slot:32 count:40 ref_slot:0 ref_slot:0 count:0
          br -> jump L1
        L0:
          copy_many slot:40 slot:32 count:40 ref_slot:0 ref_slot:0 count:0
          br -> jump L1
        L1:
          i32.add [24], [32] -> acc
          return_value_8 acc
        """,
    ),
    "float copied": (
        """
        (func (param f64 i32) (result f64) (block (result f64) (br_if 0 (f64.neg (local.get 0))
        (local.get 1)) (f64.abs)))
        """,
        """
          f64.neg [0] -> [32]
          br_if [8] -> if L0
          f64.abs acc -> [32]
        L0:
          return_value_16 [32]
        """,
    ),
    "multi value": (
        """
        (func (param i32) (result i32 i64) (local.get 0) (i64.const 9))
        """,
        """
          i64.const 9 -> [32]
          copy [0] -> [24]
          return_many slot:24 count:16 ref_slot:0 count:0 slot:8
        """,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_code(name, check_code):
    check_code(*CASES[name])
