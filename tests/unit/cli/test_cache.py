"""``runwell cache`` on directories of all kinds."""

import argparse
from pathlib import Path

import pytest

import runwell
from runwell.cli.cache import print_size, run
from runwell.codegen.cache import NativeCache
from runwell.jit.cache import CodeCache, Record


@pytest.fixture
def directory(tmp_path, monkeypatch):
    directory = tmp_path / "cache"
    monkeypatch.setenv("RUNWELL_CACHE_DIR", str(directory))
    return directory


def do(action: str) -> int:
    return run(argparse.Namespace(action=action))


def test_path(directory, capsys):
    assert do("path") == 0
    assert capsys.readouterr().out == f"{directory}\n"


def test_list_and_clear(directory, capsys):
    cache = NativeCache()
    paths = [cache.load_or_build("core", key, lambda: bytes(1234)) for key in "ab"]
    Path(paths[1]).write_bytes(b"damaged")
    assert do("list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert next(line for line in lines if paths[1] in line).endswith("damaged: will be built again")
    assert next(line for line in lines if paths[0] in line).endswith(paths[0])
    assert lines[2] == f"{directory}: 2 objects, 1 kB"
    assert do("clear") == 0
    assert capsys.readouterr().out == f"{directory}: removed 2 objects, 1 kB\n"
    assert do("list") == 0
    assert capsys.readouterr().out == f"{directory}: 0 objects, 0 B\n"


@pytest.fixture(scope="module")
def module():
    """Made before there is another directory, lest the core be built there."""
    return runwell.Module("(module)")


def test_compiled_code_is_there_as_well(module, directory, capsys):
    code = CodeCache()
    code.add(module.code, Record(1, ("f0",), bytes(2000)))
    code.save()
    assert do("list") == 0
    first, total = capsys.readouterr().out.splitlines()
    assert first.endswith(".code")
    assert str(directory / "code-") in first
    assert total == f"{directory}: 1 object, 2 kB"
    assert do("clear") == 0
    assert list(directory.glob("*.code")) == []


def test_a_directory_that_cannot_be_used(directory, capsys):
    directory.mkdir()
    directory.chmod(0o777)
    for action in ("path", "list"):
        assert do(action) == 1
        assert capsys.readouterr().err == f"runwell: {directory} can be written by others\n"


def test_what_cannot_be_removed_is_told(directory, capsys):
    directory.mkdir(0o700)
    (directory / "odd-00000000.so").mkdir()
    assert do("clear") == 1
    assert "1 object cannot be removed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (2_340_000, "2.3 MB")]
)
def test_print_size(size, text):
    assert print_size(size) == text
