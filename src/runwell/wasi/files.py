"""Calls on open descriptors."""

from __future__ import annotations

import struct

from runwell.wasi import descriptors as d
from runwell.wasi import errno
from runwell.wasi.calls import call
from runwell.wasi.clocks import REALTIME
from runwell.wasi.errno import Errno
from runwell.wasi.protocol import Status
from runwell.wasi.world import World

FDSTAT = struct.Struct("<BxH4xQQ")
FILESTAT = struct.Struct("<QQB7xQQQQQ")
DIRENT = struct.Struct("<QQIB3x")
PRESTAT = struct.Struct("<B3xI")

# $fstflags
SET_ATIME, ATIME_NOW, SET_MTIME, MTIME_NOW = 1, 2, 4, 8


def write_filestat(
    world: World, address: int, status: Status, form: struct.Struct = FILESTAT
) -> None:
    """Write a ``$filestat``."""
    most = (1 << 64) - 1
    world.pack(
        form,
        address,
        status.device & most,
        status.inode & most,
        status.kind,
        status.links,
        status.size,
        status.accessed_ns & most,
        status.modified_ns & most,
        status.changed_ns & most,
    )


def times(
    world: World, status: Status, atime: int, mtime: int, flags: int
) -> tuple[int, int] | None:
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
    now = world.clock.now(REALTIME) if flags & (ATIME_NOW | MTIME_NOW) else 0
    return (
        atime if flags & SET_ATIME else now if flags & ATIME_NOW else status.accessed_ns,
        mtime if flags & SET_MTIME else now if flags & MTIME_NOW else status.modified_ns,
    )


def _seekable(world: World, fd: int, rights: int) -> d.Descriptor:
    """A descriptor that has positions.

    Raises:
        Errno: SPIPE if it can have none, BADF for a directory, NOTCAPABLE if a right is missing.
    """
    found = world.descriptors.get(fd)
    missing = rights & ~found.rights
    if missing or not found.is_seekable:
        if missing & (d.FD_READ | d.FD_WRITE):
            raise Errno(errno.NOTCAPABLE)
        if found.is_directory:
            raise Errno(errno.BADF if missing & d.FD_SEEK else errno.NOTCAPABLE)
        raise Errno(errno.NOTCAPABLE if found.is_seekable else errno.SPIPE)
    return found


@call("iIIi")
def fd_advise(world: World, fd: int, offset: int, size: int, advice: int) -> None:
    """Say how a file will be used."""
    if advice > 5:
        raise Errno(errno.INVAL)
    world.descriptors.get(fd, d.FD_ADVISE).advise(offset, size, advice)


@call("iII")
def fd_allocate(world: World, fd: int, offset: int, size: int) -> None:
    """Make room in a file."""
    found = world.descriptors.get(fd, d.FD_ALLOCATE)
    if not size:
        raise Errno(errno.INVAL)
    found.allocate(offset, size)


@call("i")
def fd_close(world: World, fd: int) -> None:
    """Close a descriptor."""
    world.descriptors.remove(fd).close()


@call("i")
def fd_datasync(world: World, fd: int) -> None:
    """Write a file's data out."""
    world.descriptors.get(fd, d.FD_DATASYNC).sync(data_only=True)


@call("i")
def fd_sync(world: World, fd: int) -> None:
    """Write a file's data and attributes out."""
    world.descriptors.get(fd, d.FD_SYNC).sync()


@call("ii")
def fd_fdstat_get(world: World, fd: int, result: int) -> None:
    """Type, flags and rights of a descriptor."""
    found = world.descriptors.get(fd)
    world.pack(FDSTAT, result, found.kind, found.flags, found.rights, found.inheriting)


@call("ii")
def fd_fdstat_set_flags(world: World, fd: int, flags: int) -> None:
    """Change a descriptor's flags; only append and nonblock can change."""
    found = world.descriptors.get(fd, d.FD_FDSTAT_SET_FLAGS)
    if flags & ~(d.APPEND | d.DSYNC | d.NONBLOCK | d.RSYNC | d.SYNC):
        raise Errno(errno.INVAL)
    if flags & ~(d.APPEND | d.NONBLOCK) & ~found.flags:
        raise Errno(errno.NOTSUP)
    found.set_flags(flags)


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
    world.descriptors.get(fd, d.FD_FILESTAT_SET_SIZE).resize(size)


@call("iIIi")
def fd_filestat_set_times(world: World, fd: int, atime: int, mtime: int, flags: int) -> None:
    """Set a file's times."""
    found = world.descriptors.get(fd, d.FD_FILESTAT_SET_TIMES)
    new = times(world, found.status(), atime, mtime, flags)
    if new is not None:
        found.set_times(*new)


@call("iiiIi")
def fd_pread(world: World, fd: int, buffers: int, count: int, offset: int, result: int) -> None:
    """Read at an offset."""
    found = _seekable(world, fd, d.FD_READ | d.FD_SEEK)
    world.check(result, 4)
    world.u32(result, found.pread(world.buffers(buffers, count), offset))


@call("iiiIi")
def fd_pwrite(world: World, fd: int, buffers: int, count: int, offset: int, result: int) -> None:
    """Write at an offset."""
    found = _seekable(world, fd, d.FD_WRITE | d.FD_SEEK)
    world.check(result, 4)
    world.u32(result, found.pwrite(world.buffers(buffers, count), offset))


@call("iiii")
def fd_read(world: World, fd: int, buffers: int, count: int, result: int) -> None:
    """Read."""
    found = world.descriptors.get(fd, d.FD_READ)
    world.check(result, 4)  # nothing is read for a caller who cannot be told
    world.u32(result, found.read(world.buffers(buffers, count)))


@call("iiii")
def fd_write(world: World, fd: int, buffers: int, count: int, result: int) -> None:
    """Write."""
    found = world.descriptors.get(fd, d.FD_WRITE)
    world.check(result, 4)
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
    view, used = world.view(buffer, size), 0
    world.check(result, 4)
    entries = found.listing(cookie)
    for number in range(cookie, len(entries)):
        entry = entries[number]
        data = entry.name.encode()
        data = DIRENT.pack(number + 1, entry.inode & (1 << 64) - 1, len(data), entry.kind) + data
        piece = data[: size - used]
        view[used : used + len(piece)] = piece
        used += len(piece)
        if used == size:
            break
    world.u32(result, used)


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
    world.u64(result, _seekable(world, fd, rights).seek(offset, whence))


@call("ii")
def fd_tell(world: World, fd: int, result: int) -> None:
    """The position."""
    world.u64(result, _seekable(world, fd, d.FD_TELL).seek(0, 1))
