"""Units compiled here, in workers, and where workers are impossible."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from runwell.codegen import unit as unit_module
from runwell.codegen.object import CodegenError
from runwell.codegen.unit import Unit, compile_units
from runwell.kernel import KernelError, kernel, u32
from runwell.kernel.text import ModuleText


@kernel
def increment(x: u32) -> u32:
    return x + 1


@kernel
def decrement(x: u32) -> u32:
    return x - 1


@kernel
def wrong(x: u32) -> u32:
    return x + 1.5


def broken_text(module: ModuleText) -> None:
    module.add_function("define i32 @broken() {\n  %x = add i32 1, %y\n  ret i32 %x\n}")


UNITS = [Unit("first", [increment]), Unit("second", [decrement]), Unit("third", [increment])]


def test_exports():
    assert UNITS[0].exports == ["increment"]


def test_objects_are_the_same_wherever_they_are_made():
    here = [unit.object() for unit in UNITS]
    told: list[tuple[int, int]] = []
    assert compile_units(UNITS, progress=lambda *step: told.append(step)) == here
    assert compile_units(UNITS, jobs=1) == here
    assert compile_units(UNITS, jobs=0) == here
    assert sorted(set(told)) == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert told == sorted(told)
    assert here[0] == here[2] != here[1]


def test_no_units():
    assert compile_units([]) == []


def test_levels():
    assert compile_units(UNITS[:1], level=0) == [UNITS[0].object(0)]


@pytest.mark.parametrize("jobs", [0, 2])
def test_errors_come_to_the_caller(jobs):
    before = set(threading.enumerate())
    with pytest.raises(KernelError, match=r"the constant 1.5 is not a u32"):
        compile_units([UNITS[0], Unit("bad", [wrong])], jobs)
    with pytest.raises(CodegenError, match="use of undefined value '%y'"):
        compile_units([UNITS[0], Unit("bad", [increment], broken_text)], jobs)
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
        assert not thread.is_alive()


def test_without_an_interpreter_to_start(monkeypatch):
    monkeypatch.setattr(unit_module, "find_python", lambda: None)
    assert unit_module._start_worker() is None
    assert compile_units(UNITS) == [unit.object() for unit in UNITS]


def test_with_a_broken_interpreter(monkeypatch, tmp_path: Path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho hello\nexit 3\n")
    python.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(python))
    assert compile_units(UNITS) == [unit.object() for unit in UNITS]


def test_in_a_process_with_threads_and_an_odd_environment(tmp_path: Path):
    code = (
        "import sys, threading, time\n"
        f"sys.path[:] = {sys.path!r}\n"
        "threading.Thread(target=time.sleep, args=(2,), daemon=True).start()\n"
        "from runwell.kernel import *\n"
        "from runwell.codegen.unit import *\n"
        "import source_of_test as s\n"
        "print(len(compile_units([Unit('a', [s.f]), Unit('b', [s.f])])))\n"
    )
    (tmp_path / "source_of_test.py").write_text(
        "from runwell.kernel import *\n@kernel\ndef f() -> u32:\n    return 7\n"
    )
    environment = {"PYTHONHOME": "", "PYTHONPATH": "", "PATH": os.environ["PATH"]}
    script = tmp_path / "script.py"
    script.write_text(code.replace("sys.path[:] =", f"sys.path[:] = [{str(tmp_path)!r}] +"))
    done = subprocess.run(
        [sys.executable, str(script)],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "2\n", done.stderr


def test_only_kernels_and_tables():
    with pytest.raises(KernelError, match="is not a kernel or a table"):
        Unit("x", [len])
