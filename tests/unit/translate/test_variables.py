"""Globals, drop and select."""

import pytest

CASES = {
    "select": (
        """
        (func (param i32 i32) (result i32) (select (local.get 0) (i32.const 4) (i32.lt_s
        (local.get 0) (local.get 1))))
        """,
        """
          i32.lt_s [0], [8] -> [48]
          i32.const 4 -> [40]
          select [0], [40], [48] -> acc
          return_value_16 acc
        """,
    ),
    "select f64": (
        """
        (func (param f64 f64 i32) (result f64) (f64.neg (select (local.get 0) (local.get 1)
        (local.get 2))))
        """,
        """
          select_f64 [0], [8], [16] -> acc
          f64.neg acc -> acc
          return_value_24_f64 acc
        """,
    ),
    "select ref": (
        """
        (func (param funcref funcref i32) (result funcref) (select (result funcref) (local.get
        0) (local.get 1) (local.get 2)))
        """,
        """
          zero_refs ref_slot:16 count:16
          select_ref {0}, {8}, [0] -> {16}
          return_value_8_ref {16}
        """,
    ),
    "globals": (
        """
        (func (param f64) (global.set $g (i32.add (global.get $g) (i32.const 1))) (global.set $d
        (f64.mul (local.get 0) (global.get $d))) (global.set $d (f64.const 3)))
        """,
        """
          global.get global:0 -> acc
          i32.add acc, 1 -> acc
          global.set acc global:0
          global.get_f64 global:16 -> acc
          f64.mul acc, [0] -> acc
          global.set_f64 acc global:16
          i64.const 4613937818241073152L -> acc
          global.set acc global:16
          return_8
        """,
    ),
    "ref global": (
        """
        (func (result funcref) (global.set $r (ref.func 0)) (global.get $r))
        """,
        """
          zero_refs ref_slot:0 count:8
          ref.func func:0 -> {0}
          global.set_ref {0} global:32
          global.get_ref global:32 -> {0}
          return_value_0_ref {0}
        """,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_code(name, check_code):
    check_code(*CASES[name])
