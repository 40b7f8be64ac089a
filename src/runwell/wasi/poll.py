"""Waiting for clocks and descriptors."""

from __future__ import annotations

import struct
import time

from runwell.wasi import descriptors as d
from runwell.wasi import errno
from runwell.wasi.calls import call
from runwell.wasi.errno import Errno
from runwell.wasi.process import CLOCKS
from runwell.wasi.world import World

SUBSCRIPTION = struct.Struct("<QB7xI4xQQH6x")
EVENT = struct.Struct("<QHB5xQH6x")
CLOCK, READ, WRITE = 0, 1, 2  # $eventtype
ABSOLUTE = 1  # $subclockflags


@call("iiii")
def poll_oneoff(world: World, subscriptions: int, events: int, count: int, result: int) -> None:
    """Wait until one of several things happens."""
    if not count:
        raise Errno(errno.INVAL)
    ready: list[tuple[int, int, int]] = []  # user data, error, type
    deadlines: list[tuple[int, int]] = []  # nanoseconds from now, user data
    waiting: list[tuple[int, int, int]] = []  # host descriptor, type, user data
    for i in range(count):
        user, kind, number, when, _precision, flags = world.unpack(
            SUBSCRIPTION, subscriptions + SUBSCRIPTION.size * i
        )
        if kind == CLOCK:
            if number >= len(CLOCKS):
                ready.append((user, errno.INVAL, kind))
                continue
            now = time.clock_gettime_ns(CLOCKS[number]) if flags & ABSOLUTE else 0
            deadlines.append((max(0, when - now), user))
        elif kind in (READ, WRITE):
            try:
                found = world.descriptors.get(number, d.POLL_FD_READWRITE)
            except Errno as e:
                ready.append((user, e.number, kind))
                continue
            if found.fd < 0:
                ready.append((user, errno.SUCCESS, kind))
            else:
                waiting.append((found.fd, kind, user))
        else:
            raise Errno(errno.INVAL)
    if not ready:
        ready = _wait(waiting, deadlines)
    for i, (user, error, kind) in enumerate(ready):
        world.pack(EVENT, events + EVENT.size * i, user, error, kind, 0, 0)
    world.u32(result, len(ready))


def _wait(
    waiting: list[tuple[int, int, int]], deadlines: list[tuple[int, int]]
) -> list[tuple[int, int, int]]:
    """What happens first, of descriptors and clocks."""
    first = min(deadlines)[0] if deadlines else None
    if not waiting:
        time.sleep((first or 0) / 1e9)
        return [(user, errno.SUCCESS, CLOCK) for when, user in deadlines if when == first]
    import select

    poll = select.poll()
    masks: dict[int, int] = {}
    for fd, kind, _ in waiting:
        masks[fd] = masks.get(fd, 0) | (select.POLLIN if kind == READ else select.POLLOUT)
    for fd, mask in masks.items():
        poll.register(fd, mask)
    happened = dict(poll.poll(None if first is None else first / 1e6))
    ended = select.POLLHUP | select.POLLERR
    found = [
        (user, errno.SUCCESS if not happened[fd] & select.POLLNVAL else errno.BADF, kind)
        for fd, kind, user in waiting
        if happened.get(fd, 0)
        & ((select.POLLIN if kind == READ else select.POLLOUT) | ended | select.POLLNVAL)
    ]
    if not found:
        found = [(user, errno.SUCCESS, CLOCK) for when, user in deadlines if when == first]
    return found
