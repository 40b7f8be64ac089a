"""Test scripts, and above all what happens when they fail."""

import pytest

import runwell
from runwell.cli.script import run_script

MODULE = """(module $m
  (func (export "id") (param i32) (result i32) (local.get 0))
  (func (export "nan") (param f32) (result f32) (local.get 0))
  (func (export "pair") (param i64 externref f64) (result externref i64 f64)
    (local.get 1) (local.get 0) (local.get 2))
  (func (export "fail") unreachable)
  (func (export "loop") (call 4))
  (global (export "g") (mut i64) (i64.const -3)))
"""


def run(text, **config):
    return run_script((MODULE + text).encode(), runwell.Config(**config))


def test_what_holds():
    report = run(
        """(assert_return (invoke "id" (i32.const -1)) (i32.const 0xffffffff))
        (assert_return (invoke $m "nan" (f32.const nan:0x200000)) (f32.const nan:0x200000))
        (assert_return (invoke "nan" (f32.const -nan)) (f32.const nan:canonical))
        (assert_return (invoke "nan" (f32.const nan:0x600000)) (f32.const nan:arithmetic))
        (assert_return (invoke "id" (i32.const 1)) (either (i32.const 0) (i32.const 1)))
        (assert_return (invoke "pair" (i64.const 5) (ref.extern 7) (f64.const -0))
          (ref.extern 7) (i64.const 5) (f64.const -0))
        (assert_return (invoke "pair" (i64.const 5) (ref.null extern) (f64.const 1))
          (ref.null) (i64.const 5) (f64.const 1))
        (assert_return (get "g") (i64.const -3))
        (assert_trap (invoke "fail") "unreachable")
        (assert_exhaustion (invoke "loop") "call stack exhausted")
        (assert_invalid (module (func (result i32))) "type mismatch")
        (assert_malformed (module quote "(func") "unexpected token")
        (assert_malformed (module binary "xyz") "unexpected end")
        (assert_unlinkable (module (import "a" "b" (func))) "unknown import")
        (assert_trap (module (func unreachable) (start 0)) "unreachable")"""
    )
    assert report == (15, ())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('(assert_return (invoke "id" (i32.const 1)) (i32.const 2))', "got (i32 1)"),
        ('(assert_return (invoke "id" (i32.const 1)) (i64.const 1))', "got (i32 1)"),
        ('(assert_return (invoke "id" (i32.const 1)))', "expected (), got (i32 1)"),
        ('(assert_return (invoke "nan" (f32.const 1)) (f32.const nan:canonical))', "got (f32 1)"),
        ('(assert_return (invoke "nan" (f32.const nan:0x600000)) (f32.const nan:canonical))',
         "got (f32 nan:0x600000)"),
        ('(assert_return (invoke "nope"))', "nothing is exported as 'nope'"),
        ('(assert_return (invoke $x "id"))', "there is no instance $x"),
        ('(assert_return (invoke "id"))', "takes 1 arguments"),
        ('(assert_return (invoke "fail"))', "Trap: unreachable"),
        ('(assert_trap (invoke "id" (i32.const 0)) "unreachable")', "but it returned (i32 0)"),
        ('(assert_trap (invoke "fail") "integer overflow")',
         "expected 'integer overflow', got 'unreachable'"),
        ('(assert_invalid (module) "type mismatch")', "but it is accepted"),
        ('(assert_malformed (module (func (result i32))) "x")', "InvalidError: type mismatch"),
        ('(assert_unlinkable (module) "x")', "but it was instantiated"),
        ('(invoke "fail")', "Trap: unreachable"),
        ("(module (func frob))", "unknown operator frob"),
        ("(frob)", "unknown operator frob"),
        ("(module instance $i $none)", "there is no module $none"),
    ],
)  # fmt: skip
def test_what_fails(text, message):
    failures = run(f"\n{text}").failures
    assert [failure.line for failure in failures] == [10]
    assert message in failures[0].message


def test_a_failure_stops_nothing():
    report = run('(invoke "fail") (assert_return (invoke "id" (i32.const 1)) (i32.const 1))')
    assert (report.assertions, len(report.failures)) == (1, 1)


def test_a_broken_module_leaves_no_instance():
    report = run('(module (func frob)) (assert_return (invoke "id" (i32.const 1)) (i32.const 1))')
    assert [failure.message for failure in report.failures][1] == "there is no instance"


def test_linking():
    assert run(
        """(register "m") (module (import "m" "id" (func $id (param i32) (result i32)))
          (import "spectest" "print_i32" (func $print (param i32)))
          (func (export "f") (result i32) (call $print (i32.const 1)) (call $id (i32.const 2))))
        (assert_return (invoke "f") (i32.const 2))
        (module definition $d (global (export "g") (mut i32) (i32.const 4)))
        (module instance $i $d) (assert_return (get $i "g") (i32.const 4))"""
    ) == (2, ())


def test_threads():
    assert run(
        """(thread $t (shared (module $m))
          (assert_return (invoke $m "id" (i32.const 1)) (i32.const 1))
          (assert_return (invoke $m "id" (i32.const 1)) (i32.const 2)))
        (wait $t)"""
    ).failures[0].line == 11  # fmt: skip


def test_configuration():
    text = "(module (memory 1) (memory 1))"
    assert not run(text).failures
    assert "multi-memory" in run(text, features="-multi-memory").failures[0].message


MAIL = """
(module $mem (memory (export "shared") 1 1 shared))
(thread $consumer (shared (module $mem))
  (register "mem" $mem)
  (module
    (memory (import "mem" "shared") 1 1 shared)
    (func (export "take") (result i32)
      (if (i32.eqz (i32.atomic.load (i32.const 0)))
        (then (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))))
      (i32.load (i32.const 4))))
  (assert_return (invoke "take") (i32.const WANTED)))
(thread $producer (shared (module $mem))
  (register "mem" $mem)
  (module
    (memory (import "mem" "shared") 1 1 shared)
    (func (export "put")
      (i32.store (i32.const 4) (i32.const 42))
      (i32.atomic.store (i32.const 0) (i32.const 1))
      (drop (memory.atomic.notify (i32.const 0) (i32.const 1)))))
  (assert_return (invoke "put")))
(wait $producer)
(wait $consumer)
"""


def test_threads_run_at_the_same_time():
    """The consumer waits, without the interpreter lock, before there is a producer."""
    assert run(MAIL.replace("WANTED", "42")) == (2, ())


def test_failures_in_threads_are_reported():
    report = run(MAIL.replace("WANTED", "43"))
    assert report.assertions == 2
    assert [failure.message for failure in report.failures] == ["expected (i32 43), got (i32 42)"]


def test_waiting_for_no_thread():
    assert "there is no thread $x" in run("(wait $x)").failures[0].message
