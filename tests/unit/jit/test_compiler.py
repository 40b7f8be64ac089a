"""Which compiler one gets."""

import subprocess
import sys

import pytest
from tests.unit.jit.jobs import FUNCTION

from runwell.jit.compiler import KINDS, open_compiler
from runwell.jit.thread import ThreadCompiler
from runwell.jit.workers import Workers


@pytest.mark.parametrize(("kind", "type_"), [("process", Workers), ("thread", ThreadCompiler)])
def test_kinds(kind, type_):
    assert kind in KINDS
    compiler = open_compiler(kind, FUNCTION, 3)
    assert isinstance(compiler, type_)
    assert compiler.problem == ""
    compiler.close()


def test_no_such_kind():
    with pytest.raises(ValueError, match="compiler is 'process' or 'thread', not 'cloud'"):
        open_compiler("cloud", FUNCTION)


@pytest.mark.parametrize(
    "modules",
    ["runwell.jit.installed, runwell.jit.cache", "runwell.jit.workers", "runwell.jit.thread"],
)
def test_importing_it_is_light(modules):
    """A run pays for it before it gains anything."""
    heavy = ("typing", "threading", "re", "dataclasses", "inspect", "subprocess", "hashlib",
             "pathlib", "socket", "selectors", "asyncio", "llvmlite", "runwell.elf.image",
             "runwell.elf.dwarf")  # fmt: skip
    code = (
        f"import sys, runwell.embed.module; before = set(sys.modules); import {modules}; "
        f"print(*(set({heavy}) & (set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
