"""References and tables."""

import pytest

CASES = {
    "refs": (
        """
        (func (param i32 funcref externref) (result externref) (local funcref) (local.set 3
        (local.get 1)) (table.set 0 (local.get 0) (ref.null func)) (drop (ref.is_null (local.get
        3))) (table.get 1 (local.get 0)))
        """,
        """
          zero_refs ref_slot:16 count:16
          copy_ref {0} -> {16}
          ref.null -> {24}
          table.set [0], {24} table:0
          ref.is_null {16} -> [24]
          table.get [0] table:1 -> {24}
          return_value_8_ref {24}
        """,
    ),
    "tables": (
        """
        (func (param i32) (drop (table.grow 0 (ref.null func) (local.get 0))) (table.fill 1
        (i32.const 0) (ref.null extern) (table.size 1)) (table.copy 0 0 (i32.const 0) (local.get
        0) (i32.const 1)) (table.init 0 0 (i32.const 0) (i32.const 0) (i32.const 1)) (elem.drop
        0))
        """,
        """
          zero_refs ref_slot:0 count:8
          ref.null -> {0}
          table.grow {0}, [0] table:0 -> [24]
          ref.null -> {0}
          table.size table:1 -> [32]
          i32.const 0 -> [24]
          table.fill [24], {0}, [32] table:1
          i32.const 0 -> [24]
          i32.const 1 -> [40]
          table.copy [24], [0], [40] table:0 table:0
          i32.const 0 -> [24]
          i32.const 0 -> [32]
          i32.const 1 -> [40]
          table.init [24], [32], [40] elem:0 table:0
          elem.drop elem:0
          return_8
        """,
    ),
    "ref br_if is_null": (
        """
        (func (param funcref) (block (br_if 0 (ref.is_null (local.get 0))) unreachable))
        """,
        """
          zero_refs ref_slot:8 count:8
          ref.is_null {0} -> if L0
          unreachable
        L0:
          return_0
        """,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_code(name, check_code):
    check_code(*CASES[name])
