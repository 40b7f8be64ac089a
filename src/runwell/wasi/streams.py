"""Standard streams that are Python objects, not descriptors of the host."""

from __future__ import annotations

import _io
import os

from runwell.wasi import descriptors as d
from runwell.wasi import errno
from runwell.wasi.errno import Errno
from runwell.wasi.protocol import CHARACTER, REGULAR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from runwell.wasi.config import Sink, Source

_PIECE = 1 << 20  # bytes that go through a Python object at once


class Input(d.Descriptor):
    """What the guest reads comes from a callable."""

    __slots__ = ("_read",)

    def __init__(self, read: Callable[[int], Any]) -> None:
        super().__init__(CHARACTER, d.READING)
        self._read = read

    def read(self, buffers: Sequence[memoryview]) -> int:
        """Read into ``buffers`` what there is at once; 0 at the end."""
        room = min(sum(map(len, buffers)), _PIECE)
        if not room:
            return 0
        data = self._read(room)
        if data is None:  # how a stream says that it would block
            raise Errno(errno.AGAIN)
        view = memoryview(data)
        total = len(view)
        if total > room:
            raise ValueError(f"{total} bytes were read when {room} were asked for")
        for buffer in buffers:
            piece, view = view[: len(buffer)], view[len(buffer) :]
            buffer[: len(piece)] = piece
        return total


class Output(d.Descriptor):
    """What the guest writes goes to a callable."""

    __slots__ = ("_flush", "_is_tty", "_may_take_less", "_write", "captured")

    def __init__(
        self,
        write: Callable[[bytes], object],
        flush: Callable[[], object] | None = None,
        *,
        is_tty: bool = False,
        may_take_less: bool = False,
        captured: bytearray | None = None,
    ) -> None:
        super().__init__(CHARACTER, d.WRITING)
        self._write, self._flush, self._is_tty = write, flush, is_tty
        self._may_take_less, self.captured = may_take_less, captured

    def write(self, buffers: Sequence[memoryview]) -> int:
        """Hand ``buffers`` on."""
        total = 0
        for buffer in buffers:
            for at in range(0, len(buffer), _PIECE):
                data = bytes(buffer[at : at + _PIECE])
                taken = self._hand_on(data, bool(total))
                total += taken
                if taken < len(data):
                    return total
                if self._is_tty and self._flush is not None and b"\n" in data:
                    self._flush()
        return total

    def _hand_on(self, data: bytes, more: bool) -> int:
        """How many bytes were taken; ``more`` says that some were before."""
        try:
            taken = self._write(data)
        except OSError:
            if more:
                return 0  # what was taken counts; the next call will meet the error
            raise
        if not self._may_take_less:
            return len(data)
        if taken is None:
            if more:
                return 0
            raise Errno(errno.AGAIN)
        return taken if isinstance(taken, int) else len(data)

    def finish(self) -> None:
        """The guest has ended: flush."""
        if self._flush is not None:
            self._flush()


class _Capture:
    """Keeps what is written, up to a limit."""

    __slots__ = ("data", "most")

    def __init__(self, most: int) -> None:
        self.data, self.most = bytearray(), most

    def write(self, data: bytes) -> int:
        """Keep ``data``, or the part for which there is room.

        Raises:
            Errno: NOSPC if there is none.
        """
        room = self.most - len(self.data)
        if data and room <= 0:
            raise Errno(errno.NOSPC)
        self.data += data[:room]
        return min(len(data), room)


def reading(source: Source) -> d.Descriptor:
    """Standard input from anything but this process's own."""
    if source is None:
        return Input(lambda _size: b"")
    if isinstance(source, bytes | bytearray | memoryview):
        return Input(_io.BytesIO(source).read)
    if isinstance(source, os.PathLike):
        return _opened(source, os.O_RDONLY, d.READING)
    if isinstance(source, _io.FileIO):
        return d.inherited(source.fileno(), d.READING, source)
    # what is there at once; ``read`` of a buffered stream would wait for all
    read = getattr(source, "read1", None) or getattr(source, "read", None)
    return Input(read or source)  # type: ignore[arg-type]  # a callable, as was checked


def writing(sink: Sink, most: int) -> d.Descriptor:
    """Standard output to anything but this process's own.

    Args:
        sink: as ``WasiConfig`` takes it.
        most: bytes to capture.
    """
    if sink is None:
        return Output(lambda _data: None)
    if sink == "capture":
        capture = _Capture(most)
        return Output(capture.write, may_take_less=True, captured=capture.data)
    if isinstance(sink, os.PathLike):
        return _opened(sink, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, d.WRITING)
    if isinstance(sink, _io.FileIO):
        return d.inherited(sink.fileno(), d.WRITING, sink)
    write = getattr(sink, "write", None)
    if write is None:
        return Output(sink)  # type: ignore[arg-type]  # a callable
    is_tty = getattr(sink, "isatty", bool)
    return Output(
        write,
        getattr(sink, "flush", None),
        is_tty=bool(is_tty()),
        may_take_less=isinstance(sink, _io._RawIOBase),
    )


def _opened(path: os.PathLike[str], flags: int, rights: int) -> d.Descriptor:
    fd = os.open(path, flags | os.O_CLOEXEC | os.O_NOCTTY, 0o666)
    kind = d.file_type(os.fstat(fd).st_mode)
    rights |= d.FD_SEEK | d.FD_TELL if kind == REGULAR else 0
    return d.HostDescriptor(fd, kind, rights)
