"""``runwell doctor``: each check finds what it looks for, and says so when it does not."""

import argparse
import platform
import subprocess
import sys
from importlib import metadata

import pytest

import runwell
from runwell.cli import doctor
from runwell.cli.doctor import BAD, CHECKS, GOOD, SLOW, Finding, run
from runwell.codegen.cache import NativeCache
from runwell.jit import workers

CHEAP = [check for check in CHECKS if check is not doctor.check_module]


@pytest.fixture(autouse=True)
def directory(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNWELL_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("check", CHEAP, ids=lambda check: check.__name__)
def test_this_machine_is_good_enough(check):
    finding = check()
    assert finding.state == GOOD, finding
    assert finding.detail
    assert not finding.advice


def test_findings_are_printed(monkeypatch, capsys):
    findings = [Finding(GOOD, "one", "fine"), Finding(SLOW, "two", "hm", "do this")]
    monkeypatch.setattr(doctor, "CHECKS", [lambda f=f: f for f in findings])
    assert run(argparse.Namespace()) == 0
    assert capsys.readouterr().out.splitlines() == [
        "ok       one          fine",
        "warning  two          hm",
        "                      do this",
        "Runwell works here.",
    ]
    findings.append(Finding(BAD, "three", "no"))
    monkeypatch.setattr(doctor, "CHECKS", [lambda f=f: f for f in findings])
    assert run(argparse.Namespace()) == 1
    assert capsys.readouterr().out.endswith("Something that Runwell needs is missing.\n")


def test_no_processes(monkeypatch):
    monkeypatch.setattr(workers, "find_python", lambda: None)
    finding = doctor.check_process()
    assert finding.state == SLOW
    assert finding.detail == "there is no Python program to start"
    assert "in a thread" in finding.advice


def test_a_compiler_that_fails(monkeypatch):
    monkeypatch.setattr(doctor, "_TEXT", b"nonsense")
    finding = doctor.check_process()
    assert finding.state == BAD
    assert "expected top-level entity" in finding.detail


def test_another_python(monkeypatch):
    monkeypatch.setattr(platform, "python_implementation", lambda: "PyPy")
    assert doctor.check_python().state == BAD


@pytest.mark.parametrize(("name", "value"), [("machine", "riscv64"), ("system", "Darwin")])
def test_another_platform(monkeypatch, name, value):
    monkeypatch.setattr(platform, name, lambda: value)
    finding = doctor.check_platform()
    assert finding.state == BAD
    assert value in finding.detail


def test_no_compiler(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    finding = doctor.check_compiler()
    assert finding.state == BAD
    assert "pip install llvmlite" in finding.advice


def test_the_cache_is_counted(directory):
    NativeCache().load_or_build("core", "key", lambda: bytes(5000))
    assert doctor.check_cache().detail == f"{directory}: 1 object, 5 kB"


def test_an_unusable_cache_is_a_warning(directory):
    directory.write_text("")
    finding = doctor.check_cache()
    assert finding.state == SLOW
    assert "RUNWELL_CACHE_DIR" in finding.advice


def test_a_limit_on_address_space():
    script = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30));"
        "from runwell.cli.doctor import check_memory; print(check_memory())"
    )
    done = subprocess.run(
        [sys.executable, "-c", "import sys; sys.path[:0] = " + repr(sys.path) + ";" + script],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "state='warning'" in done.stdout
    assert "ulimit -v" in done.stdout


def test_code_may_not_be_executed(monkeypatch):
    import ctypes

    class Refusing:
        def mprotect(self, *args):
            ctypes.set_errno(13)
            return -1

    monkeypatch.setattr(ctypes, "CDLL", lambda *args, **rest: Refusing())
    finding = doctor.check_execution()
    assert (finding.state, finding.detail) == (BAD, "mprotect: Permission denied")


class FakeInstance:
    """Stands for an instance whose module answers."""

    answer_is = 42

    def __init__(self, module):
        self.exports = self

    def answer(self) -> int:
        return self.answer_is


@pytest.mark.parametrize(("answer", "state"), [(42, GOOD), (41, BAD)])
def test_the_answer_of_a_module(monkeypatch, answer, state):
    monkeypatch.setattr(runwell, "Module", bytes, raising=False)
    monkeypatch.setattr(runwell, "Instance", FakeInstance, raising=False)
    monkeypatch.setattr(FakeInstance, "answer_is", answer)
    assert doctor.check_module().state == state


def test_whatever_goes_wrong_is_reported(monkeypatch):
    def fail(data):
        raise ZeroDivisionError("strange")

    monkeypatch.setattr(runwell, "Module", fail, raising=False)
    monkeypatch.setattr(runwell, "Instance", FakeInstance, raising=False)
    finding = doctor.check_module()
    assert (finding.state, finding.detail) == (BAD, "ZeroDivisionError: strange")
