"""From cold to the result: the default engine beside wasmtime, compilers and all.

    python bench/tiered.py [PROGRAM...]

Each run is a process of its own, in turn, with nothing cached but the interpreter's core, which a
first run of anything builds.  Two times are measured: from the module's bytes to the result of a
call that takes about a second; and of the whole process, with Python's start and the imports.
Machine time that wasmtime spends with threads is as little counted as ours with processes: what
counts is when the result is there.  Results are compared with those of native code.

What is printed are medians.  ``--best`` prints the best runs, for machines that do other things.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import programs

# About a second of compiled code each; and how often it is called, where sizes are too far apart.
SIZES = {
    "bytecode": 44_000_000,
    "compress": 2200,
    "crc32": 104_000,
    "fannkuch": 10,
    "fib": 43,
    "fir": 27_000,
    "hash64": 840_000_000,
    "hashmap": 35_000_000,
    "life": 19_000,
    "list": 250_000_000,
    "mandelbrot": 4300,
    "matmul": 1170,
    "nbody": 21_000_000,
    "queens": 15,
    "quicksort": 9_000_000,
    "sha256": 4_100_000,
    "sieve": 250_000_000,
    "spectral": 7600,
    "strings": 1_260_000,
}
CALLS = {"fannkuch": 4}
ENGINES = ("runwell", "wasmtime")
# As an installed package is: with its bytecode on disk.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
Report = dict[str, float]


def ours(wasm: bytes, n: int, calls: int) -> Report:
    """One run of the default engine, in this process."""
    import runwell

    start = time.perf_counter()
    module = runwell.Module(wasm)
    exports = runwell.Instance(module).exports
    exports._initialize()
    results = [int(exports.run(n)) & 0xFFFFFFFF for _ in range(calls)]
    end = time.perf_counter()
    arrivals = [code.installed_s - start for code in module.code.compiled]
    times = {"first": min(arrivals), "last": max(arrivals)} if arrivals else {}
    return {"result": results[0], "s": end - start, "pieces": len(arrivals), **times}


def wasmtime(wasm: bytes, n: int, calls: int) -> Report:
    """One run of wasmtime, which compiles the module first."""
    import wasmtime

    start = time.perf_counter()
    store = wasmtime.Store()
    instance = wasmtime.Instance(store, wasmtime.Module(store.engine, wasm), [])
    exports = instance.exports(store)
    exports["_initialize"](store)
    results = [int(exports["run"](store, n)) & 0xFFFFFFFF for _ in range(calls)]
    return {"result": results[0], "s": time.perf_counter() - start}


def run_here(engine: str, path: str, n: int, calls: int) -> None:
    """What a process does: one run, its report on the standard output."""
    run = ours if engine == "runwell" else wasmtime
    print(json.dumps(run(Path(path).read_bytes(), n, calls)))


def run(engine: str, name: str, cache: Path) -> Report:
    """One run in a process of its own."""
    for kept in cache.glob("*.code"):
        kept.unlink()
    path = programs.cache() / f"{name}.wasm"
    arguments = [engine, path, str(SIZES[name]), str(CALLS.get(name, 1))]
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, __file__, "--here", *arguments],
        check=True,
        capture_output=True,
        env={**ENVIRONMENT, "RUNWELL_CACHE_DIR": str(cache)},
    )
    report: Report = json.loads(done.stdout)
    report["process"] = time.perf_counter() - start
    return report


def measure(name: str, cache: Path, repeat: int, *, best: bool) -> dict[str, Report]:
    """All engines in turn; what is typical of each."""
    programs.wasm(name)
    expected = programs.native(name)(SIZES[name]) & 0xFFFFFFFF
    reports: dict[str, list[Report]] = {engine: [] for engine in ENGINES}
    for _ in range(repeat):
        for engine, found in reports.items():
            report = run(engine, name, cache)
            if report["result"] != expected:
                raise SystemExit(f"{name}: {engine} computes {report['result']:#x}")
            found.append(report)
    middle = min if best else statistics.median
    return {
        engine: {key: middle([report.get(key, 0) for report in found]) for key in found[0]}
        for engine, found in reports.items()
    }


def warm_cache(directory: Path) -> Path:
    """A cache that has the interpreter's core, and nothing else."""
    from runwell.codegen.cache import default_directory
    from runwell.interp.core import load_core

    load_core()
    for path in Path(default_directory()).glob("*.*"):
        if path.suffix != ".code":
            shutil.copy2(path, directory)
    return directory


def main() -> None:
    """Measure and print, with ratios and their geometric means."""
    if sys.argv[1:2] == ["--here"]:
        engine, path, n, calls = sys.argv[2:]
        run_here(engine, path, int(n), int(calls))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("programs", nargs="*", metavar="PROGRAM", help="default: all")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--best", action="store_true", help="best runs, not medians")
    args = parser.parse_args()
    print(f"{'seconds':12}{'runwell':>10}{'wasmtime':>10}{'ratio':>8}", end="")
    print(f"{'processes':>12}{'':>10}{'ratio':>8}{'first code':>14}{'last':>8}{'pieces':>8}")
    ratios: dict[str, list[float]] = {"s": [], "process": []}
    with tempfile.TemporaryDirectory() as directory:
        cache = warm_cache(Path(directory))
        os.chmod(cache, 0o700)
        run("runwell", args.programs[0] if args.programs else "fib", cache)
        for name in args.programs or SIZES:
            found = measure(name, cache, args.repeat, best=args.best)
            one, other = found["runwell"], found["wasmtime"]
            line = f"{name:12}"
            for key, seen in ratios.items():
                seen.append(one[key] / other[key])
                line += f"{one[key]:{12 if key == 'process' else 10}.3f}{other[key]:10.3f}"
                line += f"{seen[-1]:8.3f}"
            line += f"{one.get('first', 0) * 1e3:11.0f} ms{one.get('last', 0) * 1e3:8.0f}"
            print(f"{line}{one['pieces']:8.0f}", flush=True)
    means = [math.exp(sum(map(math.log, r)) / len(r)) for r in ratios.values()]
    print(f"{'geometric mean':32}{means[0]:8.3f}{'':22}{means[1]:8.3f}")


if __name__ == "__main__":
    main()
