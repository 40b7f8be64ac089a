"""What a compiler process does with a job."""

import subprocess
import sys
from pathlib import Path

import runwell
from runwell.codegen.python import command
from runwell.jit.worker import compile_movable

SOURCES = Path(runwell.__file__).parents[1]


def test_whatever_goes_wrong_is_an_answer():
    assert not compile_movable("no.such:module", b"")[0]
    assert not compile_movable("os:no_such_name", b"")[0]
    assert compile_movable("os:getpid", b"")[1].startswith(b"TypeError: ")
    assert compile_movable("builtins:bytes", b"no object") == (
        False,
        b"ElfError: object 0: only 9 bytes: not an ELF object",
    )


def test_it_starts_without_what_compiling_does_not_take():
    code = """
from runwell.jit import worker
worker._get_ready("runwell.jit.compile:compile_encoded")
slow = {"typing", "inspect", "dataclasses", "pathlib", "tempfile", "importlib.resources"}
print(sorted((slow | {"re", "llvmlite.ir", "runwell.jit.tier"}) & sys.modules.keys()))
"""
    done = subprocess.run(
        command(sys.executable, code), capture_output=True, text=True, check=True, cwd=SOURCES
    )
    assert done.stdout == "[]\n"
