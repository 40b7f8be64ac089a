"""Standard streams that are Python objects."""

import io
import os

import pytest
from tests.wasi.guest import DATA, RESULT, Guest

import runwell


def test_input_comes_as_it_is():
    """What a stream has now is read, and no more is waited for."""
    reader, writer = os.pipe()
    with open(reader, "rb") as source, open(writer, "wb", buffering=0) as sink:
        guest = Guest(stdin=source)
        sink.write(b"some")
        assert guest.read(0, 4096) == b"some"
        sink.write(b"more")
        assert guest.read(0, 2) == b"mo"
        assert guest.read(0, 2) == b"re"
    assert guest.instance.wasi is not None


@pytest.mark.parametrize(
    "source", [b"abcdef", bytearray(b"abcdef"), memoryview(b"abcdef"), io.BytesIO(b"abcdef")]
)
def test_bytes(source):
    guest = Guest(stdin=source)
    at = guest.vectors((DATA, 2), (DATA + 10, 0), (DATA + 2, 3))
    assert guest.fd_read(0, at, 3, RESULT) == "SUCCESS"
    assert bytes(guest.memory[DATA : DATA + guest.u32()]) == b"abcde"
    assert [guest.read(0), guest.read(0)] == [b"f", b""]


def test_callables():
    sizes, seen = [], []

    def read(size):
        sizes.append(size)
        return b"x" * min(size, 3)

    guest = Guest(stdin=read, stdout=seen.append)
    assert guest.read(0, 100) == b"xxx"
    assert guest.read(0, 1) == b"x"
    assert sizes == [100, 1]
    guest.write(1, b"one")
    guest.write(1, b"two")
    assert seen == [b"one", b"two"]


def test_nothing():
    guest = Guest(stdin=None, stdout=None)
    assert guest.read(0) == b""
    assert guest.write(1, b"gone") == "SUCCESS"
    assert guest.u32() == 4


def test_paths(tmp_path):
    (tmp_path / "in").write_bytes(b"0123456789")
    guest = Guest(stdin=tmp_path / "in", stdout=tmp_path / "out")
    assert guest.read(0, 4) == b"0123"
    assert guest.fd_seek(0, 8, 0, RESULT) == "SUCCESS"
    assert guest.read(0) == b"89"
    guest.write(1, b"written")
    assert (tmp_path / "out").read_bytes() == b"written"
    with pytest.raises(FileNotFoundError):
        Guest(stdin=tmp_path / "missing")


def test_output_can_be_captured():
    guest = Guest(stdout="capture", stderr="capture", max_captured=10)
    guest.write(1, b"hello")
    guest.write(2, b"error")
    assert (guest.instance.wasi.stdout, guest.instance.wasi.stderr) == (b"hello", b"error")
    assert guest.write(1, b" too long") == "SUCCESS"
    assert guest.u32() == 5
    assert guest.write(1, b"x") == "NOSPC"
    assert guest.instance.wasi.stdout == b"hello too "
    with pytest.raises(ValueError, match=r"^stdout is not captured"):
        _ = Guest(stdout=None).instance.wasi.stdout


def test_errors_of_a_stream_are_the_guest_s():
    class Full:
        def write(self, data):
            raise OSError(28, "No space left on device")

        def read(self, size):
            raise ConnectionResetError

    guest = Guest(stdin=Full(), stdout=Full())
    assert guest.write(1, b"x") == "NOSPC"
    assert guest.read(0) == "CONNRESET"


@pytest.mark.parametrize("kind", [RuntimeError, ValueError, KeyboardInterrupt, MemoryError])
def test_other_exceptions_are_the_host_s(kind):
    raised = kind("mine")

    def write(data):
        raise raised

    with pytest.raises(kind) as info:
        Guest(stdout=write).write(1, b"x")
    assert info.value is raised


def test_a_closed_stream_is_told_to_the_host():
    out = io.BytesIO()
    guest = Guest(stdout=out)
    out.close()
    with pytest.raises(ValueError, match="closed file"):
        guest.write(1, b"x")


class Raw(io.RawIOBase):
    """Takes three bytes at a time, and then none."""

    def __init__(self, room):
        self.taken, self.room = b"", room

    def writable(self):
        return True

    def write(self, data):
        if not self.room:
            return None
        piece = bytes(data[: min(3, self.room)])
        self.taken += piece
        self.room -= len(piece)
        return len(piece)


def test_streams_that_take_less():
    raw = Raw(4)
    guest = Guest(stdout=raw)
    assert guest.write(1, b"abcdef") == "SUCCESS"
    assert guest.u32() == 3
    assert guest.write(1, b"def") == "SUCCESS"
    assert guest.u32() == 1
    assert guest.write(1, b"ef") == "AGAIN"
    assert raw.taken == b"abcd"


class Terminal(io.BytesIO):
    flushed = 0

    def isatty(self):
        return True

    def flush(self):
        if not self.closed:
            self.flushed = len(self.getvalue())


HELLO = """(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 8) "hello")
  (func (export "_start")
    (i32.store (i32.const 0) (i32.const 8))
    (i32.store (i32.const 4) (i32.const 5))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 100)))))"""


def test_lines_reach_a_terminal_at_once_and_the_rest_at_the_end():
    out = Terminal()
    guest = Guest(stdout=out)
    guest.write(1, b"half")
    assert out.flushed == 0
    guest.write(1, b" a line\n")
    assert out.flushed == 12
    buffered = io.BufferedWriter(Raw(100))
    instance = runwell.Instance(runwell.Module(HELLO), wasi=runwell.WasiConfig(stdout=buffered))
    assert instance.run() == 0
    assert buffered.raw.taken == b"hello"


def test_streams_cannot_be_used_the_wrong_way_round():
    guest = Guest(stdin=b"x", stdout=None)
    assert guest.write(0, b"x") == "NOTCAPABLE"
    assert guest.read(1) == "NOTCAPABLE"
    assert guest.fd_seek(0, 0, 0, RESULT) == "SPIPE"
    assert guest.fd_filestat_set_size(1, 0) == "NOTCAPABLE"


def test_what_python_reads_wrongly_is_the_host_s():
    with pytest.raises(ValueError, match="5 bytes were read when 2 were asked for"):
        Guest(stdin=lambda size: b"12345").read(0, 2)


def test_large_pieces_go_through_python_in_small_ones():
    sizes = []
    guest = Guest(pages=64, stdout=lambda data: sizes.append(len(data)))
    at = guest.vectors((DATA, 3_000_000))
    assert guest.fd_write(1, at, 1, RESULT) == "SUCCESS"
    assert guest.u32() == sum(sizes) == 3_000_000
    assert max(sizes) == 1 << 20
