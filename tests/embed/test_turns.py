"""One thread at a time runs in an instance, and in those that are connected with it."""

import gc
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import runwell

WAT = """
(module
  (import "env" "call" (func $call (param i32)))
  (memory (export "memory") 1)
  (func (export "enter") (param i32) (call $call (local.get 0)))
  (func (export "brief") (result i32) (i32.const 7))
  (func (export "loop") (param i32)
    (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))
"""

USER = runwell.Module('(module (import "env" "f" (func (result i32))))')


class Guest:
    """An instance that a thread can be left waiting in."""

    def __init__(self, wat: str = WAT, **imports: object) -> None:
        self.entered, self.leave = threading.Event(), threading.Event()
        self.instance = runwell.Instance(
            runwell.Module(wat), {"env": {"call": self._called, **imports}}
        )
        self.exports = self.instance.exports

    def _called(self, wait: int) -> None:
        if wait:
            self.entered.set()
            self.leave.wait(20)

    @contextmanager
    def occupied(self) -> Iterator[None]:
        """While another thread is in the guest."""
        thread = threading.Thread(target=self.exports.enter, args=(1,))
        thread.start()
        assert self.entered.wait(20)
        try:
            yield
        finally:
            self.leave.set()
            thread.join()


def refused(function: object, *args: object) -> bool:
    try:
        function(*args)  # type: ignore[operator]
    except runwell.ThreadError as e:
        return "was called in one thread while another runs in the same instance" in str(e)
    return False


def test_a_second_thread_is_refused() -> None:
    guest = Guest()
    for _ in range(3):
        guest.entered.clear()
        guest.leave.clear()
        with guest.occupied():
            assert refused(guest.exports.brief)
            assert refused(guest.exports.loop, 5)
            assert refused(guest.exports.enter, 0)
            # What is no call may be done.
            guest.exports.memory.write(0, b"hello")
        assert guest.exports.brief() == 7
        guest.exports.loop(5)
    assert guest.exports.memory.read(0, 5) == b"hello"


def test_the_same_thread_may_come_back() -> None:
    calls = []

    def call(depth: int) -> None:
        calls.append(depth)
        assert instance.exports.brief() == 7
        if depth < 5:
            instance.exports.enter(depth + 1)

    instance = runwell.Instance(runwell.Module(WAT), {"env": {"call": call}})
    instance.exports.enter(0)
    assert calls == list(range(6))


def test_a_call_that_fails_gives_the_instance_back() -> None:
    def fail(_: int) -> None:
        raise LookupError

    instance = runwell.Instance(runwell.Module(WAT), {"env": {"call": fail}})
    with pytest.raises(LookupError):
        instance.exports.enter(0)
    results: list[int] = []
    thread = threading.Thread(target=lambda: results.append(instance.exports.brief()))
    thread.start()
    thread.join()
    assert results == [7]


def test_other_instances_run_at_the_same_time() -> None:
    one, other = Guest(), Guest()
    with one.occupied():
        assert other.exports.brief() == 7


def connected(how: str, guest: Guest) -> runwell.Instance:
    """An instance that is connected with a guest."""
    exports = guest.exports
    if how == "function":
        wat = '(module (import "" "f" (func (param i32))) (func (export "g")))'
        return runwell.Instance(runwell.Module(wat), {"": {"f": exports.enter}})
    if how == "memory":
        wat = '(module (import "" "m" (memory 1)) (func (export "g")))'
        return runwell.Instance(runwell.Module(wat), {"": {"m": exports.memory}})
    if how == "through another":
        between = connected("memory", guest)
        wat = '(module (import "" "g" (func)) (func (export "g")))'
        return runwell.Instance(runwell.Module(wat), {"": between})
    raise ValueError(how)


@pytest.mark.parametrize("how", ["function", "memory", "through another"])
def test_connected_instances_are_one(how: str) -> None:
    guest = Guest()
    other = connected(how, guest)
    with guest.occupied():
        assert refused(other.exports.g)
    other.exports.g()
    unconnected = Guest()
    with unconnected.occupied():
        other.exports.g()


def test_things_made_in_python_connect() -> None:
    for thing, wat in (
        (runwell.Memory(1, 1), "(memory 1 1)"),
        (runwell.Global("i32", 0, mutable=True), "(global (mut i32))"),
        (runwell.Table("funcref", 1), "(table 1 funcref)"),
    ):
        text = WAT.replace("(memory (export", f'(import "env" "x" {wat}) (memory (export')
        one, other = Guest(text, x=thing), Guest(text, x=thing)
        with one.occupied():
            assert refused(other.exports.brief)
        assert other.exports.brief() == 7


def test_shared_memories_and_constants_do_not_connect() -> None:
    for thing, wat in (
        (runwell.Memory(1, 1, shared=True), "(memory 1 1 shared)"),
        (runwell.Global("i32", 0), "(global i32)"),
    ):
        text = WAT.replace("(memory (export", f'(import "env" "x" {wat}) (memory (export')
        one, other = Guest(text, x=thing), Guest(text, x=thing)
        with one.occupied():
            assert other.exports.brief() == 7


def test_instances_are_not_connected_while_different_threads_run_in_them() -> None:
    def call(_: int) -> None:
        other.exports.take(one.exports.brief)

    taker = WAT.replace("(memory (export", '(func (export "take") (param funcref)) (memory (export')
    one = Guest()
    other = runwell.Instance(runwell.Module(taker), {"env": {"call": call}})
    with one.occupied(), pytest.raises(runwell.ThreadError, match="cannot be connected while"):
        other.exports.enter(0)
    other.exports.enter(0)


def test_connecting_during_calls_keeps_count() -> None:
    first = Guest()
    second = runwell.Instance(
        runwell.Module('(module (table (export "t") 1 funcref) (func (export "g")))')
    )

    def call(_: int) -> None:
        second.exports.t[0] = first.exports.brief
        second.exports.g()

    first._called = call  # type: ignore[method-assign]
    outer = runwell.Instance(runwell.Module(WAT), {"env": {"call": call}})
    outer.exports.enter(0)
    again = runwell.Instance(
        runwell.Module(WAT.replace("(func $call (param i32))", "(func $call (param i32))")),
        {"env": {"call": lambda _: outer.exports.brief()}},
    )
    again.exports.enter(1)
    results: list[int] = []
    thread = threading.Thread(
        target=lambda: results.append(first.exports.brief() + outer.exports.brief())
    )
    thread.start()
    thread.join()
    assert results == [14]
    assert second.exports.t[0]() == 7


def test_turns_keep_nothing_alive() -> None:
    memory = runwell.Memory(1, 1)
    text = WAT.replace("(memory (export", '(import "env" "x" (memory 1 1)) (memory (export')
    gc.disable()
    try:
        one, other = (
            runwell.Instance(runwell.Module(text), {"env": {"call": print, "x": memory}})
            for _ in range(2)
        )
        gone = weakref.ref(one), weakref.ref(other)
        del one, other
        assert [r() for r in gone] == [None, None]
    finally:
        gc.enable()


def test_many_threads_in_many_instances() -> None:
    def work() -> None:
        instance = runwell.Instance(runwell.Module(WAT), {"env": {"call": lambda _: None}})
        for _ in range(200):
            instance.exports.enter(0)
            instance.exports.loop(100)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_function_that_another_thread_closes_while_it_is_looked_at() -> None:
    """What says that it is there must not be read again when it may be gone."""
    module = runwell.Module(WAT)
    table = runwell.Table("funcref", 1)
    functions: list[runwell.Func] = []
    over = threading.Event()

    def use() -> None:
        while not over.is_set():
            for function in functions[-1:]:
                try:
                    table[0] = function
                    runwell.Instance(USER, {"env": {"f": function}})
                except (runwell.ClosedError, runwell.ThreadError):
                    pass

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    user = threading.Thread(target=use)
    user.start()
    try:
        for _ in range(1000):
            instance = runwell.Instance(module, {"env": {"call": lambda x: None}})
            functions[:] = [instance.exports.brief]
            instance.close()
    finally:
        over.set()
        user.join()
        sys.setswitchinterval(before)
