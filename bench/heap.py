"""Guests with a garbage-collected heap, beside wasmtime's.

    python bench/heap.py

Each program is written here, in the text format, and runs in the same process in Runwell's
interpreter, in its compiled code where that is to be had, and in wasmtime.  Times are the least of
several runs, of processor time; the checksum must be the same everywhere.
"""

import sys
import time
from collections.abc import Callable

import wasmtime

import runwell

RUNS = 3
LIMIT = 512 << 20

PROGRAMS = {
    "trees": (
        16,
        """(module
  (type $tree (struct (field (ref null $tree)) (field (ref null $tree))))
  (func $make (param i32) (result (ref $tree))
    (if (result (ref $tree)) (local.get 0)
      (then (struct.new $tree (call $make (i32.sub (local.get 0) (i32.const 1)))
                              (call $make (i32.sub (local.get 0) (i32.const 1)))))
      (else (struct.new_default $tree))))
  (func $check (param (ref $tree)) (result i32)
    (local $left (ref null $tree))
    (local.set $left (struct.get $tree 0 (local.get 0)))
    (if (result i32) (ref.is_null (local.get $left))
      (then (i32.const 1))
      (else (i32.add (i32.const 1) (i32.add
        (call $check (ref.as_non_null (local.get $left)))
        (call $check (ref.as_non_null (struct.get $tree 1 (local.get 0)))))))))
  (func (export "run") (param $n i32) (result i32)
    (local $long (ref null $tree)) (local $depth i32) (local $count i32) (local $sum i32)
    (local.set $long (call $make (local.get $n)))
    (local.set $depth (i32.const 4))
    (loop $depths
      (local.set $count (i32.shl (i32.const 1) (i32.sub (local.get $n) (local.get $depth))))
      (loop $more
        (local.set $sum (i32.add (local.get $sum) (call $check (call $make (local.get $depth)))))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br_if $more (local.get $count)))
      (local.set $depth (i32.add (local.get $depth) (i32.const 4)))
      (br_if $depths (i32.le_u (local.get $depth) (local.get $n))))
    (i32.add (local.get $sum) (call $check (ref.as_non_null (local.get $long))))))""",
    ),
    "list": (
        2_000_000,
        """(module
  (type $node (struct (field i32) (field (ref null $node))))
  (func (export "run") (param $n i32) (result i32)
    (local $list (ref null $node)) (local $i i32) (local $sum i32)
    (loop $more
      (local.set $list (struct.new $node (local.get $i) (local.get $list)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $i) (local.get $n))))
    (block $done (loop $next
      (br_if $done (ref.is_null (local.get $list)))
      (local.set $sum (i32.add (local.get $sum) (struct.get $node 0 (local.get $list))))
      (local.set $list (struct.get $node 1 (local.get $list)))
      (br $next)))
    (local.get $sum)))""",
    ),
    "arrays": (
        200,
        """(module
  (type $longs (array (mut i64)))
  (func (export "run") (param $n i32) (result i32)
    (local $a (ref null $longs)) (local $i i32) (local $sum i64)
    (loop $more
      (local.set $a (array.new_default $longs (i32.const 20000)))
      (local.set $i (i32.const 0))
      (loop $fill
        (array.set $longs (local.get $a) (local.get $i) (i64.extend_i32_u (local.get $i)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $fill (i32.lt_u (local.get $i) (i32.const 20000))))
      (loop $add
        (local.set $i (i32.sub (local.get $i) (i32.const 1)))
        (local.set $sum (i64.add (local.get $sum)
          (array.get $longs (local.get $a) (local.get $i))))
        (br_if $add (local.get $i)))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_if $more (local.get $n)))
    (i32.wrap_i64 (local.get $sum))))""",
    ),
    "shapes": (
        500_000,
        """(module
  (type $shape (sub (struct (field i32))))
  (type $square (sub $shape (struct (field i32) (field $side i32))))
  (type $circle (sub $shape (struct (field i32) (field $radius i32))))
  (type $shapes (array (mut (ref null $shape))))
  (func $area (param (ref null $shape)) (result i32)
    (local $side i32)
    (block $circle (result (ref $circle))
      (br_on_cast $circle (ref null $shape) (ref $circle) (local.get 0))
      (local.set $side (struct.get $square $side (ref.cast (ref $square))))
      (return (i32.mul (local.get $side) (local.get $side))))
    (local.tee $side (struct.get $circle $radius))
    (i32.mul (i32.mul (local.get $side) (i32.const 3))))
  (func (export "run") (param $n i32) (result i32)
    (local $a (ref null $shapes)) (local $i i32) (local $sum i32)
    (local.set $a (array.new_default $shapes (i32.const 64)))
    (loop $more
      (array.set $shapes (local.get $a) (i32.and (local.get $i) (i32.const 63))
        (if (result (ref $shape)) (i32.and (local.get $i) (i32.const 1))
          (then (struct.new $square (i32.const 0) (local.get $i)))
          (else (struct.new $circle (i32.const 1) (local.get $i)))))
      (local.set $sum (i32.add (local.get $sum) (call $area (array.get $shapes (local.get $a)
        (i32.and (local.get $i) (i32.const 63))))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $i) (local.get $n))))
    (local.get $sum)))""",
    ),
}


def least(run: Callable[[int], int], n: int) -> tuple[float, int]:
    """Least processor time of several runs, in seconds, and the result."""
    times, result = [], 0
    for _ in range(RUNS):
        start = time.process_time()
        result = run(n)
        times.append(time.process_time() - start)
    return min(times), result & 0xFFFFFFFF


def in_runwell(text: str, engine: str) -> Callable[[int], int]:
    config = runwell.Config(engine=engine, max_heap_bytes=LIMIT)
    module = runwell.Module(text, engine=runwell.Engine(config))
    run: Callable[[int], int] = runwell.Instance(module).exports.run
    return run


def in_wasmtime(text: str) -> Callable[[int], int]:
    config = wasmtime.Config()
    for feature in ("reference_types", "function_references", "gc"):
        setattr(config, f"wasm_{feature}", True)
    store = wasmtime.Store(wasmtime.Engine(config))
    instance = wasmtime.Instance(store, wasmtime.Module(store.engine, text), [])
    run = instance.exports(store)["run"]
    return lambda n: run(store, n)


def engines() -> list[str]:
    """The engines that Runwell has."""
    found = []
    for engine in ("interpreter", "jit"):
        try:
            runwell.Config(engine=engine)
        except ValueError:
            continue
        found.append(engine)
    return found


def main() -> int:
    names = engines()
    print("ms      " + "".join([f"{name:>14}" for name in [*names, "wasmtime"]])
          + "   wasmtime is times as fast as each")  # fmt: skip
    wrong = 0
    for program, (n, text) in PROGRAMS.items():
        found = [least(in_runwell(text, name), n) for name in names]
        try:
            found.append(least(in_wasmtime(text), n))
        except wasmtime.WasmtimeError as error:
            print(f"{program}: wasmtime: {str(error).splitlines()[0]}")
        wrong += len({result for _, result in found}) != 1
        cells = "".join([f"{1000 * seconds:14.1f}" for seconds, _ in found])
        ratios = "".join([f"{seconds / found[-1][0]:8.2f}x" for seconds, _ in found[:-1]])
        print(f"{program:8}{cells}{ratios}")
    if wrong:
        print(f"{wrong} programs gave different results")
    return int(wrong != 0)


if __name__ == "__main__":
    sys.exit(main())
