"""A file system in memory."""

from __future__ import annotations

import _thread
import errno as system
import os

from runwell.wasi.clocks import REALTIME, Clock, SystemClock
from runwell.wasi.protocol import (
    DIRECTORY,
    LINK,
    NAME_BYTES,
    PATH_BYTES,
    REGULAR,
    Directory,
    Entry,
    File,
    Status,
    error,
)
from runwell.wasi.reach import Reach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from typing_extensions import Buffer

    Node: TypeAlias = "MemoryFile | MemoryDirectory | _Link"

MAX_BYTES, MAX_FILES = 1 << 28, 1 << 16
_CHUNK, _PAGE = 1 << 16, 1 << 12
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_TRUNC


class _Disk:
    """What all nodes of a file system share: room, numbers, time, and a lock."""

    __slots__ = ("bytes_left", "clock", "device", "inodes", "lock", "names_left", "parents")

    def __init__(self, max_bytes: int, max_files: int) -> None:
        self.bytes_left, self.names_left = max_bytes, max_files
        self.clock: Clock = SystemClock()
        self.device, self.inodes = 0, 0
        self.lock = _thread.RLock()
        self.parents: dict[int, int] = {}  # inodes of directories, to those above

    def inode(self) -> int:
        self.inodes += 1
        return self.inodes

    def now(self) -> int:
        return self.clock.now(REALTIME)

    def take_name(self, name: str) -> None:
        """Room for one more entry.

        Raises:
            OSError: ENOSPC, ENAMETOOLONG.
        """
        if len(name.encode()) > NAME_BYTES:
            raise error(system.ENAMETOOLONG, name)
        if self.names_left <= 0:
            raise error(system.ENOSPC, name)
        self.names_left -= 1


class _Node:
    """What has attributes."""

    __slots__ = ("accessed", "changed", "disk", "inode", "links", "modified")

    def __init__(self, disk: _Disk) -> None:
        self.disk, self.inode, self.links = disk, disk.inode(), 1
        self.accessed = self.modified = self.changed = disk.now()

    def touch(self) -> None:
        """The content has changed now."""
        self.modified = self.changed = self.disk.now()

    def set_own_times(self, accessed_ns: int, modified_ns: int) -> None:
        self.accessed, self.modified = accessed_ns, modified_ns
        self.changed = self.disk.now()

    def attributes(self, kind: int, size: int, links: int) -> Status:
        return Status(
            kind,
            size,
            self.inode,
            links,
            self.accessed,
            self.modified,
            self.changed,
            self.disk.device,
        )

    def drop(self) -> None:
        """One name less."""
        self.links -= 1
        self.changed = self.disk.now()
        self.disk.names_left += 1


class _Link(_Node):
    """A symbolic link."""

    __slots__ = ("target",)

    def __init__(self, disk: _Disk, target: str) -> None:
        super().__init__(disk)
        self.target = target


class MemoryFile(_Node, File):
    """A file in memory.

    Its bytes are in chunks, of which those that were never written do not exist; so it may have
    holes.  It takes room in pages of 4096 bytes.
    """

    __slots__ = ("_chunks", "_size", "opened")

    def __init__(self, disk: _Disk) -> None:
        super().__init__(disk)
        self._chunks: dict[int, bytearray] = {}
        self._size = self.opened = 0

    def status(self) -> Status:
        """Its attributes."""
        return self.attributes(REGULAR, self._size, self.links)

    def read(self, offset: int, size: int) -> bytes:
        """Bytes from ``offset`` on."""
        size = min(size, self._size - offset)
        parts = []
        while size > 0:
            number, at = divmod(offset, _CHUNK)
            length = min(size, _CHUNK - at)
            chunk = self._chunks.get(number, b"")
            part = memoryview(chunk)[at : at + length].tobytes()
            parts.append(part if len(part) == length else part.ljust(length, b"\0"))
            offset, size = offset + length, size - length
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def write(self, offset: int, data: memoryview) -> int:
        """Write at ``offset``, or as much of it as there is room for."""
        if offset + len(data) >= 1 << 63:
            raise error(system.EFBIG)
        with self.disk.lock:
            done = 0
            while done < len(data):
                number, at = divmod(offset + done, _CHUNK)
                piece = data[done : done + _CHUNK - at]
                piece = piece[: self._make_room(number, at + len(piece)) - at]
                if not piece:
                    break
                self._chunks[number][at : at + len(piece)] = piece
                done += len(piece)
            if data and not done:
                raise error(system.ENOSPC)
            self._size = max(self._size, offset + done)
            self.touch()
        return done

    def _make_room(self, number: int, end: int) -> int:
        """Extend a chunk to ``end``, if there is room; how far it reaches."""
        chunk = self._chunks.get(number)
        have = 0 if chunk is None else len(chunk)
        if end <= have:
            return end
        want = -(-end // _PAGE) * _PAGE
        want = min(want, have + self.disk.bytes_left // _PAGE * _PAGE)
        if want > have:
            try:
                if chunk is None:
                    self._chunks[number] = bytearray(want)
                else:
                    chunk.extend(bytes(want - have))
            except MemoryError:
                return have
            self.disk.bytes_left -= want - have
        return min(end, want)

    def resize(self, size: int) -> None:
        """Cut, or extend by a hole."""
        with self.disk.lock:
            if size < self._size:
                last, at = divmod(size, _CHUNK)
                for number in [n for n in self._chunks if n > last or (n == last and not at)]:
                    self.disk.bytes_left += len(self._chunks.pop(number))
                chunk = self._chunks.get(last)
                if chunk is not None:
                    keep = -(-at // _PAGE) * _PAGE
                    self.disk.bytes_left += max(0, len(chunk) - keep)
                    del chunk[keep:]
                    chunk[at:] = bytes(len(chunk) - at)
            self._size = size
            self.touch()

    def set_times(self, accessed_ns: int, modified_ns: int) -> None:
        """Set both times."""
        self.set_own_times(accessed_ns, modified_ns)

    def drop(self) -> None:
        """One name less."""
        super().drop()
        self._let_go()

    def close(self) -> None:
        """One use less."""
        with self.disk.lock:
            self.opened -= 1
            self._let_go()

    def _let_go(self) -> None:
        """Give back the room of what nobody can reach any more."""
        if not self.links and not self.opened:
            self.disk.bytes_left += sum(map(len, self._chunks.values()))
            self._chunks.clear()
            self._size = 0


class MemoryDirectory(_Node, Reach):
    """A file system in memory, or a directory in one.

    It outlives the guests that use it, so that one can leave files to the next, or to the host.

    Args:
        files: what is in it at first: the content of files, by path.
        max_bytes: room for the content of files, in pages of 4096 bytes each.
        max_files: how many names there may be, of files, directories and links.

    Raises:
        OSError: the files do not fit.
    """

    __slots__ = ("_entries",)

    def __init__(
        self,
        files: Mapping[str, Buffer] | None = None,
        *,
        max_bytes: int = MAX_BYTES,
        max_files: int = MAX_FILES,
    ) -> None:
        super().__init__(_Disk(max_bytes, max_files))
        self._entries: dict[str, Node] = {}
        for path, data in (files or {}).items():
            self.write_bytes(path, data)

    def join(self, clock: Clock, device: int) -> None:
        """Take times from a clock from now on, and be known by this number."""
        self.disk.clock, self.disk.device = clock, device

    def _find(self, name: str) -> Node:
        found = self._entries.get(name)
        if found is None:
            raise error(
                system.ENAMETOOLONG if len(name.encode()) > NAME_BYTES else system.ENOENT, name
            )
        return found

    def _add(self, name: str, node: Node) -> None:
        """Enter what has just got a name."""
        self._entries[name] = node
        self.touch()

    def _check_new(self, name: str) -> None:
        """Refuse a name that is taken, and all in a directory that was removed."""
        if name in self._entries:
            raise error(system.EEXIST, name)
        if not self.links:
            raise error(system.ENOENT, name)
        self.disk.take_name(name)

    def status(self, name: str = ".") -> Status:
        """Attributes of an entry."""
        node = self if name == "." else self._find(name)
        if isinstance(node, MemoryFile):
            return node.status()
        if isinstance(node, _Link):
            return node.attributes(LINK, len(node.target.encode()), node.links)
        with self.disk.lock:
            below = sum(isinstance(n, MemoryDirectory) for n in node._entries.values())
        return node.attributes(DIRECTORY, 0, 2 + below if node.links else 0)

    def list(self) -> list[Entry]:
        """What is in it."""
        with self.disk.lock:
            return [Entry(name, _kind(n), n.inode) for name, n in self._entries.items()]

    def open(self, name: str, flags: int) -> File | Directory:
        """Open or create."""
        with self.disk.lock:
            node: Node | None = self if name == "." else self._entries.get(name)
            if node is None:
                if not flags & os.O_CREAT:
                    self._find(name)
                self._check_new(name)
                node = MemoryFile(self.disk)
                self._add(name, node)
            elif flags & os.O_CREAT and flags & os.O_EXCL:
                raise error(system.EEXIST, name)
            elif isinstance(node, _Link):
                raise error(system.ENOTDIR if flags & os.O_DIRECTORY else system.ELOOP, name)
            if isinstance(node, MemoryDirectory):
                if flags & (_WRITING | os.O_CREAT):
                    raise error(system.EISDIR, name)
                return node
            if flags & os.O_DIRECTORY:
                raise error(system.ENOTDIR, name)
            if flags & os.O_TRUNC:
                node.resize(0)
            node.opened += 1
            return node

    def read_link(self, name: str) -> str:
        """Where a link points."""
        node = self._find(name)
        if not isinstance(node, _Link):
            raise error(system.EINVAL, name)
        return node.target

    def make_directory(self, name: str) -> None:
        """Make a directory."""
        with self.disk.lock:
            self._check_new(name)
            made = MemoryDirectory.__new__(MemoryDirectory)
            _Node.__init__(made, self.disk)
            made._entries = {}
            self.disk.parents[made.inode] = self.inode
            self._add(name, made)

    def make_link(self, name: str, target: str) -> None:
        """Make a symbolic link."""
        if len(target.encode()) > PATH_BYTES:
            raise error(system.ENAMETOOLONG, name)
        with self.disk.lock:
            self._check_new(name)
            self._add(name, _Link(self.disk, target))

    def link(self, name: str, directory: Directory, new_name: str) -> None:
        """Give a file another name."""
        with self.disk.lock:
            target, node = self._same(directory), self._find(name)
            if isinstance(node, MemoryDirectory):
                raise error(system.EEXIST if new_name in target._entries else system.EPERM, name)
            target._check_new(new_name)
            node.links += 1
            node.changed = self.disk.now()
            target._add(new_name, node)

    def rename(self, name: str, directory: Directory, new_name: str) -> None:
        """Move an entry."""
        with self.disk.lock:
            target, node = self._same(directory), self._find(name)
            if not target.links:
                raise error(system.ENOENT, new_name)
            if len(new_name.encode()) > NAME_BYTES:
                raise error(system.ENAMETOOLONG, new_name)
            if isinstance(node, MemoryDirectory) and node.is_above(target):
                raise error(system.EINVAL, name)
            replaced = target._entries.get(new_name)
            if replaced is node:
                return  # two names of one file: nothing happens, says POSIX
            if replaced is not None:
                self._check_replaceable(node, replaced, new_name)
                target._remove(new_name, replaced)
            del self._entries[name]
            self.touch()
            node.changed = self.disk.now()
            target._add(new_name, node)
            if isinstance(node, MemoryDirectory):
                self.disk.parents[node.inode] = target.inode

    def _same(self, directory: Directory) -> MemoryDirectory:
        """A directory of this file system.

        Raises:
            OSError: EXDEV if it is of another.
        """
        if not isinstance(directory, MemoryDirectory) or directory.disk is not self.disk:
            raise error(system.EXDEV)
        return directory

    def is_above(self, other: MemoryDirectory) -> bool:
        """Is it another directory, or above it?"""
        at: int | None = other.inode
        while at is not None and at != self.inode:
            at = self.disk.parents.get(at)
        return at is not None

    def _check_replaceable(self, node: Node, replaced: Node, name: str) -> None:
        """May ``node``, which is in this directory, take the place of what is there?"""
        if isinstance(node, MemoryDirectory):
            if not isinstance(replaced, MemoryDirectory):
                raise error(system.ENOTDIR, name)
            if replaced._entries:
                raise error(system.ENOTEMPTY, name)
        elif isinstance(replaced, MemoryDirectory):
            raise error(system.ENOTEMPTY if replaced.is_above(self) else system.EISDIR, name)

    def _remove(self, name: str, node: Node) -> None:
        del self._entries[name]
        if isinstance(node, MemoryDirectory):
            self.disk.parents.pop(node.inode, None)
        node.drop()
        self.touch()

    def unlink(self, name: str) -> None:
        """Remove a name; the file itself goes with the last one, when nobody uses it."""
        with self.disk.lock:
            node = self._find(name)
            if isinstance(node, MemoryDirectory):
                raise error(system.EISDIR, name)
            self._remove(name, node)

    def remove_directory(self, name: str) -> None:
        """Remove an empty directory."""
        with self.disk.lock:
            node = self._find(name)
            if not isinstance(node, MemoryDirectory):
                raise error(system.ENOTDIR, name)
            if node._entries:
                raise error(system.ENOTEMPTY, name)
            self._remove(name, node)

    def set_times(self, name: str, accessed_ns: int, modified_ns: int) -> None:
        """Set both times."""
        node = self if name == "." else self._find(name)
        node.set_own_times(accessed_ns, modified_ns)

    def __repr__(self) -> str:
        return f"<MemoryDirectory: {', '.join(sorted(self._entries))}>"


def _kind(node: Node) -> int:
    if isinstance(node, MemoryDirectory):
        return DIRECTORY
    return REGULAR if isinstance(node, MemoryFile) else LINK
