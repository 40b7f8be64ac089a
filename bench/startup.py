"""Whole processes: a hello-world under ``runwell run``, and others, beside Python and the peer.

    python bench/startup.py

Caches are warm: each command runs twice before it is timed.  Printed are medians of the time and
minima of the processor time, which other programs disturb less, and their ratios to those of
``python -c pass``.  The peer is wasmtime-py with its own compilation cache enabled, driven by the
shortest script that runs a WASI command.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

HELLO = str(Path(__file__).parents[1] / "examples" / "hello.wasm")
RUNS = 21
# As an installed package is: with its bytecode on disk.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
# What installers write for an entry point.
SCRIPT = """
import sys
from runwell.cli.main import program
if __name__ == "__main__":
    sys.argv[0] = sys.argv[0].removesuffix(".exe")
    sys.exit(program())
"""
# A function that adds two numbers.
ADD = """0061736d01000000 0107016002 7f7f017f 03020100 07070103616464 0000
0a09010700 20002001 6a0b"""
CALL = f"""
import runwell
assert runwell.Instance(runwell.Module(bytes.fromhex({ADD!r}))).exports.add(40, 2) == 42
"""
WASMTIME = f"""
import wasmtime
config = wasmtime.Config()
config.cache = True
engine = wasmtime.Engine(config)
linker, store, wasi = wasmtime.Linker(engine), wasmtime.Store(engine), wasmtime.WasiConfig()
linker.define_wasi()
wasi.inherit_stdout()
store.set_wasi(wasi)
module = wasmtime.Module.from_file(engine, {HELLO!r})
linker.instantiate(store, module).exports(store)["_start"](store)
"""


def commands(script: str) -> dict[str, list[str]]:
    """What is timed, by name; the first is what the others are compared with."""
    python = sys.executable
    return {
        "python -c pass": [python, "-c", "pass"],
        "runwell run hello.wasm": [python, script, "run", HELLO],
        "python -m runwell run hello.wasm": [python, "-m", "runwell", "run", HELLO],
        "runwell --help": [python, script, "--help"],
        "runwell inspect hello.wasm": [python, script, "inspect", HELLO],
        "import runwell": [python, "-c", "import runwell"],
        "import runwell; a module; a call": [python, "-c", CALL],
        "wasmtime-py, hello.wasm": [python, "-c", WASMTIME],
    }


def run(command: list[str], output: int) -> tuple[float, float]:
    """Run a command; the seconds that passed, and those of the processor.

    Raises:
        RuntimeError: it fails.
    """
    started = time.perf_counter()
    to = [(os.POSIX_SPAWN_DUP2, output, 1)]
    pid = os.posix_spawn(command[0], command, ENVIRONMENT, file_actions=to)
    _, status, used = os.wait4(pid, 0)
    if status:
        raise RuntimeError(f"{command} ends with {status}")
    return time.perf_counter() - started, used.ru_utime + used.ru_stime


def main() -> None:
    """Time the commands in turn, and print medians, minima and ratios."""
    output = os.open(os.devnull, os.O_WRONLY)
    with tempfile.NamedTemporaryFile("w", suffix=".py") as script:
        script.write(SCRIPT)
        script.flush()
        every = commands(script.name)
        samples: dict[str, list[tuple[float, float]]] = {name: [] for name in every}
        for count in range(-2, RUNS):
            for name, command in every.items():
                sample = run(command, output)
                if count >= 0:
                    samples[name].append(sample)
    base = 0.0, 0.0
    for name, taken in samples.items():
        time_s = statistics.median(passed for passed, _ in taken)
        cpu_s = min(used for _, used in taken)
        base = base if base[0] else (time_s, cpu_s)
        print(
            f"{name:34} {time_s * 1e3:6.1f} ms {time_s / base[0]:5.2f} ×"
            f"   processor {cpu_s * 1e3:6.1f} ms {cpu_s / base[1]:5.2f} ×"
        )


if __name__ == "__main__":
    main()
