"""The file that perf reads."""

import os

import pytest

from runwell.jit import perf_map as perf_map_module
from runwell.jit.perf_map import PerfMap


@pytest.fixture
def directory(tmp_path, monkeypatch):
    monkeypatch.setattr(perf_map_module, "DIRECTORY", str(tmp_path))
    return tmp_path


def test_lines(directory):
    perf_map = PerfMap()
    assert list(directory.iterdir()) == []
    perf_map.add([(0x7F00, 32, "f1 main"), (0x7F20, 16, "two\nlines")])
    perf_map.add([(0x8000, 1, "f2")])
    path = directory / f"perf-{os.getpid()}.map"
    assert path.read_text() == "7f00 20 f1 main\n7f20 10 two lines\n8000 1 f2\n"


def test_a_child_writes_its_own(directory):
    perf_map = PerfMap()
    perf_map.add([(0x7F00, 32, "f1")])
    pid = os.fork()
    if pid == 0:
        perf_map.add([(0x8000, 1, "f2")])
        os._exit(0)
    os.waitpid(pid, 0)
    assert (directory / f"perf-{os.getpid()}.map").read_text() == "7f00 20 f1\n"
    assert (directory / f"perf-{pid}.map").read_text() == "7f00 20 f1\n8000 1 f2\n"


def test_a_link_is_not_followed(directory):
    target = directory / "target"
    target.write_text("mine\n")
    (directory / f"perf-{os.getpid()}.map").symlink_to(target)
    PerfMap().add([(1, 2, "f")])
    assert target.read_text() == "mine\n"


def test_no_directory(directory, monkeypatch):
    monkeypatch.setattr(perf_map_module, "DIRECTORY", str(directory / "none"))
    PerfMap().add([(1, 2, "f")])
