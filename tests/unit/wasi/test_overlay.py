"""Overlays: the lower directory never changes, the upper one can be kept."""

import errno
import os

import pytest
from tests.wasi.worlds import fails

from runwell.wasi.memory import MemoryDirectory
from runwell.wasi.overlay import Overlay

MAKE = os.O_RDWR | os.O_CREAT


def tree(root):
    """Everything below a directory of the host, with times."""
    return {
        str(p.relative_to(root)): (p.lstat().st_mtime_ns, p.is_file() and p.read_bytes())
        for p in root.rglob("*")
    }


def names(root):
    return sorted(path for path, _ in root.walk())


@pytest.fixture
def lower(tmp_path):
    root = tmp_path / "lower"
    (root / "d" / "e").mkdir(parents=True)
    (root / "a").write_bytes(b"a")
    (root / "d" / "b").write_bytes(b"b" * 3_000_000)
    (root / "d" / "e" / "c").write_bytes(b"c")
    (root / "l").symlink_to("d/b")
    before = tree(root)
    yield root
    assert tree(root) == before


@pytest.fixture
def upper(tmp_path):
    root = tmp_path / "upper"
    root.mkdir()
    return root


def test_what_is_below_is_read(lower):
    root = Overlay(lower)
    assert names(root) == ["a", "d", "d/b", "d/e", "d/e/c", "l"]
    assert root.read_bytes("l") == b"b" * 3_000_000
    assert names(root.upper) == []


def test_a_file_is_copied_up_when_it_is_written(lower):
    root = Overlay(lower)
    reader = root.open("a", os.O_RDONLY)
    writer = root.open("a", os.O_RDWR)
    assert root.status("a").modified_ns == (lower / "a").stat().st_mtime_ns
    writer.write(1, memoryview(b"!"))
    assert root.read_bytes("a") == b"a!"
    assert bytes(reader.read(0, 9)) == b"a"
    file = root.open("d", os.O_DIRECTORY).open("b", os.O_RDWR)
    file.write(0, memoryview(b"B"))
    assert root.read_bytes("d/b") == b"B" + b"b" * 2_999_999
    assert names(root.upper) == ["a", "d", "d/b"]


def test_truncating_copies_nothing(lower):
    upper = MemoryDirectory(max_bytes=4096)
    root = Overlay(lower, upper)
    below = root.open("d", os.O_DIRECTORY)
    fails(errno.ENOSPC, below.open, "b", os.O_RDWR)
    assert root.read_bytes("d/b") == b"b" * 3_000_000
    below.open("b", os.O_WRONLY | os.O_TRUNC).close()
    assert root.read_bytes("d/b") == b""


def test_all_who_use_a_directory_see_the_change(lower):
    root = Overlay(lower)
    one, other = (root.open("d", os.O_DIRECTORY) for _ in range(2))
    deep = other.open("e", os.O_DIRECTORY)
    one.open("e", os.O_DIRECTORY).open("new", MAKE).close()
    assert sorted(e.name for e in deep.list()) == ["c", "new"]
    deep.unlink("c")
    deep.unlink("new")
    one.remove_directory("e")
    fails(errno.ENOENT, deep.open, "x", MAKE)
    assert [e.name for e in other.list()] == ["b"]


def test_what_is_removed_stays_removed(lower, upper):
    root = Overlay(lower, upper)
    root.unlink("a")
    root.unlink("l")
    below = root.open("d", os.O_DIRECTORY)
    fails(errno.ENOTEMPTY, root.remove_directory, "d")
    below.unlink("b")
    below.open("e", os.O_DIRECTORY).unlink("c")
    below.remove_directory("e")
    assert names(root) == ["d"]
    root.remove_directory("d")
    assert names(root) == []
    assert names(Overlay(lower, upper)) == []
    assert sorted(os.listdir(upper)) == [".wh.a", ".wh.d", ".wh.l"]


def test_what_is_made_anew_shows_nothing_of_the_old(lower, upper):
    root = Overlay(lower, upper)
    below = root.open("d", os.O_DIRECTORY)
    below.unlink("b")
    below.open("e", os.O_DIRECTORY).unlink("c")
    below.remove_directory("e")
    root.remove_directory("d")
    root.make_directory("d")
    for seen in (root, Overlay(lower, upper)):
        assert names(seen) == ["a", "d", "l"]
    root.write_bytes("d/b", b"new")
    root.unlink("a")
    root.make_directory("a")
    for seen in (root, Overlay(lower, upper)):
        assert names(seen) == ["a", "d", "d/b", "l"]
        assert seen.read_bytes("d/b") == b"new"


def test_a_renamed_directory_takes_along_what_is_below(lower, upper):
    root = Overlay(lower, upper)
    below = root.open("d", os.O_DIRECTORY)
    below.unlink("b")
    root.rename("d", root, "moved")
    root.make_directory("d")
    for seen in (root, Overlay(lower, upper)):
        assert names(seen) == ["a", "d", "l", "moved", "moved/e", "moved/e/c"]
    root.remove_directory("d")
    root.rename("moved", root, "d")
    for seen in (root, Overlay(lower, upper)):
        assert names(seen) == ["a", "d", "d/e", "d/e/c", "l"]
    fails(errno.EINVAL, root.rename, "d", root.open("d", os.O_DIRECTORY), "x")


def test_changes_are_there_the_next_time(lower, upper):
    Overlay(lower, upper).write_bytes("d/new", b"kept")
    root = Overlay(lower, upper)
    assert root.read_bytes("d/new") == b"kept"
    assert names(root) == ["a", "d", "d/b", "d/e", "d/e/c", "d/new", "l"]


def test_marks_are_not_for_guests(lower, upper):
    root = Overlay(lower, upper)
    root.unlink("a")
    fails(errno.ENOENT, root.open, ".wh.a", os.O_RDONLY)
    fails(errno.ENOENT, root.unlink, ".wh.a")
    for act in (
        lambda: root.open(".wh.x", MAKE),
        lambda: root.make_directory(".wh.x"),
        lambda: root.make_link(".wh.x", "a"),
        lambda: root.rename("d", root, ".wh.x"),
        lambda: root.link("l", root, ".wh.x"),
    ):
        fails(errno.EINVAL, act)


def test_names_and_times_of_what_is_below(lower):
    root = Overlay(lower)
    root.link("a", root, "b")
    assert root.status("b").links == 2
    root.set_times("l", 1, 2)
    root.set_times("d", 3, 4)
    assert root.status("l").modified_ns == 2
    assert root.status("d").modified_ns == 4
    assert root.read_link("l") == "d/b"


def test_layers_are_told_apart(lower):
    root = Overlay(lower)
    root.write_bytes("new", b"")
    keys = {(s.device, s.inode) for _, s in root.walk()}
    assert len(keys) == len(names(root))


def test_overlays_of_overlays(lower):
    first = Overlay(lower)
    first.write_bytes("x", b"1")
    second = Overlay(first)
    second.write_bytes("x", b"2")
    second.unlink("a")
    assert first.read_bytes("x") == b"1"
    assert names(first) == ["a", "d", "d/b", "d/e", "d/e/c", "l", "x"]
    assert names(second) == ["d", "d/b", "d/e", "d/e/c", "l", "x"]


def test_no_name_crosses_worlds(lower):
    fails(errno.EXDEV, Overlay(lower).rename, "a", Overlay(lower), "b")


def test_special_files_are_not_copied(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    root = Overlay(tmp_path)
    fails(errno.EPERM, root.rename, "fifo", root, "x")
    root.unlink("fifo")
    assert names(root) == []
    assert os.listdir(tmp_path) == ["fifo"]


def test_deep_trees_are_no_deep_recursion(lower):
    root = Overlay(lower, MemoryDirectory(max_files=10_000))
    root.make_directory("deep")
    at = root.open("deep", os.O_DIRECTORY)
    for _ in range(3000):
        at.make_directory("x")
        at = at.open("x", os.O_DIRECTORY)
    at.open("f", MAKE).close()
    root.rename("deep", root, "moved")
    assert sum(path.startswith("moved/") for path, _ in root.walk()) == 3001
