"""Peak speed of compiled code beside wasmtime and native code, compile time apart.

Each C program runs in all of them in turn, several times, for some tenths of a second; the best run
of each counts, and every result is compared.  Times are of the processor, which other programs on
the machine disturb less; only what compiling takes is by the clock, with no code in the cache, and
with the start of a compiler process the first time.  Native code is what ``ziglang cc -O3``, and
``gcc -O3`` if there is one, make of the same source.
"""

from __future__ import annotations

import argparse
import ctypes
import math
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import interpreter
import programs
from cold import copy_core

Run = Callable[[int], int]
SIZES = {
    "bytecode": 10_000_000,
    "compress": 500,
    "crc32": 20_000,
    "fannkuch": 10,
    "fib": 39,
    "fir": 6000,
    "hash64": 200_000_000,
    "hashmap": 8_000_000,
    "life": 6000,
    "list": 50_000_000,
    "mandelbrot": 2000,
    "matmul": 800,
    "nbody": 5_000_000,
    "queens": 14,
    "quicksort": 2_000_000,
    "sha256": 1_000_000,
    "sieve": 60_000_000,
    "spectral": 4000,
    "strings": 300_000,
}


def ours(name: str) -> Run:
    import runwell

    engine = runwell.Engine(runwell.Config(engine="jit"))
    exports = runwell.Instance(runwell.Module(programs.wasm(name), engine=engine)).exports
    exports._initialize()
    return lambda n: int(exports.run(n)) & 0xFFFFFFFF


def wasmtime(name: str) -> Run:
    return interpreter.wasmtime(programs.wasm(name))


def _load(path: Path) -> Run:
    run = ctypes.CDLL(str(path)).run
    run.argtypes, run.restype = [ctypes.c_uint32], ctypes.c_uint32
    return lambda n: int(run(n))


def zig(name: str) -> Run:
    source, target = programs.SOURCES / f"{name}.c", programs.cache() / f"{name}.o3.so"
    return _load(programs.compile_c(source, target, [*programs.NATIVE, "-O3"]))


def gcc(name: str) -> Run:
    source, target = programs.SOURCES / f"{name}.c", programs.cache() / f"{name}.gcc.so"
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        flags = [*programs.NATIVE, "-O3", "-w"]
        subprocess.run(["gcc", *flags, "-o", target, source], check=True)
    return _load(target)


MAKERS: dict[str, Callable[[str], Run]] = {"runwell": ours, "wasmtime": wasmtime, "zig": zig}
if shutil.which("gcc"):
    MAKERS["gcc"] = gcc


def measure(name: str, makers: list[str], repeat: int) -> tuple[dict[str, float], dict[str, float]]:
    """The best time of each, and how long each took to get ready."""
    runs, ready = {}, {}
    for maker in makers:
        start = time.perf_counter()
        runs[maker] = MAKERS[maker](name)
        ready[maker] = time.perf_counter() - start
    best = dict.fromkeys(makers, math.inf)
    for _ in range(repeat):
        results = set()
        for maker, run in runs.items():
            start = time.process_time()
            results.add(run(SIZES[name]) & 0xFFFFFFFF)
            best[maker] = min(best[maker], time.process_time() - start)
        if len(results) != 1:
            raise SystemExit(f"{name}: results differ: {results}")
    return best, ready


def main() -> None:
    with tempfile.TemporaryDirectory() as cache:
        copy_core(cache)
        os.environ["RUNWELL_CACHE_DIR"] = cache
        _main()


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("programs", nargs="*", metavar="PROGRAM", help="default: all")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--with", dest="makers", default=",".join(MAKERS))
    args = parser.parse_args()
    first, *peers = makers = args.makers.split(",")
    print(f"{'ms':12}" + "".join(f"{maker:>10}" for maker in makers), end="")
    print("".join(f"{'/ ' + peer:>12}" for peer in peers) + f"{'compiling':>12}{'wasmtime':>10}")
    ratios: dict[str, list[float]] = {peer: [] for peer in peers}
    for name in args.programs or SIZES:
        best, ready = measure(name, makers, args.repeat)
        line = f"{name:12}" + "".join(f"{best[maker] * 1e3:10.1f}" for maker in makers)
        for peer in peers:
            ratios[peer].append(best[first] / best[peer])
            line += f"{ratios[peer][-1]:12.2f}"
        line += f"{ready[first] * 1e3:12.0f}{ready.get('wasmtime', 0) * 1e3:10.0f}"
        print(line, flush=True)
    means = "".join(f"{math.exp(sum(map(math.log, r)) / len(r)):12.3f}" for r in ratios.values())
    print(f"{'geometric mean':{12 + 10 * len(makers)}}{means}")


if __name__ == "__main__":
    main()
