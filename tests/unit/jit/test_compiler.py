"""Which compiler one gets."""

import random
import subprocess
import sys

import pytest
from tests.unit.jit.jobs import FUNCTION

import runwell
from runwell.codegen.together import NAMES, STARTING, USING
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


def imported(code: str) -> list[str]:
    """Our modules that are imported in a run that does this, and slow ones of Python."""
    code += """
print(*[name for name in sys.modules if name.partition(".")[0] == "runwell"])
slow = {"collections", "enum", "functools", "types", "weakref", "socket", "signal", "threading"}
print(*slow & sys.modules.keys())
"""
    code = f"import sys; sys.path[:] = {sys.path!r}\nfrom runwell.cli.main import program\n{code}"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_what_is_imported_before_a_process_is_started():
    ours, slow = imported("""
from runwell.jit.compiler import shared_compiler
shared_compiler("process").warm()
""")
    assert {*ours.split()} - NAMES == STARTING - NAMES, "see runwell.codegen.together"
    assert slow == ""


def test_what_is_imported_until_something_is_compiled():
    # Another than in earlier runs, whose code would be used.
    text = f"""(module (func (export "run") (local i32)
        loop
            local.get 0 i32.const 1 i32.add local.tee 0
            i32.const {2_000_000_000 + random.randrange(100_000_000)} i32.lt_u br_if 0
        end))"""
    ours, _ = imported(f"""
import runwell
module = runwell.Module({runwell.Module(text).code.module.data!r})
run = runwell.Instance(module).exports.run
for _ in range(100):
    run()
    if module.code.compiled:
        break
else:
    raise SystemExit("nothing is compiled")
""")
    rest = {*ours.split()} - NAMES - STARTING
    assert rest == USING - NAMES - STARTING, "see runwell.codegen.together"
