"""Modules that are compiled before they run."""

from queue import SimpleQueue
from threading import Thread
from time import monotonic, sleep
from uuid import uuid4

import pytest

import runwell
from runwell.jit import policy
from runwell.jit.compiler import Compiler, Outcome, Status, Ticket
from runwell.jit.level import Level
from runwell.jit.whole import compile_module

TEXT = """(module
  (func $a (export "a") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
  (func (export "b") (param i32) (result i32) (call $a (call $a (local.get 0)))))"""


def compiled(**config):
    engine = runwell.Engine(runwell.Config(engine="jit", compiler="thread", **config))
    return runwell.Instance(runwell.Module(TEXT, engine=engine))


def test_all_functions_are_compiled():
    instance = compiled()
    assert instance.exports.b(40) == 42
    functions = instance.module.code.tier.functions
    assert {x: f.level for x, f in functions.items()} == {0: Level.BEST, 1: Level.BEST}


def test_what_would_take_too_long_is_compiled_at_the_lowest_level(monkeypatch):
    monkeypatch.setattr(policy, "LONGEST_S", 0.0)
    instance = compiled(features="-simd", bounds="explicit")
    assert instance.exports.b(40) == 42
    assert instance.module.code.tier.function(1).level == Level.FAST


def test_progress_is_told():
    unseen = f'(module (@custom "unique" "{uuid4()}")' + TEXT.removeprefix("(module")
    module = runwell.Module(unseen).code
    module.compiler = "thread", None
    seen = []
    compile_module(module, lambda *step: step in seen or seen.append(step))
    assert seen == [("measure", 0, 2), ("compile", 0, 1), ("compile", 1, 1)]


@pytest.mark.parametrize("phase", ["measure", "compile"])
def test_what_is_told_may_refuse(phase):
    unseen = f'(module (@custom "unique" "{uuid4()}")' + TEXT.removeprefix("(module")

    def refuse(now, _done, _total):
        if now == phase:
            raise LookupError(phase)

    engine = runwell.Engine(runwell.Config(engine="jit"))
    with pytest.raises(LookupError, match=phase):
        runwell.Module(unseen, engine=engine, progress=refuse)
    assert runwell.Instance(runwell.Module(unseen, engine=engine)).exports.b(40) == 42


def test_invalid_functions_stay_as_they_are():
    text = TEXT[:-1] + '(func (export "c") (result i32) (i32.const 1) drop drop (i32.const 2)))'
    engine = runwell.Engine(runwell.Config(engine="jit", compiler="thread"))
    instance = runwell.Instance(runwell.Module(text, engine=engine, validation="lazy"))
    assert instance.exports.b(40) == 42
    with pytest.raises(runwell.InvalidError):
        instance.exports.c()


UNITS = """(module
  (type $t (func (param i32) (result i32)))
  (table funcref (elem $small))
  (memory (export "memory") 1)
  (func $small (type $t) (i32.div_u (i32.const 100) (local.get 0)))
  (func $big (export "big") (type $t) (local i32) {work}
    (i32.add (call $other (local.get 0)) (local.get 1)))
  (func (export "indirect") (type $t) (local i32) {work}
    (i32.add (call_indirect (type $t) (local.get 0) (i32.const 0)) (local.get 1)))
  (func $other (type $t) (i32.add (call $small (local.get 0)) (i32.const 1))))"""
WORK = (
    "(local.set 1 (i32.xor (i32.load (i32.and (local.get 1) (i32.const 0xFFF))) (i32.const 12345)))"
    * 50
)


def test_units_have_copies_of_small_functions(monkeypatch):
    """Of what they call, and of what calls through tables probably reach; traps are located."""
    monkeypatch.setattr(policy, "UNIT_BYTES", 100)
    engine = runwell.Engine(runwell.Config(engine="jit", compiler="thread"))
    unseen = UNITS.format(work=WORK).replace("12345", str(uuid4().int & 0xFFFFFFF))
    module = runwell.Module(unseen, engine=engine)
    exports = runwell.Instance(module).exports
    assert exports.big(4) - exports.indirect(4) == 1
    for name, functions in (("big", [0, 3, 1]), ("indirect", [0, 2])):
        with pytest.raises(runwell.Trap) as trap:
            exports[name](0)
        assert [frame.function for frame in trap.value.backtrace] == functions
    names = [symbol.name for code in module.code.compiled for symbol in code.symbols]
    assert names.count("f0") == names.count("f3") == 1
    assert len(module.code.compiled) > 1


def test_what_there_is_no_time_for_is_left_to_the_tiers(monkeypatch):
    monkeypatch.setattr(policy, "whole_s", lambda _level, _n_bytes: 0.0)
    text = f"""(module (@custom "unique" "{uuid4()}")
      (func (export "f") (param i32) (result i32) (local i32)
        (loop $l
          (local.set 1 (i32.add (i32.mul (local.get 1) (i32.const 3)) (local.get 0)))
          (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (local.get 1)))"""
    plain = runwell.Engine(runwell.Config(engine="interpreter"))
    engine = runwell.Engine(runwell.Config(engine="jit"))
    instance = runwell.Instance(runwell.Module(text, engine=engine))
    tier = instance.module.code.tier
    assert tier.function(0).level is None
    assert not tier.function(0).failed
    # Nothing is too dear to become hot.
    expected = runwell.Instance(runwell.Module(text, engine=plain)).exports.f(1_000_000)
    until = monotonic() + 60
    while tier.function(0).level is None and monotonic() < until:
        assert instance.exports.f(1_000_000) == expected
    assert tier.function(0).level == Level.BEST


class Slow(Compiler):
    """Fails at everything, after all of the time that it is given."""

    def __init__(self):
        self.problem, self.spent_s, self.queue = "", 0.0, SimpleQueue()
        Thread(target=self.work, daemon=True).start()

    def submit(self, data, budget_s, done):
        ticket = Ticket(data, budget_s, done)
        self.queue.put(ticket)
        return ticket

    def work(self):
        while (ticket := self.queue.get()) is not None:
            status = Status.CANCELLED if ticket.is_cancelled else Status.OVERRUN
            used_s = 0.0 if ticket.is_cancelled else ticket.budget_s
            self.spent_s += used_s
            sleep(0.01)
            ticket.finish(Outcome(status, cpu_s=used_s))

    def cancel(self, ticket):
        ticket.is_cancelled = True

    def warm(self):
        pass

    def close(self):
        self.queue.put(None)


def test_time_is_shared_by_all_units(monkeypatch):
    """Each may take as long as it was predicted to, all together no longer than is given."""
    slow = Slow()
    monkeypatch.setattr(policy, "UNIT_BYTES", 1)
    monkeypatch.setattr("runwell.jit.whole.shared_compiler", lambda *_: slow)
    functions = "".join(f'(func (export "f{n}") (result i32) (i32.const {n}))' for n in range(60))
    module = runwell.Module(f'(module (@custom "unique" "{uuid4()}") {functions})')
    compile_module(module.code)
    slow.close()
    allowed_s = sum(
        policy.whole_s(level, len(module.code.module.data)) for level in (Level.FAST, Level.BEST)
    )
    # The next one has begun when it is seen that one has taken so long.
    more_s = 2 * policy.budget(0.01)
    assert allowed_s * 0.5 < slow.spent_s < allowed_s + more_s < 60 * policy.budget(0.0)
    assert runwell.Instance(module).exports.f7() == 7
