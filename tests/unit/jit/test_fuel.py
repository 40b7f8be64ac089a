"""Fuel in compiled code is that of the interpreter, wherever anybody can look."""

import json
import subprocess
import sys

import pytest

from runwell.isa.form import FORMS, Form
from runwell.jit.fuel import Effect, Meter, effect

WAT = """
(module
  (import "m" "look" (func $look (param i32) (result i32)))
  (memory (export "memory") 1)
  (table 4 funcref)
  (elem (i32.const 0) $quotient $add)
  (type $binary (func (param i32 i32) (result i32)))
  (tag $e (param i32))
  (global $g (export "g") (mut i32) (i32.const 0))
  (func $add (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func $quotient (export "quotient") (param i32 i32) (result i32)
    (if (i32.eq (local.get 0) (i32.const 3)) (then (unreachable)))
    (i32.div_u (local.get 0) (local.get 1)))
  (func (export "steps") (param $at i32) (result i32) (local $s i32)
    (loop $l
      (global.set $g (i32.add (global.get $g) (i32.const 1)))
      (local.set $s (i32.add (local.get $s) (i32.load (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 4096)))
      (if (i32.and (local.get $at) (i32.const 8192))
        (then (i32.store (local.get $at) (local.get $s))))
      (br $l))
    (local.get $s))
  (func (export "straight") (param i32) (result i32)
    (global.set $g (i32.const 1))
    (if (local.get 0) (then (nop)))
    (drop (i32.load (local.get 0)))
    (global.set $g (i32.const 2))
    (if (local.get 0) (then (nop)))
    (drop (i32.load (i32.add (local.get 0) (i32.const 64))))
    (global.set $g (i32.const 3))
    (if (local.get 0) (then (nop)))
    (i32.const 7))
  (func (export "divisions") (param i32) (result i32) (local $s i32)
    (loop $l
      (local.set $s (i32.add (local.get $s) (call $quotient (i32.const 100) (local.get 0))))
      (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
      (br $l))
    (local.get $s))
  (func (export "looks") (param i32) (result i32) (local $s i32)
    (loop $l
      (local.set $s (i32.add (local.get $s) (call $look (local.get 0))))
      (if (i32.and (local.get 0) (i32.const 1))
        (then (local.set $s (i32.mul (local.get $s) (i32.const 3)))))
      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get $s))
  (func (export "indirect") (param i32 i32) (result i32)
    (i32.add
      (call_indirect (type $binary) (i32.const 9) (local.get 1) (local.get 0))
      (call_indirect (type $binary) (local.get 1) (i32.const 1) (i32.const 1))))
  (func $tail (export "tail") (param i32 i32) (result i32)
    (if (i32.eqz (local.get 0)) (then (return_call $quotient (i32.const 5) (local.get 1))))
    (return_call $tail (i32.sub (local.get 0) (i32.const 1)) (local.get 1)))
  (func $thrower (param i32)
    (if (i32.eqz (local.get 0)) (then (throw $e (i32.const 4))))
    (call $thrower (i32.sub (local.get 0) (i32.const 1))))
  (func (export "catches") (param i32) (result i32) (local $n i32)
    (loop $l
      (block $h (result i32)
        (try_table (catch $e $h) (call $thrower (local.get 0)))
        (unreachable))
      (local.set $n (i32.add (local.get $n)))
      (drop (i32.div_u (i32.const 1) (local.get 0)))
      (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
      (br $l))
    (local.get $n))
  (func (export "fills") (param i32 i32)
    (memory.fill (local.get 0) (i32.const 1) (local.get 1))
    (drop (memory.grow (i32.const 1)))
    (memory.copy (i32.const 8) (local.get 0) (local.get 1)))
  (func (export "work") (param $n i32) (result i32)
    (loop $l (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $n)))
"""
CALLS = [
    *[("steps", at) for at in (0, 4, 60000, -8)],
    *[("straight", at) for at in (0, 1 << 20, 65504)],
    *[("quotient", a, b) for a in (3, 7) for b in (0, 2)],
    *[("divisions", n) for n in (1, 3, 9)],
    *[("looks", n) for n in (1, 5, 13)],
    *[("indirect", a, b) for a in (0, 1, 2, 9) for b in (0, 1, 3)],
    *[("tail", n, b) for n in (0, 7) for b in (0, 2)],
    *[("catches", n) for n in (0, 6)],
    *[("fills", at, n) for at, n in ((0, 1000), (65000, 1000), (1 << 20, 1))],
    ("work", 200_000),
]
_RUN = """
import json, sys
import runwell
calls, text, amounts, bounds = json.load(sys.stdin)
def outcome(engine):
    config = runwell.Config(engine=engine, fuel=True, bounds=bounds)
    module = runwell.Module(text, engine=runwell.Engine(config))
    found = []
    def look(x):
        found.append(instance.fuel)
        if x == 4:
            instance.fuel += 1000
        if x == 2:
            raise LookupError
        return x
    for name, *arguments in calls:
        for amount in amounts:
            instance = runwell.Instance(module, {"m": {"look": look}})
            instance.fuel = amount
            try:
                found.append(repr(instance.exports[name](*arguments)))
            except runwell.Trap as trap:
                found.append([trap.code.name, [f.function for f in trap.backtrace]])
                if trap.code.name == "OUT_OF_FUEL":
                    found.append(trap.backtrace[0].offset)
            except LookupError:
                found.append("LookupError")
            found.append([instance.fuel, instance.exports.g.value])
    return found
print(json.dumps([outcome("interpreter"), outcome("jit")]))
"""


@pytest.mark.parametrize("bounds", ["guard", "explicit"])
def test_all_is_as_in_the_interpreter(bounds):
    amounts = [1 << 40, 1 << 62, *range(0, 90, 7), 500]
    done = subprocess.run(
        [sys.executable, "-c", _RUN],
        input=json.dumps([CALLS, WAT, amounts, bounds]),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:] or done.returncode
    expected, found = json.loads(done.stdout)
    assert found == expected
    codes = {each[0] for each in expected if isinstance(each, list)}
    wanted = {"OUT_OF_FUEL", "OUT_OF_BOUNDS_MEMORY", "INTEGER_DIVIDE_BY_ZERO", "UNREACHABLE"}
    assert wanted <= codes


def test_who_sees_the_fuel():
    effects = {}
    for form in FORMS:
        if isinstance(form, Form) and not form.dst.is_branch:
            effects[form.op.name] = max(effects.get(form.op.name, Effect.NONE), effect(form))
    for name in ("i32.add", "f64.mul", "copy", "global.get", "global.set"):
        assert effects[name] == Effect.NONE, name
    for name in (
        "i32.load",
        "i64.store",
        "i32.div_s",
        "unreachable",
        "table.get",
    ):
        assert effects[name] == Effect.STOP, name
    for name in ("call", "call_ref", "return_call", "memory.grow", "memory.fill", "array.new"):
        assert effects[name] == Effect.CALL, name
    assert effects["return"] != Effect.NONE


def test_what_nobody_sees_is_not_stored():
    meter, texts = Meter(), []
    meter.before(texts, 1, Effect.CALL)
    meter.after(texts, 1)
    assert not meter.is_used
    assert texts == []
    meter.charge(texts, 2, "5", 0, 7)
    meter.before(texts, 3, Effect.NONE)
    assert len(texts) == 1
    meter.before(texts, 4, Effect.STOP)
    assert "store i64 %fuel.s4, ptr %fuel.at" in texts[-1]
    meter.before(texts, 5, Effect.STOP)
    assert len(texts) == 2
    meter.arrive()
    meter.before(texts, 6, Effect.STOP)
    assert len(texts) == 3
    rare = meter.finish(texts, {0}, lambda amount, position: f"check {amount} {position}")
    assert "%fuel.b2 = load i64, ptr %fuel.floor" in texts[0]
    assert "check 5 7" in rare[0]


def test_a_block_that_costs_nothing_does_nothing():
    meter, texts = Meter(), []
    meter.charge(texts, 2, "0", 0, 7)
    assert meter.finish(texts, set(), lambda amount, position: "") == []
    assert texts == [""]
