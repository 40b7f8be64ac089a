"""Blocks."""

import pytest

CASES = {
    "if else": (
        """
        (func (param i32 i32) (result i32) (if (result i32) (i32.lt_u (local.get 0) (local.get
        1)) (then (local.get 0)) (else (i32.const 9))))
        """,
        """
          i32.ge_u [0], [8] -> if L0
          copy [0] -> [32]
          br -> jump L1
        L0:
          i32.const 9 -> [32]
        L1:
          return_value_16 [32]
        """,
    ),
    "if without else": (
        """
        (func (param i32) (if (local.get 0) (then (local.set 0 (i32.const 1)))))
        """,
        """
          br_if [0] -> unless L0
          i32.const 1 -> [0]
        L0:
          return_8
        """,
    ),
    "if eqz": (
        """
        (func (param i32) (if (i32.eqz (local.get 0)) (then (local.set 0 (i32.const 1)))))
        """,
        """
          br_if [0] -> if L0
          i32.const 1 -> [0]
        L0:
          return_8
        """,
    ),
    "float compare branch": (
        """
        (func (param f64 f64) (if (f64.lt (local.get 0) (local.get 1)) (then unreachable)))
        """,
        """
          f64.lt [0], [8] -> unless L0
          unreachable
        L0:
          return_16
        """,
    ),
    "block params": (
        """
        (func (param i32) (result i32) (local.get 0) (i32.const 3) (loop (param i32 i32) (result
        i32) i32.sub (br_if 0 (i32.const 7) (local.get 0)) drop))
        """,
        """
          i32.const 3 -> [32]
          copy [0] -> [24]
        L0:
          i32.sub [24], [32] -> [24]
          br_if [0] -> unless L1
          i32.const 7 -> [32]
          br -> loop L0
        L1:
          return_value_8 [24]
        """,
    ),
    "dead code": (
        """
        (func (param i32) (result i32) (return (local.get 0)) (i32.add (i32.const 1)) (drop)
        (loop (br 0)))
        """,
        """
          return_value_8 [0]
        """,
    ),
    "dead end of loop": (
        """
        (func (param i32) (loop (local.set 0 (i32.const 1)) (br 0)) (local.set 0 (i32.const 2)))
        """,
        """
        L0:
          i32.const 1 -> [0]
          br -> loop L0
        """,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_code(name, check_code):
    check_code(*CASES[name])
