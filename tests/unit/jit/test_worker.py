"""What a compiler process does with a job."""

import subprocess
import sys
from pathlib import Path

import runwell
from runwell.codegen.python import command
from runwell.codegen.together import COMPILING
from runwell.jit.worker import compile_movable

SOURCES = Path(runwell.__file__).parents[1]


def run(code: str) -> str:
    """What a process prints that is started as compilers are."""
    done = subprocess.run(
        command(sys.executable, code), capture_output=True, text=True, check=True, cwd=SOURCES
    )
    return done.stdout


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
import os
from runwell.jit import worker
worker._restrict(os.getppid(), 3 << 30)
worker._get_ready("runwell.jit.compile:compile_encoded")
slow = {"typing", "inspect", "dataclasses", "pathlib", "tempfile", "importlib", "collections"}
slow |= {"functools", "enum", "threading", "ctypes", "re", "array", "math"}
print(sorted((slow | {"llvmlite.binding.ffi", "runwell.jit.tier"}) & sys.modules.keys()))
"""
    assert run(code) == "[]\n"


def test_what_of_ours_it_imports():
    code = """
import runwell.codegen.bundle
from runwell.jit import worker
worker._get_ready("runwell.jit.compile:compile_encoded")
print(*[name for name in sys.modules if name.partition(".")[0] == "runwell"])
"""
    assert {*run(code).split()} == COMPILING, "see runwell.codegen.together"


def test_it_compiles_with_a_version_of_llvmlite_that_is_not_known():
    code = """
from runwell.codegen import direct
direct.VERSIONS = ()
from runwell.jit import worker
worker._get_ready("runwell.jit.compile:compile_encoded")
print("llvmlite.binding.ffi" in sys.modules, "llvmlite.ir" in sys.modules)
"""
    assert run(code) == "True False\n"
