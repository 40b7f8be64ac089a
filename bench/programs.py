"""The C programs that benchmarks and tests share: how to build them, and at which sizes to run.

Each ``programs/NAME.c`` defines ``unsigned run(unsigned n)``, whose result is a checksum.  It is
compiled twice by ``ziglang``: to a WASI reactor without imports, and to a native shared library
that says what the checksum should be (``-ffp-contract=off``: a fused multiply-add would differ).
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

SOURCES = Path(__file__).parent / "programs"

# Sizes at which an interpreter takes some ten milliseconds, and a compiler a few.
SIZES = {
    "bytecode": 100_000,
    "compress": 8,
    "crc32": 600,
    "fannkuch": 8,
    "fib": 30,
    "fir": 40,
    "hash64": 2_000_000,
    "hashmap": 100_000,
    "life": 60,
    "list": 2_000_000,
    "mandelbrot": 300,
    "matmul": 150,
    "nbody": 50_000,
    "queens": 11,
    "quicksort": 100_000,
    "sha256": 10_000,
    "sieve": 1_500_000,
    "spectral": 300,
    "strings": 10_000,
}
# The features that wasm3 reads: with more, the C library has table indices of five bytes.
WASM = [
    "-target",
    "wasm32-wasi",
    "-mcpu=mvp+bulk_memory+sign_ext+nontrapping_fptoint+mutable_globals",
    "-mexec-model=reactor",
    "-Wl,--export=run",
]
# With vectors, which the compiler finds in loops.
SIMD = [
    "-target",
    "wasm32-wasi",
    "-mcpu=generic+simd128",
    "-O3",
    "-ffp-contract=off",
    "-mexec-model=reactor",
    "-Wl,--export=run",
]
NATIVE = ["-shared", "-fPIC", "-ffp-contract=off"]


def cache() -> Path:
    """Where built programs are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(base) / "runwell-bench"
    path.mkdir(parents=True, exist_ok=True)
    return path


def compile_c(source: Path, target: Path, flags: list[str]) -> Path:
    """Compile ``source`` to ``target`` with ``ziglang``, unless that is newer already."""
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        made = target.with_suffix(f".{os.getpid()}.tmp")
        subprocess.run(
            [sys.executable, "-m", "ziglang", "cc", "-O2", "-s", *flags, "-o", made, source],
            check=True,
        )
        made.rename(target)
    return target


def wasm(name: str) -> bytes:
    """The WebAssembly module of a program."""
    return compile_c(SOURCES / f"{name}.c", cache() / f"{name}.wasm", WASM).read_bytes()


def wasm_with_vectors(name: str) -> bytes:
    """The WebAssembly module of a program, with SIMD instructions where the compiler likes them."""
    return compile_c(SOURCES / f"{name}.c", cache() / f"{name}.simd.wasm", SIMD).read_bytes()


def native(name: str) -> ctypes._CFuncPtr:
    """The program as a native function from size to checksum."""
    path = compile_c(SOURCES / f"{name}.c", cache() / f"{name}.so", NATIVE)
    run = ctypes.CDLL(str(path)).run
    run.argtypes, run.restype = [ctypes.c_uint32], ctypes.c_uint32
    return run
