"""``wasi_unstable``, which early toolchains imported: preview 1 but for four layouts.

Source: WASI preview 0, as its ``typenames.witx`` differs from that of preview 1.
"""

from __future__ import annotations

import struct

from runwell.wasi import errno, files, poll
from runwell.wasi.descriptors import FD_FILESTAT_GET
from runwell.wasi.errno import Errno
from runwell.wasi.folders import path_status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runwell.wasi.world import World

FILESTAT = struct.Struct("<QQB3xIQQQQ")  # links are 32 bits
SUBSCRIPTION = struct.Struct("<QB7xI4xI4xQQH6x")  # a clock has a second name before its number


def fd_seek(world: World, fd: int, offset: int, whence: int, result: int) -> None:
    """Move the position; from here, from the end and from the start are numbered in this order."""
    if whence > 2:
        raise Errno(errno.INVAL)
    files.fd_seek(world, fd, offset, (1, 2, 0)[whence], result)


def fd_filestat_get(world: World, fd: int, result: int) -> None:
    """Attributes of an open file."""
    status = world.descriptors.get(fd, FD_FILESTAT_GET).status()
    files.write_filestat(world, result, status, FILESTAT)


def path_filestat_get(world: World, fd: int, flags: int, path: int, size: int, result: int) -> None:
    """Attributes of a file."""
    files.write_filestat(world, result, path_status(world, fd, flags, path, size), FILESTAT)


def poll_oneoff(world: World, subscriptions: int, events: int, count: int, result: int) -> None:
    """Wait until one of several things happens."""
    poll.answer(world, SUBSCRIPTION.size, _subscriptions, subscriptions, events, count, result)


def _subscriptions(asked: memoryview) -> Iterator[tuple[int, ...]]:
    for user, kind, first, number, *rest in SUBSCRIPTION.iter_unpack(asked):
        yield user, kind, number if kind == poll.CLOCK else first, *rest


CALLS: dict[str, tuple[str, Callable[..., object]]] = {
    "fd_seek": ("isii", fd_seek),
    "fd_filestat_get": ("ii", fd_filestat_get),
    "path_filestat_get": ("iiiii", path_filestat_get),
    "poll_oneoff": ("iiii", poll_oneoff),
}
