"""Worlds that allow less than what they are made of: nothing to be changed, or so much."""

from __future__ import annotations

import _thread
import errno as system
import os

from runwell.wasi.host import HostDirectory, HostFile
from runwell.wasi.protocol import (
    DIRECTORY,
    REGULAR,
    Directory,
    Entry,
    File,
    Status,
    error,
    find,
    is_directory,
    without_change,
)
from runwell.wasi.reach import Reach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from typing_extensions import Buffer

    from runwell.wasi.clocks import Clock


class _Around(Reach):
    """A directory around another."""

    __slots__ = ("_inner",)

    def __init__(self, inner: Directory) -> None:
        self._inner = inner

    def join(self, clock: Clock, device: int) -> None:
        """Hand on which clock times come from, and the number of the device."""
        join = getattr(self._inner, "join", None)
        if join is not None:
            join(clock, device)

    def status(self, name: str = ".") -> Status:
        """Attributes of an entry."""
        return self._inner.status(name)

    def list(self) -> Iterable[Entry]:
        """What is in it."""
        return self._inner.list()

    def read_link(self, name: str) -> str:
        """Where a link points."""
        return self._inner.read_link(name)

    def close(self) -> None:
        """End of use."""
        self._inner.close()


class _FileAround(File):
    """A file around another."""

    __slots__ = ("_inner",)

    def __init__(self, inner: File) -> None:
        self._inner = inner

    def status(self) -> Status:
        """Its attributes."""
        return self._inner.status()

    def read(self, offset: int, size: int) -> Buffer:
        """Bytes from ``offset`` on."""
        return self._inner.read(offset, size)

    def sync(self, *, data_only: bool = False) -> None:
        """Write out what was written."""
        self._inner.sync(data_only=data_only)

    def close(self) -> None:
        """End of use."""
        self._inner.close()


class ReadOnly(_Around):
    """A world in which nothing can be changed: every attempt is EROFS.

    Args:
        inner: the world.
    """

    __slots__ = ()

    def open(self, name: str, flags: int) -> File | Directory:
        """Open, but create nothing."""
        flags = without_change(self._inner, name, flags)
        opened = self._inner.open(name, flags)
        if isinstance(opened, HostFile):
            opened.read_only = True
            return opened
        return ReadOnly(opened) if is_directory(opened) else _FileAround(opened)


class _Account:
    """What is left of a quota."""

    __slots__ = ("_most_bytes", "_most_files", "_open", "bytes_left", "files_left", "lock")

    def __init__(self, max_bytes: int | None, max_files: int | None) -> None:
        most = 1 << 63
        self._most_bytes = most if max_bytes is None else max_bytes
        self._most_files = most if max_files is None else max_files
        self.bytes_left, self.files_left = self._most_bytes, self._most_files
        self.lock = _thread.RLock()
        # files that are open, by device and inode: how many times, and whether without a name
        self._open: dict[tuple[int, int], tuple[int, bool]] = {}

    def take_file(self, name: str) -> None:
        if self.files_left <= 0:
            raise error(system.EDQUOT, name)
        self.files_left -= 1

    def give_file(self) -> None:
        # what was there before the quota gives nothing
        self.files_left = min(self.files_left + 1, self._most_files)

    def change(self, size: int) -> None:
        """The files grew by ``size``, or shrank."""
        self.bytes_left = min(self.bytes_left - size, self._most_bytes)

    def opened(self, status: Status) -> None:
        key = status.device, status.inode
        count, nameless = self._open.get(key, (0, False))
        self._open[key] = count + 1, nameless

    def removed(self, status: Status) -> None:
        """A name is gone; the room too, as soon as nobody has the file open."""
        self.give_file()
        if status.kind != REGULAR or status.links > 1:
            return
        key = status.device, status.inode
        if key in self._open:
            self._open[key] = self._open[key][0], True
        else:
            self.change(-status.size)

    def closed(self, status: Status) -> None:
        key = status.device, status.inode
        count, nameless = self._open.pop(key, (1, False))
        if count > 1:
            self._open[key] = count - 1, nameless
        elif nameless:
            self.change(-status.size)


class _QuotaFile(_FileAround):
    """A file that grows at the expense of an account."""

    __slots__ = ("_account",)

    def __init__(self, inner: File, account: _Account) -> None:
        super().__init__(inner)
        self._account = account
        account.opened(inner.status())

    def write(self, offset: int, data: memoryview) -> int:
        """Write at ``offset`` as much as may be."""
        with self._account.lock:
            before = self._inner.status().size
            over = max(0, offset + len(data) - before) - max(0, self._account.bytes_left)
            if over > 0:
                data = data[: max(0, len(data) - over)]
                if not data:
                    raise error(system.EDQUOT)
            size = self._inner.write(offset, data)
            self._account.change(max(0, offset + size - before))
        return size

    def resize(self, size: int) -> None:
        """Cut or extend."""
        with self._account.lock:
            growth = size - self._inner.status().size
            if growth > max(0, self._account.bytes_left):
                raise error(system.EDQUOT)
            self._inner.resize(size)
            self._account.change(growth)

    def set_times(self, accessed_ns: int, modified_ns: int) -> None:
        """Set both times."""
        self._inner.set_times(accessed_ns, modified_ns)

    def close(self) -> None:
        """End of use."""
        with self._account.lock:
            self._account.closed(self._inner.status())
            self._inner.close()


class Quota(_Around):
    """A world in which guests can have so much and no more: then it is EDQUOT.

    What counts is what guests add: the bytes by which files grow, holes included, and the names
    that they make.  What they remove gives room again, up to the quota.

    Args:
        inner: a directory of the host by its path, or any world.
        max_bytes: how much the content of all files may grow; None for any.
        max_files: how many files, directories and links may be made; None for any.

    Raises:
        OSError: the directory cannot be opened.
    """

    __slots__ = ("_account",)

    def __init__(
        self,
        inner: str | os.PathLike[str] | Directory,
        max_bytes: int | None = None,
        max_files: int | None = None,
    ) -> None:
        super().__init__(HostDirectory(inner) if isinstance(inner, str | os.PathLike) else inner)
        self._account = _Account(max_bytes, max_files)

    def _below(self, directory: Directory) -> Quota:
        made = Quota.__new__(Quota)
        made._inner, made._account = directory, self._account
        return made

    def open(self, name: str, flags: int) -> File | Directory:
        """Open, or create if there may be one more."""
        account = self._account
        # to append is done above, and to cut must be counted
        plain = flags & ~(os.O_APPEND | os.O_TRUNC | os.O_CREAT | os.O_EXCL)
        if flags & os.O_TRUNC and not flags & (os.O_WRONLY | os.O_RDWR):
            plain |= os.O_RDWR
        with account.lock:
            if flags & os.O_CREAT and not self._exists(name, flags):
                account.take_file(name)
                try:
                    opened = self._inner.open(name, plain | os.O_CREAT | os.O_EXCL)
                except BaseException:
                    account.give_file()
                    raise
            else:
                if flags & os.O_CREAT and self._inner.status(name).kind == DIRECTORY:
                    raise error(system.EISDIR, name)
                opened = self._inner.open(name, plain)
            if is_directory(opened):
                return self._below(opened)
            if isinstance(opened, HostFile) and opened.kind != REGULAR:
                return opened
            file = _QuotaFile(opened, account)
            if flags & os.O_TRUNC and file.status().size:
                file.resize(0)
            return file

    def _exists(self, name: str, flags: int) -> bool:
        if find(self._inner, name) is None:
            return False
        if flags & os.O_EXCL:
            raise error(system.EEXIST, name)
        return True

    def make_directory(self, name: str) -> None:
        """Make a directory."""
        with self._one_more(name):
            self._inner.make_directory(name)

    def make_link(self, name: str, target: str) -> None:
        """Make a symbolic link."""
        with self._one_more(name):
            self._inner.make_link(name, target)

    def link(self, name: str, directory: Directory, new_name: str) -> None:
        """Give a file another name."""
        other = self._same(directory)
        with self._one_more(new_name):
            self._inner.link(name, other._inner, new_name)

    def _one_more(self, name: str) -> _OneMore:
        return _OneMore(self._account, name)

    def rename(self, name: str, directory: Directory, new_name: str) -> None:
        """Move an entry; what was there before is gone."""
        other = self._same(directory)
        with self._account.lock:
            replaced = find(other._inner, new_name)
            moved = self._inner.status(name)
            self._inner.rename(name, other._inner, new_name)
            same = replaced and (replaced.device, replaced.inode) == (moved.device, moved.inode)
            if replaced is not None and not same:
                self._account.removed(replaced)

    def _same(self, directory: Directory) -> Quota:
        if not isinstance(directory, Quota) or directory._account is not self._account:
            raise error(system.EXDEV)
        return directory

    def unlink(self, name: str) -> None:
        """Remove a name."""
        with self._account.lock:
            status = self._inner.status(name)
            self._inner.unlink(name)
            self._account.removed(status)

    def remove_directory(self, name: str) -> None:
        """Remove a directory."""
        with self._account.lock:
            self._inner.remove_directory(name)
            self._account.give_file()

    def set_times(self, name: str, accessed_ns: int, modified_ns: int) -> None:
        """Set both times."""
        self._inner.set_times(name, accessed_ns, modified_ns)


class _OneMore:
    """Takes one name from an account, and gives it back if it was not made."""

    __slots__ = ("_account", "_name")

    def __init__(self, account: _Account, name: str) -> None:
        self._account, self._name = account, name

    def __enter__(self) -> None:
        self._account.lock.acquire()
        try:
            self._account.take_file(self._name)
        except BaseException:
            self._account.lock.release()
            raise

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self._account.give_file()
        self._account.lock.release()
