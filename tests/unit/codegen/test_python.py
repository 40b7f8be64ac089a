"""Starting another Python with this one's packages."""

import os
import subprocess
import sys

from runwell.codegen.python import command, find_python, search_path


def test_the_other_one_finds_what_this_one_finds():
    code = "import runwell, llvmlite; print(runwell.__file__, llvmlite.__file__)"
    python = find_python()
    assert python is not None
    done = subprocess.run(
        command(python, code), capture_output=True, text=True, check=True, cwd="/", env={}
    )
    here = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == here.stdout


def test_packages_that_are_not_on_the_path(monkeypatch, tmp_path):
    """They were imported by something that needs no path."""
    root = next(path for path in search_path() if os.path.isdir(os.path.join(path, "runwell")))
    monkeypatch.setattr(sys, "path", [p for p in sys.path if not same(p, root)] + [str(tmp_path)])
    assert any(same(path, root) for path in search_path())
    assert str(tmp_path) in search_path()


def same(path: str, other: str) -> bool:
    return os.path.abspath(path) == os.path.abspath(other)


def test_an_embedding_program_is_no_python(monkeypatch):
    usual = find_python()
    monkeypatch.setattr(sys, "executable", "/usr/bin/editor")
    monkeypatch.setattr(sys, "_base_executable", "/usr/bin/editor", raising=False)
    found = find_python()
    assert found is None or (os.path.basename(found).startswith("python") and usual)
    monkeypatch.setattr(sys, "prefix", "/nonexistent")
    monkeypatch.setattr(sys, "base_prefix", "/nonexistent")
    assert find_python() is None


def test_nor_is_a_frozen_one(monkeypatch):
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert find_python() is None


def test_options_of_this_one(monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert "-B" in command("python", "")
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", "/somewhere")
    assert "pycache_prefix=/somewhere" in command("python", "")
    assert "-B" not in command("python", "")
