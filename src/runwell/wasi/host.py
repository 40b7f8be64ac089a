"""Directories of the host.

Each call acts on one name in an open directory, so that nothing renamed or replaced meanwhile
leads anywhere else.  Where the kernel has ``openat2``, it walks whole paths, and keeps them
beneath the directory itself.
"""

from __future__ import annotations

import errno as system
import os
import stat
import struct

from runwell.wasi import errno
from runwell.wasi.descriptors import file_type, status_of
from runwell.wasi.errno import Errno
from runwell.wasi.protocol import (
    DIRECTORY,
    LINK,
    REGULAR,
    UNKNOWN,
    Directory,
    Entry,
    File,
    Status,
    error,
    without_change,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    # of a directory, a path and flags; None if the path kept changing
    Openat2: TypeAlias = Callable[[int, bytes, int], int | None]

_ALWAYS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NOCTTY
_FOLLOWING = os.O_CLOEXEC | os.O_NOCTTY
_PATH = getattr(os, "O_PATH", 0)
_CHANGING = os.O_WRONLY | os.O_RDWR | os.O_TRUNC

# openat2(2) has the same number on every architecture that Linux added it to.
_OPENAT2 = 437
_RESOLVE_NO_MAGICLINKS, _RESOLVE_BENEATH = 0x02, 0x08
_HOW = struct.Struct("=QQQ")  # flags, mode, resolve
_RETRIES = 8  # times that a path changes while it is walked, before it is walked here


class HostFile(File):
    """An open file of the host, or whatever else is not a directory.

    Attributes:
        fd: its descriptor, which ``close`` closes.
        kind: ``$filetype``.
        read_only: is it below a directory of which nothing may be changed?
    """

    __slots__ = ("fd", "kind", "read_only")

    def __init__(self, fd: int, kind: int, read_only: bool = False) -> None:
        self.fd, self.kind, self.read_only = fd, kind, read_only

    def status(self) -> Status:
        """Its attributes."""
        return status_of(os.fstat(self.fd))

    def read(self, offset: int, size: int) -> bytes:
        """Bytes at an offset."""
        return os.pread(self.fd, size, offset)

    def write(self, offset: int, data: memoryview) -> int:
        """Write at an offset."""
        return os.pwrite(self.fd, data, offset)

    def resize(self, size: int) -> None:
        """Cut or extend."""
        os.ftruncate(self.fd, size)

    def set_times(self, accessed_ns: int, modified_ns: int) -> None:
        """Set both times."""
        if self.read_only:
            raise error(system.EROFS)
        os.utime(self.fd, ns=(accessed_ns, modified_ns))

    def sync(self, *, data_only: bool = False) -> None:
        """Write to the disk what was written."""
        (os.fdatasync if data_only else os.fsync)(self.fd)

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self.fd)


class HostDirectory(Directory):
    """A directory of the host.

    Args:
        path: where it is.
        read_only: nothing below may be changed.

    Raises:
        OSError: it is no directory, or cannot be opened.
    """

    __slots__ = ("_fd", "_read_only")

    def __init__(self, path: str | os.PathLike[str], *, read_only: bool = False) -> None:
        self._fd = -1
        self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._read_only = read_only

    def _open(self, fd: int, follow: bool = False) -> HostFile | HostDirectory:
        """What was opened, told apart."""
        mode = os.fstat(fd).st_mode
        if stat.S_ISDIR(mode):
            made = HostDirectory.__new__(HostDirectory)
            made._fd, made._read_only = fd, self._read_only
            return made
        return HostFile(fd, file_type(mode), self._read_only)

    def _change(self) -> int:
        """The descriptor, to change what is in the directory."""
        if self._read_only:
            raise error(system.EROFS)
        return self._fd

    def status(self, name: str = ".") -> Status:
        """Attributes of an entry."""
        if name == ".":
            return status_of(os.fstat(self._fd))
        return status_of(os.stat(name.encode(), dir_fd=self._fd, follow_symlinks=False))

    def list(self) -> Iterator[Entry]:
        """What is in it; names that are not UTF-8 cannot be said to a guest and are left out."""
        with os.scandir(self._fd) as entries:
            for entry in entries:
                try:
                    name = os.fsencode(entry.name).decode()
                except UnicodeDecodeError:
                    continue
                yield Entry(name, _kind(entry), entry.inode())

    def open(self, name: str, flags: int) -> File | Directory:
        """Open an entry."""
        if self._read_only:
            flags = without_change(self, name, flags)
        return self._settle(
            os.open(name.encode(), flags | _ALWAYS | os.O_NONBLOCK, 0o666, dir_fd=self._fd), flags
        )

    def _settle(self, fd: int, flags: int) -> HostFile | HostDirectory:
        """What a descriptor is.

        All is opened without blocking, since a FIFO would wait for its other end, perhaps for
        ever; reading it then may wait, as the guest wants it.
        """
        try:
            made = self._open(fd)
            if isinstance(made, HostFile) and made.kind != REGULAR and not flags & os.O_NONBLOCK:
                os.set_blocking(fd, True)
        except BaseException:
            os.close(fd)
            raise
        return made

    def beneath(self, path: str, flags: int) -> File | Directory | None:
        """Open what is at a path, unless that leads out of the directory.

        Args:
            path: relative, of any number of components.
            flags: as for ``open``; links are followed unless ``O_NOFOLLOW`` is one of them.

        Returns:
            What is there; None if this has to be found out component by component.

        Raises:
            Errno: NOTCAPABLE.
            OSError: as for ``open``.
        """
        call = _openat2()
        if call is None or (self._read_only and flags & (os.O_CREAT | _CHANGING)):
            return None
        # O_PATH goes with hardly any other flag
        how = flags | (os.O_CLOEXEC if flags & _PATH else _FOLLOWING | os.O_NONBLOCK)
        fd = call(self._fd, path.encode(), how)
        return None if fd is None else self._settle(fd, flags)

    def read_link(self, name: str) -> str:
        """Where a link points."""
        target = os.readlink(name.encode(), dir_fd=self._fd)
        try:
            return target.decode()
        except UnicodeDecodeError:
            raise error(system.EILSEQ, name) from None

    def make_directory(self, name: str) -> None:
        """Make a directory."""
        os.mkdir(name.encode(), dir_fd=self._change())

    def make_link(self, name: str, target: str) -> None:
        """Make a symbolic link."""
        os.symlink(target.encode(), name.encode(), dir_fd=self._change())

    def link(self, name: str, directory: Directory, new_name: str) -> None:
        """Make a hard link."""
        os.link(
            name.encode(),
            new_name.encode(),
            src_dir_fd=self._change(),
            dst_dir_fd=_same(directory)._change(),
            follow_symlinks=False,
        )

    def rename(self, name: str, directory: Directory, new_name: str) -> None:
        """Rename."""
        os.rename(
            name.encode(),
            new_name.encode(),
            src_dir_fd=self._change(),
            dst_dir_fd=_same(directory)._change(),
        )

    def unlink(self, name: str) -> None:
        """Remove a file."""
        os.unlink(name.encode(), dir_fd=self._change())

    def remove_directory(self, name: str) -> None:
        """Remove a directory."""
        os.rmdir(name.encode(), dir_fd=self._change())

    def set_times(self, name: str, accessed_ns: int, modified_ns: int) -> None:
        """Set both times."""
        fd, new = self._change(), (accessed_ns, modified_ns)
        os.utime(name.encode(), ns=new, dir_fd=fd, follow_symlinks=False)

    def sync(self, *, data_only: bool = False) -> None:
        """Write to the disk which entries there are."""
        (os.fdatasync if data_only else os.fsync)(self._fd)

    def close(self) -> None:
        """Close the descriptor."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        self.close()


def _same(directory: Directory) -> HostDirectory:
    """A directory of the host, as this one.

    Raises:
        OSError: EXDEV if it is of another world.
    """
    if not isinstance(directory, HostDirectory):
        raise error(system.EXDEV)
    return directory


def _kind(entry: os.DirEntry[str]) -> int:
    """``$filetype`` of an entry, which the directory itself nearly always says."""
    if entry.is_symlink():
        return LINK
    if entry.is_dir(follow_symlinks=False):
        return DIRECTORY
    if entry.is_file(follow_symlinks=False):
        return REGULAR
    try:
        return file_type(entry.stat(follow_symlinks=False).st_mode)
    except OSError:
        return UNKNOWN


_probed: list[Openat2 | None] = []


def _openat2() -> Openat2 | None:
    """``openat2`` beneath a directory; None where it is missing or forbidden, found out once."""
    if not _probed:
        _probed.append(_find_openat2())
    return _probed[0]


def _find_openat2() -> Openat2 | None:
    import ctypes
    import sys

    if sys.platform != "linux":
        return None
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    syscall.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_char_p, ctypes.c_char_p,
                        ctypes.c_size_t]  # fmt: skip
    syscall.restype = ctypes.c_long
    get_errno = ctypes.get_errno

    def call(directory: int, path: bytes, flags: int) -> int | None:
        mode = 0o666 if flags & os.O_CREAT else 0
        how = _HOW.pack(flags, mode, _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS)
        retries = 0
        while True:
            fd: int = syscall(_OPENAT2, directory, path, how, _HOW.size)
            if fd >= 0:
                return fd
            number = get_errno()
            if number == system.EXDEV:
                raise Errno(errno.NOTCAPABLE)
            if number == system.EAGAIN:
                # something above was renamed in the meantime, and the kernel cannot be sure
                retries += 1
                if retries == _RETRIES:
                    return None
            elif number != system.EINTR:
                raise OSError(number, os.strerror(number), os.fsdecode(path))

    try:
        here = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        found = call(here, b".", _PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except (OSError, Errno):  # an old kernel, or one that is told to refuse it
        return None
    finally:
        os.close(here)
    if found is not None:
        os.close(found)
    return call
