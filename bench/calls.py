"""Calls in and out of the guest, beside wasmtime-py and pywasm3 in the same run.

    python bench/calls.py

Each figure is the best of several interleaved rounds, less the empty loop that drives it.
`add` is brief, so that Runwell keeps the interpreter lock; for `add_by_call` it releases it.
`call to C` is one from the guest to `abs` of the C library, for those who can.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import wasm3
import wasmtime

import runwell
from runwell.text.parser import parse

WAT = """
(module
  (import "env" "f" (func $f (param i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "nop"))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func $add (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "add_by_call") (param i32 i32) (result i32)
    (call $add (local.get 0) (local.get 1)))
  (func (export "mul64") (param i64 i64) (result i64) (i64.mul (local.get 0) (local.get 1)))
  (func (export "scale") (param f64 f64) (result f64) (f64.mul (local.get 0) (local.get 1)))
  (func (export "trap") unreachable)
  (func (export "many") (param $n i32) (result i32) (local $x i32)
    (loop $again
      (local.set $x (call $f (local.get $n)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $x)))
"""
CALLS: dict[str, tuple[Any, ...]] = {
    "nop": (),
    "add": (3, 4),
    "add_by_call": (3, 4),
    "mul64": (3, 4),
    "scale": (1.5, 2.5),
}
ROUNDS = 15
MEGABYTE = 1 << 20
BIG = '(module (memory (export "memory") 16))'
Timed = Callable[[int], None]


def identity(x: int) -> int:
    return x


class Runwell:
    """Ours."""

    def __init__(self, data: bytes) -> None:
        self.module = runwell.Module(data)
        self.exports = runwell.Instance(self.module, {"env": {"f": identity}}).exports
        self.trap: type[Exception] = runwell.Trap
        absolute = ctypes.CDLL(None).abs
        absolute.argtypes, absolute.restype = [ctypes.c_int], ctypes.c_int
        self.calls_c = runwell.Instance(self.module, {"env": {"f": absolute}}).exports.many
        self.pool = self.module.instantiate_pool(1, {"env": {"f": identity}})
        self.big = runwell.Instance(runwell.Module(BIG)).exports.memory

    def function(self, name: str) -> Callable[..., Any]:
        """An exported function."""
        return self.exports[name]  # type: ignore[no-any-return]

    def instantiate(self) -> None:
        """Make one more instance."""
        runwell.Instance(self.module, {"env": {"f": identity}})

    def recycle(self) -> None:
        """Take an instance from a pool, and give it back."""
        self.pool.acquire().close()

    def use_pooled(self) -> None:
        """The same, with a call between."""
        with self.pool.acquire() as instance:
            instance.exports.add(3, 4)

    def read(self) -> bytes:
        """Copy 1 MB out of the memory."""
        return self.big.read(0, MEGABYTE)  # type: ignore[no-any-return]


class Wasmtime:
    """wasmtime-py."""

    def __init__(self, data: bytes) -> None:
        self.engine = wasmtime.Engine()
        self.module = wasmtime.Module(self.engine, data)
        self.trap: type[Exception] = wasmtime.Trap
        self.store, self.instance = self.make()
        big = wasmtime.Instance(self.store, wasmtime.Module(self.engine, BIG), [])
        self.big = big.exports(self.store)["memory"]

    def make(self) -> tuple[wasmtime.Store, wasmtime.Instance]:
        """A fresh instance."""
        store = wasmtime.Store(self.engine)
        i32 = wasmtime.ValType.i32()
        function = wasmtime.Func(store, wasmtime.FuncType([i32], [i32]), identity)
        return store, wasmtime.Instance(store, self.module, [function])

    def function(self, name: str) -> Callable[..., Any]:
        """An exported function."""
        store, function = self.store, self.instance.exports(self.store)[name]
        return lambda *args: function(store, *args)

    def instantiate(self) -> None:
        """Make one more instance."""
        self.make()

    def read(self) -> bytes:
        """Copy 1 MB out of the memory."""
        return bytes(self.big.read(self.store, 0, MEGABYTE))


class Wasm3:
    """pywasm3."""

    def __init__(self, data: bytes) -> None:
        self.environment = wasm3.Environment()
        self.data = data
        self.runtime = self.make()
        self.trap: type[Exception] = RuntimeError

    def make(self) -> Any:
        """A fresh instance."""
        runtime = self.environment.new_runtime(65536)
        module = self.environment.parse_module(self.data)
        runtime.load(module)
        module.link_function("env", "f", "i(i)", identity)
        return runtime

    def function(self, name: str) -> Callable[..., Any]:
        """An exported function."""
        return self.runtime.find_function(name)  # type: ignore[no-any-return]

    def instantiate(self) -> None:
        """Make one more instance."""
        self.make()


def call_loop(function: Callable[..., Any], args: tuple[Any, ...]) -> Timed:
    if not args:

        def run(n: int) -> None:
            for _ in range(n):
                function()
    else:
        a, b = args

        def run(n: int) -> None:
            for _ in range(n):
                function(a, b)

    return run


def empty_loop(n: int) -> None:
    for _ in range(n):
        pass


def trap_loop(function: Callable[[], Any], trap: type[Exception]) -> Timed:
    def run(n: int) -> None:
        for _ in range(n):
            with suppress(trap):
                function()

    return run


def cases(engine: Any) -> dict[str, Timed]:
    found = {name: call_loop(engine.function(name), args) for name, args in CALLS.items()}
    found["callback"] = engine.function("many")
    if hasattr(engine, "calls_c"):
        found["call to C"] = engine.calls_c
    found["trap and catch"] = trap_loop(engine.function("trap"), engine.trap)
    found["instantiate"] = call_loop(engine.instantiate, ())
    for name, method in (
        ("from a pool", "recycle"),
        ("and called once", "use_pooled"),
        ("read 1 MB", "read"),
    ):
        if hasattr(engine, method):
            found[name] = call_loop(getattr(engine, method), ())
    return found


def measure(timed: Timed, budget_s: float = 0.02) -> float:
    """Nanoseconds an iteration, for a number of iterations that takes about ``budget_s``."""
    n = 1
    while True:
        start = time.perf_counter()
        timed(n)
        spent = time.perf_counter() - start
        if spent > budget_s / 2 or n >= 1 << 20:
            return spent / n * 1e9
        n *= 4


@contextmanager
def silence() -> Iterator[None]:
    """wasm3 writes about every trap to the standard error."""
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


def main() -> None:
    data = parse(WAT)
    engines = {"runwell": Runwell(data), "wasmtime-py": Wasmtime(data), "pywasm3": Wasm3(data)}
    all_cases = {name: cases(engine) for name, engine in engines.items()}
    best: dict[tuple[str, str], float] = {}
    empty = float("inf")
    for _ in range(ROUNDS):
        empty = min(empty, measure(empty_loop))
        for case in all_cases["runwell"]:
            for name, found in all_cases.items():
                if case not in found:
                    continue
                with silence():
                    ns = measure(found[case])
                best[name, case] = min(ns, best.get((name, case), ns))
    print(f"{'ns':16}" + "".join(f"{name:>14}" for name in engines) + "  ratio to each")
    for case in all_cases["runwell"]:
        in_loop = 0.0 if case in ("callback", "call to C") else empty
        figures = {name: best[name, case] - in_loop for name in engines if (name, case) in best}
        own = figures["runwell"]
        row = "".join(
            f"{figures[name]:14.0f}" if name in figures else f"{'-':>14}" for name in engines
        )
        ratios = [f"{figures[name] / own:10.1f}×" for name in engines if name in figures]
        print(f"{case:16}{row}" + " ".join(ratios[1:]))
    source = bytearray(MEGABYTE)
    copy = min(measure(call_loop(lambda: bytes(source), ())) for _ in range(ROUNDS))
    print(f"{'(bytes of 1 MB)':16}{copy:14.0f}")


if __name__ == "__main__":
    main()
