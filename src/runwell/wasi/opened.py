"""Directories and files of worlds behind the guest's descriptors."""

from __future__ import annotations

import os

from runwell.wasi import descriptors as d
from runwell.wasi import errno
from runwell.wasi.errno import Errno
from runwell.wasi.host import HostDirectory, HostFile
from runwell.wasi.protocol import DIRECTORY, REGULAR, Directory, Entry, File, Status, is_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from runwell.wasi.clocks import Clock

_PIECE = 1 << 20  # bytes of a file that are read at once


class DirectoryDescriptor(d.Descriptor):
    """An open directory of any world."""

    __slots__ = ("_listing", "directory", "preopen")

    is_directory = True

    def __init__(
        self,
        directory: Directory,
        rights: int,
        inheriting: int,
        flags: int = 0,
        preopen: str | None = None,
    ) -> None:
        super().__init__(DIRECTORY, rights, inheriting, flags)
        self.directory, self.preopen = directory, preopen
        self._listing: list[Entry] = []

    def listing(self, cookie: int) -> list[Entry]:
        """What is in the directory, ``.`` and ``..`` included, to be read from ``cookie`` on.

        The directory is read at cookie 0 and remembered for the cookies that follow: what comes
        or goes meanwhile moves nothing, so that each entry that stays is seen once.
        """
        if not cookie or not self._listing:
            here = self.directory.status().inode
            # what is above is none of the guest's business
            own = [Entry(".", DIRECTORY, here), Entry("..", DIRECTORY, here)]
            self._listing = own + sorted(self.directory.list())
        return self._listing

    def status(self) -> Status:
        """Its attributes."""
        return self.directory.status()

    def advise(self, offset: int, size: int, advice: int) -> None:
        """A directory takes no advice."""
        raise Errno(errno.BADF)

    def set_times(self, accessed_ns: int, modified_ns: int) -> None:
        """Set both times."""
        self.directory.set_times(".", accessed_ns, modified_ns)

    def sync(self, *, data_only: bool = False) -> None:
        """Write out which entries there are."""
        if isinstance(self.directory, HostDirectory):
            self.directory.sync(data_only=data_only)

    def close(self) -> None:
        """End of use."""
        self._listing = []
        self.directory.close()


class FileDescriptor(d.Descriptor):
    """An open file of a world that is not the host's: it gets its position here."""

    __slots__ = ("_at", "file")

    is_seekable = True

    def __init__(self, file: File, kind: int, rights: int, flags: int) -> None:
        super().__init__(kind, rights, 0, flags)
        self.file, self._at = file, 0

    def read(self, buffers: Sequence[memoryview]) -> int:
        """Read into ``buffers`` at the position."""
        size = self.pread(buffers, self._at)
        self._at += size
        return size

    def write(self, buffers: Sequence[memoryview]) -> int:
        """Write ``buffers`` at the position, or at the end."""
        if self.flags & d.APPEND:
            self._at = self.file.status().size
        size = self._write(buffers, self._at)
        self._at += size
        return size

    def pread(self, buffers: Sequence[memoryview], offset: int) -> int:
        """Read at an offset."""
        total = 0
        for buffer in buffers:
            done = 0
            while done < len(buffer):
                # a piece at a time, which is copied: what a guest may ask for has no bounds
                room = min(len(buffer) - done, _PIECE)
                data = memoryview(self.file.read(d.offset_of(offset + total), room))[:room]
                buffer[done : done + len(data)] = data
                done, total = done + len(data), total + len(data)
                if len(data) < room:
                    return total
        return total

    def pwrite(self, buffers: Sequence[memoryview], offset: int) -> int:
        """Write at an offset; or at the end, as Linux does, if the file is open to append."""
        return self._write(buffers, self.file.status().size if self.flags & d.APPEND else offset)

    def _write(self, buffers: Sequence[memoryview], offset: int) -> int:
        total = 0
        for buffer in buffers:
            if not buffer:
                continue
            try:
                size = self.file.write(d.offset_of(offset + total), buffer)
            except OSError:
                if total:
                    break  # what was written counts; the next call will meet the error
                raise
            total += size
            if size < len(buffer):
                break
        if self.flags & (d.SYNC | d.DSYNC):
            self.file.sync(data_only=not self.flags & d.SYNC)
        return total

    def seek(self, offset: int, whence: int) -> int:
        """Move the position."""
        start = (0, self._at, 0)[whence]
        if whence == os.SEEK_END:
            start = self.file.status().size
        if not 0 <= start + offset < 1 << 63:
            raise Errno(errno.INVAL)
        self._at = start + offset
        return self._at

    def available(self) -> int:
        """What is left of the file."""
        return max(0, self.file.status().size - self._at)

    def status(self) -> Status:
        """Its attributes."""
        return self.file.status()

    def advise(self, offset: int, size: int, advice: int) -> None:
        """Any advice is good."""
        d.offset_of(offset), d.offset_of(size)

    def allocate(self, offset: int, size: int) -> None:
        """Extend the file, if it is shorter."""
        end = d.offset_of(offset) + d.offset_of(size)
        if end >= 1 << 63:
            raise Errno(errno.FBIG)
        if end > self.file.status().size:
            self.file.resize(end)

    def resize(self, size: int) -> None:
        """Cut or extend."""
        self.file.resize(d.offset_of(size))

    def set_times(self, accessed_ns: int, modified_ns: int) -> None:
        """Set both times."""
        self.file.set_times(accessed_ns, modified_ns)

    def sync(self, *, data_only: bool = False) -> None:
        """Write out what was written."""
        self.file.sync(data_only=data_only)

    def close(self) -> None:
        """End of use."""
        self.file.close()


def preopened(
    number: int, guest: str, where: str | os.PathLike[str] | Directory, clock: Clock
) -> DirectoryDescriptor:
    """A preopened directory: one of the host's, or of any world.

    A world that has a method ``join`` is told which clock its times come from, and by which
    device number the guest can tell it from others.

    Raises:
        OSError: it cannot be opened.
    """
    if isinstance(where, str | os.PathLike):
        directory: File | Directory = HostDirectory(where)
    else:
        directory = where.open(".", os.O_RDONLY | os.O_DIRECTORY)
        join = getattr(where, "join", None)
        if join is not None:
            join(clock, number)
    return DirectoryDescriptor(directory, d.FOLDER, d.ALL, preopen=guest)  # type: ignore[arg-type]


def descriptor(opened: File | Directory, rights: int, inheriting: int, flags: int) -> d.Descriptor:
    """A descriptor for what was opened, with as many of the rights as make sense."""
    if isinstance(opened, HostFile):
        allowed = d.FILE if opened.kind == REGULAR else d.STREAM
        return d.HostDescriptor(
            opened.fd, opened.kind, rights & allowed, flags, read_only=opened.read_only
        )
    if is_directory(opened):
        return DirectoryDescriptor(opened, rights & d.FOLDER, inheriting, flags)
    return FileDescriptor(opened, REGULAR, rights & d.FILE, flags)
