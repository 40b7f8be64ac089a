"""Functions that are put into themselves do what they did, and overflow and trap where they did."""

import re

import pytest
from tests.unit.jit.guests import assert_same
from tests.unit.jit.programs import job_of

from runwell.jit.recursion import MOST_BODIES, MOST_BYTES, MOST_COPIES, copies
from runwell.jit.unit import job_text

FIB = """(func $fib (export "f") (param i32) (result i32)
  (if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (local.get 0)) (else
    (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
      (call $fib (i32.sub (local.get 0) (i32.const 2)))))))"""
# Traps at whichever depth it is told to.
DEEP = """(memory (export "memory") 1)
(func $deep (export "f") (param i32) (result i32) (local i64)
  (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1)))
  (if (i32.eqz (local.get 0)) (then unreachable))
  (i32.add (call $deep (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))"""
HOST = """(import "m" "h" (func $h (param i32) (result i32)))
(func $r (export "f") (param i32) (result i32)
  (if (result i32) (local.get 0)
    (then (call $r (i32.sub (local.get 0) (i32.const 1)))) (else (call $h (i32.const 13)))))"""
REFS = """(func $r (export "f") (param i32) (param externref funcref) (result externref i32)
  (if (result externref i32) (local.get 0)
    (then (call $r (i32.sub (local.get 0) (i32.const 1)) (local.get 1) (ref.func $r)))
    (else (local.get 1) (i32.add (ref.is_null (local.get 2)) (i32.const 40)))))"""
TAIL = """(func $r (export "f") (param i32 i32) (result i32)
  (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
  (if (i32.and (local.get 0) (i32.const 1)) (then
    (return_call $r (i32.sub (local.get 0) (i32.const 1)) (i32.add (local.get 1) (i32.const 1)))))
  (i32.add (i32.const 1) (call $r (i32.sub (local.get 0) (i32.const 1)) (local.get 1))))"""
THROWS = """(tag $e (param i32))
(func $r (export "g") (param i32) (result i32)
  (if (i32.eqz (local.get 0)) (then (throw $e (i32.const 7))))
  (i32.add (call $r (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))
(func $c (export "f") (param i32) (result i32)
  (block $h (result i32) (try_table (result i32) (catch $e $h)
    (if (result i32) (i32.and (local.get 0) (i32.const 1)) (then (call $r (local.get 0)))
      (else (call $c (i32.add (local.get 0) (i32.const 1))))))))"""


def text_of(text, level=2):
    return job_text(job_of(f"(module {text})", level=level), "x86_64")


def test_how_many():
    assert copies(100, 0) == 0
    assert copies(100, 1) == MOST_COPIES == 2
    assert copies(MOST_BYTES // 2, 1) == 1
    assert copies(MOST_BYTES, 1) == 0
    assert copies(10, 2) == 2
    assert copies(10, 3) == 1
    assert copies(10, MOST_BODIES) == 0


def test_a_small_function_calls_its_copies():
    text = text_of(FIB)
    defined = re.findall(r"^define (\w+) .* @(\w+)\(.*\) #0 (\w*)", text, re.MULTILINE)
    inlined = "internal", "alwaysinline"
    found = [name for linkage, name, how in defined if (linkage, how) == inlined]
    assert found == ["f0_copy_2", "f0_copy_1"]
    bodies = dict(re.findall(r"^define [^\n]* @(f0\w*)\((.*?)^}", text, re.MULTILINE | re.DOTALL))
    calls = {name: re.findall(r"call [^@]*@(f0\w*)\(", body) for name, body in bodies.items()}
    assert calls == {
        "f0": ["f0_copy_1"] * 2,
        "f0_copy_1": ["f0_copy_2"] * 2,
        "f0_copy_2": ["f0"] * 2,
    }


@pytest.mark.parametrize("text", [HOST.replace("call $r", "return_call $r"), "(func)"])
def test_others_have_none(text):
    assert "_copy_" not in text_of(text)


def test_catching_functions_have_none():
    text = text_of(THROWS)
    assert "@f0_copy_1(" in text
    assert "@f1_copy_1(" not in text


def test_nor_at_the_lowest_level():
    assert "_copy_" not in text_of(FIB, level=0)


@pytest.mark.parametrize("text", [FIB, HOST, TAIL, THROWS], ids=["fib", "host", "tail", "throws"])
def test_they_do_the_same(text):
    second = (0,) if text is TAIL else ()
    found = assert_same(f"(module {text})", [("f", n, *second) for n in range(12)])
    assert len(found) == 12


def test_references():
    assert_same(f"(module {REFS})", [("f", n, "x", None) for n in range(6)])


@pytest.mark.parametrize("depth", range(6))
def test_backtraces_are_whole(depth):
    (found,) = assert_same(f"(module {DEEP})", [("f", depth)])
    assert found[0] == "UNREACHABLE"
    assert [frame[0] for frame in found[1]] == [0] * (depth + 1)


@pytest.mark.parametrize("frames", [*range(1, 9), 1000])
def test_the_stack_ends_where_it_ended(frames):
    """At the same call, with the same traces in memory."""
    (found,) = assert_same(f"(module {DEEP})", [("f", 1 << 30)], max_frames=frames)
    assert found[0] == "STACK_EXHAUSTED"


@pytest.mark.parametrize("slots", [200, 201])
def test_so_does_its_memory(slots):
    text = DEEP.replace("(local i64)", f"(local {'i64 ' * slots})")
    (found,) = assert_same(f"(module {text})", [("f", 1 << 30)], max_frames=90_000)
    assert found[0] == "STACK_EXHAUSTED"
