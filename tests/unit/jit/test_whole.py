"""Modules that are compiled before they run."""

from uuid import uuid4

import pytest

import runwell
from runwell.jit import policy
from runwell.jit.policy import Level
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
