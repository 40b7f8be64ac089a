"""Calls on open descriptors."""

from __future__ import annotations

import os
import struct
import time

from runwell.wasi import descriptors as d
from runwell.wasi import errno
from runwell.wasi.calls import call
from runwell.wasi.errno import Errno
from runwell.wasi.world import World

FDSTAT = struct.Struct("<BxH4xQQ")
FILESTAT = struct.Struct("<QQB7xQQQQQ")
DIRENT = struct.Struct("<QQIB3x")
PRESTAT = struct.Struct("<B3xI")

# $fdflags
APPEND, DSYNC, NONBLOCK, RSYNC, SYNC = 1, 2, 4, 8, 16
# $fstflags
SET_ATIME, ATIME_NOW, SET_MTIME, MTIME_NOW = 1, 2, 4, 8


def write_filestat(world: World, address: int, status: os.stat_result) -> None:
    """Write a ``$filestat``."""
    world.pack(
        FILESTAT,
        address,
        status.st_dev & (1 << 64) - 1,
        status.st_ino,
        d.file_type(status.st_mode),
        status.st_nlink,
        status.st_size,
        status.st_atime_ns & (1 << 64) - 1,
        status.st_mtime_ns & (1 << 64) - 1,
        status.st_ctime_ns & (1 << 64) - 1,
    )


def times(status: os.stat_result, atime: int, mtime: int, flags: int) -> tuple[int, int] | None:
    """Access and modification time that ``$fstflags`` ask for, in nanoseconds; None for neither.

    Raises:
        Errno: INVAL if a time is to be set to two values, or a flag is unknown.
    """
    if (flags & SET_ATIME and flags & ATIME_NOW) or (flags & SET_MTIME and flags & MTIME_NOW):
        raise Errno(errno.INVAL)
    if flags & ~(SET_ATIME | ATIME_NOW | SET_MTIME | MTIME_NOW):
        raise Errno(errno.INVAL)
    if not flags:
        return None
    now = time.time_ns()
    return (
        atime if flags & SET_ATIME else now if flags & ATIME_NOW else status.st_atime_ns,
        mtime if flags & SET_MTIME else now if flags & MTIME_NOW else status.st_mtime_ns,
    )


def _file(world: World, fd: int, rights: int, without: int = errno.SPIPE) -> d.Descriptor:
    """A descriptor of the host; the error ``without`` for a stream that is a Python object."""
    found = world.descriptors.get(fd, rights)
    if found.fd < 0:
        raise Errno(without)
    return found


def _seekable(world: World, fd: int, rights: int) -> d.Descriptor:
    """A descriptor that has positions.

    Raises:
        Errno: SPIPE if it can have none, BADF for a directory, NOTCAPABLE if a right is missing.
    """
    found = world.descriptors.get(fd)
    missing = rights & ~found.rights
    if missing or found.fd < 0:
        kind = d.file_type(found.status().st_mode)
        if missing & (d.FD_READ | d.FD_WRITE):
            raise Errno(errno.NOTCAPABLE)
        if kind == d.DIRECTORY:
            raise Errno(errno.BADF if missing & d.FD_SEEK else errno.NOTCAPABLE)
        raise Errno(errno.NOTCAPABLE if kind in (d.REGULAR, d.BLOCK) else errno.SPIPE)
    return found


@call("iIIi")
def fd_advise(world: World, fd: int, offset: int, size: int, advice: int) -> None:
    """Say how a file will be used."""
    if advice > 5:
        raise Errno(errno.INVAL)
    found = _file(world, fd, d.FD_ADVISE)
    if found.is_directory:
        raise Errno(errno.BADF)
    if hasattr(os, "posix_fadvise"):
        # $advice counts normal, sequential, random; the system's normal, random, sequential
        system = (0, 2, 1, 3, 4, 5)[advice]
        os.posix_fadvise(found.fd, offset, size, system)


@call("iII")
def fd_allocate(world: World, fd: int, offset: int, size: int) -> None:
    """Make room in a file."""
    found = _file(world, fd, d.FD_ALLOCATE)
    if not size:
        raise Errno(errno.INVAL)
    os.posix_fallocate(found.fd, offset, size)


@call("i")
def fd_close(world: World, fd: int) -> None:
    """Close a descriptor."""
    world.descriptors.remove(fd).close()


@call("i")
def fd_datasync(world: World, fd: int) -> None:
    """Write a file's data out."""
    os.fdatasync(_file(world, fd, d.FD_DATASYNC, errno.INVAL).fd)


@call("i")
def fd_sync(world: World, fd: int) -> None:
    """Write a file's data and attributes out."""
    os.fsync(_file(world, fd, d.FD_SYNC, errno.INVAL).fd)


@call("ii")
def fd_fdstat_get(world: World, fd: int, result: int) -> None:
    """Type, flags and rights of a descriptor."""
    found = world.descriptors.get(fd)
    kind = d.file_type(found.status().st_mode)
    world.pack(FDSTAT, result, kind, found.flags, found.rights, found.inheriting)


@call("ii")
def fd_fdstat_set_flags(world: World, fd: int, flags: int) -> None:
    """Change a descriptor's flags; only append and nonblock can change."""
    found = _file(world, fd, d.FD_FDSTAT_SET_FLAGS)
    if flags & ~(APPEND | DSYNC | NONBLOCK | RSYNC | SYNC):
        raise Errno(errno.INVAL)
    if flags & ~(APPEND | NONBLOCK) & ~found.flags:
        raise Errno(errno.NOTSUP)
    import fcntl

    old = fcntl.fcntl(found.fd, fcntl.F_GETFL)
    new = old & ~(os.O_APPEND | os.O_NONBLOCK)
    new |= (os.O_APPEND if flags & APPEND else 0) | (os.O_NONBLOCK if flags & NONBLOCK else 0)
    fcntl.fcntl(found.fd, fcntl.F_SETFL, new)
    found.flags = flags


@call("iII")
def fd_fdstat_set_rights(world: World, fd: int, rights: int, inheriting: int) -> None:
    """Give up rights; none can be added."""
    found = world.descriptors.get(fd)
    if rights & ~found.rights or inheriting & ~found.inheriting:
        raise Errno(errno.NOTCAPABLE)
    found.rights, found.inheriting = rights, inheriting


@call("ii")
def fd_filestat_get(world: World, fd: int, result: int) -> None:
    """Attributes of an open file."""
    write_filestat(world, result, world.descriptors.get(fd, d.FD_FILESTAT_GET).status())


@call("iI")
def fd_filestat_set_size(world: World, fd: int, size: int) -> None:
    """Truncate or extend a file."""
    os.ftruncate(_file(world, fd, d.FD_FILESTAT_SET_SIZE, errno.INVAL).fd, size)


@call("iIIi")
def fd_filestat_set_times(world: World, fd: int, atime: int, mtime: int, flags: int) -> None:
    """Set a file's times."""
    found = _file(world, fd, d.FD_FILESTAT_SET_TIMES)
    new = times(found.status(), atime, mtime, flags)
    if new is not None:
        os.utime(found.fd, ns=new)


@call("iiiIi")
def fd_pread(world: World, fd: int, buffers: int, count: int, offset: int, result: int) -> None:
    """Read at an offset."""
    found = _seekable(world, fd, d.FD_READ | d.FD_SEEK)
    world.u32(result, os.preadv(found.fd, world.buffers(buffers, count), offset))


@call("iiiIi")
def fd_pwrite(world: World, fd: int, buffers: int, count: int, offset: int, result: int) -> None:
    """Write at an offset."""
    found = _seekable(world, fd, d.FD_WRITE | d.FD_SEEK)
    world.u32(result, os.pwritev(found.fd, world.buffers(buffers, count), offset))


@call("iiii")
def fd_read(world: World, fd: int, buffers: int, count: int, result: int) -> None:
    """Read."""
    found = world.descriptors.get(fd, d.FD_READ)
    world.u32(result, found.read(world.buffers(buffers, count)))


@call("iiii")
def fd_write(world: World, fd: int, buffers: int, count: int, result: int) -> None:
    """Write."""
    found = world.descriptors.get(fd, d.FD_WRITE)
    world.u32(result, found.write(world.buffers(buffers, count)))


@call("ii")
def fd_prestat_get(world: World, fd: int, result: int) -> None:
    """Length of a preopened directory's name."""
    name = world.descriptors.get(fd).preopen
    if name is None:
        raise Errno(errno.BADF)
    world.pack(PRESTAT, result, 0, len(name.encode()))


@call("iii")
def fd_prestat_dir_name(world: World, fd: int, buffer: int, size: int) -> None:
    """A preopened directory's name."""
    name = world.descriptors.get(fd).preopen
    if name is None:
        raise Errno(errno.BADF)
    data = name.encode()
    if size < len(data):
        raise Errno(errno.NAMETOOLONG)
    world.view(buffer, len(data))[:] = data


@call("iiiIi")
def fd_readdir(world: World, fd: int, buffer: int, size: int, cookie: int, result: int) -> None:
    """List a directory from the entry that ``cookie`` names; entries may be cut short."""
    found = world.descriptors.directory(fd, d.FD_READDIR)
    here = found.status().st_ino
    entries = [(".", here, d.DIRECTORY), ("..", here, d.DIRECTORY)]
    with os.scandir(found.fd) as listing:
        entries += sorted((e.name, e.inode(), _entry_type(e)) for e in listing)
    view, used = world.view(buffer, size), 0
    for number, (name, inode, kind) in enumerate(entries[cookie:], cookie + 1):
        data = name.encode(errors="surrogateescape")
        data = DIRENT.pack(number, inode, len(data), kind) + data
        piece = data[: size - used]
        view[used : used + len(piece)] = piece
        used += len(piece)
        if used == size:
            break
    world.u32(result, used)


def _entry_type(entry: os.DirEntry[str]) -> int:
    try:
        return d.file_type(entry.stat(follow_symlinks=False).st_mode)
    except OSError:
        return d.UNKNOWN


@call("ii")
def fd_renumber(world: World, fd: int, to: int) -> None:
    """Move a descriptor to another number."""
    world.descriptors.renumber(fd, to)


@call("isii")
def fd_seek(world: World, fd: int, offset: int, whence: int, result: int) -> None:
    """Move the position."""
    if whence > 2:
        raise Errno(errno.INVAL)
    rights = d.FD_TELL if whence == 1 and not offset else d.FD_SEEK
    world.u64(result, os.lseek(_seekable(world, fd, rights).fd, offset, whence))


@call("ii")
def fd_tell(world: World, fd: int, result: int) -> None:
    """The position."""
    world.u64(result, os.lseek(_seekable(world, fd, d.FD_TELL).fd, 0, os.SEEK_CUR))
