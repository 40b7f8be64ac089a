"""Functions compiled do what they do interpreted, and trap where they trap interpreted."""

import pytest
from tests.unit.jit.guests import assert_same
from tests.unit.jit.programs import job_of

from runwell.isa.op import Rule
from runwell.isa.table import TABLE
from runwell.jit.compile import compile_job

ARGUMENTS = [-7, 0, 1, 3, 8, 100]


def calls(name="f", values=ARGUMENTS):
    return [(name, x) for x in values]


CONTROL = {
    "loops": """(func (export "f") (param i32) (result i32) (local i32)
        (loop $l (local.set 1 (i32.add (i32.mul (local.get 1) (i32.const 3)) (local.get 0)))
          (br_if $l (i32.gt_s (local.tee 0 (i32.sub (local.get 0) (i32.const 1))) (i32.const 0))))
        (local.get 1))""",
    "a table": """(func (export "f") (param i32) (result i32)
        (block $a (result i32) (block $b (result i32) (block $c (result i32)
          (br_table $a $b $c $b (i32.const 5) (local.get 0)))
          (i32.mul (i32.const 10)))
          (i32.add (i32.const 1))))""",
    "a table to a loop": """(func (export "f") (param i32) (result i32) (local i32)
        (block $out (loop $l
          (local.set 1 (i32.add (local.get 1) (i32.const 10)))
          (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
          (br_table $out $l $l $out (local.get 0))))
        (i32.add (local.get 0) (local.get 1)))""",
    "results of blocks that only branches reach": """(func (export "f") (param i32) (result f64)
        (local f64)
        (local.set 1 (f64.const 2.5))
        (f64.add (f64.const 1)
          (block $l (result f64)
            (if (i32.and (local.get 0) (i32.const 1))
              (then (br $l (f64.add (local.get 1) (f64.const 1)))))
            (if (i32.and (local.get 0) (i32.const 2)) (then (br $l (local.get 1))))
            (drop (i32.add (local.get 0) (i32.const 3)))
            (br $l (f64.mul (local.get 1) (f64.const 3))))))""",
    "numbers of several types in the same slots": """(func (export "f") (param i32) (result f32)
        (block $a (result f32) (block $b (result f64) (block $c (result i64)
          (if (i32.eqz (local.get 0)) (then (br $c (i64.const 5))))
          (if (i32.lt_s (local.get 0) (i32.const 2)) (then (br $b (f64.const 6))))
          (br $a (f32.const 7)))
          (f64.convert_i64_s))
          (f32.demote_f64)))""",
    "many values carried": """(type $t (func (param i32 i64 f32 f64 i32 f64 f32 i64)
          (result i32 i64 f32 f64 i32 f64 f32 i64)))
        (func $g (type $t) (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4)
          (local.get 5) (local.get 6) (local.get 7))
        (func (export "f") (param i32) (result i32 i64 f32 f64 i32 f64 f32 i64)
          (i32.const 99)
          (block $l (result i32 i64 f32 f64 i32 f64 f32 i64)
            (f64.const 4) (drop)
            (i32.const 1) (i64.const 2) (f32.const 3) (f64.const 4)
            (i32.const 5) (f64.const 6) (f32.const 7) (i64.const 8)
            (br_if $l (local.get 0))
            (call $g))
          (local.set 0 (i32.const 0)) (return))""",
    "many values of unknown types carried": """
        (func (export "f") (param i32) (result i32 f64 i64 f32 i32 i32)
          (i32.const 99)
          (block $o (result i32 f64 i64 f32 i32 i32)
            (f64.const 8) (i64.const 9)
            (block $i (result i32 f64 i64 f32 i32 i32)
              (if (local.get 0) (then
                (br $i (i32.const 1) (f64.const 2) (i64.const 3) (f32.const 4) (i32.const 5)
                  (i32.const 6))))
              (drop (f32.add (f32.const 1) (f32.convert_i32_s (local.get 0))))
              (br $i (i32.const 7) (f64.const 8) (i64.const 9) (f32.const 10) (i32.const 11)
                (i32.const 12)))
            (br $o))
          (return))""",
    "select": """(func (export "f") (param i32) (result i64)
        (i64.add
          (i64.extend_i32_u
            (select (i32.const 7) (local.get 0) (i32.gt_s (local.get 0) (i32.const 1))))
          (i64.trunc_f64_s (select (f64.const 70) (f64.const 80) (local.get 0)))))""",
    "sizes of memories and tables": """(memory 3 9) (table 5 funcref)
        (func (export "f") (param i32) (result i32)
          (drop (memory.grow (i32.and (local.get 0) (i32.const 3))))
          (i32.add (memory.size) (i32.mul (table.size) (i32.const 100))))""",
    "globals": """(global $a (mut i32) (i32.const 1)) (global $b (mut f32) (f32.const 2))
        (global $c (mut f64) (f64.const 3)) (global $d (mut i64) (i64.const 4))
        (func (export "f") (param i32) (result f64)
          (global.set $a (i32.add (global.get $a) (local.get 0)))
          (global.set $b (f32.const 12.5))
          (global.set $c (f64.mul (global.get $c) (f64.const 2)))
          (global.set $d (i64.const -9))
          (f64.add (f64.add (global.get $c) (f64.promote_f32 (global.get $b)))
            (f64.convert_i64_s (i64.add (global.get $d) (i64.extend_i32_s (global.get $a))))))""",
}


@pytest.mark.parametrize("name", CONTROL)
def test_control(name):
    assert_same(f"(module {CONTROL[name]})", calls())


CALLS = {
    "arguments in registers and in the frame": """
        (func $g (param i32 f64 i64 f32 v128 i32 f64 f32 i64 v128) (result f64)
          (f64.add (f64.add (f64.convert_i32_s (local.get 0)) (local.get 1))
            (f64.add (f64.add (f64.convert_i64_s (local.get 2)) (f64.promote_f32 (local.get 3)))
              (f64.add (f64.add (f64x2.extract_lane 1 (local.get 4))
                                (f64.convert_i32_s (local.get 5)))
                (f64.add (f64.add (local.get 6) (f64.promote_f32 (local.get 7)))
                  (f64.add (f64.convert_i64_s (local.get 8))
                           (f64x2.extract_lane 0 (local.get 9))))))))
        (func (export "f") (param i32) (result f64)
          (call $g (local.get 0) (f64.const 0.5) (i64.const 3) (f32.const 0.25)
            (v128.const f64x2 10 20) (i32.const 1000) (f64.const 0.125) (f32.const 5)
            (i64.const 7) (v128.const f64x2 30 40)))""",
    "several results": """
        (func $g (param i32) (result i32 f64 v128 i64)
          (local.get 0) (f64.const 0.5) (v128.const i32x4 1 2 3 4) (i64.const 7))
        (func (export "f") (param i32) (result i32 f64 i32 i64) (local i64)
          (call $g (local.get 0)) (local.set 1) (i32x4.extract_lane 2) (local.get 1))""",
    "tail calls": """
        (func $even (param i32) (result i32)
          (if (i32.eqz (local.get 0)) (then (return (i32.const 1))))
          (return_call $odd (i32.sub (local.get 0) (i32.const 1))))
        (func $odd (param i32) (result i32)
          (if (i32.eqz (local.get 0)) (then (return (i32.const 0))))
          (return_call $even (i32.sub (local.get 0) (i32.const 1))))
        (func (export "f") (param i32) (result i32)
          (call $even (i32.mul (i32.const 10000) (i32.and (local.get 0) (i32.const 7)))))""",
    "tables": """
        (type $t (func (param i32) (result i32))) (type $u (func (result i32)))
        (table 8 funcref) (elem (i32.const 0) $a $b) (elem (i32.const 3) $c)
        (func $a (type $t) (i32.add (local.get 0) (i32.const 1)))
        (func $b (type $t) (i32.mul (local.get 0) (i32.const 2)))
        (func $c (type $u) (i32.const 3))
        (func (export "f") (param i32) (result i32)
          (call_indirect (type $t) (i32.const 100) (local.get 0)))""",
    "references": """
        (type $t (func (param i32 f32) (result f32)))
        (func $a (type $t) (f32.add (local.get 1) (f32.convert_i32_s (local.get 0))))
        (elem declare func $a)
        (func (export "f") (param i32) (result f32) (local (ref null $t))
          (if (local.get 0) (then (local.set 1 (ref.func $a))))
          (call_ref $t (local.get 0) (f32.const 0.5) (local.get 1)))""",
    "tail calls through references": """
        (type $t (func (param i32 f64) (result f64)))
        (func $a (type $t) (f64.add (local.get 1) (f64.convert_i32_s (local.get 0))))
        (elem declare func $a)
        (func (export "f") (param i32) (result f64)
          (return_call_ref $t (local.get 0) (f64.const 0.5) (ref.func $a)))""",
    "recursion": """
        (func $fib (export "f") (param i32) (result i32)
          (if (i32.lt_s (local.get 0) (i32.const 2)) (then (return (local.get 0))))
          (i32.add (call $fib (i32.sub (local.get 0) (i32.const 2)))
                   (call $fib (i32.sub (local.get 0) (i32.const 50)))))""",
    "the host": """
        (import "m" "host" (func $h (param i32) (result i32)))
        (func (export "f") (param i32) (result i32)
          (i32.add (call $h (local.get 0)) (call $h (i32.const 5))))""",
}


@pytest.mark.parametrize("name", CALLS)
def test_calls(name):
    assert_same(f"(module {CALLS[name]})", calls())


def test_host_errors_pass():
    found = assert_same(f"(module {CALLS['the host']})", [("f", 1), ("f", 13), ("f", 2)])
    assert found == ["8", ["LookupError", "thirteen"], "9"]


TRAPS = """(module (memory (export "memory") 1)
  (table 1 funcref) (type $t (func))
  (func $load (param i32) (result i32) (i32.load offset=65532 (local.get 0)))
  (func (export "unused") (param i32) (drop (i32.load8_u offset=65530 (local.get 0))))
  (func (export "order") (param i32)
    (i32.store (i32.const 0) (i32.const 1))
    (drop (i32.load offset=65529 (local.get 0)))
    (i32.store (i32.const 0) (i32.const 2)))
  (func (export "deep") (param i32) (result i32)
    (i32.add (i32.const 1) (call $load (local.get 0))))
  (func (export "divide") (param i32) (result i32)
    (i32.div_s (i32.const 100) (i32.add (local.get 0) (i32.const 7))))
  (func (export "convert") (param i32) (result i32)
    (i32.trunc_f32_s (f32.div (f32.convert_i32_s (local.get 0)) (f32.const 0))))
  (func (export "stop") (param i32) (if (local.get 0) (then unreachable)))
  (func $endless (export "endless") (param i32) (call $endless (local.get 0)))
  (func (export "nothing") (param i32) (call_indirect (type $t) (local.get 0))))"""


def test_traps():
    names = ("unused", "order", "deep", "divide", "convert", "stop", "nothing")
    found = assert_same(TRAPS, [(name, x) for name in names for x in (1, -7, 0, 8)])
    assert sum(isinstance(x, list) for x in found) > 14
    assert_same(TRAPS, [("order", 8)])


def test_depth():
    found = assert_same(TRAPS, [("endless", 1)], max_frames=200)
    assert found[0][0] == "STACK_EXHAUSTED"
    assert len(found[0][1]) > 50


def test_signalling_nans_become_quiet():
    signalling = "(f64.reinterpret_i64 (i64.const 0x7ff4000000000000))"
    tests = [
        f"(f64.{op} (local.get 0) (f64.const {x}))"
        for op, x in [("add", "-0"), ("sub", "0"), ("mul", "1"), ("div", "1"), ("mul", "-1")]
    ]
    tests.append("(f64.promote_f32 (f32.demote_f64 (local.get 0)))")
    body = "".join(
        f"(func $g{n} (param f64) (result i64) (i64.reinterpret_f64 {test}))"
        f'(func (export "f{n}") (result i64) (call $g{n} {signalling}))'
        for n, test in enumerate(tests)
    )
    found = assert_same(f"(module {body})", [(f"f{n}",) for n in range(len(tests))])
    assert all(int(x) >> 51 & 1 for x in found)


EXCEPTIONS = """(module (tag $e (param i32)) (tag $f (param f64 i64)) (tag $r (param externref))
  (import "m" "host" (func $h (param i32) (result i32)))
  (func $thrower (param i32)
    (if (i32.eq (local.get 0) (i32.const 1)) (then (throw $e (i32.const 11))))
    (if (i32.eq (local.get 0) (i32.const 3)) (then (throw $f (f64.const 2.5) (i64.const 9))))
    (if (i32.eq (local.get 0) (i32.const 8)) (then (throw $r (ref.null extern)))))
  (func $catch (export "f") (param i32) (result i32) (local $kept i32) (local $x f64)
    (local.set $kept (i32.mul (local.get 0) (i32.const 1000)))
    (local.set $x (f64.const 0.25))
    (i32.add (local.get $kept)
      (block $he (result i32)
        (block $hf (result f64 i64)
          (try_table (catch $e $he) (catch $f $hf)
            (local.set $x (f64.const 0.75))
            (call $thrower (local.get 0))
            (local.set $x (f64.const 100)))
          (f64.const 4) (i64.const 5))
        (i32.wrap_i64) (drop)
        (i32.trunc_f64_s (f64.mul (f64.add (local.get $x)) (f64.const 100))))))
  (func (export "again") (param i32) (result i32) (local i32)
    (loop $l
      (local.set 1 (i32.add (local.get 1)
        (block $h (result i32) (try_table (result i32) (catch $e $h) (catch_all $l)
          (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
          (if (i32.and (local.get 0) (i32.const 1)) (then (throw $e (local.get 0))))
          (local.get 0)))))
      (br_if $l (i32.gt_s (local.get 0) (i32.const 0))))
    (local.get 1))
  (func (export "rethrow") (param i32) (result i32)
    (block $h (result i32)
      (try_table (catch $e $h)
        (block $in (result exnref)
          (try_table (catch_all_ref $in) (call $thrower (local.get 0)))
          (return (i32.const -1)))
        (throw_ref))
      (i32.const -2))))"""


def test_exceptions():
    assert_same(
        EXCEPTIONS, [(n, x) for n in ("f", "again", "rethrow") for x in (0, 1, 2, 3, 8, 50)]
    )


MEMORIES = """(module (memory (export "memory") 1 4) (memory $two 1) (memory $wide i64 1 3)
  (data $d "abcdefgh")
  (func (export "f") (param i32) (result i32)
    (memory.init $d (i32.const 8) (i32.const 1) (i32.const 5))
    (memory.copy $two 0 (i32.const 16) (i32.const 8) (i32.const 5))
    (memory.fill (i32.const 32) (local.get 0) (i32.const 7))
    (i64.store $wide (i64.extend_i32_u (local.get 0)) (i64.const 0x1122334455667788))
    (i32.add (i32.load $two offset=10 (i32.and (local.get 0) (i32.const 15)))
      (i32.load16_u $wide offset=2 (i64.extend_i32_u (local.get 0)))))
  (func (export "far") (param i64) (result i32)
    (i32.load8_u $wide offset=0xfffffffff0 (local.get 0))))"""


@pytest.mark.parametrize("bounds", ["guard", "explicit"])
def test_memories(bounds):
    assert_same(MEMORIES, [*calls(), ("far", 1), ("far", -1), ("f", 65533)], bounds=bounds)


def test_fuel():
    text = CONTROL["loops"]
    assert_same(f"(module {text})", calls(values=[3, 50]), fuel=2000)
    assert_same(f"(module {text})", calls(values=[300, 3]), fuel=100)


VECTORS = """(module
  (func (export "f") (param i32) (result i32) (local v128)
    (local.set 1 (i32x4.splat (local.get 0)))
    (i32x4.extract_lane 3
      (i32x4.add (i8x16.swizzle (local.get 1) (v128.const i8x16 3 2 1 0 7 6 5 4 0 0 0 0 1 1 1 1))
        (i32x4.dot_i16x8_s (local.get 1) (v128.const i16x8 1 2 3 4 5 6 7 8))))))"""


def test_vectors():
    assert_same(VECTORS, calls())


def test_wide_arithmetic():
    text = """(module (func (export "f") (param i64) (result i64 i64 i64 i64)
      (i64.mul_wide_s (local.get 0) (i64.const 0x7fffffffffffffff))
      (i64.add128 (local.get 0) (i64.const -1) (i64.const 1) (i64.const 5))))"""
    assert_same(text, calls(), features="wide-arithmetic")


SLOTS = {
    # The word behind a choice that goes to the accumulator is no slot.
    "a choice": """(module (memory 1)
      (func (export "f") (param i32) (result i64) LOCALS
        (i64.store8 (i32.const 0)
          (select (i64.const 5) (i64.const 6) (i32.eqz (local.get 0))))
        (i64.load (i32.const 0))))""",
    # An operand that waits while control comes from elsewhere, in a slot that had another type.
    "a structure": """(module
      (type $s (struct (field i32) (field i32) (field i32)))
      (func $g (param i64 i64 i64) (result i32) (i32.wrap_i64 (local.get 1)))
      (func (export "f") (param i32) (result i32) (local (ref $s))
        (drop (call $g (i64.const 1) (i64.const -2) (i64.const -3)))
        (local.set 1 (struct.new $s
          (i32.mul (local.get 0) (i32.const 3))
          (i32.mul (local.get 0) (i32.const 5))
          (block $b (result i32)
            (br_if $b (i32.const 9) (local.get 0))
            (drop) (br $b (i32.const 4)))))
        (i32.add (struct.get $s 0 (local.get 1)) (struct.get $s 1 (local.get 1)))))""",
    "an array": """(module
      (type $a (array (mut v128)))
      (func $g (param i32 i32 i64) (result i32) (local.get 1))
      (func (export "f") (param i32) (result i32)
        (drop (call $g (i32.const 1) (i32.const -2) (i64.const -3)))
        (i32x4.extract_lane 2 (array.get $a
          (array.new_fixed $a 2 (i32x4.splat (local.get 0))
            (block $b (result v128)
              (br_if $b (i32x4.splat (i32.const 9)) (local.get 0))
              (drop) (br $b (v128.const i64x2 5 6))))
          (i32.const 0)))))""",
}


@pytest.mark.parametrize("name", SLOTS)
def test_slots_that_had_other_types(name):
    text = SLOTS[name].replace("LOCALS", f"(local{' f64' * 999})")
    compile_job(job_of(text))
    assert_same(text, calls())


def test_accesses_that_change_nothing_trap():
    """Nobody wants their values, and what they write is what was there."""
    texts, names = [], []
    for op in TABLE:
        if op.rule == Rule.LOAD or Rule.ATOMIC_LOAD <= op.rule <= Rule.ATOMIC_CMPXCHG:
            zeros = " ".join(f"({t.text}.const 0)" for t in op.params[1:])
            drop = "(drop)" * len(op.results)
            names.append(op.mnemonic)
            texts.append(f"""(func (export "{op.mnemonic}")
              ({op.keyword} offset=65536 (i32.const 0) {zeros}) {drop})""")
    outcomes = assert_same(f"(module (memory 1) {' '.join(texts)})", [(name,) for name in names])
    assert len(outcomes) > 80
    assert all(code == "OUT_OF_BOUNDS_MEMORY" for code, _ in outcomes)
