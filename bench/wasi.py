"""WASI calls, beside wasmtime-py in the same run.

    python bench/wasi.py

``wasi_guest.c``, compiled by ziglang, repeats each call; both machines run the same module on the
same directory.  Each figure is the best of several interleaved rounds.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import wasmtime

import runwell
from bench.programs import WASM, cache, compile_c

SOURCE = Path(__file__).parent / "wasi_guest.c"
# Function, how often, what one of them is, and how to read nanoseconds each.
ROWS: dict[str, tuple[int, str, Callable[[float], str]]] = {
    "write_blocks": (20_000, "fd_write, 64 KiB to /dev/null", lambda ns: f"{65536 / ns:.1f} GB/s"),
    "read_blocks": (5_000, "fd_read, 64 KiB of /dev/zero", lambda ns: f"{65536 / ns:.1f} GB/s"),
    "write_small": (50_000, "fd_write, 16 bytes", lambda ns: f"{ns / 1e3:.2f} us"),
    "read_small": (20_000, "fd_read, 16 bytes, and fd_seek", lambda ns: f"{ns / 1e3:.2f} us"),
    "pread_small": (20_000, "fd_pread, 16 bytes", lambda ns: f"{ns / 1e3:.2f} us"),
    "open_files": (5_000, "open, read, close a small file", lambda ns: f"{1e9 / ns:,.0f} /s"),
    "open_deep": (5_000, "open, close, four directories deep", lambda ns: f"{1e9 / ns:,.0f} /s"),
    "stat_files": (5_000, "stat, two directories deep", lambda ns: f"{ns / 1e3:.2f} us"),
    "list_directory": (10, "list 1000 files", lambda ns: f"{ns / 1e3:.0f} us"),
    "ask_the_time": (50_000, "clock_time_get", lambda ns: f"{ns / 1e3:.2f} us"),
    "poll_ready": (10_000, "poll_oneoff, ready", lambda ns: f"{ns / 1e3:.2f} us"),
}
ROUNDS = 5
SLEEP_MS = 500
Exports = dict[str, Callable[[int], Any]]


def prepare(folder: Path) -> None:
    """The files that the guest asks for."""
    (folder / "a/b/c/d").mkdir(parents=True)
    for path in ("small", "a/b/small", "a/b/c/d/small"):
        (folder / path).write_bytes(bytes(64))
    (folder / "many").mkdir()
    for i in range(1000):
        (folder / "many" / f"file{i:04}").touch()


def in_runwell(path: Path, folder: Path) -> Exports:
    wasi = runwell.WasiConfig(preopens={"/dev": "/dev", "/tmp": folder})
    exports = runwell.Instance(runwell.Module(str(path)), wasi=wasi).exports
    return {name: exports[name] for name in (*ROWS, "sleep_ms")}


def in_wasmtime(path: Path, folder: Path) -> Exports:
    engine = wasmtime.Engine()
    store, linker, wasi = wasmtime.Store(engine), wasmtime.Linker(engine), wasmtime.WasiConfig()
    linker.define_wasi()
    wasi.preopen_dir("/dev", "/dev")
    wasi.preopen_dir(str(folder), "/tmp")
    store.set_wasi(wasi)
    instance = linker.instantiate(store, wasmtime.Module.from_file(engine, str(path)))
    exports = instance.exports(store)
    exports["_initialize"](store)  # type: ignore[operator]

    def function(name: str) -> Callable[[int], Any]:
        return lambda n: exports[name](store, n)  # type: ignore[operator]

    return {name: function(name) for name in (*ROWS, "sleep_ms")}


def each(function: Callable[[int], Any], count: int) -> float:
    """Nanoseconds that one of ``count`` takes."""
    start = time.perf_counter_ns()
    failed = function(count)
    if failed:
        raise RuntimeError("the guest's call failed")
    return (time.perf_counter_ns() - start) / count


def main() -> None:
    flags = [*WASM[:-1], *(f"-Wl,--export={name}" for name in (*ROWS, "sleep_ms"))]
    path = compile_c(SOURCE, cache() / "wasi_guest.wasm", flags)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        machines = [in_runwell(path, folder), in_wasmtime(path, folder)]
        print(f"{'':36}{'Runwell':>14}{'wasmtime-py':>14}{'ratio':>8}")
        for row, (count, text, show) in ROWS.items():
            best = [float("inf")] * 2
            for _ in range(ROUNDS):
                for i, machine in enumerate(machines):
                    best[i] = min(best[i], each(machine[row], count))
            print(f"{text:36}{show(best[0]):>14}{show(best[1]):>14}{best[0] / best[1]:8.2f}")
        spent = []
        for machine in machines:
            before = time.process_time_ns()
            machine["sleep_ms"](SLEEP_MS)
            spent.append((time.process_time_ns() - before) / 1e6)
        text = f"processor time of {SLEEP_MS} ms asleep"
        print(f"{text:36}{spent[0]:>11.2f} ms{spent[1]:>11.2f} ms{spent[0] / spent[1]:8.2f}")


if __name__ == "__main__":
    main()
