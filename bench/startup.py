"""Whole processes: a hello-world under ``runwell run`` beside Python itself, and the peer.

    python bench/startup.py

Caches are warm: each command runs once before it is timed.  The peer is wasmtime-py with its own
compilation cache enabled, driven by the shortest script that runs a WASI command.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

HELLO = Path(__file__).parents[1] / "examples" / "hello.wasm"
RUNS = 21
# As an installed package is: with its bytecode on disk.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
WASMTIME = f"""
import wasmtime
config = wasmtime.Config()
config.cache = True
engine = wasmtime.Engine(config)
linker, store, wasi = wasmtime.Linker(engine), wasmtime.Store(engine), wasmtime.WasiConfig()
linker.define_wasi()
wasi.inherit_stdout()
store.set_wasi(wasi)
module = wasmtime.Module.from_file(engine, {str(HELLO)!r})
linker.instantiate(store, module).exports(store)["_start"](store)
"""
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "runwell run hello.wasm": [sys.executable, "-m", "runwell", "run", str(HELLO)],
    "wasmtime-py, the same": [sys.executable, "-c", WASMTIME],
}


def main() -> None:
    """Time the commands in turn, and print medians and ratios."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for run in range(RUNS + 1):
        for name, command in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
            if run:
                times[name].append(time.perf_counter() - start)
    base = statistics.median(times["python -c pass"])
    for name, samples in times.items():
        middle = statistics.median(samples)
        print(f"{name:24} {middle * 1e3:7.1f} ms   {middle / base:5.2f} × python -c pass")


if __name__ == "__main__":
    main()
