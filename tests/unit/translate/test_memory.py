"""Linear memory."""

import pytest

CASES = {
    "load store": (
        """
        (func (param i32) (i32.store offset=8 (local.get 0) (i32.add (i32.load offset=4
        (local.get 0)) (i32.const 1))))
        """,
        """
          i32.load [0] offset:4 -> acc
          i32.add acc, 1 -> acc
          i32.store [0], acc offset:8
          return slot:8
        """,
    ),
    "load const address": (
        """
        (func (result i64) (i64.load offset=16 (i32.const 1024)))
        """,
        """
          i64.load 1024 offset:16 -> acc
          return_value acc slot:0
        """,
    ),
    "store consts": (
        """
        (func (i32.store (i32.const 1024) (i32.const 7)) (f64.store (i32.const 8) (f64.const
        1)))
        """,
        """
          i32.const 1024 -> acc
          i32.store acc, 7 offset:0
          i32.const 8 -> [16]
          f64.const 0x3ff0000000000000L -> acc
          f64.store [16], acc offset:0
          return slot:0
        """,
    ),
    "bulk": (
        """
        (func (param i32) (memory.copy (local.get 0) (i32.const 1) (i32.const 8)) (memory.fill
        (local.get 0) (i32.const 0) (local.get 0)) (memory.init 0 (local.get 0) (i32.const 0)
        (i32.const 1)) (data.drop 0))
        """,
        """
          i32.const 1 -> [32]
          memory.copy [0], [32], 8 memory:0 memory:0
          memory.fill [0], 0, [0] memory:0
          i32.const 0 -> [32]
          i32.const 1 -> [40]
          memory.init [0], [32], [40] data:0 memory:0
          data.drop data:0
          return slot:8
        """,
    ),
    "memory size": (
        """
        (func (result i32) (i32.add (memory.size) (memory.grow (i32.const 1))))
        """,
        """
          memory.size memory:0 -> [16]
          memory.grow 1 memory:0 -> [24]
          i32.add acc, [16] -> acc
          return_value acc slot:0
        """,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_code(name, check_code):
    check_code(*CASES[name])
