"""Files in memory: room, holes, names, times."""

import errno
import os

import pytest
from tests.wasi.worlds import fails

from runwell.wasi.clocks import VirtualClock
from runwell.wasi.descriptors import FILE
from runwell.wasi.memory import MemoryDirectory
from runwell.wasi.opened import FileDescriptor
from runwell.wasi.protocol import DIRECTORY, LINK, REGULAR

MAKE = os.O_RDWR | os.O_CREAT


def write(file, offset, data):
    return file.write(offset, memoryview(data))


def test_what_is_written_can_be_read():
    file = MemoryDirectory().open("a", MAKE)
    assert write(file, 0, b"hello") == 5
    assert write(file, 3, b"LO!") == 3
    assert file.read(0, 100) == b"helLO!"
    assert file.read(2, 2) == b"lL"
    assert file.read(6, 1) == file.read(1000, 1) == b""
    assert file.status().size == 6


@pytest.mark.parametrize("at", [0, 1, 4095, 4096, 65535, 65536, 65537, 200_000])
@pytest.mark.parametrize("size", [1, 4096, 65536, 150_000])
def test_pieces_of_any_size_at_any_place(at, size):
    file = MemoryDirectory().open("a", MAKE)
    data = os.urandom(size)
    assert write(file, at, data) == size
    assert file.read(0, at + size + 10) == bytes(at) + data
    file.resize(at + size // 2)
    file.resize(at + size)
    assert file.read(at, size) == data[: size // 2] + bytes(size - size // 2)


def test_holes_take_no_room():
    root = MemoryDirectory(max_bytes=3 * 4096)
    file = root.open("a", MAKE)
    write(file, 1 << 40, b"x")
    assert file.status().size == (1 << 40) + 1
    assert file.read(1 << 30, 5) == bytes(5)
    file.resize(1 << 50)
    fails(errno.EFBIG, write, file, (1 << 63) - 1, b"x")
    write(file, 0, b"1")
    write(file, 65536, b"1")
    fails(errno.ENOSPC, write, file, 1 << 20, b"x")


def test_what_does_not_fit_is_written_in_part():
    file = MemoryDirectory(max_bytes=2 * 4096).open("a", MAKE)
    assert write(file, 100, bytes(10_000)) == 2 * 4096 - 100
    fails(errno.ENOSPC, write, file, 8192, b"x")
    assert write(file, 8000, b"inside") == 6


def test_room_comes_back_when_nobody_can_reach_a_file_any_more():
    root = MemoryDirectory(max_bytes=8192)
    file = root.open("a", MAKE)
    write(file, 0, bytes(8192))
    other = root.open("b", MAKE)
    root.link("a", root, "c")
    root.unlink("a")
    root.unlink("c")
    assert file.status().links == 0
    assert file.read(8191, 10) == b"\0"
    fails(errno.ENOSPC, write, other, 0, b"x")
    file.close()
    assert write(other, 0, bytes(9000)) == 8192


def test_truncating_and_replacing_give_room_back():
    root = MemoryDirectory(max_bytes=8192)
    root.write_bytes("a", bytes(8192))
    root.open("a", MAKE | os.O_TRUNC).close()
    root.write_bytes("b", bytes(8192))
    root.rename("a", root, "b")
    root.write_bytes("b", bytes(8192))
    assert root.read_bytes("b") == bytes(8192)


def test_names_are_counted():
    root = MemoryDirectory(max_files=4)
    root.write_bytes("d/f", b"")
    below = root.open("d", os.O_DIRECTORY)
    below.link("f", root, "g")
    root.make_link("l", "d")
    fails(errno.ENOSPC, root.make_directory, "e")
    fails(errno.ENOSPC, root.open, "h", MAKE)
    root.unlink("l")
    root.make_directory("e")
    fails(errno.ENAMETOOLONG, root.open, "x" * 256, MAKE)


def test_what_is_open_stays_what_it_is():
    root = MemoryDirectory({"a": b"first", "b": b"second"})
    file = root.open("a", os.O_RDONLY)
    root.rename("b", root, "a")
    assert file.read(0, 10) == b"first"
    assert root.read_bytes("a") == b"second"
    assert [entry.name for entry in root.list()] == ["a"]


def test_a_directory_that_is_gone_takes_nothing_new():
    root = MemoryDirectory()
    root.make_directory("d")
    gone = root.open("d", os.O_DIRECTORY)
    root.remove_directory("d")
    fails(errno.ENOENT, gone.open, "f", MAKE)
    fails(errno.ENOENT, gone.make_directory, "f")
    root.write_bytes("x", b"")
    fails(errno.ENOENT, root.rename, "x", gone, "x")
    assert list(gone.list()) == []


def test_no_directory_goes_below_itself():
    root = MemoryDirectory({"a/b/c/f": b""})
    a = root.open("a", os.O_DIRECTORY)
    c = a.open("b", os.O_DIRECTORY).open("c", os.O_DIRECTORY)
    fails(errno.EINVAL, root.rename, "a", c, "a")
    fails(errno.ENOTEMPTY, c.rename, "f", root, "a")
    fails(errno.EXDEV, root.rename, "a", MemoryDirectory(), "a")
    a.rename("b", root, "b")
    root.rename("a", root.open("b", os.O_DIRECTORY).open("c", os.O_DIRECTORY), "a")
    assert [path for path, _ in root.walk()] == ["b", "b/c", "b/c/a", "b/c/f"]


def test_attributes():
    root = MemoryDirectory({"d/f": b"abc"})
    root.join(VirtualClock(10**18, 1), 7)
    root.make_link("l", "d/é")
    kinds = {path: (s.kind, s.size, s.links) for path, s in root.walk()}
    assert kinds == {"d": (DIRECTORY, 0, 2), "d/f": (REGULAR, 3, 1), "l": (LINK, 4, 1)}
    assert root.status().links == 3
    assert {s.device for _, s in root.walk()} == {7}
    assert len({s.inode for _, s in root.walk()}) == 3


def test_times_come_from_the_clock_of_the_world():
    def story():
        root = MemoryDirectory()
        root.join(VirtualClock(10**18, 1000), 1)
        root.write_bytes("a", b"1")
        root.write_bytes("b", b"1")
        root.set_times("a", 5, 6)
        return [(path, status) for path, status in root.walk()]

    assert story() == story()
    (_, a), (_, b) = story()
    assert (a.accessed_ns, a.modified_ns) == (5, 6)
    assert 10**18 < b.modified_ns < a.changed_ns < 10**18 + 10**6


def test_a_host_reaches_in_by_paths():
    root = MemoryDirectory({"a/b/c.txt": b"deep"})
    root.open("a", os.O_DIRECTORY).make_link("up", "../a/b")
    assert root.read_bytes("a/up/c.txt") == b"deep"
    fails(errno.EISDIR, root.read_bytes, "a")
    fails(errno.ENOENT, root.read_bytes, "a/x")
    with pytest.raises(PermissionError):
        root.read_bytes("a/../../etc/passwd")


def test_a_large_hole_is_read_a_piece_at_a_time():
    root, out = MemoryDirectory(), bytearray(8 << 20)
    root.open("a", MAKE).resize(1 << 60)
    file = FileDescriptor(root.open("a", os.O_RDONLY), REGULAR, FILE, 0)
    sizes = []
    read = file.file.read
    file.file = type("Watched", (), {"read": lambda _, at, n: sizes.append(n) or read(at, n)})()
    assert file.pread([memoryview(out)], 1 << 59) == len(out)
    assert max(sizes) == 1 << 20
