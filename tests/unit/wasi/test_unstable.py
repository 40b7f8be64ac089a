"""The four calls whose layouts changed, by modules that import them under the old name."""

import struct

import pytest

import runwell

IMPORTS = """
  (import "wasi_unstable" "fd_seek" (func $seek (param i32 i64 i32 i32) (result i32)))
  (import "wasi_unstable" "fd_filestat_get" (func $stat (param i32 i32) (result i32)))
  (import "wasi_unstable" "path_filestat_get"
    (func $path_stat (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_unstable" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "wasi_unstable" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (export "fd_seek" (func $seek)) (export "fd_filestat_get" (func $stat))
  (export "path_filestat_get" (func $path_stat)) (export "poll_oneoff" (func $poll))
  (export "path_open" (func $open))
"""
RESULT, DATA, SEEKS = 0, 1024, (1 << 2) | (1 << 5) | (1 << 21)


@pytest.fixture
def guest(tmp_path):
    (tmp_path / "file").write_bytes(b"0123456789")
    wasi = runwell.WasiConfig(preopens={"/": tmp_path}, stdin=None, stdout=None)
    exports = runwell.Instance(runwell.Module(f"(module {IMPORTS})"), wasi=wasi).exports
    exports.memory.write(64, b"file")
    assert exports.path_open(3, 0, 64, 4, 0, SEEKS, 0, 0, RESULT) == 0
    return exports


def test_where_seeking_starts(guest):
    fd = 4
    for offset, whence, position in ((7, 2, 7), (-3, 0, 4), (-1, 1, 9)):
        assert guest.fd_seek(fd, offset, whence, RESULT) == 0
        assert struct.unpack_from("<Q", guest.memory, RESULT)[0] == position
    assert guest.fd_seek(fd, 0, 3, RESULT) == 28


def test_attributes(guest, tmp_path):
    status = (tmp_path / "file").stat()
    times = (status.st_atime_ns, status.st_mtime_ns, status.st_ctime_ns)
    for call, *args in ((guest.fd_filestat_get, 4), (guest.path_filestat_get, 3, 0, 64, 4)):
        guest.memory.write(DATA, b"\xaa" * 64)
        assert call(*args, DATA) == 0
        found = struct.unpack_from("<QQB3xIQQQQ8s", guest.memory, DATA)
        assert found == (status.st_dev, status.st_ino, 4, 1, 10, *times, b"\xaa" * 8)


def test_waiting(guest):
    clock = struct.pack("<QB7xQI4xQQH6x", 42, 0, 7, 1, 1_000_000, 0, 0)
    closed = struct.pack("<QB7xI36x", 43, 1, 99)
    assert len(clock) == len(closed) == 56
    guest.memory.write(DATA, clock)
    assert guest.poll_oneoff(DATA, 4096, 1, RESULT) == 0
    assert struct.unpack_from("<QHB", guest.memory, 4096) == (42, 0, 0)
    guest.memory.write(DATA, clock + closed)
    assert guest.poll_oneoff(DATA, 4096, 2, RESULT) == 0
    assert struct.unpack_from("<QHB", guest.memory, 4096) == (43, 8, 1)
