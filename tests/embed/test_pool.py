"""Pools: instances that are used again, of which nothing is left from one use to the next."""

import gc
import os
import pickle
import sys
import threading
import weakref
from operator import attrgetter

import pytest

import runwell
from runwell.runtime import snapshot

PAGE = 65536
TEXT = """(module
  (import "env" "log" (func $log (param i32) (result i32)))
  (memory (export "memory") 1 8) (memory $second (export "second") 2)
  (table (export "table") 4 20 funcref) (table $objects (export "objects") 3 externref)
  (global $g (export "g") (mut i32) (i32.const 5))
  (global $x (export "x") (mut externref) (ref.null extern))
  (global $f (export "f") (mut funcref) (ref.func $one))
  (global $v (mut v128) (v128.const i64x2 1 2))
  (data (i32.const 16) "hello") (data $passive "later")
  (elem (table 0) (i32.const 0) func $one $log) (elem $segment func $two $one)
  (func $one (export "one") (result i32) (i32.const 1))
  (func $two (result i32) (i32.const 2))
  (func (export "call") (param i32) (result i32) (call_indirect (result i32) (local.get 0)))
  (func (export "log") (param i32) (result i32) (call $log (local.get 0)))
  (func (export "set") (param i32 externref)
    (global.set $g (local.get 0)) (global.set $x (local.get 1)) (global.set $f (ref.func $two))
    (global.set $v (v128.const i64x2 7 8))
    (table.set $objects (i32.const 1) (local.get 1))
    (i32.store8 (i32.const 16) (local.get 0)) (i32.store8 $second (i32.const 70000) (local.get 0)))
  (func (export "v") (result i64) (i64x2.extract_lane 1 (global.get $v)))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
  (func (export "load2") (param i32) (result i32) (i32.load8_u $second (local.get 0)))
  (func (export "store") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
  (func (export "drop") (data.drop $passive) (elem.drop $segment))
  (func (export "init") (memory.init $passive (i32.const 0) (i32.const 0) (i32.const 5))
    (table.init 0 $segment (i32.const 2) (i32.const 0) (i32.const 2)))
  (func (export "fill") (param i32) (result i32) (table.grow 0 (ref.func $two) (local.get 0)))
  (func (export "trap") unreachable))"""


@pytest.fixture(scope="module")
def module():
    return runwell.Module(TEXT)


def log(n):
    return n + 1


@pytest.fixture
def pool(module):
    with module.instantiate_pool(1, {"env": {"log": log}}) as pool:
        yield pool


def check_fresh(exports):
    assert exports.g.value == 5
    assert exports.x.value is None
    assert exports.f.value() == 1
    assert exports.v() == 2
    assert exports.memory.size == 1
    assert exports.second.size == 2
    assert bytes(exports.memory) == bytes(16) + b"hello" + bytes(PAGE - 21)
    assert bytes(exports.second) == bytes(2 * PAGE)
    assert list(exports.objects) == [None] * 3
    assert len(exports.table) == 4
    assert exports.table[0] is exports.one
    assert exports.table[2] is exports.table[3] is None
    assert exports.call(0) == 1
    assert exports.log(3) == 4
    for at in (PAGE, 5 * PAGE):
        with pytest.raises(runwell.Trap, match="out of bounds"):
            exports.load(at)
    exports.init()
    assert exports.memory[:5] == b"later"
    assert exports.call(2) == 2
    assert exports.call(3) == 1


def test_nothing_is_left(pool):
    for _ in range(5):
        with pool.acquire() as instance:
            check_fresh(instance.exports)
            thing = ["x"]
            instance.exports.set(99, thing)
            assert instance.exports.grow(5) == 1
            instance.exports.store(6 * PAGE - 1, 7)
            instance.exports.store(PAGE, 8)
            assert instance.exports.fill(7) == 4
            instance.exports.drop()
            gone = weakref.ref(instance)
        del instance
        assert gone() is None
        assert sys.getrefcount(thing) == 2
    with pool.acquire() as instance:
        assert instance.exports.grow(3) == 1
        assert [instance.exports.load(n * PAGE - 1) for n in (2, 3, 4)] == [0, 0, 0]
        assert instance.exports.load(PAGE) == 0
        assert instance.exports.fill(3) == 4
        assert [f() for f in instance.exports.table if f is not None and f.name != "env.log"][
            1:
        ] == [2] * 3


@pytest.mark.parametrize(
    "way", ["instance", "exports", "function", "memory", "table", "global", "from a table"]
)
def test_what_one_user_had_is_of_no_use_later(pool, way):
    with pool.acquire() as instance:
        exports = instance.exports
        assert exports.one() == 1
        if way == "instance":
            kept = instance
        elif way == "exports":
            kept = exports
        elif way == "from a table":
            kept = exports.f.value
        else:
            kept = exports[{"function": "load", "global": "g"}.get(way, way)]
        del exports
    if way != "instance":
        del instance

    def use():
        if way == "instance":
            return kept.exports.one()
        if way == "exports":
            return kept.one()
        if way in ("function", "from a table"):
            return kept()
        return {"memory": bytes, "table": list, "global": attrgetter("value")}[way](kept)

    with pytest.raises(runwell.ClosedError):
        use()
    with pool.acquire() as other:
        check_fresh(other.exports)
        with pytest.raises(runwell.ClosedError):
            use()


def test_instances_are_used_again(pool):
    seen = set()
    for _ in range(10):
        with pool.acquire() as instance:
            instance.exports.one()
            seen.add(int(instance._native.address))
    assert len(seen) == 1


def test_views_keep_what_they_show(pool):
    with pool.acquire() as instance:
        view = memoryview(instance.exports.memory)
        part = view[16:21]
        address = int(instance._native.address)
        del view
    with pool.acquire() as other:
        assert int(other._native.address) != address or other.exports.memory is not part.obj
        other.exports.store(16, 0)
        assert bytes(part) == b"hello"
        part[0] = ord("j")
        assert other.exports.load(16) == 0
        part.release()
        check_fresh_after(other)


def check_fresh_after(instance):
    instance.exports.store(16, ord("h"))
    check_fresh(instance.exports)


def test_an_instance_that_was_linked_is_not_used_again(pool):
    with pool.acquire() as instance:
        taker = runwell.Instance(
            runwell.Module("""(module (import "p" "memory" (memory 1))
              (import "p" "one" (func $f (result i32)))
              (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
              (func (export "one") (result i32) (call $f)))"""),
            {"p": instance},
        )
        instance.exports.store(0, 77)
    with pool.acquire() as other:
        check_fresh(other.exports)
        assert taker.exports.load(0) == 77
        assert taker.exports.one() == 1


def test_functions_in_tables_of_others(pool):
    table = runwell.Table("funcref", 1)
    with pool.acquire() as instance:
        table[0] = instance.exports.load
        instance.exports.store(0, 77)
    with pool.acquire() as other:
        check_fresh(other.exports)
        assert table[0](0) == 77


def test_dropping_without_closing(pool):
    instance = pool.acquire()
    f = instance.exports.load
    instance.exports.store(0, 9)
    del instance
    gc.collect()
    with pool.acquire(timeout_s=1) as other:
        check_fresh(other.exports)
        assert f(0) == 9


def test_after_traps_and_errors(module):
    def log(n):
        raise KeyError(n)

    with module.instantiate_pool(1, {"env": {"log": log}}) as pool:
        for _ in range(3):
            with pool.acquire() as instance:
                instance.exports.store(0, 1)
                with pytest.raises(KeyError):
                    instance.exports.log(3)
                with pytest.raises(runwell.Trap):
                    instance.exports.trap()
                assert instance.exports.load(0) == 1
        with pytest.raises(ZeroDivisionError), pool.acquire():
            raise ZeroDivisionError
        with pool.acquire() as instance:
            assert instance.exports.load(0) == 0


def test_the_state_is_that_of_a_prepared_instance():
    runs = []
    text = """(module (import "env" "run" (func $run (result i32)))
      (memory (export "memory") 1) (global $g (export "g") (mut i32) (i32.const 0))
      (table (export "t") 1 funcref)
      (func $start (global.set $g (call $run))) (start $start)
      (func $f (export "f") (result i32) (global.get $g))
      (func (export "prepare") (i32.store (i32.const 0) (i32.add (global.get $g) (i32.const 100)))
        (drop (memory.grow (i32.const 9))) (i32.store (i32.const 600000) (i32.const 3))
        (drop (table.grow (ref.func $f) (i32.const 1)))))"""

    def run():
        runs.append(1)
        return len(runs)

    module = runwell.Module(text)
    for init in "prepare", lambda instance: instance.exports.prepare():
        runs.clear()
        with module.instantiate_pool(3, {"env": {"run": run}}, init=init) as pool:
            instances = [pool.acquire() for _ in range(3)]
            for i, instance in enumerate(instances):
                exports = instance.exports
                assert exports.memory.size == 10
                assert exports.memory[0] == 101
                assert exports.memory[600000] == 3
                exports.memory[600000] = i
                exports.g.value += i
                # The function in the table is the copy's own.
                assert exports.t[1]() == 1 + i
                assert exports.t[1] is exports.f
            for instance in instances:
                instance.close()
            with pool.acquire() as instance:
                assert instance.exports.memory[600000] == 3
                assert instance.exports.f() == 1
        assert len(runs) == 1


def test_objects_of_the_prepared_instance_are_kept():
    text = """(module (global $g (mut externref) (ref.null extern)) (table 1 externref)
      (func (export "keep") (param externref) (global.set $g (local.get 0))
        (table.set (i32.const 0) (local.get 0)))
      (func (export "g") (result externref) (global.get $g))
      (func (export "t") (result externref) (table.get (i32.const 0))))"""
    with runwell.Module(text).instantiate_pool(1, init=lambda i: i.exports.keep(["kept"])) as pool:
        for _ in range(3):
            gc.collect()
            with pool.acquire() as instance:
                assert instance.exports.g() == instance.exports.t() == ["kept"]
                instance.exports.keep({"other"})
                assert instance.exports.g() == {"other"}


def test_objects_that_host_functions_returned_are_let_go():
    class Thing:
        pass

    text = """(module (import "m" "new" (func $new (result externref)))
      (table 1 externref) (func (export "f") (table.set (i32.const 0) (call $new))))"""
    things = []

    def new():
        thing = Thing()
        things.append(weakref.ref(thing))
        return thing

    with runwell.Module(text).instantiate_pool(1, {"m": {"new": new}}) as pool:
        with pool.acquire() as instance:
            instance.exports.f()
            gc.collect()
            assert things[0]() is not None
        gc.collect()
        assert things[0]() is None


def test_exceptions_are_let_go_and_cannot_be_copied():
    text = """(module (tag $e (export "e") (param i32)) (table (export "t") 2 exnref)
      (global $g (mut exnref) (ref.null exn))
      (func (export "keep")
        (table.set (i32.const 0)
          (block $h (result exnref)
            (try_table (catch_all_ref $h) (throw $e (i32.const 7))) unreachable))
        (global.set $g (table.get (i32.const 0))))
      (func (export "empty") (result i32)
        (i32.and (ref.is_null (global.get $g)) (ref.is_null (table.get (i32.const 0))))))"""
    module = runwell.Module(text)
    with module.instantiate_pool(1) as pool:
        for _ in range(3):
            with pool.acquire() as instance:
                assert instance.exports.empty() == 1
                instance.exports.keep()
                assert instance.exports.empty() == 0
    with pytest.raises(runwell.RunwellError, match="no snapshot can be made: global 0"):
        module.instantiate_pool(1, init="keep")


def test_callers_are_told_who_they_are():
    seen = []

    def f(caller: runwell.Caller):
        seen.append((caller.instance, caller.memory))

    text = '(module (import "m" "f" (func $f)) (memory 1) (func (export "g") (call $f)))'
    with runwell.Module(text).instantiate_pool(1, {"m": {"f": f}}) as pool:
        for _ in range(3):
            with pool.acquire() as instance:
                instance.exports.g()
                assert seen[-1][0] is instance
        for instance, memory in seen:
            assert instance.closed
            with pytest.raises(runwell.ClosedError):
                memory.read(0, 1)


def test_fuel_is_as_at_first():
    engine = runwell.Engine(runwell.Config(fuel=1000))
    module = runwell.Module('(module (func (export "f") (loop (br 0))))', engine=engine)
    with module.instantiate_pool(1) as pool:
        for _ in range(3):
            with pool.acquire() as instance:
                assert instance.fuel == 1000
                with pytest.raises(runwell.OutOfFuel):
                    instance.exports.f()


@pytest.mark.parametrize("bounds", ["guard", "explicit"])
@pytest.mark.parametrize("files", [True, False])
def test_ways_to_keep_memory(bounds, files, monkeypatch):
    if files:
        monkeypatch.setattr(snapshot, "COPIED", 0)
    else:
        monkeypatch.delattr(os, "memfd_create")
    engine = runwell.Engine(runwell.Config(bounds=bounds))
    with runwell.Module(TEXT, engine=engine).instantiate_pool(1, {"env": {"log": log}}) as pool:
        test_nothing_is_left(pool)


def dirty_kb() -> int:
    with open("/proc/self/smaps_rollup") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Private_Dirty"))


def test_big_memories_cost_what_is_touched():
    text = """(module (memory (export "memory") 4096) (data (i32.const 200000000) "far")
      (func (export "touch") (param i32) (i32.store (local.get 0) (i32.const 1))))"""
    # What tests before have left in this process does not count.
    gc.collect()
    before = dirty_kb()
    with runwell.Module(text).instantiate_pool(2) as pool:
        for _ in range(20):
            with pool.acquire() as instance:
                assert instance.exports.memory.read(200000000, 3) == b"far"
                instance.exports.touch(200000000)
                instance.exports.touch(100)
        assert dirty_kb() - before < 4096 * 8


def test_waiting(module):
    with module.instantiate_pool(2, {"env": {"log": log}}) as pool:
        one, two = pool.acquire(), pool.acquire()
        assert pool.idle == 0
        with pytest.raises(TimeoutError, match="all 2 instances are in use"):
            pool.acquire(timeout_s=0.01)
        timer = threading.Timer(0.05, one.close)
        timer.start()
        with pool.acquire() as three:
            assert three.exports.one() == 1
        timer.join()
        two.close()
        assert pool.idle == 2
        assert repr(pool) == "<runwell.InstancePool: 2 instances, 2 idle>"


def test_many_threads(module):
    wrong = []

    def work(n):
        for i in range(100):
            with pool.acquire() as instance:
                exports = instance.exports
                if exports.load(0) or exports.g.value != 5:
                    wrong.append((n, i))
                exports.store(0, n)
                exports.g.value = n
                if exports.load(0) != n:
                    wrong.append((n, i))

    with module.instantiate_pool(3, {"env": {"log": log}}) as pool:
        threads = [threading.Thread(target=work, args=(n,)) for n in range(1, 9)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert pool.idle == 3
    assert wrong == []


def test_a_closed_pool(module):
    pool = module.instantiate_pool(2, {"env": {"log": log}})
    instance = pool.acquire()
    pool.close()
    pool.close()
    assert pool.closed
    assert instance.exports.one() == 1
    instance.close()
    with pytest.raises(runwell.ClosedError, match="the pool is closed"):
        pool.acquire()
    assert repr(pool) == "<runwell.InstancePool: 2 instances, closed>"


def test_a_pool_and_its_instances_go(module):
    pool = module.instantiate_pool(2, {"env": {"log": log}})
    with pool.acquire() as instance:
        native = weakref.ref(instance._native)
        instance.exports.one()
    del instance
    gone = weakref.ref(pool._template.instance)
    del pool
    gc.collect()
    assert native() is None
    assert gone() is None


@pytest.mark.parametrize(("n", "error"), [(0, ValueError), (-1, ValueError), ("2", TypeError)])
def test_wrong_sizes(module, n, error):
    with pytest.raises(error):
        module.instantiate_pool(n, {"env": {"log": log}})


def test_imports_are_checked(module):
    with pytest.raises(runwell.LinkError, match="unknown import"):
        module.instantiate_pool(1)
    with pytest.raises(KeyError):
        module.instantiate_pool(1, {"env": {"log": log}}, init="nothing")
    with pytest.raises(runwell.Trap):
        module.instantiate_pool(1, {"env": {"log": log}}, init="trap")
    with (
        module.instantiate_pool(1, {"env": {"log": log}}) as pool,
        pytest.raises(TypeError, match="cannot be pickled"),
    ):
        pickle.dumps(pool)
