"""LLVM without llvmlite's Python: in processes of their own, which import it first."""

import subprocess
import sys
from pathlib import Path

import pytest

import runwell
from runwell.codegen import direct

SOURCES = Path(runwell.__file__).parents[1]
FUNCTION = "define i64 @f(i64 %x) {\n  %y = add i64 %x, 1\n  ret i64 %y\n}\n"
BAD = [
    "define i64 @f() {\n  %y = ad i64 1, 1\n  ret i64 %y\n}\n",
    "define i64 @f() {\n  %y = add i64 1, 1\n",
    "define i64 @f(i1 %x) {\n  br i1 %x, label %a, label %b\na:\n  %y = add i64 1, 1\n"
    "  br label %b\nb:\n  ret i64 %y\n}\n",
]
SAY = f"""
from runwell.codegen.object import CodegenError, compile_text
from runwell.codegen.target import host_target, keep_places
keep_places()
print(host_target())
print([compile_text({FUNCTION!r}, level).hex() for level in range(4)])
print(compile_text({FUNCTION!r}, 1, is_quick=True).hex())
for text in {BAD!r}:
    try:
        compile_text(text)
    except CodegenError as e:
        print(e)
"""


def run(code: str) -> str:
    """What a program prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=SOURCES
    )
    return done.stdout


def test_it_compiles_and_complains_as_the_binding_does():
    begin = "from runwell.codegen.direct import import_direct; assert import_direct()"
    said = run(begin + SAY)
    assert said == run(SAY)
    assert said.count(": error: ") == 2
    assert "dominate" in said


def test_llvmlite_is_not_imported():
    code = f"""
import sys
from runwell.codegen.direct import import_direct
assert import_direct() and not import_direct()
from runwell.codegen.object import compile_text
compile_text({FUNCTION!r})
heavy = {{"ctypes", "threading", "functools", "collections", "enum", "llvmlite.binding.ffi"}}
print(sorted(heavy & sys.modules.keys()))
"""
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}\n{code}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=SOURCES)
    assert done.stdout.splitlines()[-1] == "[]"


def test_what_it_makes_is_freed():
    code = f"""
from runwell.codegen.direct import import_direct
assert import_direct()
from runwell.codegen.object import CodegenError, compile_text
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1])
def work(n):
    for _ in range(n):
        compile_text({FUNCTION!r}, 1)
        try:
            compile_text({BAD[2]!r}, 1)
        except CodegenError:
            pass
work(50)
before = resident()
work(300)
print(resident() - before)
"""
    assert int(run(code)) < 1000  # pages; a module takes some ten


def test_the_binding_stays_if_it_is_imported():
    code = """
import llvmlite.binding, sys
from runwell.codegen.direct import import_direct
print(import_direct(), sys.modules["llvmlite.binding"].__name__)
"""
    assert run(code) == "False llvmlite.binding\n"


@pytest.mark.parametrize("version", ["", "0.45.1", "0.51.0", "1.46.0"])
def test_other_versions_are_not_touched(tmp_path, monkeypatch, version):
    (tmp_path / "llvmlite" / "binding").mkdir(parents=True)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert direct.find_library() == ""
    (tmp_path / "llvmlite" / "_version.py").write_text(f"version_version = '{version}'\n")
    assert direct.find_library() == ""
    assert not direct.import_direct()


def test_known_versions_are_found(tmp_path, monkeypatch):
    (tmp_path / "llvmlite" / "binding").mkdir(parents=True)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "llvmlite" / "_version.py").write_text("version_version = '0.50.3rc1'\n")
    assert direct.find_library() == f"{tmp_path}/llvmlite/binding/libllvmlite.so"


def test_a_library_that_cannot_be_loaded_is_left(tmp_path):
    package = tmp_path / "llvmlite"
    (package / "binding").mkdir(parents=True)
    (package / "_version.py").write_text("version_version = '0.50.0'\n")
    (package / "binding" / "libllvmlite.so").write_text("no library")
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
from runwell.codegen.direct import import_direct
print(import_direct(), "llvmlite" in sys.modules)
"""
    assert run(code) == "False False\n"
