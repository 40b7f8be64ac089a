"""Two threads in two instances, beside one thread: how much more gets done.

    python bench/threads.py

The guest counts for some milliseconds in each call.  Every engine runs the same module; rounds of
one and of two threads alternate, and the best of each counts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import wasmtime

import runwell
from runwell.text.parser import parse

WAT = """
(module (func (export "work") (param $n i32) (result i32) (local $x i32)
  (loop $again
    (local.set $x (i32.xor (i32.mul (local.get $x) (i32.const 1664525)) (local.get $n)))
    (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
  (local.get $x)))
"""
CALLS, COUNT, ROUNDS = 40, 1_000_000, 5


def of_runwell(data: bytes) -> list[Callable[[], object]]:
    module = runwell.Module(data)
    works = [runwell.Instance(module).exports.work for _ in range(2)]
    return [lambda work=work: work(COUNT) for work in works]  # type: ignore[misc]


def of_wasmtime(data: bytes) -> list[Callable[[], object]]:
    engine = wasmtime.Engine()
    module = wasmtime.Module(engine, data)
    works = []
    for _ in range(2):
        store = wasmtime.Store(engine)
        work = wasmtime.Instance(store, module, []).exports(store)["work"]
        works.append(lambda work=work, store=store: work(store, COUNT))
    return works


def seconds(works: list[Callable[[], object]]) -> float:
    """How long the works take, each in a thread of its own."""

    def run(work: Callable[[], object]) -> None:
        for _ in range(CALLS):
            work()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - start


def main() -> None:
    data = parse(WAT)
    for name, make in ("runwell", of_runwell), ("wasmtime-py", of_wasmtime):
        works = make(data)
        one = two = float("inf")
        for _ in range(ROUNDS):
            one = min(one, seconds(works[:1]))
            two = min(two, seconds(works))
        print(f"{name:12} one thread {one:.3f} s, two threads {two:.3f} s: {2 * one / two:.2f}×")


if __name__ == "__main__":
    main()
