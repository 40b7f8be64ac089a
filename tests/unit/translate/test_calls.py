"""Calls: arguments where the callee expects them."""

import pytest

CASES = {
    "call": (
        """
        (func $f (param i32 i64) (result i64) (i64.add (call $f (local.get 0) (i64.const 2))
        (call $f (i32.const 1) (local.get 1))))
        """,
        """
          i64.const 2 -> [40]
          copy [0] -> [32]
          call func:1 slot:32 count:16 ref_slot:0
          copy [8] -> [48]
          i32.const 1 -> [40]
          call func:1 slot:40 count:16 ref_slot:0
          i64.add [32], [40] -> acc
          return_value_16 acc
        """,
    ),
    "call import": (
        """
        (func (call $i (i32.const 1)))
        """,
        """
          i32.const 1 -> [16]
          call_import func:0 slot:16 count:8 ref_slot:0
          return_0
        """,
    ),
    "call_indirect": (
        """
        (func (param i32) (result i64) (call_indirect (type $t) (i32.const 5) (i64.const 6)
        (i32.add (local.get 0) (i32.const 1))))
        """,
        """
          i32.add [0], 1 -> [40]
          i64.const 6 -> [32]
          i32.const 5 -> [24]
          call_indirect [40] type:T table:0 slot:24 count:16 ref_slot:0
          return_value_8 [24]
        """,
    ),
    "multi value call": (
        """
        (func $f (param i32) (result i32 i32) (call $f (call $f (local.get 0)) (drop)))
        """,
        """
          copy [0] -> [24]
          call func:1 slot:24 count:8 ref_slot:0
          call func:1 slot:24 count:8 ref_slot:0
          return_many slot:24 count:16 ref_slot:0 count:0 slot:8
        """,
    ),
    "ref call": (
        """
        (func $f (param i32 externref) (result externref) (call $f (i32.const 1) (call $f
        (local.get 0) (local.get 1))))
        """,
        """
          zero_refs ref_slot:8 count:8
          copy_ref {0} -> {8}
          copy [0] -> [32]
          call func:1 slot:32 count:8 ref_slot:8
          ref_frame delta:-8
          i32.const 1 -> [24]
          call func:1 slot:24 count:8 ref_slot:8
          ref_frame delta:-8
          return_value_8_ref {8}
        """,
    ),
    "return_call": (
        """
        (func $f (param i32 i64) (result i64) (return_call $f (i32.add (local.get 0) (i32.const
        1)) (local.get 1)))
        """,
        """
          i32.add [0], 1 -> [32]
          copy [8] -> [40]
          return_call func:1 slot:32 count:16 ref_slot:0 count:0 slot:16
        """,
    ),
    "return_call import": (
        """
        (func (param i32) (return_call $i (local.get 0)))
        """,
        """
          copy [0] -> [24]
          return_call_import func:0 slot:24 count:8 ref_slot:0 count:0 slot:8
        """,
    ),
    "return_call_indirect": (
        """
        (func (param i32) (result i64) (return_call_indirect (type $t) (i32.const 5) (i64.const
        6) (local.get 0)))
        """,
        """
          i64.const 6 -> [32]
          i32.const 5 -> [24]
          return_call_indirect [0] type:T table:0 slot:24 count:16 ref_slot:0 count:0 slot:8
        """,
    ),
    "call_ref": (
        """
        (func (param i32 (ref null $t)) (result i64) (call_ref $t (local.get 0) (i64.const 6)
        (local.get 1)))
        """,
        """
          zero_refs ref_slot:8 count:8
          i64.const 6 -> [32]
          copy [0] -> [24]
          call_ref {0} type:T slot:24 count:16 ref_slot:8
          ref_frame delta:-8
          return_value_8 [24]
        """,
    ),
    "return_call_ref": (
        """
        (func (param i32 (ref $t)) (result i64) (return_call_ref $t (local.get 0) (i64.const 6)
        (local.get 1)))
        """,
        """
          zero_refs ref_slot:8 count:8
          i64.const 6 -> [32]
          copy [0] -> [24]
          return_call_ref {0} type:T slot:24 count:16 ref_slot:8 count:0 slot:8
        """,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_code(name, check_code):
    check_code(*CASES[name])
