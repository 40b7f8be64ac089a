"""What a warm start leaves alone: to start fast, a run imports little."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runwell.codegen.bundle import source_of
from runwell.codegen.together import NAMES

HELLO = Path(__file__).parents[2] / "examples" / "hello.wasm"

# A whole run in a process of its own, which then lists what that imported.
RUN = """
import sys
before = set(sys.modules)
import atexit
from runwell.cli.main import program
atexit.register(lambda: print(*sorted(set(sys.modules) - before), file=sys.stderr))
program()
"""

# Slow to import, or of use only to compile, to parse text, or to those who fail.
COLD = (
    "argparse",
    "ast",
    "bisect",
    "collections",
    "contextlib",
    "ctypes",
    "dataclasses",
    "enum",
    "functools",
    "gettext",
    "hashlib",
    "importlib",
    "inspect",
    "llvmlite",
    "locale",
    "operator",
    "pathlib",
    "re",
    "runwell.base.traps",
    "runwell.binary.encoder",
    "runwell.binary.names",
    "runwell.codegen.machine",
    "runwell.codegen.object",
    "runwell.codegen.target",
    "runwell.codegen.unit",
    "runwell.elf",
    "runwell.isa",
    "runwell.kernel.compiler",
    "runwell.kernel.declare",
    "runwell.kernel.tree",
    "runwell.text",
    "runwell.cli.stats",
    "runwell.cli.worlds",
    "runwell.wasi.chosen",
    "runwell.wasi.folders",
    "runwell.wasi.host",
    "runwell.wasi.limits",
    "runwell.wasi.memory",
    "runwell.wasi.opened",
    "runwell.wasi.poll",
    "runwell.wasi.sockets",
    "runwell.wasi.streams",
    "select",
    "shutil",
    "signal",
    "socket",
    "subprocess",
    "tempfile",
    "types",
    "typing",
    "warnings",
    "weakref",
)


# Those of Python's own that may be in files of their own.
EXTENSIONS = {
    m
    for m in sys.stdlib_module_names
    if m not in sys.builtin_module_names
    and (m.startswith("_") or m in ("array", "mmap", "resource", "select", "zlib", "math"))
} - {"__future__"}


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-c", RUN, "run", *arguments, str(HELLO)],
        capture_output=True,
        text=True,
        env={k: v for k, v in os.environ.items() if k != "RUNWELL_PROGRESS"},
        check=False,
    )


@pytest.fixture(scope="module")
def imported():
    run()  # which builds what is not in the cache
    done = run()
    assert (done.returncode, done.stdout) == (0, "Hello from WebAssembly.\n")
    return set(done.stderr.split())


@pytest.mark.parametrize("name", COLD)
def test_is_not_imported(imported, name):
    assert [m for m in imported if m == name or m.startswith(name + ".")] == []


# A run may import so many bytes of sources of ours.  Who needs more has a reason, and says it with
# the change of the number; who needs less makes it smaller.
SOURCE_BYTES = 546_000


def test_what_of_ours_is_imported(imported):
    ours = {m for m in imported if m.partition(".")[0] == "runwell"}
    assert sorted(ours - NAMES) == [], "is it needed in every run?  Then runwell.codegen.together"
    assert sorted(NAMES - ours) == [], "remove it from runwell.codegen.together"
    assert sum(os.path.getsize(source_of(m)) for m in ours) <= SOURCE_BYTES


def test_only_so_many_extensions_are_loaded(imported):
    """Each takes as long to load as three modules of ours."""
    native = {m for m in imported if m not in sys.builtin_module_names} & EXTENSIONS
    assert native <= {"_ctypes", "_struct", "array", "zlib"}


def test_no_kernel_is_imported(imported):
    assert [m for m in imported if m.endswith("kernels")] == []


def validate(*options, **settings):
    command = [sys.executable, *options, "-m", "runwell", "validate", str(HELLO)]
    return subprocess.run(command, text=True, check=False, **settings)


def test_the_process_writes_out_what_was_printed():
    done = validate(capture_output=True)
    assert (done.returncode, done.stdout) == (0, f"{HELLO}: valid\n")


def test_the_process_ends_without_its_streams():
    done = subprocess.run(
        f'"{sys.executable}" -m runwell validate "{HELLO}" >&- 2>&-', shell=True, check=False
    )
    assert done.returncode == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that is always full")
def test_the_process_notices_that_nothing_was_written():
    with open("/dev/full", "w") as full:
        done = validate(stdout=full, stderr=subprocess.PIPE)
    assert done.returncode != 0
    assert "No space left" in done.stderr


def test_a_profiler_sees_the_end():
    done = validate("-m", "cProfile", capture_output=True)
    assert "function calls" in done.stdout


def test_a_summary_needs_no_text_format():
    script = RUN.replace("set(sys.modules) - before", "sys.modules")
    command = [sys.executable, "-c", script, "inspect", str(HELLO)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "_start" in done.stdout
    imported = done.stderr.split()
    assert [m for m in imported if m.startswith(("runwell.text", "runwell.isa"))] == []
    assert "typing" not in imported
