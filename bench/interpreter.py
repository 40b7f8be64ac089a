"""Speed of the interpreter beside wasm3, another interpreter, and wasmtime, a compiler.

Each C program runs in all engines in turn, several times; the best run of each counts, and every
result is compared with that of native code.  Times are of the processor, which other programs on
the machine disturb less.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable

import programs

Run = Callable[[int], int]


def ours(wasm: bytes) -> Run:
    import runwell

    exports = runwell.Instance(runwell.Module(wasm)).exports
    if "_initialize" in exports:
        exports._initialize()
    return lambda n: int(exports.run(n)) & 0xFFFFFFFF


def wasm3(wasm: bytes) -> Run:
    import wasm3

    environment = wasm3.Environment()
    runtime = environment.new_runtime(1 << 20)
    runtime.load(environment.parse_module(wasm))
    initialize = runtime.find_function("_initialize")
    initialize()
    run = runtime.find_function("run")
    return lambda n: int(run(n)) & 0xFFFFFFFF


def wasmtime(wasm: bytes) -> Run:
    import wasmtime

    store = wasmtime.Store()
    instance = wasmtime.Instance(store, wasmtime.Module(store.engine, wasm), [])
    exports = instance.exports(store)
    exports["_initialize"](store)
    run = exports["run"]
    return lambda n: int(run(store, n)) & 0xFFFFFFFF


ENGINES = {"runwell": ours, "wasm3": wasm3, "wasmtime": wasmtime}


def seconds(run: Run, n: int, expected: int) -> float:
    start = time.process_time()
    result = run(n)
    taken = time.process_time() - start
    if result != expected:
        raise SystemExit(f"wrong checksum: {result:#x}, not {expected:#x}")
    return taken


def measure(name: str, engines: list[str], repeat: int) -> dict[str, float]:
    """The best time of each engine."""
    n, wasm = programs.SIZES[name], programs.wasm(name)
    expected = programs.native(name)(n) & 0xFFFFFFFF
    runs = {engine: ENGINES[engine](wasm) for engine in engines}
    best = dict.fromkeys(engines, math.inf)
    for _ in range(repeat):
        for engine, run in runs.items():
            best[engine] = min(best[engine], seconds(run, n, expected))
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("programs", nargs="*", metavar="PROGRAM", help="default: all")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--engines", default=",".join(ENGINES))
    args = parser.parse_args()
    engines = args.engines.split(",")
    first, *peers = engines
    print(f"{'':12}" + "".join(f"{e + ' ms':>13}" for e in engines), end="")
    print("".join(f"{'x ' + peer:>12}" for peer in peers))
    ratios: dict[str, list[float]] = {peer: [] for peer in peers}
    for name in args.programs or programs.SIZES:
        best = measure(name, engines, args.repeat)
        line = f"{name:12}" + "".join(f"{best[e] * 1e3:13.2f}" for e in engines)
        for peer in peers:
            ratios[peer].append(best[peer] / best[first])
            line += f"{ratios[peer][-1]:12.2f}"
        print(line, flush=True)
    means = "".join(f"{math.exp(sum(map(math.log, r)) / len(r)):12.2f}" for r in ratios.values())
    print(f"{'geometric mean':{12 + 13 * len(engines)}}{means}")


if __name__ == "__main__":
    main()
