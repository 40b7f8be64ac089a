"""What a warm start leaves alone: to start fast, a run imports little."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HELLO = Path(__file__).parents[2] / "examples" / "hello.wasm"

# A whole run in a process of its own, which then lists what that imported.
RUN = """
import sys
before = set(sys.modules)
from runwell.cli.main import main
code = main(sys.argv[1:])
print(*sorted(set(sys.modules) - before), file=sys.stderr)
sys.exit(code)
"""

# Slow to import, or of use only to compile, to parse text, or to those who fail.
COLD = (
    "argparse",
    "ast",
    "dataclasses",
    "gettext",
    "hashlib",
    "inspect",
    "llvmlite",
    "locale",
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
    "runwell.host.convert",
    "runwell.isa",
    "runwell.kernel.compiler",
    "runwell.kernel.declare",
    "runwell.kernel.tree",
    "runwell.text",
    "runwell.wasi.folders",
    "runwell.wasi.poll",
    "shutil",
    "signal",
    "subprocess",
    "tempfile",
    "typing",
    "weakref",
)


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


def test_no_kernel_is_imported(imported):
    assert [m for m in imported if m.endswith("kernels")] == []


def test_the_process_flushes_what_was_printed():
    done = subprocess.run(
        [sys.executable, "-m", "runwell", "validate", str(HELLO)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{HELLO}: valid\n"
