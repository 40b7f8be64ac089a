"""Functions are compiled while they run; each case is a process of its own."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from uuid import uuid4

import pytest

import runwell
from runwell.jit.compiler import Ticket
from runwell.jit.level import Level
from runwell.jit.measure import measure
from runwell.jit.tier import Manager, Unit, tier_of

SOURCES, TESTS = Path(runwell.__file__).parents[1], Path(__file__).parents[3]
PRELUDE = '''
import gc, os, sys, time
import runwell
from runwell.jit import policy
from runwell.jit.watch import watch
TEXT = """(module (@custom "unique" "%s")
  (func $fib (export "fib") (param i32) (result i32)
    (if (result i32) (i32.lt_s (local.get 0) (i32.const 2)) (then (local.get 0))
      (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                     (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
  (func (export "sum") (param $n i64) (result i64) (local $s i64)
    (loop $l
      (local.set $s (i64.add (local.get $s) (local.get $n)))
      (local.set $n (i64.sub (local.get $n) (i64.const 1)))
      (br_if $l (i64.gt_s (local.get $n) (i64.const 0))))
    (local.get $s))
  (func (export "div") (param i32) (result i32)
    (i32.div_s (i32.const 1) (local.get 0))))""" % sys.argv[1]
def make(text=TEXT, **config):
    engine = runwell.Engine(runwell.Config(engine="tiered", **config))
    return runwell.Instance(runwell.Module(text, engine=engine))
def level(instance, index):
    tier = instance.module.code.tier
    return None if tier is None else tier.function(index).level
def wait(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)
'''


def run(code, *arguments):
    """What a program prints; its module is one that no cache knows, unless arguments say which."""
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(code), *(arguments or [str(uuid4())])],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (SOURCES, TESTS)))},
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("compiler", ["process", "thread"])
def test_what_is_called_often_is_compiled(compiler):
    code = f"""
    instance = make(compiler={compiler!r})
    expected = runwell.load(TEXT).exports.fib(22)
    def compiled():
        assert instance.exports.fib(22) == expected
        return level(instance, 0) is not None
    wait(compiled)
    assert instance.exports.fib(22) == expected
    assert level(instance, 1) is None
    print("done")
    """
    assert run(code) == "done\n"


def test_a_loop_goes_on_in_compiled_code():
    code = """
    instance = make()
    n = 3_000_000_000
    # Interpreted this takes a quarter of a minute at least.
    assert instance.exports.sum(n) == n * (n + 1) // 2
    assert level(instance, 1) is not None
    assert instance.module.code.tier.function(1).entries
    print("done")
    """
    assert run(code) == "done\n"


def test_the_next_run_begins_with_the_code_of_this_one():
    code = """
    instance = make()
    wait(lambda: instance.exports.fib(20) and level(instance, 0) is not None)
    wait(lambda: not instance.module.code.tier.tickets)
    watch.close()
    print(instance.module.code.tier.compiled_s > 0)
    """
    unique = str(uuid4())
    assert run(code, unique) == "True\n"
    assert run(code, unique) == "False\n"


def test_a_module_may_go_while_it_is_compiled():
    code = """
    for _ in range(20):
        make().exports.sum(3_000_000)
    gc.collect()
    instance = make()
    wait(lambda: instance.exports.fib(20) and level(instance, 0) is not None)
    print("done")
    """
    assert run(code) == "done\n"


def test_what_cannot_be_compiled_stays_interpreted():
    code = """
    from runwell.jit import compiler
    compiler.FUNCTION = "tests.unit.jit.jobs:work"  # which refuses jobs that it does not know
    instance = make()
    def failed():
        instance.exports.fib(20)
        known = instance.module.code.tier
        return known is not None and known.killed >= 2
    wait(failed)
    assert level(instance, 0) is None
    assert instance.exports.fib(20) == 6765
    print("done")
    """
    assert run(code) == "done\n"


def test_a_child_compiles_for_itself():
    code = """
    instance = make()
    wait(lambda: instance.exports.fib(20) and level(instance, 0) is not None)
    child = os.fork()
    if child == 0:
        n = 300_000_000
        assert instance.exports.sum(n) == n * (n + 1) // 2
        wait(lambda: instance.exports.sum(100_000) and level(instance, 1) is not None)
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    print("done")
    """
    assert run(code) == "done\n"


def test_traps_are_those_of_the_interpreter():
    code = '''
    text = TEXT[:-1] + """
      (func (export "often") (param $n i32)
        (loop $l (drop (call 2 (i32.const 3)))
          (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (drop (call 2 (i32.const 0)))))"""
    def backtrace(instance, n):
        try:
            instance.exports.often(n)
        except runwell.Trap as e:
            return e.code, e.backtrace
    instance = make(text)
    expected = backtrace(runwell.load(text), 10)
    assert backtrace(instance, 10) == expected
    wait(lambda: backtrace(instance, 100_000) == expected and level(instance, 3) is not None)
    assert backtrace(instance, 10) == expected
    print(expected[0].name, len(expected[1]))
    '''
    assert run(code) == "INTEGER_DIVIDE_BY_ZERO 2\n"


def test_what_takes_long_is_compiled_quickly_first_and_well_later():
    code = """
    from runwell.jit import tier
    policy.LONG_S = 0.0
    seen = []
    start = tier.Manager._start
    def note(self, module, unit, *, is_urgent=True):
        if unit.functions[0] < 2:
            seen.append((unit.functions[0], unit.level.name, unit.loop is not None))
        start(self, module, unit, is_urgent=is_urgent)
    tier.Manager._start = note
    instance = make()
    instance.exports.sum(100_000_000)
    wait(lambda: level(instance, 1) == tier.Level.BEST)
    wait(lambda: instance.exports.fib(20) == 6765 and level(instance, 0) == tier.Level.BEST)
    print(seen)
    """
    expected = [
        (1, "QUICK", True), (1, "BEST", True), (1, "BEST", False),
        (0, "QUICK", False), (0, "BEST", False),
    ]  # fmt: skip
    assert run(code) == f"{expected}\n"


def test_what_has_to_be_earned_first_comes_when_it_is_earned():
    """Also if everything that runs is compiled, so that nothing is ever reported."""
    code = """
    from runwell.jit import tier
    policy.LONG_S = 0.0
    predicted = {tier.Level.FAST: 0.01, tier.Level.QUICK: 0.05, tier.Level.BEST: 0.8}
    policy.predict = lambda sizes, level: predicted[level]
    seen = []
    start = tier.Manager._start
    def note(self, module, unit, *, is_urgent=True):
        seen.append((unit.level.name, unit.loop is not None))
        start(self, module, unit, is_urgent=is_urgent)
    tier.Manager._start = note
    instance = make()
    while len(seen) < 3:
        instance.exports.sum(2_000_000_000)
    print(seen)
    """
    assert run(code) == f"{[('QUICK', True), ('BEST', True), ('BEST', False)]}\n"


NEST = """(module (@custom "unique" "%s")
  (func (export "nest") (param $n i64) (param $m i64) (param $k i64) (result i64)
    (local $i i64) (local $j i64) (local $s i64)
    (loop $outer
      (local.set $i (local.get $m))
      (loop $middle
        (local.set $j (local.get $k))
        (loop $inner
          (local.set $s (i64.add (local.get $s) (i64.xor (local.get $i) (local.get $j))))
          (br_if $inner (i64.ne (i64.const 0)
            (local.tee $j (i64.sub (local.get $j) (i64.const 1))))))
        (br_if $middle (i64.ne (i64.const 0)
          (local.tee $i (i64.sub (local.get $i) (i64.const 1))))))
      (br_if $outer (i64.ne (i64.const 0)
        (local.tee $n (i64.sub (local.get $n) (i64.const 1))))))
    (local.get $s)))"""


@pytest.mark.parametrize(
    ("turns", "entered"), [((1_000_000, 30, 30), 0), ((10, 1_000_000, 100), 1), ((2, 10, 10**8), 2)]
)
def test_a_nest_of_loops_is_entered_at_the_outermost_that_is_reached_soon(turns, entered):
    code = f"""
    instance = make({NEST!r} % sys.argv[1])
    done = instance.exports.nest(*{turns})
    tier = instance.module.code.tier
    spans = tier.sizes_of(instance.module.code, 0).spans
    print(min(tier.function(0).entries) == spans[{entered}][0], len(spans))
    """
    assert run(code) == "True 3\n"


def test_what_runs_once_is_entered_in_its_loop_and_compiled_as_a_whole_later():
    code = """
    from runwell.jit import tier
    instance = make()
    seen = []
    start = tier.Manager._start
    def note(self, module, unit, **how):
        seen.append((unit.functions[0], unit.loop is not None))
        start(self, module, unit, **how)
    tier.Manager._start = note
    n = 3_000_000_000
    assert instance.exports.sum(n) == n * (n + 1) // 2
    wait(lambda: level(instance, 1) is not None)
    wait(lambda: instance.exports.fib(20) and level(instance, 0) is not None)
    print(seen)
    """
    assert run(code) == "[(1, True), (1, False), (0, False)]\n"


def test_kept_code_is_there_before_the_first_call():
    code = """
    instance = make()
    tier = instance.module.code.tier
    print(tier is not None and tier.function(0).level is not None)
    wait(lambda: instance.exports.fib(20) and level(instance, 0) is not None)
    wait(lambda: not instance.module.code.tier.tickets)
    """
    unique = str(uuid4())
    assert run(code, unique) == "False\n"
    assert run(code, unique) == "True\n"


def test_heat_that_is_overwritten_is_not_lost():
    code = """
    from runwell.jit.tier import ModuleTier
    from runwell.kernel.types import ctype_of
    from runwell.runtime import layout
    arm = ModuleTier.arm
    def forget(self, module, index, turns):
        # As if the guest wrote what it has counted.
        where = ctype_of(layout.FuncCode).from_address(module.code_address(index))
        before = where.heat
        arm(self, module, index, turns)
        where.heat = before
    ModuleTier.arm = forget
    instance = make()
    wait(lambda: instance.exports.fib(20) and level(instance, 0) is not None)
    print("done")
    """
    assert run(code) == "done\n"


def test_small_functions_wait_for_their_callers():
    code = '''
    from runwell.jit import tier
    text = TEXT[:-1] + """
      (func $add (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
      (func (export "adds") (param $n i32) (result i32) (local $s i32)
        (loop $l
          (local.set $s (call $add (local.get $s) (local.get $n)))
          (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $s)))"""
    instance = make(text)
    order = []
    start = tier.Manager._start
    def note(self, module, unit, **how):
        order.append(unit.functions[0])
        start(self, module, unit, **how)
    tier.Manager._start = note
    wait(lambda: instance.exports.adds(1_000_000) and level(instance, 4) is not None)
    print(order[0])
    '''
    assert run(code) == "4\n"


def test_what_can_wait_holds_up_nothing_else_of_its_function(monkeypatch):
    given = []

    class Nobody:
        def submit(self, data, budget_s, done, *, is_urgent):
            given.append(is_urgent)
            return Ticket(data, budget_s, done)

    monkeypatch.setattr("runwell.jit.tier.shared_compiler", lambda *_: Nobody())
    engine = runwell.Engine(runwell.Config(engine="interpreter"))
    module = runwell.Module(NEST % "", engine=engine).code
    manager, tier = Manager(None), tier_of(module)
    (loop, _), *_ = measure(module, 0).spans
    unit, function = Unit((0,), Level.BEST, loop, 0.01), tier.function(0)
    manager._start(module, unit)
    assert function.is_pending
    # It is done, and the function as a whole can wait.
    function.is_pending, function.entries = False, {loop}
    tier.tickets.clear()
    rest = tier.rest(module, unit)
    assert rest == unit._replace(loop=None, predicted_s=rest.predicted_s)
    manager._start(module, rest, is_urgent=False)
    assert not function.is_pending
    # Nor does it come twice.
    assert tier.rest(module, unit) is None
    assert given == [True, False]
