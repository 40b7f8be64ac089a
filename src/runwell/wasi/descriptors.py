"""The guest's descriptors: what its numbers stand for, and the rights to it."""

from __future__ import annotations

import errno as system
import os
import stat

from runwell.wasi import errno
from runwell.wasi.errno import Errno
from runwell.wasi.protocol import (
    BLOCK,
    CHARACTER,
    DIRECTORY,
    LINK,
    REGULAR,
    SOCKET_STREAM,
    UNKNOWN,
    Status,
    error,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from runwell.wasi.clocks import Clock
    from runwell.wasi.config import Sink, Source, WasiConfig
    from runwell.wasi.opened import DirectoryDescriptor

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
READING = STREAM & ~(FD_WRITE | FD_ALLOCATE | FD_FILESTAT_SET_SIZE | FD_FILESTAT_SET_TIMES)
WRITING = STREAM & ~(FD_READ | FD_FILESTAT_SET_SIZE | FD_FILESTAT_SET_TIMES)
CONNECTION = (
    FD_READ | FD_WRITE | FD_FDSTAT_SET_FLAGS | FD_FILESTAT_GET | POLL_FD_READWRITE | SOCK_SHUTDOWN
)  # fmt: skip
LISTENER = FD_FDSTAT_SET_FLAGS | FD_FILESTAT_GET | POLL_FD_READWRITE | SOCK_ACCEPT

# $fdflags
APPEND, DSYNC, NONBLOCK, RSYNC, SYNC = 1, 2, 4, 8, 16

_END = 1 << 63  # what no position of a file reaches


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


def status_of(found: os.stat_result) -> Status:
    """What the host's ``stat`` says."""
    return Status(
        file_type(found.st_mode),
        found.st_size,
        found.st_ino,
        found.st_nlink,
        found.st_atime_ns,
        found.st_mtime_ns,
        found.st_ctime_ns,
        found.st_dev,
    )


def offset_of(number: int) -> int:
    """An offset or size that the guest gave.

    Raises:
        Errno: INVAL if no file reaches so far.
    """
    if number >= _END:
        raise Errno(errno.INVAL)
    return number


class Descriptor:
    """What a number of the guest's stands for; what it cannot do is an error here.

    Attributes:
        fd: the host's descriptor, to wait for, or -1 if there is none or it is always ready.
        kind: ``$filetype``.
        rights: what may be done with it.
        inheriting: the most that may be asked for what is opened below it.
        flags: ``$fdflags`` as the guest set them.
        preopen: the guest's name of a preopened directory, or None.
        is_seekable: has it positions?
        is_directory: may paths start here?
        captured: what was written, if it is kept for the host; else None.
    """

    __slots__ = ("flags", "inheriting", "kind", "rights")

    fd = -1
    preopen: str | None = None
    is_seekable = False
    is_directory = False
    captured: bytearray | None = None

    def __init__(self, kind: int, rights: int, inheriting: int = 0, flags: int = 0) -> None:
        self.kind, self.rights, self.inheriting, self.flags = kind, rights, inheriting, flags

    def read(self, buffers: Sequence[memoryview]) -> int:
        """Read into ``buffers``; the number of bytes read."""
        raise Errno(errno.BADF)

    def write(self, buffers: Sequence[memoryview]) -> int:
        """Write ``buffers``; the number of bytes written."""
        raise Errno(errno.BADF)

    def pread(self, buffers: Sequence[memoryview], offset: int) -> int:
        """Read at an offset."""
        raise Errno(errno.SPIPE)

    def pwrite(self, buffers: Sequence[memoryview], offset: int) -> int:
        """Write at an offset."""
        raise Errno(errno.SPIPE)

    def seek(self, offset: int, whence: int) -> int:
        """Move the position, as ``os.lseek`` does."""
        raise Errno(errno.SPIPE)

    def status(self) -> Status:
        """Its attributes."""
        return Status(self.kind)

    def available(self) -> int:
        """How many bytes can be read; 0 where nobody can say."""
        return 0

    def set_flags(self, flags: int) -> None:
        """Append or not, block or not."""
        self.flags = flags

    def advise(self, offset: int, size: int, advice: int) -> None:
        """Take ``$advice``."""
        raise Errno(errno.SPIPE)

    def allocate(self, offset: int, size: int) -> None:
        """Make room."""
        raise Errno(errno.SPIPE)

    def resize(self, size: int) -> None:
        """Cut or extend."""
        raise Errno(errno.INVAL)

    def set_times(self, accessed_ns: int, modified_ns: int) -> None:
        """Set both times."""
        raise Errno(errno.SPIPE)

    def sync(self, *, data_only: bool = False) -> None:
        """Write out what was written."""
        raise Errno(errno.INVAL)

    def finish(self) -> None:
        """The guest has ended: hand on what is still kept for it."""

    def close(self) -> None:
        """Close what is ours."""


class HostDescriptor(Descriptor):
    """A descriptor of the host's.

    What was not opened for the guest, its standard streams, is shared with other processes: their
    flags are not touched, and not to block is done by asking first.
    """

    __slots__ = ("_keep", "_owned", "_read_only", "fd", "is_seekable")

    def __init__(
        self,
        fd: int,
        kind: int,
        rights: int,
        flags: int = 0,
        *,
        owned: bool = True,
        read_only: bool = False,
        keep: object = None,
        inheriting: int = 0,
    ) -> None:
        super().__init__(kind, rights, inheriting, flags)
        self.fd, self._owned, self._read_only, self._keep = fd, owned, read_only, keep
        self.is_seekable = kind in (REGULAR, BLOCK)

    def read(self, buffers: Sequence[memoryview]) -> int:
        """Read into ``buffers``; the number of bytes read."""
        if self.flags & NONBLOCK and not self._owned:
            self._ask("POLLIN")
        return os.readv(self.fd, buffers)

    def write(self, buffers: Sequence[memoryview]) -> int:
        """Write ``buffers``; the number of bytes written."""
        if self.flags & NONBLOCK and not self._owned:
            self._ask("POLLOUT")
        return os.writev(self.fd, buffers)

    def _ask(self, event: str) -> None:
        import select

        poll = select.poll()
        poll.register(self.fd, getattr(select, event))
        if not poll.poll(0):
            raise Errno(errno.AGAIN)

    def pread(self, buffers: Sequence[memoryview], offset: int) -> int:
        """Read at an offset."""
        return os.preadv(self.fd, buffers, offset_of(offset))

    def pwrite(self, buffers: Sequence[memoryview], offset: int) -> int:
        """Write at an offset."""
        return os.pwritev(self.fd, buffers, offset_of(offset))

    def seek(self, offset: int, whence: int) -> int:
        """Move the position."""
        return os.lseek(self.fd, offset, whence)

    def status(self) -> Status:
        """The host's ``fstat``."""
        return status_of(os.fstat(self.fd))

    def available(self) -> int:
        """How many bytes can be read; 1 where the system does not say."""
        if self.is_seekable:
            return max(0, os.fstat(self.fd).st_size - os.lseek(self.fd, 0, os.SEEK_CUR))
        import fcntl
        import sys
        import termios

        try:
            return int.from_bytes(fcntl.ioctl(self.fd, termios.FIONREAD, bytes(4)), sys.byteorder)
        except OSError:
            return 1

    def set_flags(self, flags: int) -> None:
        """Append or not, block or not."""
        if self._owned:
            import fcntl

            old = fcntl.fcntl(self.fd, fcntl.F_GETFL)
            new = old & ~(os.O_APPEND | os.O_NONBLOCK)
            new |= os.O_APPEND if flags & APPEND else 0
            new |= os.O_NONBLOCK if flags & NONBLOCK else 0
            fcntl.fcntl(self.fd, fcntl.F_SETFL, new)
        self.flags = flags

    def advise(self, offset: int, size: int, advice: int) -> None:
        """Take ``$advice``."""
        if hasattr(os, "posix_fadvise"):
            # $advice counts normal, sequential, random; the system's normal, random, sequential
            system = (0, 2, 1, 3, 4, 5)[advice]
            os.posix_fadvise(self.fd, offset_of(offset), offset_of(size), system)

    def allocate(self, offset: int, size: int) -> None:
        """Make room."""
        os.posix_fallocate(self.fd, offset_of(offset), offset_of(size))

    def resize(self, size: int) -> None:
        """Cut or extend."""
        os.ftruncate(self.fd, offset_of(size))

    def set_times(self, accessed_ns: int, modified_ns: int) -> None:
        """Set both times."""
        if self._read_only:
            raise error(system.EROFS)
        os.utime(self.fd, ns=(accessed_ns, modified_ns))

    def sync(self, *, data_only: bool = False) -> None:
        """Write out what was written."""
        (os.fdatasync if data_only else os.fsync)(self.fd)

    def close(self) -> None:
        """Close what is ours."""
        if self._owned and self.fd >= 0:
            os.close(self.fd)
        self.fd = -1


class Descriptors:
    """The table from the guest's numbers to what they stand for."""

    __slots__ = ("_above", "_most", "_table")

    def __init__(self, config: WasiConfig, clock: Clock) -> None:
        """Open the streams, preopened directories and listening sockets, numbered in this order.

        Raises:
            OSError: one of them cannot be opened.
        """
        # a guest takes no more than half of what the process may open
        self._most = max(32, min(os.sysconf("SC_OPEN_MAX") // 2, 1 << 16))
        self._table: dict[int, Descriptor] = {}
        try:
            self._table[0] = _input(config.stdin)
            self._table[1] = _output(config.stdout, 1, config.max_captured)
            self._table[2] = _output(config.stderr, 2, config.max_captured)
            self._above = 3  # no number from here on is in use
            if config.preopens:
                from runwell.wasi.opened import preopened

                for guest, where in config.preopens.items():
                    self.add(preopened(len(self._table), guest, where, clock))
            if config.listeners:
                from runwell.wasi.sockets import listening

                for socket in config.listeners:
                    self.add(listening(socket))
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

    def directory(self, number: int, rights: int) -> DirectoryDescriptor:
        """What ``number`` stands for, if paths may start there.

        Raises:
            Errno: BADF, NOTDIR or NOTCAPABLE.
        """
        found = self.get(number)
        if not found.is_directory:
            raise Errno(errno.NOTDIR)
        if rights & ~found.rights:
            raise Errno(errno.NOTCAPABLE)
        return found  # type: ignore[return-value]  # the one class of which that is true

    def add(self, descriptor: Descriptor) -> int:
        """Give it the number above all that are in use.

        One that was closed is not given out again at once: a program that still writes to its
        closed standard output should be told so, and not write into the file that it opened next.

        Raises:
            Errno: MFILE if a guest of this process may have no more.
        """
        if len(self._table) >= self._most:
            raise Errno(errno.MFILE)
        while self._above and self._above - 1 not in self._table:
            self._above -= 1
        number = self._above
        self._above += 1
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

    def finish(self) -> None:
        """The guest has ended: what its streams still keep is handed on."""
        for descriptor in list(self._table.values()):
            descriptor.finish()

    def close(self) -> None:
        """Close all."""
        while self._table:
            self._table.popitem()[1].close()

    def __del__(self) -> None:
        self.close()


def _input(source: Source) -> Descriptor:
    if source == "inherit":
        return inherited(0, READING)
    from runwell.wasi.streams import reading

    return reading(source)


def _output(sink: Sink, fd: int, most: int) -> Descriptor:
    if sink == "inherit":
        return inherited(fd, WRITING)
    from runwell.wasi.streams import writing

    return writing(sink, most)


def inherited(fd: int, rights: int, keep: object = None) -> Descriptor:
    """A descriptor of this process as one of the guest's standard streams.

    Args:
        fd: the host's; it is never closed.
        rights: what may be done with it.
        keep: what it belongs to.
    """
    try:
        kind = file_type(os.fstat(fd).st_mode)
    except OSError:
        # It is closed, and whoever uses it is told so, also when another file gets its number.
        return Descriptor(UNKNOWN, rights)
    rights |= FD_SEEK | FD_TELL if kind == REGULAR else 0
    return HostDescriptor(fd, kind, rights, owned=False, keep=keep)
