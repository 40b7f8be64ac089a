"""Small loops, one kind of instruction each: what the interpreter's handlers cost.

Beside wasm3, and beside the same function compiled by LLVM, as a kernel, where there is one.
Each figure is the best of several interleaved runs, in time of the processor.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable

import wasm3

import runwell
from runwell.codegen.testing import bind
from runwell.kernel import f64, kernel, u32
from runwell.text.parser import parse


@kernel(export=True)
def fib(n: u32) -> u32:
    """Calls and returns."""
    if n < 2:
        return n
    return fib(n - 1) + fib(n - 2)


@kernel(export=True)
def harmonic(n: u32) -> u32:
    """Floating point."""
    total: f64 = 0.0
    for i in range(u32(1), n):
        total += 1.0 / f64(i)
    return u32(total * 1e8)


WAT = """
(module
  (type $unary (func (param i32) (result i32)))
  (memory 16)
  (table funcref (elem $next $next))
  (func $fib (export "fib") (param $n i32) (result i32)
    (if (result i32) (i32.lt_u (local.get $n) (i32.const 2))
      (then (local.get $n))
      (else (i32.add
        (call $fib (i32.sub (local.get $n) (i32.const 1)))
        (call $fib (i32.sub (local.get $n) (i32.const 2)))))))
  (func (export "harmonic") (param $n i32) (result i32) (local $i i32) (local $total f64)
    (local.set $i (i32.const 1))
    (loop $again
      (local.set $total
        (f64.add (local.get $total) (f64.div (f64.const 1) (f64.convert_i32_u (local.get $i)))))
      (br_if $again (i32.lt_u
        (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (i32.trunc_f64_u (f64.mul (local.get $total) (f64.const 1e8))))
  (func (export "fill") (param $n i32) (result i32) (local $i i32) (local $total i32)
    (loop $again
      (i32.store (i32.and (local.get $i) (i32.const 0xFFFFC)) (local.get $total))
      (local.set $total (i32.add (local.get $total)
        (i32.load (i32.and (i32.mul (local.get $i) (i32.const 7)) (i32.const 0xFFFFC)))))
      (br_if $again (i32.lt_u
        (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (local.get $total))
  (func $next (type $unary) (i32.add (local.get 0) (i32.const 1)))
  (func (export "indirect") (param $n i32) (result i32) (local $i i32)
    (loop $again
      (local.set $i (call_indirect (type $unary)
        (local.get $i) (i32.and (local.get $i) (i32.const 1))))
      (br_if $again (i32.lt_u (local.get $i) (local.get $n))))
    (local.get $i))
  (func (export "switch") (param $n i32) (result i32) (local $total i32)
    (loop $again
      (block $d (block $c (block $b (block $a
        (br_table $a $b $c $d (i32.and (local.get $n) (i32.const 3))))
        (local.set $total (i32.add (local.get $total) (i32.const 5))) (br $d))
        (local.set $total (i32.xor (local.get $total) (local.get $n))) (br $d))
        (local.set $total (i32.rotl (local.get $total) (i32.const 3))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $total)))
"""
SIZES = {
    "fib": 30,
    "harmonic": 3_000_000,
    "fill": 2_000_000,
    "indirect": 2_000_000,
    "switch": 3_000_000,
}
Run = Callable[[int], int]


def milliseconds(run: Run, n: int, expected: int) -> float:
    start = time.process_time()
    result = run(n)
    taken = time.process_time() - start
    if result & 0xFFFFFFFF != expected & 0xFFFFFFFF:
        raise SystemExit(f"wrong result: {result}, not {expected}")
    return taken * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=15)
    args = parser.parse_args()
    wasm = parse(WAT)
    exports = runwell.Instance(runwell.Module(wasm)).exports
    environment = wasm3.Environment()
    peer = environment.new_runtime(1 << 20)
    peer.load(environment.parse_module(wasm))
    compiled = bind(fib, harmonic, level=2, is_debug=False)
    print(f"{'':10}{'runwell ms':>12}{'wasm3 ms':>12}{'LLVM ms':>12}{'x wasm3':>10}{'of LLVM':>10}")
    for name, n in SIZES.items():
        runs: list[Run] = [exports[name], peer.find_function(name)]
        if name in ("fib", "harmonic"):
            runs.append(getattr(compiled, name))
        expected = runs[-1](n)
        best = [math.inf] * len(runs)
        for _ in range(args.repeat):
            best = [min(b, milliseconds(r, n, expected)) for b, r in zip(best, runs, strict=True)]
        line = f"{name:10}" + "".join(f"{b:12.2f}" for b in best) + " " * 12 * (3 - len(best))
        line += f"{best[1] / best[0]:10.2f}"
        print(line + (f"{best[0] / best[2]:10.2f}" if len(best) == 3 else ""))


if __name__ == "__main__":
    main()
