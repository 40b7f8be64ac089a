"""Paths below a directory, and never out of it.

A path is walked one component at a time from an open directory, each opened with
``O_NOFOLLOW``: symbolic links are read and spliced in here, so that no absolute link, no ``..``
and no rename or link made meanwhile can lead above the root.  ``os.path`` is not used: what it
says of a path may be untrue a moment later.
"""

from __future__ import annotations

import os

from runwell.wasi import errno
from runwell.wasi.errno import Errno

LINKS = 40  # symbolic links on one path, as Linux has it
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Located:
    """The directory that holds a path's last component, and that component.

    A context manager: the directory is closed on leaving.  ``name`` is "." for the root itself.
    """

    __slots__ = ("_fds", "must_be_directory", "name")

    def __init__(self, fds: list[int], name: str, must_be_directory: bool) -> None:
        self._fds, self.name, self.must_be_directory = fds, name, must_be_directory

    @property
    def directory(self) -> int:
        """Descriptor of the directory."""
        return self._fds[-1]

    def __enter__(self) -> Located:
        return self

    def __exit__(self, *_: object) -> None:
        _close(self._fds[1:])


def _close(fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)


def locate(root: int, path: str, *, follow: bool, entry: bool = False) -> Located:
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
        Errno: NOTCAPABLE if the path leaves ``root``, LOOP, NOENT, INVAL.
        OSError: a component is missing or no directory.
    """
    if "\0" in path:
        raise Errno(errno.INVAL)
    if not path:
        raise Errno(errno.NOENT)
    if path.startswith("/"):
        raise Errno(errno.NOTCAPABLE)
    fds = [root]  # the directories from the root to here; only the first is not ours
    todo = path.split("/")[::-1]
    trailing = todo[0] in ("", ".")
    links = 0
    try:
        while todo:
            name = todo.pop()
            if name in ("", "."):
                continue
            if name == "..":
                if len(fds) == 1:
                    raise Errno(errno.NOTCAPABLE)
                os.close(fds.pop())
                continue
            last = not any(part not in ("", ".") for part in todo)
            if last and not (follow or (trailing and not entry)):
                return Located(fds, name, trailing)
            target = _read_link(fds[-1], name)
            if target is not None:
                links += 1
                if links > LINKS:
                    raise Errno(errno.LOOP)
                if target.startswith("/"):
                    raise Errno(errno.NOTCAPABLE)
                todo += target.split("/")[::-1]
                trailing = trailing or target.endswith("/")
            elif last:
                return Located(fds, name, trailing)
            else:
                fds.append(os.open(name, _DIRECTORY, dir_fd=fds[-1]))
    except BaseException:
        _close(fds[1:])
        raise
    return Located(fds, ".", True)


def _read_link(directory: int, name: str) -> str | None:
    """Where the symbolic link points; None if it is none, or nothing is there."""
    try:
        return os.readlink(name, dir_fd=directory)
    except OSError:
        return None
