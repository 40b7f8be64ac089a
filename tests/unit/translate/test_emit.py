"""The accumulators, and where results go."""

import pytest

CASES = {
    "the accumulator survives what has no result": (
        """
        (func (param i32) (result i32) (local i32) (local.set 1 (i32.clz (local.get 0)))
        (i32.store (local.get 0) (i32.const 1)) (i32.ctz (local.get 1)))
        """,
        """
          zero slot:24 count:8
          i32.clz [0] -> [24]
          i32.store [0], 1 offset:0
          i32.ctz acc -> acc
          return_value_8 acc
        """,
    ),
    "but not a label": (
        """
        (func (param i32) (result i32) (local i32) (local.set 1 (i32.clz (local.get 0))) (block
        (br_if 0 (local.get 0)) (i32.store (local.get 0) (i32.const 1))) (i32.ctz (local.get
        1)))
        """,
        """
          zero slot:24 count:8
          i32.clz [0] -> [24]
          br_if [0] -> if L0
          i32.store [0], 1 offset:0
        L0:
          i32.ctz [24] -> acc
          return_value_8 acc
        """,
    ),
    "nor a call": (
        """
        (func (param i32) (result i32) (local i32) (local.set 1 (i32.clz (local.get 0))) (call
        $i (i32.const 1)) (i32.ctz (local.get 1)))
        """,
        """
          zero slot:24 count:8
          i32.clz [0] -> [24]
          i32.const 1 -> [32]
          call_import func:0 slot:32 count:8 ref_slot:0
          i32.ctz [24] -> acc
          return_value_8 acc
        """,
    ),
    "both accumulators at once": (
        """
        (func (param i32 f64) (result i32 f64) (local i32 f64) (local.set 2 (i32.clz (local.get
        0))) (local.set 3 (f64.neg (local.get 1))) (i32.ctz (local.get 2)) (f64.abs (local.get
        3)))
        """,
        """
          zero slot:32 count:16
          i32.clz [0] -> [32]
          f64.neg [8] -> [40]
          i32.ctz acc -> [48]
          f64.abs acc -> [56]
          return_many slot:48 count:16 ref_slot:0 count:0 slot:16
        """,
    ),
    "a float is moved as bits unless it is at hand": (
        """
        (func (param f64 f64) (local f64) (local.set 0 (local.get 1)) (local.set 2 (f64.neg
        (local.get 0))) (local.set 1 (local.get 2)))
        """,
        """
          zero slot:32 count:8
          copy [8] -> [0]
          f64.neg [0] -> [32]
          copy_f64 acc -> [8]
          return_16
        """,
    ),
    "an end without a branch to it is no label": (
        """
        (func (param i32) (result i32) (block (result i32) (i32.clz (local.get 0))) i32.ctz)
        """,
        """
          i32.clz [0] -> acc
          i32.ctz acc -> acc
          return_value_8 acc
        """,
    ),
    "a result goes to the label directly": (
        """
        (func (param i32 i32) (result i32) (block (result i32) (i32.const 1) (i32.const 2)
        (i32.add (local.get 0) (local.get 1)) (br 0)))
        """,
        """
          i32.add [0], [8] -> [32]
          br -> jump L0
        L0:
          return_value_16 [32]
        """,
    ),
    "a dropped slot is not stored": (
        """
        (func (param i32) (i32.store (i32.add (local.get 0) (i32.const 4)) (i32.const 5)))
        """,
        """
          i32.add [0], 4 -> acc
          i32.store acc, 5 offset:0
          return_8
        """,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_code(name, check_code):
    check_code(*CASES[name])
