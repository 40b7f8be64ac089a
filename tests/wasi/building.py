"""C programs for WASI and for this machine, built once with ``ziglang`` and kept."""

import hashlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from bench.programs import cache

CONFORMANCE = Path(__file__).parent / "conformance"
NO_ZIG = "ziglang, which compiles the C programs, is not installed"
WASI = ("-target", "wasm32-wasi", "-O1", "-s", "-Wno-everything")
NATIVE = ("-O1", "-s", "-D_GNU_SOURCE", "-Wno-everything")


def build(source, *flags, target=WASI):
    """Compile ``source``; the path of what came out, kept by what went in."""
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip(NO_ZIG)
    texts = [p.read_bytes() for p in (source, *sorted(source.parent.glob("*.h")))]
    key = hashlib.sha256(b"\0".join([*texts, repr((target, flags)).encode()])).hexdigest()[:16]
    suffix = ".wasm" if "wasm32-wasi" in target else ""
    made = cache() / f"wasi-{source.stem}-{key}{suffix}"
    if not made.exists():
        rough = made.with_name(f"{made.stem}.{id(made)}.tmp")
        line = [sys.executable, "-m", "ziglang", "cc", *target, *flags, source, "-o", rough]
        done = subprocess.run([*map(str, line)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        rough.rename(made)
    return made


def conformance(name):
    """The module of a conformance program."""
    return build(CONFORMANCE / f"{name}.c")
