"""Asynchronous calls and host functions."""

import asyncio
import contextlib
import contextvars
import functools
import gc
import random
import threading
import time
import warnings
from collections.abc import Coroutine
from typing import Any

import pytest
from tests.embed.engines import ENGINES, module_for

import runwell

WAT = """
(module
  (import "env" "get" (func $get (param i32) (result i32)))
  (import "env" "sync" (func $sync (param i32) (result i32)))
  (import "env" "pair" (func $pair (param f64 externref) (result i64 f64 externref)))
  (tag $e (import "env" "tag") (param i32))
  (memory (export "memory") 1)
  (func (export "plain") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
  (func $sum (export "sum") (param $n i32) (result i32) (local $s i32)
    (loop $l
      (local.set $s (i32.add (local.get $s) (call $get (local.get $n))))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $s))
  (func $deep (export "deep") (param i32) (result i32)
    (if (result i32) (local.get 0)
      (then (i32.add (i32.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1)))))
      (else (call $get (i32.const 7)))))
  (func (export "one") (param i32) (result i32) (call $get (local.get 0)))
  (func (export "by_host") (param i32) (result i32) (call $sync (local.get 0)))
  (func (export "pairs") (param f64 externref) (result externref i64 f64)
    (local $i i64) (local $f f64) (local $r externref)
    (call $pair (local.get 0) (local.get 1))
    (local.set $r) (local.set $f) (local.set $i)
    (local.get $r) (local.get $i) (local.get $f))
  (func (export "catches") (param i32) (result i32)
    (block $h (result i32)
      (try_table (result i32) (catch $e $h) (call $get (local.get 0)))))
  (func (export "for_ever") (loop $l (br $l)))
  (func (export "count") (param i32)
    (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))
"""
TAG = runwell.Tag("i32")


async def get_later(x: int) -> int:
    await asyncio.sleep(0)
    return 2 * x


async def pair_later(x: float, thing: object) -> tuple[int, float, object]:
    await asyncio.sleep(0)
    return -1, x / 2, [thing]


def make(
    get: Any = get_later, sync: Any = abs, pair: Any = pair_later, *, fuel: bool | int = False
) -> runwell.Instance:
    imports = {"env": {"get": get, "sync": sync, "pair": pair, "tag": TAG}}
    return runwell.Instance(_module(_engine[0], fuel), imports)


@functools.cache
def _module(engine: str, fuel: bool | int) -> runwell.Module:
    return module_for(WAT, engine, fuel=fuel)


_engine = [""]


@pytest.fixture(autouse=True, params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Each test is done in each engine."""
    _engine[0] = request.param
    return str(request.param)


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(coroutine, 60))


@pytest.mark.parametrize("fuel", [False, 1 << 60])
def test_calls(fuel: bool | int) -> None:
    async def main() -> None:
        exports = make(fuel=fuel).exports
        assert await exports.plain.call_async(4) == 5
        assert await exports.sum.call_async(10) == 110
        assert await exports.deep.call_async(500) == 514
        assert await exports.pairs.call_async(3.0, "x") == (["x"], -1, 1.5)
        assert exports.plain(1) == 2

    run(main())


def test_arguments_are_checked() -> None:
    async def main() -> None:
        exports = make().exports
        with pytest.raises(TypeError, match=r"plain\(\) takes 1 argument"):
            await exports.plain.call_async()
        with pytest.raises(OverflowError):
            await exports.plain.call_async(1 << 40)

    run(main())


def test_what_an_import_gives_is_checked() -> None:
    async def wrong(x: int) -> Any:
        return "text"

    async def main() -> None:
        exports = make(wrong).exports
        with pytest.raises(TypeError, match=r"the result of env\.get"):
            await exports.one.call_async(1)
        assert await exports.plain.call_async(1) == 2

    run(main())


def test_the_loop_goes_on() -> None:
    async def main() -> None:
        exports = make().exports
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.001)
                ticks += 1

        task = asyncio.create_task(tick())
        await exports.count.call_async(60_000_000)
        task.cancel()
        assert ticks > 5

    run(main())


def test_errors_pass_through() -> None:
    async def fail(x: int) -> int:
        await asyncio.sleep(0)
        raise LookupError(x)

    async def main() -> None:
        exports = make(fail).exports
        with pytest.raises(LookupError) as caught:
            await exports.deep.call_async(3)
        assert caught.value.args == (7,)
        notes = caught.value.__notes__[0].split("\n")
        assert len(notes) == 5
        assert notes[1].startswith("  0: deep at ")
        assert await exports.plain.call_async(1) == 2

    run(main())


def test_guests_catch_exceptions() -> None:
    async def throw(x: int) -> int:
        await asyncio.sleep(0)
        if x:
            raise runwell.WasmException(TAG, [x])
        raise runwell.WasmException(runwell.Tag("i32"), [1])

    async def main() -> None:
        exports = make(throw).exports
        assert await exports.catches.call_async(9) == 9
        with pytest.raises(runwell.WasmException):
            await exports.catches.call_async(0)
        with pytest.raises(runwell.WasmException):
            await exports.one.call_async(5)
        assert await exports.catches.call_async(3) == 3

    run(main())


def test_many_guests_wait_at_once() -> None:
    async def main() -> None:
        waiting = 0
        everybody = asyncio.Event()

        async def meet(x: int) -> int:
            nonlocal waiting
            waiting += 1
            if waiting == n:
                everybody.set()
            await everybody.wait()
            return x

        n = 300
        instances = [make(meet) for _ in range(n)]
        calls = [i.exports.one.call_async(k) for k, i in enumerate(instances)]
        assert await asyncio.gather(*calls) == list(range(n))

    run(main())


def test_calls_of_one_instance_take_turns() -> None:
    async def main() -> None:
        inside = most = 0

        async def enter(x: int) -> int:
            nonlocal inside, most
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.001)
            inside -= 1
            return x

        exports = make(enter).exports
        results = await asyncio.gather(*(exports.sum.call_async(3) for _ in range(8)))
        assert results == [6] * 8
        assert most == 1
        # Who is cancelled while it waits gives way.
        tasks = [asyncio.create_task(exports.sum.call_async(3)) for _ in range(6)]
        await asyncio.sleep(0.002)
        for task in tasks[1::2]:
            task.cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert [d == 6 for d in done] == [True, False] * 3

    run(main())


def test_a_coroutine_may_call_its_caller() -> None:
    async def main() -> None:
        async def use(x: int) -> int:
            instance.exports.memory.write(0, b"abc")
            await asyncio.sleep(0)
            return int(instance.exports.plain(x))

        instance = make(use)
        assert await instance.exports.one.call_async(5) == 6

    run(main())


def test_a_coroutine_may_have_a_caller() -> None:
    async def read(caller: runwell.Caller, x: int) -> int:
        await asyncio.sleep(0)
        assert caller.memory is not None
        return caller.memory[x]

    async def main() -> None:
        instance = make(read)
        instance.exports.memory[5] = 77
        assert await instance.exports.one.call_async(5) == 77

    run(main())


class _Callable:
    async def __call__(self, x: int) -> int:
        return 3 * x

    async def method(self, x: int) -> int:
        return 4 * x


@pytest.mark.parametrize(
    ("function", "result"),
    [
        (_Callable(), 15),
        (_Callable().method, 20),
        (functools.partial(_Callable.method, None), 20),
    ],
)
def test_asynchronous_callables(function: Any, result: int) -> None:
    assert run(make(function).exports.one.call_async(5)) == result


def test_guests_that_cannot_wait() -> None:
    exports = make().exports
    with pytest.raises(
        runwell.RunwellError, match=r"env\.get is asynchronous: call the guest with"
    ):
        exports.one(1)

    async def main() -> None:
        with pytest.raises(runwell.RunwellError, match="is asynchronous"):
            exports.one(1)

    run(main())
    assert exports.plain(1) == 2


def test_a_host_function_between_guests() -> None:
    """The worker waits."""

    async def main() -> None:
        instance = make(sync=lambda n: int(instance.exports.sum(n)))
        assert await instance.exports.by_host.call_async(4) == 20
        other = make()
        between = make(sync=lambda n: int(other.exports.sum(n)))
        assert await between.exports.by_host.call_async(3) == 12

    run(main())


def test_contextvars() -> None:
    var: contextvars.ContextVar[str] = contextvars.ContextVar("var")
    seen: list[object] = []

    async def get(x: int) -> int:
        seen.append(var.get())
        var.set("from the import")
        return x

    def sync(x: int) -> int:
        seen.append(var.get())
        seen.append(threading.current_thread() is threading.main_thread())
        return x

    async def main() -> None:
        exports = make(get, sync).exports
        var.set("from the task")
        await exports.by_host.call_async(1)
        await exports.one.call_async(1)
        seen.append(var.get())

    run(main())
    assert seen == ["from the task", False, "from the task", "from the import"]


@pytest.mark.parametrize("name", ["for_ever", "one", "by_host", "nested"])
def test_cancelling(name: str) -> None:
    async def get(x: int) -> int:
        if x:
            started.set()
            await asyncio.sleep(1000)
        return x

    def sync(x: int) -> int:
        if name == "nested":
            return int(instance.exports.one(x))
        if x:
            time.sleep(0.1)
        return x

    async def main() -> None:
        nonlocal instance, started
        started = asyncio.Event()
        instance = make(get, sync)
        function = instance.exports["by_host" if name == "nested" else name]
        args = () if name == "for_ever" else (1,)
        for _ in range(3):
            task = asyncio.create_task(function.call_async(*args))
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert instance.exports.plain(1) == 2
            assert await instance.exports.one.call_async(0) == 0
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.03):
                await function.call_async(*args)
        assert await instance.exports.plain.call_async(1) == 2

    instance: runwell.Instance = None  # type: ignore[assignment]
    started: asyncio.Event = None  # type: ignore[assignment]
    run(main())


def test_cancelling_who_is_about_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    from runwell.host import asynchronous, suspension

    stopping = threading.Event()

    def slow_kernel(name: str) -> Any:
        def call(*args: object) -> Any:
            try:
                return suspension.kernel(name)(*args)
            except suspension.Suspended:
                stopping.set()
                time.sleep(0.02)
                raise

        return call

    monkeypatch.setattr(asynchronous, "kernel", slow_kernel)

    async def main() -> None:
        exports = make().exports
        for _ in range(3):
            stopping.clear()
            task = asyncio.create_task(exports.one.call_async(1))
            while not stopping.is_set():
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert exports.plain(1) == 2
        assert await exports.one.call_async(4) == 8

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(main())
        gc.collect()


@pytest.mark.parametrize("fuel", [False, 1 << 60])
def test_many_calls_of_which_some_fail_or_are_cancelled(fuel: bool | int) -> None:
    r = random.Random(7)

    async def get(x: int) -> int:
        match r.randrange(8):
            case 0:
                await asyncio.sleep(0.001)
            case 1:
                raise LookupError(x)
            case 2:
                raise runwell.WasmException(TAG, [x])
            case _:
                await asyncio.sleep(0)
        return x

    async def call(exports: runwell.Exports) -> None:
        name, argument, result = r.choice(
            [("sum", 2, 3), ("deep", 9, 16), ("one", 3, 3), ("by_host", 2, 3), ("catches", 7, 7)]
        )
        task = asyncio.create_task(exports[name].call_async(argument))
        if r.random() < 0.3:
            await asyncio.sleep(r.random() / 500)
            task.cancel()
        try:
            assert await task == result
            ends.add("result")
        except (asyncio.CancelledError, LookupError, runwell.WasmException) as error:
            ends.add(type(error).__name__)

    async def use() -> None:
        instance = make(get, lambda n: int(instance.exports.sum(n)), fuel=fuel)
        for _ in range(20):
            await call(instance.exports)
            assert instance.exports.plain(1) == 2

    async def main() -> None:
        await asyncio.gather(*(use() for _ in range(12)))

    ends: set[str] = set()
    run(main())
    assert ends == {"result", "CancelledError", "LookupError", "WasmException"}


def test_deadlines() -> None:
    async def slow(x: int) -> int:
        try:
            await asyncio.sleep(1000)
        finally:
            ended.append(x)
        return x

    ended: list[int] = []

    async def main() -> None:
        instance = make(slow)
        instance.deadline_s = 0.05
        with pytest.raises(runwell.DeadlineExceeded):
            await instance.exports.for_ever.call_async()
        with pytest.raises(runwell.DeadlineExceeded):
            await instance.exports.one.call_async(3)
        assert ended == [3]
        assert await instance.exports.plain.call_async(1) == 2

    run(main())


def test_fuel() -> None:
    async def main() -> None:
        instance = make(fuel=1 << 60)
        instance.fuel = 1 << 60
        assert await instance.exports.sum.call_async(5) == 30
        cost = (1 << 60) - instance.fuel
        instance.fuel = 0
        with pytest.raises(runwell.OutOfFuel) as caught:
            await instance.exports.sum.call_async(5)
        error = caught.value
        stops = 0
        while True:
            stops += 1
            instance.fuel += 13
            try:
                assert await error.resume_async() == 30
                break
            except runwell.OutOfFuel as e:
                error = e
        assert stops > 3
        assert instance.fuel == 13 * stops - cost

    run(main())


def test_another_thread_is_in_the_instance() -> None:
    async def main() -> None:
        instance = make()

        def count() -> None:
            while True:  # until it comes between two of our looks
                with contextlib.suppress(runwell.ThreadError):
                    return instance.exports.count(100_000_000)

        def look_until_refused() -> None:
            while thread.is_alive():
                time.sleep(0.001)  # or the other gets the lock of Python only while we are in it
                instance.exports.count(1)

        thread = threading.Thread(target=count)
        thread.start()
        with pytest.raises(runwell.ThreadError):
            look_until_refused()
        assert await instance.exports.sum.call_async(2) == 6
        thread.join()

    run(main())


def test_several_loops() -> None:
    async def main(exports: runwell.Exports) -> None:
        assert await asyncio.gather(*(exports.sum.call_async(3) for _ in range(10))) == [12] * 10

    exports = make().exports
    threads = [threading.Thread(target=lambda: run(main(exports))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_memory_of_guests_that_wait() -> None:
    def resident() -> int:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * 4096

    async def main() -> None:
        waiting: asyncio.Queue[int] = asyncio.Queue()
        go = asyncio.Event()

        async def wait(x: int) -> int:
            waiting.put_nowait(x)
            await go.wait()
            return x

        async def start(n: int) -> list[asyncio.Task[int]]:
            exports = [make(wait).exports for _ in range(n)]
            tasks = [asyncio.create_task(e.one.call_async(i)) for i, e in enumerate(exports)]
            for _ in range(n):
                await waiting.get()
            return tasks

        tasks = await start(200)
        before = resident()
        tasks += await start(1000)
        assert (resident() - before) / 1000 < 200_000
        go.set()
        await asyncio.gather(*tasks)

    run(main())


def test_an_instance_that_is_closed_while_calls_wait_for_their_turn() -> None:
    async def main() -> None:
        async def close(x: int) -> int:
            await asyncio.sleep(0.01)
            instance.close()
            return x

        instance = make(get=close)
        one, plain = instance.exports.one, instance.exports.plain
        first = asyncio.create_task(one.call_async(4))
        await asyncio.sleep(0)
        others = [asyncio.create_task(plain.call_async(i)) for i in range(3)]
        outcomes = await asyncio.gather(first, *others, return_exceptions=True)
        assert all(isinstance(outcome, runwell.ClosedError) for outcome in outcomes)

    asyncio.run(main())
