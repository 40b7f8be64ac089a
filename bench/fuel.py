"""What fuel costs in each engine, beside wasmtime's ``consume_fuel`` in the same run.

    python bench/fuel.py [NAME...]

Each program runs metered and unmetered in turn; a figure is the ratio of the best processor times.
Engines that compile are measured when they are warm.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from typing import Any

import wasmtime

import runwell
from programs import SIZES, wasm
from runwell.jit.tier import tier_of
from runwell.text.parser import parse

WAT = """
(module
  (memory 1)
  (func (export "tight") (param $n i32) (result i32) (local $x i32)
    (loop $again
      (local.set $x (i32.add (local.get $x) (local.get $n)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $x))
  (func (export "mixed") (param $n i32) (result i32) (local $x i32)
    (loop $again
      (if (i32.and (local.get $n) (i32.const 3))
        (then (local.set $x (i32.add (local.get $x) (local.get $n))))
        (else (local.set $x (i32.mul (local.get $x) (i32.const 31)))))
      (i32.store (i32.and (local.get $x) (i32.const 0xFFFC)) (local.get $n))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $x))
  (func $fib (export "fib") (param i32) (result i32)
    (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
      (then (local.get 0))
      (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                     (call $fib (i32.sub (local.get 0) (i32.const 2))))))))
"""
CALLS = {"tight": 10_000_000, "mixed": 5_000_000, "fib": 29}
ENGINES = ("interpreter", "jit", "tiered")
PLENTY = 1 << 60
ROUNDS = 5
WARM_S = 1.0
Run = Callable[[], Any]


def ours(engine: str, data: bytes, name: str, *args: int, fuel: bool) -> Run:
    """A call of an export."""
    config = runwell.Config(fuel=PLENTY if fuel else False, engine=engine)
    module = runwell.Module(data, engine=runwell.Engine(config))
    function = runwell.Instance(module).exports[name]
    if engine != "interpreter":
        start = time.monotonic()
        while time.monotonic() < start + WARM_S or tier_of(module.code).tickets:
            function(*args)
    return lambda: function(*args)


def theirs(data: bytes, name: str, *args: int, fuel: bool) -> Run:
    """The same in wasmtime."""
    config = wasmtime.Config()
    config.consume_fuel = fuel
    engine = wasmtime.Engine(config)
    store = wasmtime.Store(engine)
    if fuel:
        store.set_fuel(PLENTY)
    exports = wasmtime.Instance(store, wasmtime.Module(engine, data), []).exports(store)
    function: Any = exports[name]
    return lambda: function(store, *args)


def compare(runs: list[Run]) -> list[float]:
    """Best processor time of each."""
    best = [float("inf")] * len(runs)
    for _ in range(ROUNDS):
        for i, run in enumerate(runs):
            start = time.thread_time()
            run()
            best[i] = min(best[i], time.thread_time() - start)
    return best


def main() -> None:
    """Print the ratios, and their geometric mean over the programs."""
    data = parse(WAT)
    jobs = [(name, data, name, (n,)) for name, n in CALLS.items()]
    jobs += [(name, wasm(name), "run", (n,)) for name, n in SIZES.items()]
    wanted = sys.argv[1:]
    print("metered / unmetered    " + "".join([f"{e:>12}" for e in (*ENGINES, "wasmtime")]))
    ratios = []
    for title, module, export, args in jobs:
        if wanted and title not in wanted:
            continue
        runs = [
            ours(engine, module, export, *args, fuel=fuel)
            for engine in ENGINES
            for fuel in (False, True)
        ]
        runs += [theirs(module, export, *args, fuel=fuel) for fuel in (False, True)]
        best = compare(runs)
        row = [metered / plain for plain, metered in zip(best[::2], best[1::2], strict=True)]
        print(f"{title:22} " + "".join([f"{ratio:12.2f}" for ratio in row]), flush=True)
        if title not in CALLS:
            ratios.append(row)
    if ratios:
        columns = zip(*ratios, strict=True)
        means = [math.exp(sum(map(math.log, column)) / len(ratios)) for column in columns]
        print(f"{'geometric mean':22} " + "".join([f"{ratio:12.2f}" for ratio in means]))


if __name__ == "__main__":
    main()
