"""Guests that are out of fuel go on exactly where they stopped."""

import contextlib
import gc
import threading
import weakref

import pytest
from tests.embed.engines import ENGINES, module_for

import runwell

WAT = """
(module
  (import "env" "call" (func $call (param i32) (result i32)))
  (memory (export "memory") 1)
  (tag $e (param i32))
  (func $fib (export "fib") (param i32) (result i32)
    (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
      (then (local.get 0))
      (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                     (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
  (func (export "floats") (param $n i32) (result f64 v128) (local $x f64) (local $v v128)
    (loop $l
      (local.set $x (f64.add (local.get $x) (f64.convert_i32_u (local.get $n))))
      (local.set $v (i32x4.add (local.get $v) (i32x4.splat (local.get $n))))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $x) (local.get $v))
  (func (export "acc") (param i32 i32) (result i32)
    (block $l (result i32)
      (i32.mul (local.get 0) (local.get 1))
      (br_if $l (i32.eqz (local.get 0)))
      (i32.const 1) (i32.add) (br_if $l (i32.eqz (local.get 1))) (i32.const 2) (i32.mul)))
  (func $thrower (param i32)
    (if (i32.eqz (local.get 0)) (then (throw $e (i32.const 42))))
    (call $thrower (i32.sub (local.get 0) (i32.const 1))))
  (func (export "catch") (param i32) (result i32)
    (block $h (result i32)
      (try_table (catch $e $h) (call $thrower (local.get 0)))
      (i32.const 0)))
  (func (export "fill") (param i32) (result i32)
    (memory.fill (i32.const 0) (i32.const 7) (local.get 0))
    (i32.load8_u (i32.sub (local.get 0) (i32.const 1))))
  (func $refs (export "refs") (param i32 externref) (result externref) (local externref)
    (local.set 2 (local.get 1))
    (if (result externref) (local.get 0)
      (then (call $refs (i32.sub (local.get 0) (i32.const 1)) (local.get 2)))
      (else (local.get 2))))
  (func (export "outer") (param i32) (result i32)
    (i32.add (call $call (local.get 0)) (i32.const 100)))
  (func (export "for_ever") (loop $l (br $l))))
"""
CALLS = [
    ("fib", (9,), 34),
    ("floats", (20,), (210.0, (210).to_bytes(4, "little") * 4)),
    ("acc", (6, 7), 86),
    ("catch", (9,), 42),
    ("fill", (1000,), 7),
    ("refs", (12, "text"), "text"),
]


@pytest.fixture(scope="module", params=[(e, b) for b in ("guard", "explicit") for e in ENGINES])
def module(request: pytest.FixtureRequest) -> runwell.Module:
    engine, bounds = request.param
    return module_for(WAT, engine, fuel=True, bounds=bounds)


@pytest.fixture
def instance(module: runwell.Module) -> runwell.Instance:
    return runwell.Instance(module, {"env": {"call": lambda x: x}})


def finish(instance: runwell.Instance, error: runwell.OutOfFuel, fuel: int) -> tuple[object, int]:
    """The result of a call that gets so much fuel at a time, and how often it stopped."""
    stops = 1
    while True:
        instance.fuel += fuel
        try:
            return error.resume(), stops
        except runwell.OutOfFuel as e:
            error, stops = e, stops + 1


@pytest.mark.parametrize(("name", "args", "result"), CALLS)
@pytest.mark.parametrize("fuel", [1, 3, 17])
def test_calls_go_on(
    instance: runwell.Instance, name: str, args: tuple[object, ...], result: object, fuel: int
) -> None:
    instance.fuel = 1 << 40
    assert instance.exports[name](*args) == result
    cost = (1 << 40) - instance.fuel
    instance.fuel = 0
    with pytest.raises(runwell.OutOfFuel) as caught:
        instance.exports[name](*args)
    found, stops = finish(instance, caught.value, fuel)
    assert found == result
    assert cost / fuel / 20 < stops <= -(-cost // fuel)
    assert instance.fuel == stops * fuel - cost


def test_others_may_run_meanwhile(instance: runwell.Instance) -> None:
    errors = []
    for n in range(10):
        instance.fuel = 5 * n
        with pytest.raises(runwell.OutOfFuel) as caught:
            instance.exports.fib(10)
        errors.append(caught.value)
        instance.fuel = 10_000
        assert instance.exports.fib(8) == 21
    instance.fuel = 1_000_000
    assert [e.resume() for e in reversed(errors)] == [55] * 10


def test_a_call_goes_on_once(instance: runwell.Instance) -> None:
    with pytest.raises(runwell.OutOfFuel) as caught:
        instance.exports.fib(3)
    instance.fuel = 1000
    assert caught.value.resume() == 2
    with pytest.raises(runwell.RunwellError, match="cannot go on"):
        caught.value.resume()


def test_another_thread_may_let_it_go_on(instance: runwell.Instance) -> None:
    with pytest.raises(runwell.OutOfFuel) as caught:
        instance.exports.fib(10)
    instance.fuel = 100_000
    results: list[int] = []
    thread = threading.Thread(target=lambda: results.append(caught.value.resume()))
    thread.start()
    thread.join()
    assert results == [55]
    assert instance.exports.fib(5) == 5


def test_calls_within_host_functions_go_on(module: runwell.Module) -> None:
    depths = []

    def call(n: int) -> int:
        depths.append(n)
        if n:
            inner = instance.exports.outer
            args = (n - 1,)
        else:
            inner, args = instance.exports.fib, (8,)
        try:
            result = inner(*args)
        except runwell.OutOfFuel as e:
            result, _ = finish(instance, e, 10)
        return int(result)

    instance = runwell.Instance(module, {"env": {"call": call}})
    with pytest.raises(runwell.OutOfFuel) as caught:
        instance.exports.outer(5)
    assert finish(instance, caught.value, 7)[0] == 21 + 600
    assert depths == [5, 4, 3, 2, 1, 0]


def test_one_that_left_a_host_function_goes_on_without_it(module: runwell.Module) -> None:
    instance = runwell.Instance(
        module,
        {"env": {"call": lambda n: int(instance.exports.fib(n))}},
    )
    instance.fuel = 50
    with pytest.raises(runwell.OutOfFuel) as caught:
        instance.exports.outer(10)
    assert finish(instance, caught.value, 1000)[0] == 55


def test_other_errors_end_it(instance: runwell.Instance) -> None:
    with pytest.raises(runwell.OutOfFuel) as caught:
        instance.exports.for_ever()
    instance.fuel = 1 << 60
    instance.deadline_s = 0.02
    with pytest.raises(runwell.DeadlineExceeded):
        caught.value.resume()
    assert instance.exports.fib(10) == 55


@pytest.mark.parametrize("engine", ENGINES)
def test_a_parked_call_keeps_what_it_needs(engine: str) -> None:
    module = module_for(WAT, engine, fuel=True)
    instance = runwell.Instance(module, {"env": {"call": abs}})
    del module
    gone = weakref.ref(instance)
    with pytest.raises(runwell.OutOfFuel) as caught:
        instance.exports.fib(10)
    native = instance._native
    error = caught.value
    error.__traceback__ = None
    del instance, caught
    gc.collect()
    assert gone() is None
    native.fuel = 100_000
    assert error.resume() == 55


def test_a_closed_instance_does_not_go_on(instance: runwell.Instance) -> None:
    with pytest.raises(runwell.OutOfFuel) as caught:
        instance.exports.fib(10)
    instance.close()
    with pytest.raises(runwell.ClosedError):
        caught.value.resume()


def test_parked_calls_that_nobody_wants_go(instance: runwell.Instance) -> None:
    for _ in range(300):
        with pytest.raises(runwell.OutOfFuel):
            instance.exports.fib(10)
    instance.fuel = 100_000
    assert instance.exports.fib(10) == 55


def test_it_waits_while_another_thread_is_there(instance: runwell.Instance) -> None:
    with pytest.raises(runwell.OutOfFuel) as caught:
        instance.exports.fib(10)
    instance.fuel = 1 << 60
    instance.deadline_s = 0.3
    entered = threading.Event()

    def occupy() -> None:
        entered.set()
        with pytest.raises(runwell.DeadlineExceeded):
            stay()

    def stay() -> None:
        while True:  # until it comes before who resumes, or after
            with contextlib.suppress(runwell.ThreadError):
                instance.exports.for_ever()

    thread = threading.Thread(target=occupy)
    thread.start()
    entered.wait()
    while thread.is_alive():
        try:
            assert caught.value.resume() == 55
        except runwell.ThreadError:
            continue
        break
    thread.join()
