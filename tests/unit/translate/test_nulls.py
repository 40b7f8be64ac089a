"""Tests for null, and branches on them."""

import pytest

CASES = {
    "br_on_null": (
        """
        (func (param funcref) (block (br_on_null 0 (local.get 0)) drop))
        """,
        """
          zero_refs ref_slot:8 count:8
          ref.is_null {0} -> if L0
        L0:
          return_0
        """,
    ),
    "br_on_null with a value": (
        """
        (func (param i32 externref) (result i32)
          (block (result i32) (br_on_null 0 (local.get 0) (local.get 1)) drop))
        """,
        """
          zero_refs ref_slot:8 count:8
          ref.is_null {0} -> unless L0
          copy [0] -> [24]
          br -> jump L1
        L0:
          copy [0] -> [24]
        L1:
          return_value_8 [24]
        """,
    ),
    "as_non_null": (
        """
        (func (param externref) (result externref)
          (ref.as_non_null (ref.as_non_null (local.get 0))))
        """,
        """
          zero_refs ref_slot:8 count:8
          ref.as_non_null {0} -> {8}
          return_value_0_ref {8}
        """,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_code(name, check_code):
    check_code(*CASES[name])


VALID = [
    "(func (param (ref null $t)) (result (ref $t)) (ref.as_non_null (local.get 0)))",
    "(func (param (ref null $t)) (result (ref $t)) (block (br_on_null 0 (local.get 0)) return)"
    " unreachable)",
    "(func (param funcref) (result (ref func)) (br_on_non_null 0 (local.get 0)) unreachable)",
    "(func (param i32 funcref) (result i32 (ref func))"
    " (block (result i32 (ref func)) (br_on_non_null 0 (local.get 0) (local.get 1)) unreachable))",
    "(func (param funcref) (loop (br_on_null 0 (local.get 0)) drop))",
    "(func (result (ref $t)) unreachable ref.as_non_null)",
    "(func (result i32 (ref extern)) (br_on_non_null 0 (unreachable)) unreachable)",
]


@pytest.mark.parametrize("text", VALID)
def test_valid(text, refusal):
    assert refusal(text) == ""


INVALID = [
    "(func (param i32) (ref.as_non_null (local.get 0)) drop)",
    "(func (param funcref) (result (ref $t)) (ref.as_non_null (local.get 0)))",
    "(func (param funcref) (br_on_non_null 0 (local.get 0)))",
    "(func (param funcref) (result externref) (br_on_non_null 0 (local.get 0)) unreachable)",
    "(func (param funcref) (result i32) (br_on_null 0 (local.get 0)) drop (i32.const 0))",
    "(func (result i32) unreachable ref.as_non_null)",
]


@pytest.mark.parametrize("text", INVALID)
def test_invalid(text, refusal):
    assert refusal(text) == "type mismatch"
