"""Throwing, and the tables of handlers."""

import ctypes

import pytest

from runwell.kernel.types import ctype_of, sizeof
from runwell.runtime import layout
from runwell.text.parser import parse

TAGS = "(tag $e) (tag $i (param i32 i64)) (tag $r (param externref f32 exnref))"

CASES = {
    "throw": (
        "(func (param i32) (throw $i (local.get 0) (i64.const 7)))",
        """
          i64.const 7 -> [32]
          copy [0] -> [24]
          throw func:1 tag:1 slot:24 ref_slot:0
        """,
    ),
    "throw references": (
        "(func (param externref) (throw $r (local.get 0) (f32.const 0) (ref.null exn)))",
        """
          zero_refs ref_slot:8 count:16
          ref.null -> {16}
          f32.const 0x0 -> [16]
          copy_ref {0} -> {8}
          throw func:1 tag:2 slot:16 ref_slot:8
        """,
    ),
    "throw_ref": (
        "(func (param exnref) (throw_ref (local.get 0)))",
        """
          zero_refs ref_slot:8 count:8
          throw_ref {0} func:1
        """,
    ),
    "a try_table emits nothing": (
        """
        (func (param i32) (local.set 0 (i32.const 1)) (block $h (try_table (catch_all $h)
        (local.set 0 (i32.const 2)))) (local.set 0 (i32.const 3)))
        """,
        """
          i32.const 1 -> [0]
          i32.const 2 -> [0]
          i32.const 3 -> [0]
          return_8
        """,
    ),
    "cells": (
        """(global $kept (mut exnref) (ref.null exn)) (table $cells 1 exnref)
        (func (param exnref) (global.set $kept (local.get 0)) (drop (global.get $kept))
        (table.set $cells (i32.const 0) (table.get $cells (i32.const 0))))""",
        """
          zero_refs ref_slot:8 count:8
          global.set_exn {0} global:48
          global.get_exn global:48 ref_slot:8 -> {8}
          i32.const 0 -> acc
          table.get_exn acc table:2 ref_slot:8 -> {8}
          i32.const 0 -> [16]
          table.set_exn [16], {8} table:2
          return_0
        """,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_code(name, check_code):
    text, expected = CASES[name]
    check_code(f"{TAGS} {text}", expected)


REFUSED = {
    "unknown tag": ("(func (throw 9))", "unknown tag 9"),
    "tag of a clause": ("(func (try_table (catch 9 0)))", "unknown tag 9"),
    "label of a clause": ("(func (try_table (catch_all 7)))", "unknown label 7"),
    "its own label": (
        "(func (result i32) (try_table (result i32) (catch_all 0) (i32.const 1)))",
        "type mismatch",
    ),
    "missing values": ("(func (throw $i (i32.const 1)))", "type mismatch"),
    "wrong values": ("(func (throw $i (i64.const 1) (i64.const 1)))", "type mismatch"),
    "too many": ("(func (try_table (catch $i 0)))", "type mismatch"),
    "too few": ("(func (result i32) (try_table (catch $e 0)) (i32.const 0))", "type mismatch"),
    "wrong reference": (
        "(func (result externref) (try_table (catch_all_ref 0)) (ref.null extern))",
        "type mismatch",
    ),
    "no reference": ("(func (throw_ref (ref.null func)))", "type mismatch"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, refusal):
    text, words = REFUSED[name]
    assert refusal(f"{TAGS} {text}").startswith(words)


def test_exceptions_are_a_feature(translator):
    from runwell.base.features import BIT, DEFAULT

    binary = parse("(module (tag) (func (throw 0)))")
    module = translator.prepare(binary, features=DEFAULT & ~BIT["exception-handling"])
    assert translator.validate(module) is not None


class Handlers:
    """The table of a function."""

    def __init__(self, translator, text):
        module = translator.prepare(parse(f"(module {TAGS} {text})"))
        assert translator.validate(module) is None
        self.words = translator.words(module, 0)
        native = ctype_of(layout.ModuleCode).from_address(module.address)
        at = ctypes.c_uint64.from_address(native.handlers).value
        self.module = module
        self.ranges, self.clauses = [], []
        if at:
            table = ctype_of(layout.HandlerTable).from_address(at)
            at += sizeof(layout.HandlerTable)
            self.ranges = list((ctype_of(layout.TryRange) * table.n_ranges).from_address(at))
            at += sizeof(layout.TryRange) * table.n_ranges
            clauses = ctype_of(layout.CatchClause) * table.n_clauses
            self.clauses = list(clauses.from_address(at))


def test_a_function_without_handlers_has_no_table(translator):
    handlers = Handlers(translator, "(func (try_table (nop)))")
    assert handlers.ranges == handlers.clauses == []


def test_ranges_nest(translator):
    handlers = Handlers(
        translator,
        """(func $f (param i32)
          (try_table (catch_all 0)
            (call $f (i32.const 1))
            (try_table (catch $e 1) (catch_all 0) (call $f (i32.const 2)))
            (try_table (catch_all 1) (call $f (i32.const 3))))
          (try_table (catch_all 0) (call $f (i32.const 4))))""",
    )
    outer, first, second, last = handlers.ranges
    assert [r.parent for r in handlers.ranges] == [0, 1, 1, 0]
    assert outer.start < first.start < first.end <= second.start < second.end <= outer.end
    assert outer.end <= last.start < last.end <= 4 * len(handlers.words)
    assert [(r.first, r.last) for r in handlers.ranges] == [(0, 1), (1, 3), (3, 4), (4, 5)]
    assert [c.kind for c in handlers.clauses] == [2, 0, 2, 2, 2]
    assert all(c.target <= 4 * len(handlers.words) for c in handlers.clauses)


def test_values_go_where_the_label_wants_them(translator):
    handlers = Handlers(
        translator,
        """(func (param externref i32) (result i32 i64) (local $x externref)
          (block $h (result externref f32 exnref exnref)
            (try_table (catch_ref $r $h) (throw $e)) unreachable)
          drop drop drop drop
          (i32.const 1)
          (block $i (result i32 i64)
            (try_table (catch $i $i) (throw $e)) unreachable)
          drop drop drop (i32.const 1) (i64.const 2))""",
    )
    references, values = handlers.clauses
    # Behind one parameter of each kind, the link, and the local; there behind one operand more.
    assert (references.kind, references.tag) == (1, 2)
    assert (references.slot, references.ref_slot) == (24, 16)
    assert (values.kind, values.tag, values.slot) == (0, 1, 32)
    first = handlers.ranges[0]
    assert first.start > 0  # the prologue was put before it
    assert references.target > first.start


def test_a_loop_is_known_at_once(translator):
    handlers = Handlers(translator, "(func (loop $l (try_table (catch_all $l) (throw $e))))")
    assert handlers.clauses[0].target == handlers.ranges[0].start


def test_dead_code_has_no_handlers(translator):
    handlers = Handlers(translator, "(func unreachable (try_table (catch_all 0) (throw $e)))")
    assert handlers.ranges == []
