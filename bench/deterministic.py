"""What canonical NaNs cost, beside wasmtime's ``cranelift_nan_canonicalization`` in the same run.

    python -m bench.deterministic

Each program runs with and without in turn; a figure is the ratio of the best processor times.  The
first rows are chains of float operations, where it costs most; then come C programs with floats.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import geometric_mean
from typing import Any

import wasmtime

sys.path.insert(0, str(Path(__file__).parent))

import runwell
from programs import SIZES, wasm
from runwell.text.parser import parse

# Horner's rule, a sum, and each step of one through a local of its own.
WAT = """
(module
  (func (export "polynomial") (param $n i32) (result f64) (local $x f64) (local $y f64)
    (local.set $x (f64.const 0.25))
    (loop $again
      (local.set $y (f64.add (f64.const 0.1) (f64.mul (local.get $x)
        (f64.add (f64.const 0.2) (f64.mul (local.get $x)
          (f64.add (f64.const 0.3) (f64.mul (local.get $x)
            (f64.add (f64.const 0.4) (f64.mul (local.get $x) (local.get $y))))))))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $y))
  (func (export "sum") (param $n i32) (result f64) (local $s f64)
    (loop $again
      (local.set $s (f64.add (local.get $s) (f64.convert_i32_s (local.get $n))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $s))
  (func (export "steps") (param $n i32) (result f64) (local $x f64) (local $y f64)
    (local.set $x (f64.const 0.25))
    (loop $again
      (local.set $y (f64.mul (local.get $x) (local.get $y)))
      (local.set $y (f64.add (local.get $y) (f64.const 0.4)))
      (local.set $y (f64.mul (local.get $x) (local.get $y)))
      (local.set $y (f64.add (local.get $y) (f64.const 0.3)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $y))
  (func (export "vectors") (param $n i32) (result i32) (local $x v128) (local $y v128)
    (local.set $x (f32x4.splat (f32.const 0.25)))
    (loop $again
      (local.set $y (f32x4.add (local.get $x) (f32x4.mul (local.get $x)
        (f32x4.add (local.get $x) (f32x4.mul (local.get $x) (local.get $y))))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32x4.extract_lane 0 (local.get $y))))
"""
CHAINS = {"polynomial": 1_000_000, "sum": 2_000_000, "steps": 1_000_000, "vectors": 1_000_000}
PROGRAMS = ("fir", "mandelbrot", "matmul", "nbody", "spectral")
ROUNDS = 5
Run = Callable[[], Any]


def ours(how: str, data: bytes, name: str, n: int, *, deterministic: bool) -> Run:
    """A call of an export."""
    config = runwell.Config(engine=how, deterministic=deterministic)
    function = runwell.Instance(runwell.Module(data, engine=runwell.Engine(config))).exports[name]
    return lambda: function(n)


def theirs(data: bytes, name: str, n: int, *, deterministic: bool) -> Run:
    """The same in wasmtime."""
    config = wasmtime.Config()
    config.cranelift_nan_canonicalization = deterministic
    engine = wasmtime.Engine(config)
    store = wasmtime.Store(engine)
    exports = wasmtime.Instance(store, wasmtime.Module(engine, data), []).exports(store)
    function: Any = exports[name]
    return lambda: function(store, n)


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
    """Print the ratios, and their means."""
    data = parse(WAT)
    jobs = [(name, data, name, n) for name, n in CHAINS.items()]
    jobs += [(name, wasm(name), "run", SIZES[name]) for name in PROGRAMS]
    print(f"{'with / without':16} {'interpreted':>12} {'compiled':>9} {'wasmtime':>9}")
    ratios = []
    for title, module, export, n in jobs:
        runs = [
            make(deterministic)
            for make in (
                lambda on: ours("interpreter", module, export, n, deterministic=on),  # noqa: B023
                lambda on: ours("jit", module, export, n, deterministic=on),  # noqa: B023
                lambda on: theirs(module, export, n, deterministic=on),  # noqa: B023
            )
            for deterministic in (False, True)
        ]
        times = compare(runs)
        ratios.append([times[i + 1] / times[i] for i in (0, 2, 4)])
        print(f"{title:16} {ratios[-1][0]:12.2f} {ratios[-1][1]:9.2f} {ratios[-1][2]:9.2f}")
    for title, some in (("chains", ratios[: len(CHAINS)]), ("programs", ratios[len(CHAINS) :])):
        means = [geometric_mean(column) for column in zip(*some, strict=True)]
        print(f"{title + ', mean':16} {means[0]:12.2f} {means[1]:9.2f} {means[2]:9.2f}")


if __name__ == "__main__":
    main()
