"""The part of LLVM's binding that compiles; in processes of their own, which import it first."""

import subprocess
import sys
from pathlib import Path

import runwell

SOURCES = Path(runwell.__file__).parents[1]
COMPILE = """
from runwell.codegen.object import compile_text
text = "define i64 @f(i64 %x) {\\n  %y = add i64 %x, 1\\n  ret i64 %y\\n}\\n"
assert compile_text(text)[:4] == b"\\x7fELF"
"""


def run(code: str) -> str:
    """What a program prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=SOURCES
    )
    return done.stdout


def test_the_part_compiles():
    code = f"""
import sys
from runwell.codegen.lean import import_lean
print(import_lean(), import_lean())
{COMPILE}
rest = {{"llvmlite.ir", "importlib.resources", "llvmlite.binding.orcjit"}}
print(sorted(rest & sys.modules.keys()))
"""
    assert run(code) == "True False\n[]\n"


def test_what_is_imported_stays():
    code = f"""
import importlib.resources, sys
import llvmlite.binding
from runwell.codegen.lean import import_lean
whole = sys.modules["llvmlite.binding"]
print(import_lean(), sys.modules["llvmlite.binding"] is whole, importlib.resources.files.__name__)
{COMPILE}
"""
    assert run(code) == "False True files\n"


def test_a_binding_that_is_made_otherwise_is_imported_as_a_whole():
    code = f"""
import sys
from runwell.codegen import lean
lean._MODULES += ("no_such_module",)
print(lean.import_lean(), [name for name in sys.modules if name.startswith("llvmlite")])
{COMPILE}
print("llvmlite.ir" in sys.modules)
"""
    assert run(code) == "False []\nTrue\n"
