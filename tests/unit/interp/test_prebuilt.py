"""Cores that come with the package: which one is used, and that none is if it does not fit."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from runwell.codegen import own_files
from runwell.codegen.cpu import levels
from runwell.interp import core, prebuilt

ROOT = Path(core.__file__).parents[3]
STAMPS = ["base/one.py 10 1000", "isa/two.py 20 2000"]
SOURCES = ["base/one.py 10", "isa/two.py 20"]


@pytest.fixture
def two_levels(monkeypatch):
    monkeypatch.setattr(prebuilt, "levels", lambda: ["high", "low"])


def put(directory, level, *, python="python", sources=SOURCES):
    path = directory / prebuilt.file_name(level)
    own_files.write(str(path), b"code of " + level.encode(), "\n".join([python, level, *sources]))
    return str(path)


def test_the_highest_level_that_is_there(tmp_path, two_levels):
    assert prebuilt.find(str(tmp_path / "none"), "python", STAMPS) == ""
    assert prebuilt.find(str(tmp_path), "python", STAMPS) == ""
    put(tmp_path, "other")
    low = put(tmp_path, "low")
    assert prebuilt.find(str(tmp_path), "python", STAMPS) == low
    high = put(tmp_path, "high")
    assert prebuilt.find(str(tmp_path), "python", STAMPS) == high
    os.chmod(high, 0o666)  # whoever may write it may write our sources
    assert prebuilt.find(str(tmp_path), "python", STAMPS) == high


@pytest.mark.parametrize(
    "stamps",
    [
        ["base/one.py 11 1000", "isa/two.py 20 2000"],
        ["base/one.py 10 1000"],
        [*STAMPS, "isa/three.py 1 1000"],
        ["base/one.py 10 1000", "isa/two.py 20 4000000000000000000"],
    ],
)
def test_not_if_sources_have_changed(tmp_path, two_levels, stamps):
    put(tmp_path, "low")
    assert prebuilt.find(str(tmp_path), "python", stamps) == ""


def test_not_for_another_python_nor_another_level(tmp_path, two_levels):
    low = put(tmp_path, "low", python="other")
    assert prebuilt.find(str(tmp_path), "python", STAMPS) == ""
    put(tmp_path, "other")
    os.rename(tmp_path / prebuilt.file_name("other"), low)
    assert prebuilt.find(str(tmp_path), "python", STAMPS) == ""


def test_not_if_it_is_damaged(tmp_path, two_levels):
    path = Path(put(tmp_path, "low"))
    whole = path.read_bytes()
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 1
        path.write_bytes(damaged)
        assert prebuilt.find(str(tmp_path), "python", STAMPS) == "", at


RUN = """
import sys
sys.modules["llvmlite"] = None
from runwell.interp import core
core.PREBUILT = sys.argv[1]
import runwell
module = runwell.Module('(module (func (export "f") (result i32) i32.const 42))')
print(runwell.Instance(module).exports.f(), core.load_core().path)
"""


def test_a_program_runs_without_a_compiler(tmp_path):
    """In a process whose cache cannot be used and that has no LLVM."""
    loaded = core.load_core()
    with open(loaded.path, "rb") as file:
        data = file.read()
    key = "\n".join([core.python_key(), levels()[0], *(s.rpartition(" ")[0] for s in STAMPS)])
    path = tmp_path / prebuilt.file_name(levels()[0])
    sources = [stamp.rpartition(" ")[0] for stamp in core.source_stamps()]
    key = "\n".join([core.python_key(), levels()[0], *sources])
    own_files.write(str(path), data, key)
    environment = os.environ | {"RUNWELL_CACHE_DIR": "/proc/none"}
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert (done.stdout, done.stderr) == (f"42 {path}\n", "")


def test_what_is_made_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNWELL_CPU", "")
    monkeypatch.setattr(core, "build", lambda progress: os.environ["RUNWELL_CPU"].encode())
    wanted = [level for level in prebuilt.LEVELS if level in levels()]
    made = prebuilt.make(str(tmp_path / "new"), wanted)
    assert [Path(path).name for path in made] == [prebuilt.file_name(level) for level in wanted]
    found = prebuilt.find(str(tmp_path / "new"), core.python_key(), core.source_stamps())
    assert found == made[-1]
    assert Path(found).read_bytes().startswith(wanted[-1].encode())
    assert os.stat(found).st_mode & 0o777 == 0o644


def test_an_unknown_level(tmp_path):
    with pytest.raises(ValueError, match="'x86-64-v9' is no level"):
        prebuilt.make(str(tmp_path), ["x86-64-v9"])


def test_the_hook_of_the_build(tmp_path, monkeypatch):
    pytest.importorskip("hatchling", reason="the build tool is not installed")
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)
    commands = []

    def run(command, *, check, env):
        assert check
        assert env["PYTHONPATH"].split(os.pathsep)[0] == str(ROOT / "src")
        commands.append(command[1:])
        Path(command[3]).mkdir()
        for level in command[4:]:
            Path(command[3], f"core-{level}.so").write_bytes(b"")

    monkeypatch.setattr(hook.subprocess, "run", run)
    monkeypatch.setenv("RUNWELL_LEVELS", "a b")
    made = hook.CoresHook(str(ROOT), {}, SimpleNamespace(), None, str(tmp_path), "wheel")
    data = {"force_include": {}}
    made.initialize("editable", data)
    assert (commands, data) == ([], {"force_include": {}})
    made.initialize("standard", data)
    cores = tmp_path / "cores"
    assert commands == [["-m", "runwell.interp.prebuilt", str(cores), "a", "b"]]
    assert data == {
        "force_include": {
            str(cores / "core-a.so"): "runwell/cores/core-a.so",
            str(cores / "core-b.so"): "runwell/cores/core-b.so",
        },
        "pure_python": False,
        "infer_tag": True,
    }
