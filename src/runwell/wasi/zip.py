"""Zip archives as directories that can be read."""

from __future__ import annotations

import _thread
import errno as system
import os
import stat

from runwell.wasi.protocol import (
    DIRECTORY,
    LINK,
    REGULAR,
    Directory,
    Entry,
    File,
    Status,
    error,
    without_change,
)
from runwell.wasi.reach import Reach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO
    from zipfile import ZipFile, ZipInfo

_WHOLE = 1 << 24  # bytes of a file that is read as a whole when its content is first asked for


class _Archive:
    """What all nodes of an archive share."""

    __slots__ = ("_file", "_zip", "device", "inodes", "lock")

    def __init__(self, file: str | os.PathLike[str] | IO[bytes]) -> None:
        self._file = file
        self._zip: ZipFile | None = None
        self.lock = _thread.RLock()
        self.device = self.inodes = 0

    @property
    def zip(self) -> ZipFile:
        """The archive, opened when it is first needed."""
        if self._zip is None:
            from zipfile import BadZipFile, ZipFile

            try:
                self._zip = ZipFile(self._file)
            except BadZipFile as e:
                raise OSError(system.EINVAL, f"not a zip archive: {e}", str(self._file)) from None
        return self._zip

    def read(self, info: ZipInfo) -> bytes:
        """The content of a member."""
        return self.guarded(lambda: self.zip.read(info))

    def guarded(self, act: Callable[[], bytes]) -> bytes:
        """What ``act`` reads; what is wrong with the archive is an error of the device."""
        from zipfile import BadZipFile
        from zlib import error as zlib_error

        try:
            with self.lock:
                return act()
        except (BadZipFile, zlib_error, EOFError, NotImplementedError):
            raise error(system.EIO) from None
        except RuntimeError:  # a password would be needed
            raise error(system.EACCES) from None


class _Member:
    """A file, directory or link of an archive."""

    __slots__ = ("archive", "info", "inode", "time_ns")

    def __init__(self, archive: _Archive, info: ZipInfo | None) -> None:
        self.archive, self.info = archive, info
        archive.inodes += 1
        self.inode = archive.inodes
        self.time_ns = _time_ns(info) if info is not None else 0

    def attributes(self, kind: int, size: int, links: int) -> Status:
        t = self.time_ns
        return Status(kind, size, self.inode, links, t, t, t, self.archive.device)


class _ZipFile(_Member, File):
    """A file of an archive, which is inflated when it is read."""

    __slots__ = ("_data", "_opened", "_stream")

    def __init__(self, archive: _Archive, info: ZipInfo) -> None:
        super().__init__(archive, info)
        self._opened = 0
        self._data: bytes | None = None
        self._stream: IO[bytes] | None = None

    def _size(self) -> int:
        return self.info.file_size if self.info is not None else 0

    def status(self) -> Status:
        """Its attributes."""
        return self.attributes(REGULAR, self._size(), 1)

    def is_link(self) -> bool:
        """Is it a symbolic link, by the mode that Unix programs note?"""
        return self.info is not None and stat.S_ISLNK(self.info.external_attr >> 16)

    def target(self) -> str:
        """Where it points, if it is a link."""
        assert self.info is not None
        try:
            return self.archive.read(self.info).decode()
        except UnicodeDecodeError:
            raise error(system.EILSEQ) from None

    def open(self) -> File:
        """One use more."""
        with self.archive.lock:
            self._opened += 1
        return self

    def read(self, offset: int, size: int) -> bytes:
        """Bytes from ``offset`` on; small files are kept inflated while they are open."""
        if offset >= self._size() or self.info is None:
            return b""
        if self._size() <= _WHOLE:
            if self._data is None:
                self._data = self.archive.read(self.info)
            return self._data[offset : offset + size]
        return self.archive.guarded(lambda: self._read_stream(offset, size))

    def _read_stream(self, offset: int, size: int) -> bytes:
        """Bytes of a large file, which is inflated again from its start to go back."""
        assert self.info is not None
        if self._stream is None:
            self._stream = self.archive.zip.open(self.info)
        if self._stream.tell() != offset:
            self._stream.seek(offset)
        return self._stream.read(size)

    def close(self) -> None:
        """One use less."""
        with self.archive.lock:
            self._opened -= 1
            if not self._opened:
                self._data = None
                if self._stream is not None:
                    self._stream.close()
                    self._stream = None


class ZipDirectory(_Member, Reach):
    """A zip archive, or a directory in one; nothing in it can be changed.

    It is opened when a guest first looks into it.  Members whose names lead elsewhere (``..``)
    cannot be reached.

    Args:
        file: path of the archive, or a binary file object that can seek.

    Raises:
        OSError: there is no such file.
    """

    __slots__ = ("_entries",)

    def __init__(self, file: str | os.PathLike[str] | IO[bytes]) -> None:
        if isinstance(file, str | os.PathLike):
            os.stat(file)  # so that what is missing is missing now
        super().__init__(_Archive(file), None)
        self._entries: dict[str, ZipDirectory | _ZipFile] | None = None

    def join(self, _clock: object, device: int) -> None:
        """Be known by this number; times are those of the archive."""
        self.archive.device = device

    def _all(self) -> dict[str, ZipDirectory | _ZipFile]:
        """The entries; those of the whole archive are sorted into directories at first use."""
        if self._entries is None:
            with self.archive.lock:
                if self._entries is None:
                    infos = self.archive.zip.infolist()
                    self._entries = {}
                    for info in infos:
                        self._sort_in(info)
        return self._entries

    def _sort_in(self, info: ZipInfo) -> None:
        parts = [part for part in info.filename.split("/") if part not in ("", ".")]
        if ".." in parts or not parts:
            return
        at = self
        for part in parts[:-1]:
            at = at._directory(part, None)
        if info.is_dir():
            at._directory(parts[-1], info)
        elif not isinstance(at._all().get(parts[-1]), ZipDirectory):
            at._all()[parts[-1]] = _ZipFile(self.archive, info)

    def _directory(self, name: str, info: ZipInfo | None) -> ZipDirectory:
        found = self._all().get(name)
        if isinstance(found, ZipDirectory):
            if info is not None:
                found.info, found.time_ns = info, _time_ns(info)
            return found
        made = ZipDirectory.__new__(ZipDirectory)
        _Member.__init__(made, self.archive, info)
        made._entries = {}
        self._all()[name] = made
        return made

    def _find(self, name: str) -> ZipDirectory | _ZipFile:
        found = self if name == "." else self._all().get(name)
        if found is None:
            raise error(system.ENOENT, name)
        return found

    def status(self, name: str = ".") -> Status:
        """Attributes of an entry."""
        found = self._find(name)
        if isinstance(found, ZipDirectory):
            below = sum(isinstance(n, ZipDirectory) for n in found._all().values())
            return found.attributes(DIRECTORY, 0, 2 + below)
        if found.is_link():
            return found.attributes(LINK, found._size(), 1)
        return found.status()

    def list(self) -> list[Entry]:
        """What is in it."""
        return [Entry(name, self.status(name).kind, n.inode) for name, n in self._all().items()]

    def open(self, name: str, flags: int) -> File | Directory:
        """Open what is to be read."""
        flags = without_change(self, name, flags)
        found = self._find(name)
        if isinstance(found, ZipDirectory):
            return found
        if flags & os.O_DIRECTORY:
            raise error(system.ENOTDIR, name)
        if found.is_link():
            raise error(system.ELOOP, name)
        return found.open()

    def read_link(self, name: str) -> str:
        """Where a link points."""
        found = self._find(name)
        if isinstance(found, ZipDirectory) or not found.is_link():
            raise error(system.EINVAL, name)
        return found.target()


def _time_ns(info: ZipInfo) -> int:
    """When a member was changed, taken to be in universal time."""
    from calendar import timegm

    try:
        return timegm((*info.date_time, 0, 0, 0)) * 10**9
    except ValueError:  # there is no such day
        return 0
