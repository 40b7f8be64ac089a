"""What a world is made of: directories and files that need not exist on any disk.

``Directory`` and ``File`` are all that the guest's calls know of a file system.  A directory
answers for one name at a time, never for a path: paths are walked by ``paths``, links and ``..``
included, so that no world, however it is written, can be left.

Errors are ``OSError`` as the system's own calls raise them: ``FileNotFoundError(ENOENT, ...)``.

The classes are protocols to the type checker and plain base classes when the program runs.  What
they do by default is what a read-only file system does, so that one of those needs four methods:
``status``, ``list`` and ``open`` of its directories, ``status`` and ``read`` of its files.
"""

from __future__ import annotations

import errno as system
import os

from runwell.base.light import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol

    from typing_extensions import Buffer, TypeIs
else:
    Protocol = object

# Kinds, which are WASI's ``$filetype``.
UNKNOWN, BLOCK, CHARACTER, DIRECTORY, REGULAR, SOCKET_DGRAM, SOCKET_STREAM, LINK = range(8)
NAME_BYTES, PATH_BYTES = 255, 4095  # as Linux has them


class Status(NamedTuple):
    """Attributes of a file, directory or link.

    Attributes:
        kind: ``REGULAR``, ``DIRECTORY``, ``LINK`` or another kind.
        size: in bytes.
        inode: equal for two names of one file, and for no two files of a device.
        links: names that it has.
        accessed_ns: time of the last access, in nanoseconds since 1970.
        modified_ns: of the last change of the content.
        changed_ns: of the last change of the content or attributes.
        device: of the file system.
    """

    kind: int
    size: int = 0
    inode: int = 0
    links: int = 1
    accessed_ns: int = 0
    modified_ns: int = 0
    changed_ns: int = 0
    device: int = 0


class Entry(NamedTuple):
    """One entry of a directory's list.

    Attributes:
        name: without any ``/``; neither ``.`` nor ``..``.
        kind: as in ``Status``.
        inode: as in ``Status``, or 0.
    """

    name: str
    kind: int
    inode: int = 0


def find(directory: Directory, name: str) -> Status | None:
    """Attributes of an entry; None if there is none."""
    try:
        return directory.status(name)
    except FileNotFoundError:
        return None


def without_change(directory: Directory, name: str, flags: int) -> int:
    """The flags with which to open what must not change.

    Raises:
        OSError: EROFS if it would change, or be made; what else is wrong comes first.
    """
    changes = flags & (os.O_WRONLY | os.O_RDWR | os.O_TRUNC)
    if not changes and not flags & os.O_CREAT:
        return flags
    found = find(directory, name)
    if found is None:
        raise error(system.EROFS if flags & os.O_CREAT else system.ENOENT, name)
    if flags & os.O_CREAT and flags & os.O_EXCL:
        raise error(system.EEXIST, name)
    if found.kind == LINK:
        raise error(system.ELOOP, name)
    if found.kind == DIRECTORY:
        raise error(system.EISDIR, name)
    if changes:
        raise error(system.EROFS, name)
    return flags & ~os.O_CREAT


def is_directory(opened: File | Directory) -> TypeIs[Directory]:
    """Is it a directory, by its methods?"""
    return hasattr(opened, "list")


def error(number: int, name: str = "") -> OSError:
    """An ``OSError`` of the class that belongs to the number."""
    return OSError(number, os.strerror(number), name or None)


class File(Protocol):
    """A regular file, open.

    It has no position: that belongs to the guest's descriptor.
    """

    __slots__ = ()

    def status(self) -> Status:
        """Its attributes."""
        raise NotImplementedError

    def read(self, offset: int, size: int) -> Buffer:
        """Bytes from ``offset`` on, at most ``size``; fewer only at the end of the file."""
        raise error(system.EBADF)

    def write(self, offset: int, data: memoryview) -> int:
        """Write at ``offset``, beyond the end too; how many of the bytes were written.

        ``data`` is the guest's memory: it must be copied if it is to be kept.
        """
        raise error(system.EROFS)

    def resize(self, size: int) -> None:
        """Cut the file, or extend it with zeros."""
        raise error(system.EROFS)

    def set_times(self, accessed_ns: int, modified_ns: int) -> None:
        """Set both times."""
        raise error(system.EROFS)

    def sync(self, *, data_only: bool = False) -> None:
        """Write what was written to where it is kept."""
        return

    def close(self) -> None:
        """End of use; called once for each time that it was opened."""
        return


class Directory(Protocol):
    """A directory, open.

    Names are single components, valid UTF-8, never empty and never ``..``.  Where a method
    allows ``"."`` it means the directory itself.  No method follows links.
    """

    __slots__ = ()

    def status(self, name: str = ".") -> Status:
        """Attributes of an entry, or of the directory itself for ``"."``."""
        raise NotImplementedError

    def list(self) -> Iterable[Entry]:
        """What is in it, in any order."""
        raise NotImplementedError

    def open(self, name: str, flags: int) -> File | Directory:
        """Open or create a file, or open a directory.

        Args:
            name: of the entry, or ``"."`` for the directory itself.
            flags: of the module ``os``: one of ``O_RDONLY``, ``O_WRONLY`` and ``O_RDWR``, and any
                of ``O_CREAT``, ``O_EXCL``, ``O_TRUNC`` and ``O_DIRECTORY``; others can be
                ignored.

        Raises:
            OSError: ENOENT, EEXIST, ENOTDIR, EISDIR for a directory to be written to, ELOOP for
                a link.
        """
        raise NotImplementedError

    def read_link(self, name: str) -> str:
        """Where a link points.

        Raises:
            OSError: EINVAL if it is no link; ENOENT.
        """
        self.status(name)
        raise error(system.EINVAL, name)

    def make_directory(self, name: str) -> None:
        """Make an empty directory."""
        raise error(system.EROFS, name)

    def make_link(self, name: str, target: str) -> None:
        """Make a symbolic link that points to ``target``."""
        raise error(system.EROFS, name)

    def link(self, name: str, directory: Directory, new_name: str) -> None:
        """Give a file, or a symbolic link, another name.

        Raises:
            OSError: EXDEV if ``directory`` belongs to another world; EEXIST.
        """
        raise error(system.EROFS, name)

    def rename(self, name: str, directory: Directory, new_name: str) -> None:
        """Move an entry, over what there is if that is possible.

        Raises:
            OSError: EXDEV if ``directory`` belongs to another world; ENOTEMPTY, EISDIR, ENOTDIR.
        """
        raise error(system.EROFS, name)

    def unlink(self, name: str) -> None:
        """Remove a name of a file, or a link.

        Raises:
            OSError: EISDIR if it is a directory; ENOENT.
        """
        raise error(system.EROFS, name)

    def remove_directory(self, name: str) -> None:
        """Remove an empty directory.

        Raises:
            OSError: ENOTEMPTY, ENOTDIR, ENOENT.
        """
        raise error(system.EROFS, name)

    def set_times(self, name: str, accessed_ns: int, modified_ns: int) -> None:
        """Set both times of an entry, or of the directory itself for ``"."``."""
        raise error(system.EROFS, name)

    def close(self) -> None:
        """End of use; called once for each time that it was opened."""
        return
