"""Calls on paths below an open directory."""

from __future__ import annotations

import errno as system
import os

from runwell.wasi import descriptors as d
from runwell.wasi import errno, protocol
from runwell.wasi.calls import call
from runwell.wasi.errno import Errno
from runwell.wasi.files import times, write_filestat
from runwell.wasi.opened import descriptor
from runwell.wasi.paths import Located, locate, open_below
from runwell.wasi.protocol import Directory, File, Status
from runwell.wasi.world import World

FOLLOW = 1  # $lookupflags
CREATE, DIRECTORY, EXCLUSIVE, TRUNCATE = 1, 2, 4, 8  # $oflags
_READING = d.FD_READ | d.FD_READDIR
_WRITING = d.FD_WRITE | d.FD_DATASYNC | d.FD_ALLOCATE | d.FD_FILESTAT_SET_SIZE


def _at(world: World, fd: int, path: int, size: int, rights: int, lookup: int = 0) -> Located:
    """Where the guest's path leads, as ``$lookupflags`` have it."""
    root = world.descriptors.directory(fd, rights)
    if lookup & ~FOLLOW:
        raise Errno(errno.INVAL)
    return locate(root.directory, world.path(path, size), follow=bool(lookup))


def _entry(world: World, fd: int, path: int, size: int, rights: int) -> Located:
    """The entry of a directory that the guest's path names, be it a symbolic link or not."""
    root = world.descriptors.directory(fd, rights)
    return locate(root.directory, world.path(path, size), follow=False, entry=True)


def _status(at: Located) -> Status:
    """Attributes of what a path leads to.

    Raises:
        Errno: NOTDIR if the path says that it is a directory, and it is none.
        OSError: nothing is there.
    """
    status = at.directory.status(at.name)
    if at.must_be_directory and status.kind != protocol.DIRECTORY:
        raise Errno(errno.NOTDIR)
    return status


def _named(at: Located, number: int) -> str:
    """The name of an entry; the system's error ``number`` for a directory itself."""
    if at.name == ".":
        raise OSError(number, os.strerror(number))
    return at.name


@call("iii")
def path_create_directory(world: World, fd: int, path: int, size: int) -> None:
    """Make a directory."""
    with _entry(world, fd, path, size, d.PATH_CREATE_DIRECTORY) as at:
        at.directory.make_directory(_named(at, system.EEXIST))


@call("iiiii")
def path_filestat_get(world: World, fd: int, flags: int, path: int, size: int, result: int) -> None:
    """Attributes of a file."""
    write_filestat(world, result, path_status(world, fd, flags, path, size))


def path_status(world: World, fd: int, flags: int, path: int, size: int) -> Status:
    """Attributes of the file at a path of the guest's."""
    with _at(world, fd, path, size, d.PATH_FILESTAT_GET, flags) as at:
        return _status(at)


@call("iiiiIIi")
def path_filestat_set_times(
    world: World, fd: int, flags: int, path: int, size: int, atime: int, mtime: int, what: int
) -> None:
    """Set a file's times."""
    with _at(world, fd, path, size, d.PATH_FILESTAT_SET_TIMES, flags) as at:
        new = times(world, _status(at), atime, mtime, what)
        if new is not None:
            at.directory.set_times(at.name, *new)


@call("iiiiiii")
def path_link(
    world: World, fd: int, flags: int, path: int, size: int, fd2: int, path2: int, size2: int
) -> None:
    """Make a hard link."""
    if flags:
        raise Errno(errno.INVAL)
    with (
        _entry(world, fd, path, size, d.PATH_LINK_SOURCE) as source,
        _entry(world, fd2, path2, size2, d.PATH_LINK_TARGET) as target,
    ):
        name, new = _named(source, system.EPERM), _named(target, system.EEXIST)
        if source.must_be_directory or target.must_be_directory:
            raise Errno(errno.NOENT)
        source.directory.link(name, target.directory, new)


def _open_flags(rights: int, oflags: int, fdflags: int) -> int:
    writing, reading = bool(rights & _WRITING), bool(rights & _READING)
    how = os.O_RDWR if reading and writing else os.O_WRONLY if writing else os.O_RDONLY
    if oflags & DIRECTORY:
        how = os.O_DIRECTORY | (os.O_RDWR if rights & d.FD_WRITE else os.O_RDONLY)
    for bit, flag in ((CREATE, os.O_CREAT), (EXCLUSIVE, os.O_EXCL), (TRUNCATE, os.O_TRUNC)):
        how |= flag if oflags & bit else 0
    for bit, flag in (
        (d.APPEND, os.O_APPEND),
        (d.NONBLOCK, os.O_NONBLOCK),
        (d.DSYNC, os.O_DSYNC),
        (d.SYNC | d.RSYNC, os.O_SYNC),
    ):
        how |= flag if fdflags & bit else 0
    return how


@call("iiiiiIIii")
def path_open(
    world: World,
    fd: int,
    flags: int,
    path: int,
    size: int,
    oflags: int,
    rights: int,
    inheriting: int,
    fdflags: int,
    result: int,
) -> None:
    """Open or create a file or directory."""
    need = d.PATH_OPEN
    need |= d.PATH_CREATE_FILE if oflags & CREATE else 0
    need |= d.PATH_FILESTAT_SET_SIZE if oflags & TRUNCATE else 0
    root = world.descriptors.directory(fd, need)
    if (rights | inheriting) & ~root.inheriting:
        raise Errno(errno.NOTCAPABLE)
    if flags & ~FOLLOW or oflags & ~15 or fdflags & ~31:
        raise Errno(errno.INVAL)
    if oflags & DIRECTORY and oflags & (CREATE | EXCLUSIVE | TRUNCATE):
        raise Errno(errno.INVAL)
    out = world.view(result, 4)  # nothing is opened or made for a caller who cannot be told
    how = _open_flags(rights, oflags, fdflags)
    # O_CREAT | O_EXCL never follows a link: it says that something is there already
    follow = bool(flags & FOLLOW) and not oflags & EXCLUSIVE
    text = world.path(path, size)
    try:
        opened = open_below(root.directory, text, how, follow=follow)
    except IsADirectoryError:
        # only the right to write itself says that it cannot be a directory
        if oflags & (CREATE | TRUNCATE) or rights & d.FD_WRITE:
            raise
        how = how & ~(os.O_WRONLY | os.O_RDWR) | os.O_DIRECTORY
        opened = open_below(root.directory, text, how, follow=follow)
    number = _add(world, opened, rights, inheriting, fdflags)
    out[:] = number.to_bytes(4, "little")


def _add(world: World, opened: File | Directory, rights: int, inheriting: int, fdflags: int) -> int:
    """Give a number to what was opened."""
    try:
        return world.descriptors.add(descriptor(opened, rights, inheriting, fdflags))
    except BaseException:
        opened.close()
        raise


@call("iiiiii")
def path_readlink(
    world: World, fd: int, path: int, size: int, buffer: int, room: int, result: int
) -> None:
    """Where a symbolic link points, cut to the buffer."""
    with _at(world, fd, path, size, d.PATH_READLINK) as at:
        data = at.directory.read_link(_named(at, system.EINVAL)).encode()[:room]
    world.view(buffer, len(data))[:] = data
    world.u32(result, len(data))


@call("iii")
def path_remove_directory(world: World, fd: int, path: int, size: int) -> None:
    """Remove an empty directory."""
    with _entry(world, fd, path, size, d.PATH_REMOVE_DIRECTORY) as at:
        at.directory.remove_directory(_named(at, system.EINVAL))


@call("iiiiii")
def path_rename(
    world: World, fd: int, path: int, size: int, fd2: int, path2: int, size2: int
) -> None:
    """Rename."""
    with (
        _entry(world, fd, path, size, d.PATH_RENAME_SOURCE) as source,
        _entry(world, fd2, path2, size2, d.PATH_RENAME_TARGET) as target,
    ):
        name, new = _named(source, system.EBUSY), _named(target, system.EBUSY)
        if (
            (source.must_be_directory or target.must_be_directory)
            and source.directory.status(name).kind != protocol.DIRECTORY
        ):  # fmt: skip
            raise Errno(errno.NOTDIR)
        source.directory.rename(name, target.directory, new)


@call("iiiii")
def path_symlink(world: World, old: int, old_size: int, fd: int, path: int, size: int) -> None:
    """Make a symbolic link; it may not be absolute."""
    text = world.path(old, old_size)
    if text.startswith("/"):
        raise Errno(errno.NOTCAPABLE)
    if "\0" in text:
        raise Errno(errno.INVAL)
    if not text:
        raise Errno(errno.NOENT)
    with _entry(world, fd, path, size, d.PATH_SYMLINK) as at:
        name = _named(at, system.EEXIST)
        if at.must_be_directory:
            raise Errno(_exists(at, name) or errno.NOENT)
        at.directory.make_link(name, text)


def _exists(at: Located, name: str) -> int:
    """EXIST or NOTDIR if there is something already, or 0."""
    try:
        return errno.EXIST if at.directory.status(name).kind == protocol.DIRECTORY else errno.NOTDIR
    except FileNotFoundError:
        return 0


@call("iii")
def path_unlink_file(world: World, fd: int, path: int, size: int) -> None:
    """Remove a file."""
    with _entry(world, fd, path, size, d.PATH_UNLINK_FILE) as at:
        name = _named(at, system.EISDIR)
        if at.must_be_directory:
            kind = at.directory.status(name).kind
            raise Errno(errno.ISDIR if kind == protocol.DIRECTORY else errno.NOTDIR)
        at.directory.unlink(name)
