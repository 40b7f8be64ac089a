"""What the host does with a world: read, write and list by paths."""

from __future__ import annotations

import errno as system
import os

from runwell.wasi.errno import Errno, plain
from runwell.wasi.paths import open_below
from runwell.wasi.protocol import (
    DIRECTORY,
    Directory,
    Entry,
    File,
    Status,
    error,
    find,
    is_directory,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Buffer

_PIECE = 1 << 20


class Reach(Directory):
    """Paths for the host; below the directory like the guest's, and with the same limits."""

    __slots__ = ()

    def read_bytes(self, path: str) -> bytes:
        """The content of a file.

        Raises:
            OSError: it cannot be read.
        """
        file = _open(self, path, os.O_RDONLY)
        try:
            return b"".join(pieces(file))
        finally:
            file.close()

    def write_bytes(self, path: str, data: Buffer) -> None:
        """Make a file with this content, and the directories that it needs.

        Raises:
            OSError: it cannot be written.
        """
        head = path.rpartition("/")[0]
        if head:
            _make_directories(self, head)
        file = _open(self, path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            write_all(file, memoryview(data).cast("B"))
        finally:
            file.close()

    def walk(self) -> Iterator[tuple[str, Status]]:
        """Path and attributes of everything below, directories before what is in them.

        Raises:
            OSError: a directory cannot be read.
        """
        # Deep trees are no deep recursion: a guest may have made them.
        way: list[tuple[str, Directory, Iterator[Entry]]] = [("", self, iter(sorted(self.list())))]
        try:
            while way:
                prefix, directory, entries = way[-1]
                entry = next(entries, None)
                if entry is None:
                    way.pop()
                    if way:
                        directory.close()
                    continue
                yield prefix + entry.name, directory.status(entry.name)
                if entry.kind == DIRECTORY:
                    below = open_directory(directory, entry.name)
                    inside = iter(sorted(below.list()))
                    way.append((f"{prefix}{entry.name}/", below, inside))
        finally:
            for _, directory, _ in way[1:]:
                directory.close()


def _open(root: Directory, path: str, flags: int) -> File:
    try:
        found = open_below(root, path.strip("/"), flags, follow=True)
    except Errno as e:
        raise plain(e) from None
    if is_directory(found):
        found.close()
        raise IsADirectoryError(21, os.strerror(21), path)
    return found


def _make_directories(root: Directory, path: str) -> None:
    at, opened = root, []
    try:
        for name in path.strip("/").split("/"):
            if find(at, name) is None:
                at.make_directory(name)
            at = open_directory(at, name)
            opened.append(at)
    finally:
        for directory in opened:
            directory.close()


def open_directory(above: Directory, name: str) -> Directory:
    """Open a directory.

    Raises:
        OSError: it is none.
    """
    opened = above.open(name, os.O_RDONLY | os.O_DIRECTORY)
    if not is_directory(opened):
        opened.close()
        raise error(system.ENOTDIR, name)
    return opened


def pieces(file: File) -> Iterator[bytes]:
    """The whole of a file, in pieces."""
    offset = 0
    while data := bytes(file.read(offset, _PIECE)):
        offset += len(data)
        yield data


def write_all(file: File, data: memoryview, offset: int = 0) -> None:
    """Write all of ``data`` at an offset.

    Raises:
        OSError: there is no room.
    """
    while data:
        size = file.write(offset, data)
        offset, data = offset + size, data[size:]
