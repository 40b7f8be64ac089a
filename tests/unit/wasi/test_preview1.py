"""The calls, made by hand on a guest memory that is a bytearray."""

import io
import os
import struct
import time

import pytest

from runwell.wasi import errno
from runwell.wasi.config import WasiConfig
from runwell.wasi.descriptors import ALL, FD_READ, FD_WRITE
from runwell.wasi.folders import CREATE, DIRECTORY, EXCLUSIVE, TRUNCATE
from runwell.wasi.preview1 import ProcExit, Wasi, names

RESULT, PATH, DATA, VECTORS = 0, 64, 4096, 512


class Guest:
    """A guest that calls one function at a time."""

    def __init__(self, **options):
        self.memory = bytearray(65536)
        self.wasi = Wasi(WasiConfig(**options))
        self.wasi.attach(self.memory)

    def __getattr__(self, name):
        return self.wasi.function(name)

    def text(self, text, at=PATH):
        data = text.encode()
        self.memory[at : at + len(data)] = data
        return at, len(data)

    def u32(self, at=RESULT):
        return struct.unpack_from("<I", self.memory, at)[0]

    def open(self, path, oflags=0, rights=ALL, fdflags=0, follow=1, fd=3):
        at, size = self.text(path)
        got = self.path_open(fd, follow, at, size, oflags, rights, ALL, fdflags, RESULT)
        return got or None, self.u32()

    def write(self, fd, data):
        self.memory[DATA : DATA + len(data)] = data
        struct.pack_into("<II", self.memory, VECTORS, DATA, len(data))
        return self.fd_write(fd, VECTORS, 1, RESULT)

    def read(self, fd, size=1000):
        struct.pack_into("<II", self.memory, VECTORS, DATA, size)
        got = self.fd_read(fd, VECTORS, 1, RESULT)
        return got or bytes(self.memory[DATA : DATA + self.u32()])


@pytest.fixture
def guest(tmp_path):
    (tmp_path / "root").mkdir()
    made = Guest(preopens={"/data": tmp_path / "root"}, stdout=None)
    yield made
    made.wasi.close()


def test_every_function_is_there():
    assert len(names()) == 46


def test_arguments_and_environment():
    guest = Guest(args=["prog", "é"], env={"A": "1"})
    assert guest.args_sizes_get(0, 4) == errno.SUCCESS
    assert (guest.u32(0), guest.u32(4)) == (2, 8)
    assert guest.args_get(16, 100) == errno.SUCCESS
    assert guest.memory[100:108] == b"prog\0" + "é".encode() + b"\0"
    assert guest.u32(20) == 105
    assert guest.environ_get(16, 100) == errno.SUCCESS
    assert guest.memory[100:104] == b"A=1\0"


def test_streams_may_be_python_objects():
    out, heard = io.BytesIO(), []
    guest = Guest(stdin=b"hello", stdout=out, stderr=heard.append)
    assert guest.read(0, 3) == b"hel"
    assert guest.read(0) == b"lo"
    assert guest.read(0) == b""
    guest.write(1, b"to out")
    guest.write(2, b"to err")
    assert (out.getvalue(), heard) == (b"to out", [b"to err"])
    assert guest.fd_seek(1, 0, 1, RESULT) == errno.SPIPE


def test_a_file_is_written_and_read(guest):
    error, fd = guest.open("a.txt", CREATE | EXCLUSIVE)
    assert error is None
    assert guest.write(fd, b"abcdef") == errno.SUCCESS
    assert guest.fd_seek(fd, -4, 2, RESULT) == errno.SUCCESS
    assert guest.read(fd) == b"cdef"
    assert guest.open("a.txt", CREATE | EXCLUSIVE)[0] == errno.EXIST
    assert guest.fd_filestat_get(fd, 1024) == errno.SUCCESS
    assert struct.unpack_from("<Q", guest.memory, 1024 + 32)[0] == 6
    assert guest.fd_close(fd) == errno.SUCCESS
    assert guest.fd_close(fd) == errno.BADF
    # Its number is not another's while there are higher ones.
    assert guest.open("a.txt")[1] == fd
    assert guest.fd_close(0) == errno.SUCCESS
    assert guest.open("a.txt")[1] == fd + 1
    assert guest.open("a.txt", TRUNCATE)[0] is None


def test_rights_are_kept(guest):
    guest.open("a.txt", CREATE)
    _, fd = guest.open("a.txt", rights=FD_READ)
    assert guest.write(fd, b"x") == errno.NOTCAPABLE
    assert guest.fd_fdstat_set_rights(fd, ALL, 0) == errno.NOTCAPABLE


@pytest.mark.parametrize(
    "path",
    [
        "..",
        "../secret",
        "sub/../../secret",
        "/etc/passwd",
        "out/secret",
        "absolute",
        "up",
        "sub/up",
        "./.././secret",
        "sub//..//..//secret",
        "loop-out/../secret",
    ],
)
def test_no_path_leads_out(guest, tmp_path, path):
    (tmp_path / "secret").write_text("hidden")
    root = tmp_path / "root"
    (root / "sub").mkdir()
    (root / "out").symlink_to("..")
    (root / "absolute").symlink_to(tmp_path / "secret")
    (root / "up").symlink_to("../secret")
    (root / "sub" / "up").symlink_to("../../secret")
    (root / "loop-out").symlink_to("sub/..")
    assert guest.open(path)[0] in (errno.NOTCAPABLE,)


def test_links_inside_are_followed(guest, tmp_path):
    root = tmp_path / "root"
    (root / "sub").mkdir()
    (root / "sub" / "file").write_text("inside")
    (root / "link").symlink_to("sub/../sub/file")
    (root / "loop").symlink_to("loop")
    error, fd = guest.open("link")
    assert error is None
    assert guest.read(fd) == b"inside"
    assert guest.open("link", follow=0)[0] == errno.LOOP
    assert guest.open("loop")[0] == errno.LOOP


def test_directories_are_listed(guest):
    for name in ("b", "a"):
        at, size = guest.text(name)
        assert guest.path_create_directory(3, at, size) == errno.SUCCESS
    seen, cookie = [], 0
    while True:
        assert guest.fd_readdir(3, DATA, 40, cookie, RESULT) == errno.SUCCESS
        used, at = guest.u32(), DATA
        if used < 24:
            break
        cookie, _, length, _ = struct.unpack_from("<QQIB", guest.memory, at)
        if 24 + length > used:
            break
        seen.append(bytes(guest.memory[at + 24 : at + 24 + length]).decode())
    assert seen == [".", "..", "a", "b"]


def test_directories_and_files_are_told_apart(guest):
    guest.open("file", CREATE)
    assert guest.open("file", DIRECTORY)[0] == errno.NOTDIR
    assert guest.open("file/")[0] == errno.NOTDIR
    assert guest.path_unlink_file(3, *guest.text("file/")) == errno.NOTDIR
    assert guest.path_remove_directory(3, *guest.text("file")) == errno.NOTDIR
    assert guest.open("missing")[0] == errno.NOENT
    assert guest.open(".", DIRECTORY)[0] == errno.ISDIR
    error, fd = guest.open(".", DIRECTORY, rights=ALL & ~FD_WRITE)
    assert error is None
    assert guest.open("file", fd=fd)[0] is None


def test_rename_link_symlink_readlink(guest):
    guest.open("a", CREATE)
    assert guest.path_rename(3, *guest.text("a"), 3, *guest.text("b", 200)) == errno.SUCCESS
    assert guest.path_link(3, 0, *guest.text("b"), 3, *guest.text("c", 200)) == errno.SUCCESS
    assert guest.path_symlink(*guest.text("c"), 3, *guest.text("d", 200)) == errno.SUCCESS
    assert guest.path_readlink(3, *guest.text("d"), DATA, 10, RESULT) == errno.SUCCESS
    assert guest.memory[DATA : DATA + guest.u32()] == b"c"
    assert guest.path_symlink(*guest.text("/etc"), 3, *guest.text("e", 200)) == errno.NOTCAPABLE


def test_preopened_directories_are_told(guest):
    assert guest.fd_prestat_get(3, RESULT) == errno.SUCCESS
    assert guest.u32(4) == 5
    assert guest.fd_prestat_dir_name(3, DATA, 5) == errno.SUCCESS
    assert guest.memory[DATA : DATA + 5] == b"/data"
    assert guest.fd_prestat_get(4, RESULT) == errno.BADF


def test_addresses_outside_are_faults(guest):
    assert guest.random_get(65530, 10) == errno.FAULT
    assert guest.fd_write(1, 0xFFFF_FFF0 - (1 << 32), 1, 0) == errno.FAULT
    assert guest.clock_time_get(0, 0, 65535) == errno.FAULT
    assert guest.clock_time_get(9, 0, 0) == errno.INVAL


def test_exit_unwinds():
    with pytest.raises(ProcExit) as info:
        Guest().proc_exit(7)
    assert info.value.code == 7


def test_sleeping_uses_no_time_of_the_processor(guest):
    struct.pack_into("<QB7xI4xQQH", guest.memory, 256, 42, 0, 1, 100_000_000, 0, 0)
    cpu, wall = time.thread_time(), time.monotonic()
    assert guest.poll_oneoff(256, DATA, 1, RESULT) == errno.SUCCESS
    wall, cpu = time.monotonic() - wall, time.thread_time() - cpu
    assert wall >= 0.1
    assert cpu < wall / 2
    assert struct.unpack_from("<QHB", guest.memory, DATA) == (42, 0, 0)


def test_waiting_for_a_pipe():
    reader, writer = os.pipe()
    with open(reader, "rb", buffering=0) as source, open(writer, "wb", buffering=0) as sink:
        guest = Guest(stdin=source)
        sink.write(b"x")
        struct.pack_into("<QB7xI", guest.memory, 256, 7, 1, 0)
        assert guest.poll_oneoff(256, DATA, 1, RESULT) == errno.SUCCESS
        assert guest.read(0, 1) == b"x"


def test_a_configuration_is_checked():
    with pytest.raises(ValueError, match="NUL"):
        WasiConfig(args=["a\0b"])
    with pytest.raises(ValueError, match="inherit"):
        WasiConfig(stdin="what")
