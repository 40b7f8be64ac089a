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
          return_8
        """,
    ),
    "load const address": (
        """
        (func (result i64) (i64.load offset=16 (i32.const 1024)))
        """,
        """
          i64.load 1024 offset:16 -> acc
          return_value_0 acc
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
          return_0
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
          return_8
        """,
    ),
    "atomics": (
        """
        (func (param i32 i64) (result i64)
          (i64.atomic.store16 offset=4 (local.get 0) (local.get 1))
          (drop (i32.atomic.rmw.cmpxchg (local.get 0) (i32.const 1) (i32.load (local.get 0))))
          (atomic.fence)
          (i64.atomic.rmw.add offset=8 (i32.const 16) (i64.atomic.load (local.get 0))))
        """,
        """
          i64.atomic.store16 [0], [8] offset:4
          i32.load [0] offset:0 -> [48]
          i32.const 1 -> [40]
          i32.atomic.rmw.cmpxchg [0], [40], [48] offset:0 -> [32]
          atomic.fence
          i64.atomic.load [0] offset:0 -> [40]
          i32.const 16 -> [32]
          i64.atomic.rmw.add [32], [40] offset:8 -> [32]
          return_value_16 acc
        """,
    ),
    "wait and notify": (
        """
        (func (param i32 i64) (result i32)
          (memory.atomic.wait64 offset=8 (local.get 0) (local.get 1) (i64.const -1))
          (memory.atomic.notify (i32.const 8) (local.get 0))
          i32.add)
        """,
        """
          i64.const -1 -> [48]
          memory.atomic.wait64 [0], [8], [48] offset:8 memory:0 -> [32]
          i32.const 8 -> [40]
          memory.atomic.notify [40], [0] offset:0 memory:0 -> [40]
          i32.add acc, [32] -> acc
          return_value_16 acc
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
          return_value_0 acc
        """,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_code(name, check_code):
    check_code(*CASES[name])


@pytest.mark.parametrize(
    ("instruction", "message"),
    [
        ("i32.atomic.load align=2 (i32.const 0)", "atomic alignment must be natural"),
        ("i32.atomic.load align=8 (i32.const 0)", "alignment must not be larger than natural"),
        ("memory.atomic.notify align=1 (i32.const 0) (i32.const 0)", "atomic alignment must be"),
        ("i32.atomic.load (i64.const 0)", "type mismatch"),
        ("i32.atomic.rmw.add (i32.const 0) (i64.const 0)", "type mismatch"),
        ("i64.atomic.rmw.cmpxchg (i32.const 0) (i64.const 0)", "type mismatch"),
        ("memory.atomic.wait32 (i32.const 0) (i32.const 0) (i32.const 0)", "type mismatch"),
    ],
)
def test_atomics_that_are_refused(instruction, message, refusal):
    assert message in refusal(f"(func (drop ({instruction})))")


def test_atomics_in_dead_code(refusal):
    """Only types are kept; they are checked all the same."""
    assert not refusal("(func (result i64) unreachable i64.atomic.rmw.add)")
    assert not refusal("(func (result i32) unreachable memory.atomic.wait64)")
    assert not refusal("(func unreachable i64.atomic.store32 atomic.fence)")
    assert refusal("(func (result i32) unreachable i64.atomic.rmw.add)")
