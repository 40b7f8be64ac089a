"""Parked guests: whatever frames they have, in whichever thread they go on."""

import ctypes
import gc
import os
import threading
from collections.abc import Callable
from typing import Any

import pytest
from tests.embed.engines import ENGINES, module_for

import runwell

WAT = """
(module
  (type $node (struct (field (mut i32)) (field (ref null $node))))
  (memory (export "memory") 1)
  (func $work (export "work") (param $n i32) (result i32) (local $s i32)
    (loop $l
      (local.set $s (i32.add (local.get $s) (local.get $n)))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $s))
  (func (export "fault") (param $n i32) (param $at i32) (result i32)
    (drop (call $work (local.get $n)))
    (i32.load (local.get $at)))
  (func $deeper (export "deeper") (param i32) (result i32)
    (i32.add (i32.const 1) (call $deeper (i32.add (i32.const 1) (local.get 0)))))
  (func (export "overflow") (param $n i32) (result i32)
    (drop (call $work (local.get $n)))
    (call $deeper (i32.const 0)))
  (func $list (param $n i32) (result (ref null $node))
    (if (result (ref null $node)) (local.get $n)
      (then
        (struct.new $node (local.get $n) (call $list (i32.sub (local.get $n) (i32.const 1)))))
      (else (ref.null $node))))
  (func $sum (param $l (ref null $node)) (result i32) (local $s i32)
    (block $end
      (loop $l
        (br_if $end (ref.is_null (local.get $l)))
        (local.set $s (i32.add (local.get $s) (struct.get $node 0 (local.get $l))))
        (local.set $l (struct.get $node 1 (local.get $l)))
        (br $l)))
    (local.get $s))
  (func (export "lists") (param $n i32) (result i32) (local $l (ref null $node))
    (local.set $l (call $list (local.get $n)))
    (drop (call $work (i32.const 100)))
    (call $sum (local.get $l)))
  (func (export "garbage") (param $n i32)
    (loop $l
      (drop (call $list (i32.const 10)))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
  (func (export "for_ever") (loop $l (br $l))))
"""


@pytest.fixture(scope="module", params=ENGINES)
def module(request: pytest.FixtureRequest) -> runwell.Module:
    return module_for(WAT, request.param, fuel=True)


@pytest.fixture
def instance(module: runwell.Module) -> runwell.Instance:
    return runwell.Instance(module)


def parked(instance: runwell.Instance, name: str, *args: object, fuel: int) -> runwell.OutOfFuel:
    """A call that is out of fuel."""
    instance.fuel = fuel
    with pytest.raises(runwell.OutOfFuel) as caught:
        instance.exports[name](*args)
    error = caught.value
    error.__traceback__ = None
    return error


def in_thread(call: Callable[[], Any]) -> Any:
    """What a call gives or raises in a thread of its own."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(call())
        except BaseException as e:  # noqa: BLE001 - it is looked at
            found.append(e)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0]


def test_traps_in_another_thread(instance: runwell.Instance) -> None:
    for at, result in ((1 << 20, None), (8, 0), (-1, None)):
        stopped = parked(instance, "fault", 50, at, fuel=100)
        instance.fuel = 1 << 40
        found = in_thread(stopped.resume)
        if result is None:
            assert isinstance(found, runwell.Trap)
            assert [f.name for f in found.backtrace] == ["fault"]
        else:
            assert found == result
    assert instance.exports.work(3) == 6


def test_the_stack_ends_in_another_thread(instance: runwell.Instance) -> None:
    stopped = parked(instance, "overflow", 50, fuel=100)
    instance.fuel = 1 << 40
    found = in_thread(stopped.resume)
    assert isinstance(found, runwell.ExhaustionError)
    assert found.backtrace[0].name == "deeper"
    assert instance.exports.work(3) == 6


def test_a_call_stops_in_thread_after_thread(instance: runwell.Instance) -> None:
    """The threads that it was in have ended."""

    def begin() -> None:
        instance.exports.work(1000)

    instance.fuel = 100
    stopped = in_thread(begin)
    threads = 0
    while isinstance(stopped, runwell.OutOfFuel):
        threads += 1
        instance.fuel += 100
        stopped = in_thread(stopped.resume)
    assert stopped == 500500
    assert threads == 9002 // 100
    stopped = parked(instance, "overflow", 50, fuel=100)
    instance.fuel = 1 << 40
    with pytest.raises(runwell.ExhaustionError):
        stopped.resume()


def test_what_is_only_on_a_parked_stack_is_not_collected(instance: runwell.Instance) -> None:
    # Within the loop, with the list in a local.
    stopped = parked(instance, "lists", 50, fuel=900)
    assert stopped.backtrace[0].name == "work"
    instance.fuel = 1 << 40
    instance.exports.garbage(200_000)
    assert stopped.resume() == 50 * 51 // 2


def test_deadlines_and_interrupts_still_hold(instance: runwell.Instance) -> None:
    stopped = parked(instance, "for_ever", fuel=100)
    instance.fuel = 1 << 60
    instance.deadline_s = 0.02
    assert isinstance(in_thread(stopped.resume), runwell.DeadlineExceeded)


def resident() -> int:
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def mappings() -> int:
    with open("/proc/self/maps", "rb") as file:
        return len(file.readlines())


def test_parked_calls_that_nobody_wants_leave_nothing(instance: runwell.Instance) -> None:
    def drop(times: int) -> None:
        for _ in range(times):
            parked(instance, "work", 100, fuel=50)

    drop(500)
    gc.collect()
    before = resident(), mappings()
    drop(10_000)
    gc.collect()
    # A page or a mapping that each leaves would be much more.
    assert resident() - before[0] < 20 << 20
    assert mappings() - before[1] < 500


def test_threads_have_signal_stacks_and_give_them_back(module: runwell.Module) -> None:
    def stack() -> tuple[int, int]:
        fields = (ctypes.c_uint64 * 3)()  # address, flags, size
        assert ctypes.CDLL(None).sigaltstack(None, fields) == 0
        return int(fields[0]), int(fields[2])

    def use() -> tuple[int, int]:
        # The context that this thread takes has been another's.
        instance = runwell.Instance(module)
        stopped = parked(instance, "work", 50, fuel=100)
        instance.fuel = 1 << 40
        assert stopped.resume() == 1275
        found = stack()
        assert instance.exports.work(3) == 6
        assert stack() == found
        return found

    has_compiled = module.engine.config.engine == "jit"
    # The C library keeps the stacks of threads that have ended, some of them.
    for _ in range(100):
        at, size = in_thread(use)
        assert not has_compiled or (at and size >= 1 << 14)
    gc.collect()
    before = mappings()
    for _ in range(100):
        in_thread(use)
    gc.collect()
    assert mappings() - before < 20


def test_many_are_parked_at_once(instance: runwell.Instance) -> None:
    waiting = [parked(instance, "work", 100, fuel=50) for _ in range(1000)]
    instance.fuel = 1 << 40
    assert {stopped.resume() for stopped in waiting} == {5050}
