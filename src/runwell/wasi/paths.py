"""Paths below a directory, and never out of it.

A path is walked one component at a time, each opened in the directory that was reached before
and never if it is a symbolic link: links are read and spliced in here, so that no absolute link,
no ``..`` and no rename or link made meanwhile can lead above the root.  ``os.path`` is not used:
what it says of a path may be untrue a moment later.

All worlds are walked alike.  A host's directory may let its kernel walk, beneath the root.
"""

from __future__ import annotations

import errno as system
import os

from runwell.wasi import errno
from runwell.wasi.errno import Errno
from runwell.wasi.host import HostDirectory
from runwell.wasi.protocol import NAME_BYTES, Directory, File, error, is_directory

LINKS = 40  # symbolic links on one path, as Linux has it
_THROUGH = os.O_DIRECTORY | getattr(os, "O_PATH", 0)  # open a directory to go on from there


class Located:
    """The directory that holds a path's last component, and that component.

    A context manager: the directory is closed on leaving.  ``name`` is "." if the path leads to
    the directory itself.
    """

    __slots__ = ("_way", "must_be_directory", "name")

    def __init__(self, way: list[Directory], name: str, must_be_directory: bool) -> None:
        self._way, self.name, self.must_be_directory = way, name, must_be_directory

    @property
    def directory(self) -> Directory:
        """The directory."""
        return self._way[-1]

    def __enter__(self) -> Located:
        return self

    def __exit__(self, *_: object) -> None:
        _close(self._way[1:])


def _close(way: list[Directory]) -> None:
    for directory in way:
        directory.close()


def _check(path: str) -> None:
    """Refuse what is no relative path.

    Raises:
        Errno: INVAL, NOENT, NOTCAPABLE.
    """
    if "\0" in path:
        raise Errno(errno.INVAL)
    if not path:
        raise Errno(errno.NOENT)
    if path.startswith("/"):
        raise Errno(errno.NOTCAPABLE)


def open_below(root: Directory, path: str, flags: int, *, follow: bool) -> File | Directory:
    """Open or create what is at ``path``.

    Args:
        root: an open directory.
        path: a relative path, as the guest gave it.
        flags: as ``Directory.open`` takes them.
        follow: if the last component is a symbolic link, go where it points.

    Raises:
        Errno: as ``locate``; ISDIR if a file is to be made with a slash after its name.
        OSError: as ``Directory.open``.
    """
    _check(path)
    if isinstance(root, HostDirectory) and not (flags & os.O_CREAT and path.endswith("/")):
        found = root.beneath(path, flags if follow else flags | os.O_NOFOLLOW)
        if found is not None:
            return found
    with locate(root, path, follow=follow) as at:
        if at.must_be_directory:
            if flags & os.O_CREAT and at.name != ".":
                raise Errno(errno.ISDIR)
            flags |= os.O_DIRECTORY
        if at.name == "." and flags & (os.O_CREAT | os.O_TRUNC):
            raise Errno(errno.EXIST if flags & os.O_EXCL else errno.ISDIR)
        opened = at.directory.open(at.name, flags)
    # a world of the user's may have ignored what it was asked for
    unfit = system.ENOTDIR if flags & os.O_DIRECTORY else 0
    if is_directory(opened):
        unfit = system.EISDIR if flags & (os.O_WRONLY | os.O_RDWR) else 0
    if unfit:
        opened.close()
        raise error(unfit, path)
    return opened


def locate(root: Directory, path: str, *, follow: bool, entry: bool = False) -> Located:
    """Walk ``path`` from the directory ``root``.

    Args:
        root: an open directory.
        path: a relative path, as the guest gave it.
        follow: if the last component is a symbolic link, go where it points.
        entry: the entry of the directory is meant: a symbolic link is not followed for the sake
            of a slash after it, either.

    Returns:
        Where the last component is, whether it exists or not.

    Raises:
        Errno: NOTCAPABLE if the path leaves ``root``, LOOP, NOENT, INVAL, NAMETOOLONG.
        OSError: a component is missing or no directory.
    """
    _check(path)
    way = [root]  # the directories from the root to here; only the first is not ours
    todo = path.split("/")[::-1]
    trailing = todo[0] == ""
    if isinstance(root, HostDirectory) and len(todo) > 1:
        found = _by_kernel(root, path, follow=not entry and (follow or trailing))
        if found is not None:
            return found
    links = 0
    try:
        while todo:
            name = todo.pop()
            if name in ("", "."):
                continue
            if name == "..":
                if len(way) == 1:
                    raise Errno(errno.NOTCAPABLE)
                way.pop().close()
                continue
            last = not any(todo)
            if last and (entry or not (follow or trailing)):
                return Located(way, _name(name), trailing)
            target = _read_link(way[-1], _name(name))
            if target is not None:
                links += 1
                if links > LINKS:
                    raise Errno(errno.LOOP)
                if target.startswith("/"):
                    raise Errno(errno.NOTCAPABLE)
                if not target:
                    raise Errno(errno.NOENT)
                todo += target.split("/")[::-1]
                trailing = trailing or (last and target.endswith("/"))
            elif last:
                return Located(way, name, trailing)
            else:
                way.append(_enter(way[-1], name))
    except BaseException:
        _close(way[1:])
        raise
    return Located(way, ".", True)


def _by_kernel(root: HostDirectory, path: str, *, follow: bool) -> Located | None:
    """As ``locate``, in one step; None if a link at the end has to be followed, or it cannot be.

    The way to the directory is then not known, so that nothing can go up from there.
    """
    head, _, name = path.rstrip("/").rpartition("/")
    if not head or name in (".", ".."):
        return None
    found = root.beneath(head + "/", _THROUGH)
    if found is None:
        return None
    parent: Directory = found  # type: ignore[assignment]  # since it ends in a slash
    if follow and _read_link(parent, name) is not None:
        parent.close()
        return None
    return Located([root, parent], name, path.endswith("/"))


def _name(name: str) -> str:
    if len(name.encode()) > NAME_BYTES:
        raise Errno(errno.NAMETOOLONG)
    return name


def _enter(directory: Directory, name: str) -> Directory:
    """Open a directory on the way.

    Raises:
        OSError: there is none.
    """
    found = directory.open(name, os.O_RDONLY | _THROUGH)
    if not is_directory(found):
        found.close()
        raise error(system.ENOTDIR, name)
    return found


def _read_link(directory: Directory, name: str) -> str | None:
    """Where the symbolic link points; None if it is none, or nothing is there."""
    try:
        return directory.read_link(name)
    except OSError as e:
        if e.errno == system.EILSEQ:
            raise
        return None
