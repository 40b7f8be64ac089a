"""``runwell.Caller``: host functions that are told who calls."""

import functools
import gc

import pytest

import runwell

TEXT = """
(import "env" "log" (func $log (param i32 i32) (result i32)))
(memory (export "bytes") 1)
(data (i32.const 16) "hello")
(func (export "say") (param i32) (result i32) (call $log (i32.const 16) (local.get 0)))
(func (export "twice") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
"""


def calling(make, function, text=TEXT):
    return make(text, {"env": {"log": function}})


def test_memory_exports_and_instance(make):
    seen = []

    def log(caller: runwell.Caller, at, size):
        seen.append(caller.memory.read(at, size))
        assert caller.memory is instance.exports.bytes
        assert caller.instance is instance
        assert caller.exports is instance.exports
        return caller.exports.twice(size)

    instance = calling(make, log)
    assert instance.exports.say(5) == 10
    assert seen == [b"hello"]


def test_start_functions_of_the_host(make):
    seen = []

    def begin(caller: runwell.Caller):
        seen.append((caller.memory.read(0, 5), caller.exports.five()))

    text = """(import "env" "log" (func $start)) (memory 1) (data (i32.const 0) "hello")
        (start $start) (func (export "five") (result i32) (i32.const 5))"""
    calling(make, begin, text)
    assert seen == [(b"hello", 5)]


class Host:
    def __init__(self):
        self.seen = []

    def method(self, caller: runwell.Caller, at, size):
        self.seen.append(caller.memory.read(at, size))
        return 1

    def __call__(self, caller: runwell.Caller, at, size):
        return self.method(caller, at, size)

    def named(self, caller: "runwell.Caller", at, size):
        return self.method(caller, at, size)

    def undecorated(self, caller, at, size):
        return self.method(caller, at, size)

    def plain(self, at, size):
        self.seen.append((at, size))
        return 2


@pytest.mark.parametrize("way", ["method", "object", "text", "partial", "decorator"])
def test_ways_to_ask(make, way):
    host = Host()
    function = {
        "method": host.method,
        "object": host,
        "text": host.named,
        "partial": functools.partial(host.method),
        "decorator": runwell.with_caller(host.undecorated),
    }[way]
    assert calling(make, function).exports.say(4) == 1
    assert host.seen == [b"hell"]


def test_who_does_not_ask_gets_the_arguments_only(make):
    host = Host()
    assert calling(make, host.plain).exports.say(4) == 2
    assert calling(make, max).exports.say(40) == 40

    def other(at: int, size: "int") -> int:
        return 7

    assert calling(make, other).exports.say(4) == 7


def test_it_is_of_use_only_during_the_call(make):
    kept = []

    def log(caller: runwell.Caller, at, size):
        kept.append(caller)
        return 0

    calling(make, log).exports.say(1)
    for name in ("memory", "exports", "instance"):
        with pytest.raises(runwell.RunwellError, match="only during the call"):
            getattr(kept[0], name)
    assert repr(kept[0]) == "<runwell.Caller>"


def test_nested_calls_have_their_own(make):
    text = """(import "env" "log" (func $log (param i32 i32) (result i32)))
      (memory 1) (func (export "say") (param i32) (result i32)
        (i32.store8 (i32.const 0) (local.get 0)) (call $log (i32.const 0) (local.get 0)))"""

    def log(caller: runwell.Caller, at, size):
        if size:
            (two if caller.instance is one else one).exports.say(size - 1)
        return caller.memory[at] * 100 + (1 if caller.instance is one else 2)

    one, two = calling(make, log, text), calling(make, log, text)
    assert one.exports.say(0) == 1
    # The inner calls have written over the byte of the outer ones.
    assert one.exports.say(2) == 1
    assert one.exports.say(3) == 101


def test_called_by_python(make):
    def log(caller: runwell.Caller, x):
        return caller.memory

    f = runwell.Func(log, "(i32) -> externref")
    with pytest.raises(runwell.RunwellError, match="called by Python"):
        f(1)


def test_instances_without_memory(make):
    def log(caller: runwell.Caller):
        return caller.memory

    instance = make(
        '(import "env" "log" (func)) (func (export "f") (call 0))', {"env": {"log": log}}
    )
    with pytest.raises(runwell.RunwellError, match="has no memory"):
        instance.exports.f()


def test_in_start_functions(make):
    seen = []

    def log(caller: runwell.Caller, at, size):
        seen.append((caller.instance, caller.exports.twice(4), caller.memory.read(at, size)))
        return 0

    instance = calling(
        make,
        log,
        TEXT + "(func $start (drop (call $log (i32.const 16) (i32.const 2)))) (start $start)",
    )
    assert seen == [(instance, 8, b"he")]


def test_an_instance_of_which_only_a_function_is_left(make):
    text = """
    (import "env" "log" (func $log (param i32 i32) (result i32)))
    (import "env" "g" (global $g i32)) (import "env" "t" (table 2 funcref))
    (tag (export "tag") (param i32)) (global (export "g") (mut i32) (i32.const 9))
    (table (export "t") 3 externref) (memory (export "m") 1) (export "ig" (global $g))
    (export "it" (table 0))
    (func (export "twice") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
    (func (export "say") (param i32) (result i32) (call $log (i32.const 16) (local.get 0)))
    """
    seen = []

    def log(caller: runwell.Caller, at, size):
        exports = caller.exports
        assert caller.instance is caller.instance
        assert caller.instance.exports is exports
        assert list(exports) == ["tag", "g", "t", "m", "ig", "it", "twice", "say"]
        exports.g.value += 1
        seen.append((exports.g.value, len(exports.t), exports.m.size, exports.ig.value))
        assert exports.it[0] is f
        assert exports.tag is exports.tag
        assert caller.instance.module.imports[0].name == "log"
        return exports.twice(size)

    table = runwell.Table("funcref", 2)
    imports = {"env": {"log": log, "g": runwell.Global("i32", 77), "t": table}}
    f = make(text, imports).exports.say
    table[0] = f
    del imports
    gc.collect()
    assert f(21) == 42
    gc.collect()
    assert f(1) == 2
    assert seen == [(10, 3, 1, 77), (11, 3, 1, 77)]


def test_errors_pass_through(make):
    boom = KeyError("x")

    def log(caller: runwell.Caller, at, size):
        raise boom

    with pytest.raises(KeyError) as caught:
        calling(make, log).exports.say(1)
    assert caught.value is boom
    (note,) = boom.__notes__
    assert "0: say" in note


def test_many_arguments(make):
    n = 40
    params = "i32 " * n
    gets = " ".join(f"(local.get {i})" for i in range(n))
    text = f"""(import "env" "log" (func $log (param {params}) (result i64)))
      (func (export "f") (param {params}) (result i64) {gets} (call $log))"""

    def log(caller: runwell.Caller, *args):
        assert "log" not in caller.exports
        return sum(args)

    assert calling(make, log, text).exports.f(*range(n)) == n * (n - 1) // 2


def test_it_cannot_be_made():
    with pytest.raises(TypeError, match="annotate"):
        runwell.Caller()
    with pytest.raises(TypeError, match="not callable"):
        runwell.with_caller(3)


def test_the_decorated_function_stays_a_function():
    @runwell.with_caller
    def f(caller, x):
        return x + 1

    assert f(None, 2) == 3
    assert repr(f).startswith("runwell.with_caller(<function ")
