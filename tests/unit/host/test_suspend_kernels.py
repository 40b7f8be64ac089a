"""Guests that stop at asynchronous host functions and go on when somebody has the answer."""

import gc
import threading
import weakref

import pytest

import runwell
from runwell.host.suspension import Suspended, kernel
from runwell.runtime import context as contexts

TEXT = """(module
  (import "env" "get" (func $get (param i32 externref) (result i32 externref)))
  (import "env" "call" (func $call))
  (tag $e (import "env" "tag") (param i32))
  (func (export "f") (param i32 externref) (result i32 externref)
    (call $get (local.get 0) (local.get 1)))
  (func (export "twice") (param i32) (result i32) (local $x externref)
    (call $get (local.get 0) (ref.null extern)) (local.set $x)
    (call $get (local.get $x)) (drop)
    (i32.add (local.get 0)))
  (func (export "catches") (param i32) (result i32)
    (block $h (result i32)
      (try_table (catch $e $h)
        (call $get (local.get 0) (ref.null extern)) (drop) (return))
      (i32.const -1)))
  (func (export "enter") (call $call)))"""
TAG = runwell.Tag("i32")


class Thing:
    pass


class Waiting:
    """A call that has stopped: its answer makes it go on."""

    def __init__(self, call=lambda: None, engine="interpreter"):
        async def get(n, thing):
            raise AssertionError  # nobody runs it

        module = runwell.Module(TEXT, engine=runwell.Engine(runwell.Config(engine=engine)))
        imports = {"get": get, "call": call, "tag": TAG}
        self.instance = runwell.Instance(module, {"env": imports})
        self.context = contexts.take_context()
        self.context.native.suspendable = 1

    @property
    def active(self):
        return self.instance._native.active

    def do(self, name, func, *args):
        contexts.lend(self.context)
        return kernel(name)(func, self.context.address, *args)

    def start(self, name, *args):
        func = self.instance.exports[name]
        with pytest.raises(Suspended) as caught:
            self.do("call_in", func, args)
        caught.value.awaitable.close()
        return func

    def answer(self, func, result):
        return self.do("answer_call", func, result, None)

    def fail(self, func, error):
        return self.do("answer_call", func, None, error)


@pytest.fixture(params=["interpreter", "jit"])
def waiting(request):
    return Waiting(engine=request.param)


def test_the_answer_is_the_result(waiting):
    thing = Thing()
    func = waiting.start("f", 5, thing)
    assert waiting.answer(func, (7, thing)) == (7, thing)
    assert waiting.context.native.top == waiting.context.native.stack


def test_objects_are_kept_while_a_guest_waits(waiting):
    func = waiting.start("f", 5, None)
    thing = Thing()
    known = weakref.ref(thing)
    waiting.instance.collect()
    assert waiting.answer(func, (1, thing))[1] is thing
    del thing
    waiting.instance.collect()
    assert known() is None


def test_a_guest_may_wait_again_and_again(waiting):
    for n in range(3):
        func = waiting.start("twice", n)
        with pytest.raises(Suspended) as caught:
            waiting.answer(func, (10, "x"))
        caught.value.awaitable.close()
        assert waiting.answer(func, (20, None)) == 20 + n


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((1,), TypeError),
        (5, TypeError),
        (("x", None), TypeError),
        ((2**40, None), OverflowError),
    ],
)
def test_an_answer_of_a_wrong_type_ends_the_call(waiting, answer, error):
    func = waiting.start("f", 5, None)
    with pytest.raises(error, match=r"env\.get\(\)"):
        waiting.answer(func, answer)
    # Nothing of it is left.
    assert waiting.active == 0
    func = waiting.start("f", 6, None)
    assert waiting.answer(func, (1, None)) == (1, None)


def test_an_error_ends_the_call_and_says_where(waiting):
    func = waiting.start("f", 5, None)
    with pytest.raises(ZeroDivisionError, match="here") as caught:
        waiting.fail(func, ZeroDivisionError("here"))
    assert "WebAssembly frames" in caught.value.__notes__[0]
    assert waiting.active == 0


def test_a_guest_catches_what_is_for_it(waiting):
    func = waiting.start("catches", 5)
    assert waiting.fail(func, runwell.WasmException(TAG, (9,))) == 9
    func = waiting.start("catches", 5)
    other = runwell.WasmException(runwell.Tag("i32"), (9,))
    with pytest.raises(runwell.WasmException) as caught:
        waiting.fail(func, other)
    assert caught.value is other


def test_an_instance_that_is_closed_meanwhile(waiting):
    func = waiting.start("f", 5, None)
    waiting.instance.close()
    with pytest.raises(runwell.ClosedError):
        waiting.answer(func, (1, None))
    with pytest.raises(runwell.ClosedError):
        waiting.do("resume_call", func)


def test_holding_an_instance(waiting):
    func = waiting.instance.exports.f
    kernel("hold_instance")(func)
    assert waiting.active == 1
    kernel("release_instance")(func)
    assert waiting.active == 0
    thing = Thing()
    gone = weakref.ref(thing)
    waiting.start("f", 1, thing)
    del thing
    kernel("hold_instance")(func)
    waiting.instance.close()
    gc.collect()
    assert gone() is not None
    kernel("release_instance")(func)
    gc.collect()
    assert gone() is None


def test_another_thread_in_the_instance():
    entered, leave = threading.Event(), threading.Event()

    def call():
        entered.set()
        leave.wait(20)

    waiting = Waiting(call)
    func = waiting.start("f", 5, None)
    thread = threading.Thread(target=waiting.instance.exports.enter)
    thread.start()
    assert entered.wait(20)
    try:
        for _ in range(2):
            with pytest.raises(runwell.ThreadError):
                waiting.answer(func, (1, None))
    finally:
        leave.set()
        thread.join()
    # The question is still there.
    assert waiting.answer(func, (8, None)) == (8, None)


def test_threads_with_questions_of_their_own():
    failed = []

    def work(n):
        try:
            waiting = Waiting()
            for i in range(100):
                thing = Thing()
                func = waiting.start("f", i, thing)
                assert waiting.answer(func, (n, thing)) == (n, thing)
        except BaseException as e:  # noqa: BLE001 - shown below
            failed.append(e)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
