"""Locals: reads that cost nothing, results put into place, values saved before a write."""

import pytest

CASES = {
    "set folds": (
        """
        (func (param i32) (local i32) (local.set 1 (i32.mul (local.get 0) (i32.const 3))))
        """,
        """
          zero slot:24 count:8
          i32.mul [0], 3 -> [24]
          return_8
        """,
    ),
    "set const": (
        """
        (func (local i32 i64 f32 f64) (local.set 0 (i32.const 3)) (local.set 1 (i64.const -1))
        (local.set 2 (f32.const 1)) (local.set 3 (f64.const 1)))
        """,
        """
          zero slot:16 count:32
          i32.const 3 -> [16]
          i64.const -1 -> [24]
          f32.const 0x3f800000 -> [32]
          f64.const 0x3ff0000000000000L -> [40]
          return_0
        """,
    ),
    "set after pending read": (
        """
        (func (param i32) (result i32) local.get 0 local.get 0 i32.const 1 i32.add local.set 0)
        """,
        """
          copy [0] -> [24]
          i32.add [0], 1 -> [0]
          return_value_8 [24]
        """,
    ),
    "set after pending read, producer took acc": (
        """
        (func (param i32) (result i32) local.get 0 local.get 0 i32.const 1 i32.add local.get 0
        i32.mul local.get 0 i32.rotl local.set 0)
        """,
        """
          i32.add [0], 1 -> acc
          i32.mul acc, [0] -> acc
          i32.rotl acc, [0] -> [32]
          copy [0] -> [24]
          copy [32] -> [0]
          return_value_8 [24]
        """,
    ),
    "tee": (
        """
        (func (param i32) (result i32) (local i32) (i32.mul (local.tee 1 (i32.sub (local.get 0)
        (i32.const 1))) (local.get 1)))
        """,
        """
          zero slot:24 count:8
          i32.sub [0], 1 -> [24]
          i32.mul acc, [24] -> acc
          return_value_8 acc
        """,
    ),
    "copy": (
        """
        (func (param i32 i32) (local.set 0 (local.get 1)))
        """,
        """
          copy [8] -> [0]
          return_16
        """,
    ),
    "swap": (
        """
        (func (param i32 i32) local.get 0 local.get 1 local.set 0 local.set 1)
        """,
        """
          copy [0] -> [32]
          copy [8] -> [0]
          copy [32] -> [8]
          return_16
        """,
    ),
    "zero": (
        """
        (func (param i32) (local i64 funcref f32))
        """,
        """
          zero_refs ref_slot:0 count:8
          zero slot:24 count:16
          return_8
        """,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_code(name, check_code):
    check_code(*CASES[name])
