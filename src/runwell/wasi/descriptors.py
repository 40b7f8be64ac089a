"""The guest's descriptors: streams, files and directories, with their rights."""

from __future__ import annotations

import os
import stat

from runwell.wasi import errno
from runwell.wasi.errno import Errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO

    from runwell.wasi.config import Sink, Source, WasiConfig

# $filetype
UNKNOWN, BLOCK, CHARACTER, DIRECTORY, REGULAR, SOCKET_DGRAM, SOCKET_STREAM, LINK = range(8)

# $rights, by bit
(FD_DATASYNC, FD_READ, FD_SEEK, FD_FDSTAT_SET_FLAGS, FD_SYNC, FD_TELL, FD_WRITE, FD_ADVISE,
 FD_ALLOCATE, PATH_CREATE_DIRECTORY, PATH_CREATE_FILE, PATH_LINK_SOURCE, PATH_LINK_TARGET,
 PATH_OPEN, FD_READDIR, PATH_READLINK, PATH_RENAME_SOURCE, PATH_RENAME_TARGET,
 PATH_FILESTAT_GET, PATH_FILESTAT_SET_SIZE, PATH_FILESTAT_SET_TIMES, FD_FILESTAT_GET,
 FD_FILESTAT_SET_SIZE, FD_FILESTAT_SET_TIMES, PATH_SYMLINK, PATH_REMOVE_DIRECTORY,
 PATH_UNLINK_FILE, POLL_FD_READWRITE, SOCK_SHUTDOWN, SOCK_ACCEPT) = (
    1 << i for i in range(30))  # fmt: skip

ALL = (1 << 30) - 1
FILE = (
    FD_DATASYNC | FD_READ | FD_SEEK | FD_FDSTAT_SET_FLAGS | FD_SYNC | FD_TELL | FD_WRITE
    | FD_ADVISE | FD_ALLOCATE | FD_FILESTAT_GET | FD_FILESTAT_SET_SIZE | FD_FILESTAT_SET_TIMES
    | POLL_FD_READWRITE
)  # fmt: skip
STREAM = FILE & ~(FD_SEEK | FD_TELL)
FOLDER = ALL & ~(FD_SEEK | FD_READ | FD_WRITE | FD_TELL | FD_ALLOCATE | SOCK_SHUTDOWN | SOCK_ACCEPT)

_PIECE = 1 << 20  # bytes that go through a Python object at once


def file_type(mode: int) -> int:
    """``$filetype`` of a file mode."""
    if stat.S_ISREG(mode):
        return REGULAR
    if stat.S_ISDIR(mode):
        return DIRECTORY
    if stat.S_ISLNK(mode):
        return LINK
    if stat.S_ISCHR(mode):
        return CHARACTER
    if stat.S_ISBLK(mode):
        return BLOCK
    return SOCKET_STREAM if stat.S_ISSOCK(mode) else UNKNOWN


class Descriptor:
    """One open thing.

    Attributes:
        fd: the host's descriptor, or -1 for a stream that is a Python object.
        rights: what may be done with it.
        inheriting: the most that may be asked for what is opened below it.
        preopen: the guest's name of a preopened directory, or None.
        is_directory: may paths start here?
        flags: ``$fdflags`` as the guest set them.
    """

    __slots__ = ("_owned", "fd", "flags", "inheriting", "is_directory", "preopen", "rights")

    def __init__(
        self,
        fd: int,
        rights: int,
        inheriting: int = 0,
        *,
        preopen: str | None = None,
        is_directory: bool = False,
        owned: bool = True,
        flags: int = 0,
    ) -> None:
        self.fd, self.rights, self.inheriting = fd, rights, inheriting
        self.preopen, self.is_directory, self.flags = preopen, is_directory, flags
        self._owned = owned

    def read(self, buffers: list[memoryview]) -> int:
        """Read into ``buffers``; the number of bytes read."""
        return os.readv(self.fd, buffers)

    def write(self, buffers: list[memoryview]) -> int:
        """Write ``buffers``; the number of bytes written."""
        return os.writev(self.fd, buffers)

    def status(self) -> os.stat_result:
        """The host's ``fstat``."""
        return os.fstat(self.fd)

    def close(self) -> None:
        """Close what is ours."""
        if self._owned and self.fd >= 0:
            os.close(self.fd)
        self.fd = -1


class Stream(Descriptor):
    """A standard stream that is a Python object, not a descriptor of the host."""

    __slots__ = ("_sink", "_source")

    def __init__(
        self, source: IO[bytes] | None = None, sink: Callable[[bytes], object] | None = None
    ) -> None:
        super().__init__(-1, STREAM, owned=False)
        self._source, self._sink = source, sink

    def read(self, buffers: list[memoryview]) -> int:
        """Read into ``buffers`` from the source; 0 without one."""
        total = 0
        for buffer in buffers if self._source is not None else ():
            data = self._source.read(min(len(buffer), _PIECE)) if self._source is not None else b""
            buffer[: len(data)] = data
            total += len(data)
            if len(data) < len(buffer):
                break
        return total

    def write(self, buffers: list[memoryview]) -> int:
        """Hand ``buffers`` to the sink; without one they are dropped."""
        if self._sink is not None:
            for buffer in buffers:
                for at in range(0, len(buffer), _PIECE):
                    self._sink(bytes(buffer[at : at + _PIECE]))
        return sum(map(len, buffers))

    def status(self) -> os.stat_result:
        """A character device of size 0."""
        return os.stat_result((stat.S_IFCHR | 0o600, 0, 0, 1, 0, 0, 0, 0, 0, 0))


class Descriptors:
    """The table from the guest's numbers to what they stand for."""

    __slots__ = ("_most", "_table")

    def __init__(self, config: WasiConfig) -> None:
        """Open the streams and preopened directories.

        Raises:
            OSError: a preopened directory cannot be opened.
        """
        # a guest takes no more than half of what the process may open
        self._most = max(32, min(os.sysconf("SC_OPEN_MAX") // 2, 1 << 16))
        self._table: dict[int, Descriptor] = {
            0: _input(config.stdin),
            1: _output(config.stdout, 1),
            2: _output(config.stderr, 2),
        }
        try:
            for guest, host in config.preopens.items():
                fd = os.open(host, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                self.add(Descriptor(fd, FOLDER, ALL, preopen=guest, is_directory=True))
        except BaseException:
            self.close()
            raise

    def get(self, number: int, rights: int = 0) -> Descriptor:
        """What ``number`` stands for.

        Raises:
            Errno: BADF if it is not open, NOTCAPABLE if a right is missing.
        """
        found = self._table.get(number)
        if found is None:
            raise Errno(errno.BADF)
        if rights & ~found.rights:
            raise Errno(errno.NOTCAPABLE)
        return found

    def directory(self, number: int, rights: int) -> Descriptor:
        """What ``number`` stands for, if paths may start there.

        Raises:
            Errno: BADF, NOTDIR or NOTCAPABLE.
        """
        found = self.get(number)
        if not found.is_directory:
            raise Errno(errno.NOTDIR)
        if rights & ~found.rights:
            raise Errno(errno.NOTCAPABLE)
        return found

    def add(self, descriptor: Descriptor) -> int:
        """Give it the number above all that are in use.

        One that was closed is not given out again at once: a program that still writes to its
        closed standard output should be told so, and not write into the file that it opened next.

        Raises:
            Errno: MFILE if a guest of this process may have no more.
        """
        if len(self._table) >= self._most:
            raise Errno(errno.MFILE)
        number = max(self._table, default=-1) + 1
        self._table[number] = descriptor
        return number

    def remove(self, number: int) -> Descriptor:
        """Take it out of the table, open as it is.

        Raises:
            Errno: BADF.
        """
        self.get(number)
        return self._table.pop(number)

    def renumber(self, source: int, target: int) -> None:
        """Let ``target`` stand for what ``source`` does, and free ``source``.

        Raises:
            Errno: BADF if either is not open.
        """
        self.get(source)
        replaced = self.get(target)
        if source != target:
            self._table[target] = self._table.pop(source)
            replaced.close()

    def close(self) -> None:
        """Close all."""
        for descriptor in self._table.values():
            descriptor.close()
        self._table.clear()


def _input(source: Source) -> Descriptor:
    if source == "inherit":
        return Descriptor(0, STREAM, owned=False)
    if isinstance(source, bytes | bytearray | memoryview):
        import io

        return Stream(source=io.BytesIO(source))
    if source is None or isinstance(source, str):
        return Stream()
    return Stream(source=source)


def _output(sink: Sink, fd: int) -> Descriptor:
    if sink == "inherit":
        return Descriptor(fd, STREAM, owned=False)
    if sink is None or isinstance(sink, str):
        return Stream()
    return Stream(sink=sink if callable(sink) else sink.write)
