"""Calls on paths below an open directory."""

from __future__ import annotations

import os
import stat

from runwell.wasi import descriptors as d
from runwell.wasi import errno
from runwell.wasi.calls import call
from runwell.wasi.errno import Errno
from runwell.wasi.files import APPEND, DSYNC, NONBLOCK, RSYNC, SYNC, times, write_filestat
from runwell.wasi.paths import Located, locate
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
    return locate(root.fd, world.path(path, size), follow=bool(lookup))


def _entry(world: World, fd: int, path: int, size: int, rights: int) -> Located:
    """The entry of a directory that the guest's path names, be it a symbolic link or not."""
    root = world.descriptors.directory(fd, rights)
    return locate(root.fd, world.path(path, size), follow=False, entry=True)


@call("iii")
def path_create_directory(world: World, fd: int, path: int, size: int) -> None:
    """Make a directory."""
    with _entry(world, fd, path, size, d.PATH_CREATE_DIRECTORY) as at:
        os.mkdir(at.name, dir_fd=at.directory)


@call("iiiii")
def path_filestat_get(world: World, fd: int, flags: int, path: int, size: int, result: int) -> None:
    """Attributes of a file."""
    with _at(world, fd, path, size, d.PATH_FILESTAT_GET, flags) as at:
        status = os.stat(at.name, dir_fd=at.directory, follow_symlinks=False)
        if at.must_be_directory and not stat.S_ISDIR(status.st_mode):
            raise Errno(errno.NOTDIR)
        write_filestat(world, result, status)


@call("iiiiIIi")
def path_filestat_set_times(
    world: World, fd: int, flags: int, path: int, size: int, atime: int, mtime: int, what: int
) -> None:
    """Set a file's times."""
    with _at(world, fd, path, size, d.PATH_FILESTAT_SET_TIMES, flags) as at:
        status = os.stat(at.name, dir_fd=at.directory, follow_symlinks=False)
        if at.must_be_directory and not stat.S_ISDIR(status.st_mode):
            raise Errno(errno.NOTDIR)
        new = times(status, atime, mtime, what)
        if new is not None:
            os.utime(at.name, ns=new, dir_fd=at.directory, follow_symlinks=False)


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
        if source.must_be_directory or target.must_be_directory:
            raise Errno(errno.NOENT)
        os.link(
            source.name,
            target.name,
            src_dir_fd=source.directory,
            dst_dir_fd=target.directory,
            follow_symlinks=False,
        )


def _open_flags(rights: int, oflags: int, fdflags: int) -> int:
    writing, reading = bool(rights & _WRITING), bool(rights & _READING)
    how = os.O_RDWR if reading and writing else os.O_WRONLY if writing else os.O_RDONLY
    if oflags & DIRECTORY:
        how = os.O_DIRECTORY | (os.O_RDWR if rights & d.FD_WRITE else os.O_RDONLY)
    for bit, flag in ((CREATE, os.O_CREAT), (EXCLUSIVE, os.O_EXCL), (TRUNCATE, os.O_TRUNC)):
        how |= flag if oflags & bit else 0
    for bit, flag in (
        (APPEND, os.O_APPEND),
        (NONBLOCK, os.O_NONBLOCK),
        (DSYNC, os.O_DSYNC),
        (SYNC | RSYNC, os.O_SYNC),
    ):
        how |= flag if fdflags & bit else 0
    return how | os.O_CLOEXEC | os.O_NOFOLLOW


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
    with locate(root.fd, world.path(path, size), follow=follow) as at:
        if at.must_be_directory:
            if oflags & CREATE:
                raise Errno(errno.ISDIR)
            how |= os.O_DIRECTORY
        opened = _open(
            at, how, may_be_directory=not oflags & (CREATE | TRUNCATE) and not rights & d.FD_WRITE
        )
    try:
        kind = d.file_type(os.fstat(opened).st_mode)
        folder = kind == d.DIRECTORY
        rights &= d.FOLDER if folder else d.FILE if kind == d.REGULAR else d.STREAM
        inheriting = inheriting if folder else 0
        number = world.descriptors.add(
            d.Descriptor(opened, rights, inheriting, is_directory=folder, flags=fdflags)
        )
    except BaseException:
        os.close(opened)
        raise
    out[:] = number.to_bytes(4, "little")


def _open(at: Located, how: int, *, may_be_directory: bool) -> int:
    try:
        return os.open(at.name, how, 0o666, dir_fd=at.directory)
    except IsADirectoryError:
        # only the right to write itself says that it cannot be a directory
        if not may_be_directory:
            raise
        how &= ~(os.O_WRONLY | os.O_RDWR)
        return os.open(at.name, how | os.O_DIRECTORY, dir_fd=at.directory)


@call("iiiiii")
def path_readlink(
    world: World, fd: int, path: int, size: int, buffer: int, room: int, result: int
) -> None:
    """Where a symbolic link points, cut to the buffer."""
    with _at(world, fd, path, size, d.PATH_READLINK) as at:
        data = os.fsencode(os.readlink(at.name, dir_fd=at.directory))[:room]
    world.view(buffer, len(data))[:] = data
    world.u32(result, len(data))


@call("iii")
def path_remove_directory(world: World, fd: int, path: int, size: int) -> None:
    """Remove an empty directory."""
    with _entry(world, fd, path, size, d.PATH_REMOVE_DIRECTORY) as at:
        os.rmdir(at.name, dir_fd=at.directory)


@call("iiiiii")
def path_rename(
    world: World, fd: int, path: int, size: int, fd2: int, path2: int, size2: int
) -> None:
    """Rename."""
    with (
        _entry(world, fd, path, size, d.PATH_RENAME_SOURCE) as source,
        _entry(world, fd2, path2, size2, d.PATH_RENAME_TARGET) as target,
    ):
        if source.must_be_directory or target.must_be_directory:
            status = os.stat(source.name, dir_fd=source.directory, follow_symlinks=False)
            if not stat.S_ISDIR(status.st_mode):
                raise Errno(errno.NOTDIR)
        os.rename(
            source.name,
            target.name,
            src_dir_fd=source.directory,
            dst_dir_fd=target.directory,
        )


@call("iiiii")
def path_symlink(world: World, old: int, old_size: int, fd: int, path: int, size: int) -> None:
    """Make a symbolic link; it may not be absolute."""
    text = world.path(old, old_size)
    if text.startswith("/"):
        raise Errno(errno.NOTCAPABLE)
    with _entry(world, fd, path, size, d.PATH_SYMLINK) as at:
        if at.must_be_directory:
            raise Errno(errno.NOENT)
        os.symlink(text, at.name, dir_fd=at.directory)


@call("iii")
def path_unlink_file(world: World, fd: int, path: int, size: int) -> None:
    """Remove a file."""
    with _entry(world, fd, path, size, d.PATH_UNLINK_FILE) as at:
        status = os.stat(at.name, dir_fd=at.directory, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            raise Errno(errno.ISDIR)
        if at.must_be_directory:
            raise Errno(errno.NOTDIR)
        os.unlink(at.name, dir_fd=at.directory)
