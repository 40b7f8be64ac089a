"""Vectors, and instructions with lanes as immediates."""

import pytest

CASES = {
    "constant": (
        """
        (func (result v128) (v128.const i32x4 1 2 3 4))
        """,
        """
          v128.const v128:316912650112397582603894390785 -> [16]
          return_value_0_v128 acc
        """,
    ),
    "lanes of numbers and floats": (
        """
        (func (param v128 f32) (result f32) (f32x4.extract_lane 3 (f32x4.replace_lane 1
        (local.get 0) (local.get 1))))
        """,
        """
          f32x4.replace_lane [0], [16] lane:1 -> [40]
          f32x4.extract_lane acc lane:3 -> [40]
          return_value_24_f32 acc
        """,
    ),
    "an integer into a lane": (
        """
        (func (param v128 i32) (result v128) (i8x16.replace_lane 15 (local.get 0) (i32.add
        (local.get 1) (i32.const 1))))
        """,
        """
          i32.add [16], 1 -> acc
          i8x16.replace_lane [0], acc lane:15 -> [40]
          return_value_24_v128 acc
        """,
    ),
    "shuffle": (
        """
        (func (param v128 v128) (result v128) (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14
        31 (local.get 0) (local.get 1)))
        """,
        """
          i8x16.shuffle [0], [16] v128:41279024650831144305314346241211105536 -> [48]
          return_value_v128 acc slot:32
        """,
    ),
    "lanes of memory": (
        """
        (func (param i32 v128) (result v128) (v128.store16_lane offset=4 7 (local.get 0)
        (local.get 1)) (v128.load8_lane 3 (local.get 0) (local.get 1)))
        """,
        """
          v128.store16_lane [0], [8] offset:4 lane:7
          v128.load8_lane [0], [8] offset:0 lane:3 -> [40]
          return_value_24_v128 acc
        """,
    ),
    "a chain stays in the accumulator": (
        """
        (func (param v128 v128) (result v128) (i32x4.mul (i32x4.add (local.get 0) (local.get 1))
        (local.get 1)))
        """,
        """
          i32x4.add [0], [16] -> [48]
          i32x4.mul acc, [16] -> [48]
          return_value_v128 acc slot:32
        """,
    ),
    "three operands": (
        """
        (func (param v128 v128 v128) (result v128) (v128.bitselect (local.get 0) (local.get 1)
        (local.get 2)))
        """,
        """
          v128.bitselect [0], [16], [32] -> [64]
          return_value_v128 acc slot:48
        """,
    ),
    "a test of all lanes": (
        """
        (func (param v128) (if (v128.any_true (local.get 0)) (then unreachable)))
        """,
        """
          v128.any_true [0] -> unless L0
          unreachable
        L0:
          return_16
        """,
    ),
    "two slots each": (
        """
        (func (param i32 v128 i64) (result i64) (local v128 i32) (local.set 3 (local.get 1))
        (local.set 4 (local.get 0)) (local.get 2))
        """,
        """
          zero slot:48 count:24
          copy_v128 [8] -> [48]
          copy [0] -> [64]
          return_value [24] slot:32
        """,
    ),
    "carried": (
        """
        (func (param v128 i32) (result v128) (block (result v128) (br_if 0 (local.get 0)
        (local.get 1))))
        """,
        """
          br_if [16] -> unless L0
          copy_v128 [0] -> [40]
          br -> jump L1
        L0:
          copy_v128 [0] -> [40]
        L1:
          return_value_24_v128 [40]
        """,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_code(name, check_code):
    check_code(*CASES[name])
