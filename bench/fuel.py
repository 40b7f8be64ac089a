"""What fuel costs, beside wasmtime's ``consume_fuel`` in the same run.

    python bench/fuel.py

Each program runs metered and unmetered in turn; a figure is the ratio of the best processor times.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import wasmtime

import runwell
from programs import SIZES, wasm
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
CALLS = {"tight": 3_000_000, "mixed": 1_000_000, "fib": 27}
PLENTY = 1 << 60
ROUNDS = 5
Run = Callable[[], Any]


def ours(data: bytes, name: str, *args: int, fuel: bool) -> Run:
    """A call of an export."""
    engine = runwell.Engine(runwell.Config(fuel=PLENTY if fuel else False))
    function = runwell.Instance(runwell.Module(data, engine=engine)).exports[name]
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
            start = time.process_time()
            run()
            best[i] = min(best[i], time.process_time() - start)
    return best


def main() -> None:
    """Print the ratios."""
    data = parse(WAT)
    jobs = [(name, data, name, (n,)) for name, n in CALLS.items()]
    jobs += [(name, wasm(name), "run", (n,)) for name, n in SIZES.items()]
    print(f"{'metered / unmetered':22} {'runwell':>8} {'wasmtime':>9}")
    for title, module, export, args in jobs:
        runs = [
            make(module, export, *args, fuel=fuel)
            for make in (ours, theirs)
            for fuel in (False, True)
        ]
        plain, metered, their_plain, their_metered = compare(runs)
        print(f"{title:22} {metered / plain:8.2f} {their_metered / their_plain:9.2f}")


if __name__ == "__main__":
    main()
