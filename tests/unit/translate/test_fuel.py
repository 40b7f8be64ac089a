"""Where metered code pays, and how much."""

import pytest

CASES = {
    "straight": (
        """
        (func (param i32) (result i32) (block (block)) (i32.add (local.get 0) (i32.const 1)))
        """,
        """
          fuel count:3
          i32.add [0], 1 -> acc
          return_value_8 acc
        """,
    ),
    "if": (
        """
        (func (param i32) (if (local.get 0) (then (local.set 0 (i32.const 1)))
        (else (local.set 0 (i32.const 2)) (nop))))
        """,
        """
          fuel count:2
          br_if [0] -> unless L0
          fuel count:2
          i32.const 1 -> [0]
          br -> jump L1
        L0:
          fuel count:3
          i32.const 2 -> [0]
        L1:
          return_8
        """,
    ),
    "if without else": (
        """
        (func (param i32) (if (local.get 0) (then)) (local.set 0 (i32.const 3)))
        """,
        """
          fuel count:2
          br_if [0] -> unless L0
        L0:
          fuel count:2
          i32.const 3 -> [0]
          return_8
        """,
    ),
    "loops": (
        """
        (func (param i32) (loop (loop (br_if 1 (local.get 0)) (br 0))))
        """,
        """
        L0:
          fuel count:2
          br_if [0] -> loop_if L0
          fuel count:1
          br -> loop L0
        """,
    ),
    "a label behind a label": (
        """
        (func (param i32) (block (block (br_if 0 (local.get 0)) (br_if 1 (local.get 0))))
        (nop))
        """,
        """
          fuel count:2
          br_if [0] -> if L0
          fuel count:2
          br_if [0] -> if L0
        L0:
          fuel count:1
          return_8
        """,
    ),
    "a call does not end a block": (
        """
        (func $f (param i32) (call $f (i32.const 1)) (local.set 0 (i32.const 2)))
        """,
        """
          fuel count:4
          i32.const 1 -> [24]
          call func:1 slot:24 count:8 ref_slot:0
          i32.const 2 -> [0]
          return_8
        """,
    ),
    "values carried by a branch": (
        """
        (func (param i32) (result i32) (block (result i32) (nop) (i32.const 5) (i32.const 6)
        (br_if 0 (local.get 0)) (return)))
        """,
        """
          fuel count:5
          br_if [0] -> unless L0
          i32.const 6 -> [24]
          br -> jump L1
        L0:
          fuel count:1
          return_value_8 6
        L1:
          return_value_8 [24]
        """,
    ),
    "dead code is free": (
        """
        (func (return) (i32.add (i32.const 1) (i32.const 2)) (drop) (block (br 0)))
        """,
        """
          fuel count:1
          return_0
        """,
    ),
    "sizes": (
        """
        (func (param i32) (memory.fill (i32.const 1) (i32.const 2) (local.get 0)))
        """,
        """
          fuel count:4
          fuel_sized [0] count:6
          i32.const 1 -> [24]
          memory.fill [24], 2, [0] memory:0
          return_8
        """,
    ),
    "a constant size": (
        """
        (func (memory.copy (i32.const 1) (i32.const 2) (i32.const 640)))
        """,
        """
          fuel count:4
          fuel_sized 640 count:6
          i32.const 1 -> [16]
          i32.const 2 -> [24]
          memory.copy [16], [24], 640 memory:0 memory:0
          return_0
        """,
    ),
    "the accumulator is passed on": (
        """
        (func (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))
        (br_if 0 (local.get 0)) (i32.const 1) i32.add)
        """,
        """
          fuel count:5
          i32.add [0], [8] -> [32]
          br_if [0] -> if L0
          fuel count:2
          i32.add acc, 1 -> acc
          return_value_16 acc
        L0:
          return_value_16 [32]
        """,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_code(name, check_code):
    check_code(*CASES[name], metered=True)


def test_code_that_is_not_metered_pays_nothing(code):
    for text, _ in CASES.values():
        assert "fuel" not in code(text)
