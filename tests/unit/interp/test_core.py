import subprocess
import sys

from runwell.interp import core


def python(text):
    """Run a program; what it prints."""
    command = [sys.executable, "-c", text]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


IMPORTED = """
import os, sys
import runwell.interp.unit, runwell.interp.core, runwell.codegen.object, runwell.elf.linker
root = os.path.dirname(os.path.dirname(runwell.interp.core.__file__)) + "/"
for name, module in sys.modules.items():
    if name.startswith("runwell.") and name.count(".") == 2:
        print(module.__file__.removeprefix(root))
"""

# Parts of packages' faces that a build happens to import.
NOT_COMPILED = {"codegen/__init__.py", "host/__init__.py", "runtime/__init__.py"}


def test_key_names_all_that_is_built_from():
    stamped = {stamp.partition(" ")[0] for stamp in core.source_stamps()}
    assert set(python(IMPORTED).split()) - stamped - NOT_COMPILED == set()


WARM = """
import sys
from runwell.interp.core import load_core
assert load_core() is load_core()
print(*(m for m in sys.modules if m.startswith(("llvmlite", "runwell."))))
"""


def test_warm_load_imports_no_compiler():
    core.load_core()
    cold = ("llvmlite", "runwell.elf", "runwell.isa", "runwell.interp.unit", "runwell.translate")
    assert [m for m in python(WARM).split() if m.startswith(cold) or m.endswith("_kernels")] == []


def test_key_depends_on_processor_and_python():
    lines = core.key().splitlines()
    assert sys.implementation.cache_tag in lines[0]
    assert any(line.startswith("interp/handlers.py ") for line in lines)
