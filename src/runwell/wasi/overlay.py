"""Two directories as one: what is below is read, what changes is kept aside above.

What is removed is marked in the upper directory, in the way of the layers of container images: a
file ``.wh.NAME`` hides ``NAME`` of the lower directory, and ``.wh..wh..opq`` all that is below.
So an upper directory can be kept, used again, and looked at with other tools; names that begin
with ``.wh.`` are not for guests.
"""

from __future__ import annotations

import _thread
import errno as system
import os

from runwell.wasi.host import HostDirectory
from runwell.wasi.limits import ReadOnly
from runwell.wasi.memory import MemoryDirectory
from runwell.wasi.protocol import (
    DIRECTORY,
    LINK,
    REGULAR,
    Directory,
    Entry,
    File,
    Status,
    error,
    find,
    is_directory,
)
from runwell.wasi.reach import Reach, open_directory, pieces, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runwell.wasi.clocks import Clock

_HIDDEN, _OPAQUE = ".wh.", ".wh..wh..opq"
_COPY = ".wh..wh.copy"
_CHANGING = os.O_WRONLY | os.O_RDWR | os.O_TRUNC
_MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL


class Overlay(Reach):
    """A directory of which guests see a changed copy, and leave the original as it is.

    A file is copied up whole when it is opened to be written, or gets another name or other times;
    a directory with all that is in it when it is renamed.  Names of one file in the lower
    directory are files of their own once one of them is copied.

    Args:
        lower: what is there at first: a directory of the host by its path, or any world.
        upper: where changes are kept: a path or a world that can be written; in memory by default.

    Raises:
        OSError: a directory cannot be opened.

    Attributes:
        upper: where changes are kept; None in a directory in which nothing has changed.
    """

    __slots__ = ("__weakref__", "_below", "_gone", "_lock", "_lower", "_name", "_parent", "upper")

    def __init__(
        self,
        lower: str | os.PathLike[str] | Directory,
        upper: str | os.PathLike[str] | Directory | None = None,
    ) -> None:
        if isinstance(lower, str | os.PathLike):
            lower = HostDirectory(lower, read_only=True)
        else:
            lower = ReadOnly(lower)
        if upper is None:
            upper = MemoryDirectory()
        elif isinstance(upper, str | os.PathLike):
            upper = HostDirectory(upper)
        self._set(None, "", lower, upper)
        self._lock = _thread.RLock()

    def _set(
        self, parent: Overlay | None, name: str, lower: Directory | None, upper: Directory | None
    ) -> None:
        from weakref import WeakValueDictionary

        self._parent, self._name, self._lower, self.upper = parent, name, lower, upper
        self._gone = False
        # those in use, so that all who use a directory see what one of them changes
        self._below: WeakValueDictionary[str, Overlay] = WeakValueDictionary()
        if parent is not None:
            self._lock = parent._lock

    def join(self, clock: Clock, device: int) -> None:
        """Hand on which clock times come from, and the number of the device."""
        # the lower directory's files are told from the upper one's by theirs
        for layer, number in ((self.upper, device), (self._lower, device + (1 << 32))):
            join = getattr(layer, "join", None)
            if join is not None:
                join(clock, number)

    # What is where.

    def _above(self, name: str) -> Status | None:
        """Attributes of an entry of the upper directory."""
        return None if self.upper is None else find(self.upper, name)

    def _under(self, name: str) -> Status | None:
        """Attributes of an entry of the lower directory, hidden or not."""
        return None if self._lower is None else find(self._lower, name)

    def _seen_under(self, name: str) -> Status | None:
        """Attributes of an entry of the lower directory that is not hidden."""
        found = self._under(name)
        return None if found is None or self._above(_HIDDEN + name) is not None else found

    def _find(self, name: str) -> Status | None:
        if name.startswith(_HIDDEN):
            return None
        return self._above(name) or self._seen_under(name)

    def _existing(self, name: str) -> Status:
        found = self._find(name)
        if found is None:
            raise error(system.ENOENT, name)
        return found

    def _new(self, name: str) -> Directory:
        """The upper directory, to make an entry that does not exist yet."""
        if name.startswith(_HIDDEN):
            raise error(system.EINVAL, name)
        if self._find(name) is not None:
            raise error(system.EEXIST, name)
        return self._writable()

    def _writable(self) -> Directory:
        """The upper directory, which is made if there is none."""
        if self._gone:
            raise error(system.ENOENT, self._name)
        missing: list[Overlay] = []
        at = self
        while at.upper is None and at._parent is not None:
            missing.append(at)
            at = at._parent
        above = at.upper
        for directory in reversed(missing):
            assert above is not None
            above.make_directory(directory._name)
            if directory._lower is not None:
                status = directory._lower.status()
                above.set_times(directory._name, status.accessed_ns, status.modified_ns)
            above = directory.upper = open_directory(above, directory._name)
        assert above is not None
        return above

    def _directory(self, name: str) -> Overlay:
        """The directory of a name, the same for all who use it."""
        made = self._below.get(name)
        if made is None:
            above, under = self._above(name), self._seen_under(name)
            upper = open_directory(self.upper, name) if above is not None and self.upper else None
            lower = None
            merges = upper is None or find(upper, _OPAQUE) is None
            if under is not None and under.kind == DIRECTORY and self._lower and merges:
                lower = open_directory(self._lower, name)
            made = Overlay.__new__(Overlay)
            made._set(self, name, lower, upper)
            self._below[name] = made
        return made

    def status(self, name: str = ".") -> Status:
        """Attributes of an entry."""
        if name != ".":
            return self._existing(name)
        shown = self.upper or self._lower
        return shown.status() if shown is not None else Status(DIRECTORY, links=0)

    def list(self) -> list[Entry]:
        """What is in it."""
        with self._lock:
            above = list(self.upper.list()) if self.upper is not None else []
            found = [e for e in above if not e.name.startswith(_HIDDEN)]
            hide = {e.name for e in found}
            hide |= {e.name[len(_HIDDEN) :] for e in above if e.name.startswith(_HIDDEN)}
            under = self._lower.list() if self._lower is not None else ()
            found += [e for e in under if e.name not in hide and not e.name.startswith(_HIDDEN)]
            return found

    def read_link(self, name: str) -> str:
        """Where a link points."""
        self._existing(name)
        return self._layer(name).read_link(name)

    def _layer(self, name: str) -> Directory:
        """The directory that has what is seen of a name."""
        layer = self.upper if self._above(name) is not None else self._lower
        assert layer is not None
        return layer

    def open(self, name: str, flags: int) -> File | Directory:
        """Open or create; what is opened to be written is copied up."""
        with self._lock:
            status = self.status() if name == "." else self._find(name)
            if status is None:
                if not flags & os.O_CREAT:
                    raise error(system.ENOENT, name)
                made = self._new(name).open(name, flags)
                self._show(name)
                return made
            if flags & os.O_CREAT and flags & os.O_EXCL:
                raise error(system.EEXIST, name)
            if status.kind == DIRECTORY:
                if flags & (_CHANGING | os.O_CREAT):
                    raise error(system.EISDIR, name)
                return self if name == "." else self._directory(name)
            if flags & os.O_DIRECTORY:
                raise error(system.ENOTDIR, name)
            if status.kind == LINK:
                raise error(system.ELOOP, name)
            flags &= ~os.O_CREAT
            if flags & _CHANGING and status.kind == REGULAR:
                self._copy_up(name, empty=bool(flags & os.O_TRUNC))
            return self._layer(name).open(name, flags)

    def close(self) -> None:
        """End of use: the layers are closed when nobody uses them any more."""

    # Changes.

    def _hide(self, name: str) -> None:
        """Hide an entry of the lower directory, if there is one."""
        if self._under(name) is not None and self._above(_HIDDEN + name) is None:
            self._writable().open(_HIDDEN + name, _MAKE).close()

    def _show(self, name: str) -> None:
        """Take back that an entry is hidden: another has taken its place."""
        if self.upper is not None and self._above(_HIDDEN + name) is not None:
            self.upper.unlink(_HIDDEN + name)

    def _copy_up(self, name: str, *, empty: bool = False) -> None:
        """Copy an entry that is not a directory to the upper one, unless it is there."""
        if self._above(name) is not None:
            return
        status, upper = self._existing(name), self._writable()
        assert self._lower is not None
        if status.kind == LINK:
            upper.make_link(name, self._lower.read_link(name))
        elif status.kind == REGULAR:
            if find(upper, _COPY) is not None:
                upper.unlink(_COPY)
            target = upper.open(_COPY, _MAKE)
            try:
                if not empty:
                    _copy(self._lower.open(name, os.O_RDONLY), target)
            except BaseException:
                upper.unlink(_COPY)
                raise
            finally:
                target.close()
            upper.rename(_COPY, upper, name)
        else:
            raise error(system.EPERM, name)
        upper.set_times(name, status.accessed_ns, status.modified_ns)

    def _copy_all(self) -> None:
        """Copy up all that is below."""
        todo = [self]
        while todo:
            directory = todo.pop()
            directory._writable()
            if directory._lower is None:
                continue  # then there is nothing to copy below it, either
            for entry in directory.list():
                if entry.kind == DIRECTORY:
                    todo.append(directory._directory(entry.name))
                else:
                    directory._copy_up(entry.name)

    def make_directory(self, name: str) -> None:
        """Make a directory."""
        with self._lock:
            upper = self._new(name)
            upper.make_directory(name)
            if self._under(name) is not None:
                open_directory(upper, name).open(_OPAQUE, _MAKE).close()
                self._show(name)

    def make_link(self, name: str, target: str) -> None:
        """Make a symbolic link."""
        with self._lock:
            self._new(name).make_link(name, target)
            self._show(name)

    def link(self, name: str, directory: Directory, new_name: str) -> None:
        """Give a file another name."""
        with self._lock:
            target, status = self._same(directory), self._existing(name)
            above = target._new(new_name)
            if status.kind == DIRECTORY:
                raise error(system.EPERM, name)
            self._copy_up(name)
            assert self.upper is not None
            self.upper.link(name, above, new_name)
            target._show(new_name)

    def rename(self, name: str, directory: Directory, new_name: str) -> None:
        """Move an entry."""
        with self._lock:
            target, status = self._same(directory), self._existing(name)
            if new_name.startswith(_HIDDEN):
                raise error(system.EINVAL, new_name)
            if (self, name) == (target, new_name):
                return
            replaced = target._find(new_name)
            moved = self._directory(name) if status.kind == DIRECTORY else None
            if moved is not None and moved.is_above(target):
                raise error(system.EINVAL, name)
            self._check_replaceable(moved, target, new_name, replaced)
            above = target._writable()
            if moved is not None:
                moved._copy_all()
            else:
                self._copy_up(name)
            if replaced is not None and replaced.kind == DIRECTORY:
                target._drop_directory(new_name)
            assert self.upper is not None
            self.upper.rename(name, above, new_name)
            self._hide(name)
            if moved is not None:
                moved._move(self, name, target, new_name)
            target._show(new_name)

    def _check_replaceable(
        self, moved: Overlay | None, target: Overlay, new_name: str, replaced: Status | None
    ) -> None:
        """May what is moved take the place of what is there?"""
        if replaced is None:
            return
        if moved is not None:
            if replaced.kind != DIRECTORY:
                raise error(system.ENOTDIR, new_name)
            if target._directory(new_name).list():
                raise error(system.ENOTEMPTY, new_name)
        elif replaced.kind == DIRECTORY:
            above = target._directory(new_name).is_above(self)
            raise error(system.ENOTEMPTY if above else system.EISDIR, new_name)

    def is_above(self, other: Overlay) -> bool:
        """Is it another directory, or above it?"""
        at: Overlay | None = other
        while at is not None and at is not self:
            at = at._parent
        return at is self

    def _move(self, parent: Overlay, name: str, target: Overlay, new_name: str) -> None:
        """This directory, now all in the upper one, is elsewhere."""
        parent._below.pop(name, None)
        self._parent, self._name, self._lower = target, new_name, None
        target._below[new_name] = self
        if target._under(new_name) is not None and find(self._writable(), _OPAQUE) is None:
            self._writable().open(_OPAQUE, _MAKE).close()

    def _same(self, directory: Directory) -> Overlay:
        if not isinstance(directory, Overlay) or directory._lock is not self._lock:
            raise error(system.EXDEV)
        return directory

    def unlink(self, name: str) -> None:
        """Remove a file or link."""
        with self._lock:
            if self._existing(name).kind == DIRECTORY:
                raise error(system.EISDIR, name)
            self._hide(name)
            if self.upper is not None and self._above(name) is not None:
                self.upper.unlink(name)

    def remove_directory(self, name: str) -> None:
        """Remove an empty directory."""
        with self._lock:
            if self._existing(name).kind != DIRECTORY:
                raise error(system.ENOTDIR, name)
            if self._directory(name).list():
                raise error(system.ENOTEMPTY, name)
            self._hide(name)
            self._drop_directory(name)

    def _drop_directory(self, name: str) -> None:
        """Remove a directory in which nothing is seen, with the marks that are in it."""
        gone = self._directory(name)
        if gone.upper is not None and self.upper is not None:
            for entry in list(gone.upper.list()):
                gone.upper.unlink(entry.name)
            self.upper.remove_directory(name)
        gone._gone, gone._lower = True, None
        self._below.pop(name, None)

    def set_times(self, name: str, accessed_ns: int, modified_ns: int) -> None:
        """Set both times."""
        with self._lock:
            if name == ".":
                self._writable().set_times(".", accessed_ns, modified_ns)
            elif self._existing(name).kind == DIRECTORY:
                self._directory(name).set_times(".", accessed_ns, modified_ns)
            else:
                self._copy_up(name)
                assert self.upper is not None
                self.upper.set_times(name, accessed_ns, modified_ns)


def _copy(source: File | Directory, target: File | Directory) -> None:
    """Copy a file's content, and close the source."""
    assert not is_directory(source)
    assert not is_directory(target)
    offset = 0
    try:
        for piece in pieces(source):
            write_all(target, memoryview(piece), offset)
            offset += len(piece)
    finally:
        source.close()
