"""Quotas, and worlds in which nothing changes."""

import errno
import os

import pytest
from tests.wasi.worlds import fails

from runwell.wasi.host import HostDirectory
from runwell.wasi.limits import Quota, ReadOnly
from runwell.wasi.memory import MemoryDirectory

MAKE = os.O_RDWR | os.O_CREAT


def write(file, offset, size):
    return file.write(offset, memoryview(bytes(size)))


@pytest.fixture(params=["host", "memory"])
def inner(request, tmp_path):
    return HostDirectory(tmp_path) if request.param == "host" else MemoryDirectory()


def test_bytes(inner):
    root = Quota(inner, 100)
    file = root.open("a", MAKE)
    assert write(file, 0, 60) == 60
    assert write(file, 30, 60) == 60  # of which thirty are new
    assert write(file, 90, 60) == 10
    fails(errno.EDQUOT, write, file, 100, 1)
    assert write(file, 0, 100) == 100
    file.resize(50)
    assert write(root.open("b", MAKE), 0, 60) == 50


def test_holes_count(inner):
    file = Quota(inner, 100).open("a", MAKE)
    fails(errno.EDQUOT, file.resize, 101)
    fails(errno.EDQUOT, write, file, 1000, 1)
    file.resize(100)
    fails(errno.EDQUOT, write, file, 100, 1)


def test_names(inner):
    root = Quota(inner, max_files=3)
    root.open("a", MAKE).close()
    root.make_directory("d")
    root.make_link("l", "a")
    for act in (
        lambda: root.open("b", MAKE),
        lambda: root.make_directory("e"),
        lambda: root.make_link("m", "a"),
        lambda: root.link("a", root, "b"),
        lambda: root.open("d", os.O_DIRECTORY).open("b", MAKE),
    ):
        fails(errno.EDQUOT, act)
    root.open("a", MAKE).close()
    fails(errno.EEXIST, root.open, "a", MAKE | os.O_EXCL)
    root.remove_directory("d")
    root.link("a", root, "b")
    root.unlink("b")
    # what fails takes nothing
    fails(errno.EEXIST, root.make_directory, "a")
    root.make_directory("d")


def test_what_is_removed_gives_room(inner):
    root = Quota(inner, 100, 10)
    file = root.open("a", MAKE)
    write(file, 0, 100)
    file.close()
    root.link("a", root, "b")
    root.unlink("a")
    fails(errno.EDQUOT, write, root.open("c", MAKE), 0, 1)
    root.unlink("b")
    assert write(root.open("c", MAKE), 0, 200) == 100


def test_what_is_removed_but_open_gives_none_yet(inner):
    root = Quota(inner, 100)
    first, again = root.open("a", MAKE), root.open("a", MAKE)
    write(first, 0, 100)
    root.unlink("a")
    first.close()
    other = root.open("b", MAKE)
    fails(errno.EDQUOT, write, other, 0, 1)
    again.close()
    assert write(other, 0, 100) == 100


def test_replacing_and_truncating_give_room(inner):
    root = Quota(inner, 100)
    for name in "ab":
        file = root.open(name, MAKE)
        write(file, 0, 50)
        file.close()
    root.rename("a", root, "b")
    assert write(root.open("a", MAKE), 0, 100) == 50
    root.open("b", os.O_WRONLY | os.O_TRUNC).close()
    root.open("a", os.O_RDONLY | os.O_TRUNC).close()
    assert write(root.open("b", MAKE), 0, 200) == 100


def test_what_was_there_before_gives_nothing(tmp_path):
    (tmp_path / "old").write_bytes(bytes(1000))
    root = Quota(tmp_path, 100, 1)
    write(root.open("new", MAKE), 0, 100)
    root.unlink("old")
    fails(errno.EDQUOT, write, root.open("new", MAKE), 1000, 101)
    assert write(root.open("new", MAKE), 100, 200) == 100


def test_two_quotas_are_two_worlds(inner):
    root = Quota(inner, 100)
    root.open("a", MAKE).close()
    fails(errno.EXDEV, root.rename, "a", Quota(inner, 100), "b")


def test_other_kinds_of_files_have_no_quota(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    opened = Quota(tmp_path, 0, 0).open("fifo", os.O_RDONLY)
    opened.close()


@pytest.fixture(params=["host", "memory"])
def fixed(request, tmp_path):
    if request.param == "memory":
        made = MemoryDirectory({"f": b"fixed", "d/g": b""})
        made.make_link("l", "f")
        return ReadOnly(made)
    (tmp_path / "d").mkdir()
    (tmp_path / "f").write_bytes(b"fixed")
    (tmp_path / "d" / "g").write_bytes(b"")
    (tmp_path / "l").symlink_to("f")
    return HostDirectory(tmp_path, read_only=True)


def test_nothing_changes_what_is_read_only(fixed):
    check_that_nothing_changes(fixed, "f")
    check_that_nothing_changes(fixed.open("d", os.O_DIRECTORY), "g")


def check_that_nothing_changes(root, name):
    for act in (
        lambda: root.open(name, os.O_WRONLY),
        lambda: root.open(name, os.O_RDWR | os.O_CREAT),
        lambda: root.open(name, os.O_RDONLY | os.O_TRUNC),
        lambda: root.open("new", MAKE),
        lambda: root.open("new", os.O_RDONLY | os.O_CREAT | os.O_EXCL),
        lambda: root.make_directory("new"),
        lambda: root.make_link("new", name),
        lambda: root.link(name, root, "new"),
        lambda: root.rename(name, root, "new"),
        lambda: root.unlink(name),
        lambda: root.remove_directory(name),
        lambda: root.set_times(name, 0, 0),
        lambda: root.set_times(".", 0, 0),
        lambda: root.open(name, os.O_RDONLY).set_times(0, 0),
    ):
        fails(errno.EROFS, act)


def test_what_is_read_only_can_be_read(fixed):
    assert sorted(entry.name for entry in fixed.list()) == ["d", "f", "l"]
    assert bytes(fixed.open("f", os.O_RDONLY).read(1, 3)) == b"ixe"
    fixed.open("f", os.O_RDONLY | os.O_CREAT).close()
    assert fixed.read_link("l") == "f"
    assert fixed.status("f").size == 5
    fails(errno.ENOENT, fixed.open, "missing", os.O_WRONLY)
    fails(errno.EISDIR, fixed.open, "d", os.O_RDWR)
    fails(errno.ELOOP, fixed.open, "l", os.O_RDWR)
    fails(errno.EEXIST, fixed.open, "f", MAKE | os.O_EXCL)
