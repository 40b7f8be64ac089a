"""Waiting for clocks and descriptors."""

from __future__ import annotations

import struct

from runwell.wasi import descriptors as d
from runwell.wasi import errno
from runwell.wasi.calls import call
from runwell.wasi.clocks import MONOTONIC, THREAD, Clock, SystemClock
from runwell.wasi.errno import Errno
from runwell.wasi.world import World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SUBSCRIPTION = struct.Struct("<QB7xI4xQQH6x")
EVENT = struct.Struct("<QHB5xQH6x")
CLOCK, READ, WRITE = 0, 1, 2  # $eventtype
ABSOLUTE = 1  # $subclockflags
HANGUP = 1  # $eventrwflags
MOST = 1 << 16  # subscriptions in one call
_LONGEST = 10**9  # milliseconds that the system can be asked to wait at once

# An event as it is written: user data, error, type, bytes, flags.
Event = tuple[int, int, int, int, int]


@call("iiii")
def poll_oneoff(world: World, subscriptions: int, events: int, count: int, result: int) -> None:
    """Wait until one of several things happens."""
    read = SUBSCRIPTION.iter_unpack
    answer(world, SUBSCRIPTION.size, read, subscriptions, events, count, result)


def answer(
    world: World,
    size: int,
    read: Callable[[memoryview], Iterable[tuple[int, ...]]],
    subscriptions: int,
    events: int,
    count: int,
    result: int,
) -> None:
    """Wait for subscriptions of ``size`` bytes.

    Args:
        world: the guest's.
        size: of a subscription, in bytes.
        read: takes subscriptions apart: user data, type, clock or descriptor, time, precision
            and flags of each.
        subscriptions: where they are.
        events: where the answers go.
        count: how many there are.
        result: where the number of answers goes.

    Raises:
        Errno: FAULT or INVAL.
    """
    if not count:
        raise Errno(errno.INVAL)
    asked = world.view(subscriptions, size * count)
    world.view(events, EVENT.size * count)
    world.view(result, 4)
    if count > MOST:
        raise Errno(errno.INVAL)
    ready: list[Event] = []
    deadlines: list[tuple[int, int]] = []  # nanoseconds from now, user data
    waiting: list[tuple[d.Descriptor, int, int]] = []  # type, user data
    clock = world.clock
    for user, kind, number, when, _precision, flags in read(asked):
        if kind == CLOCK:
            error = _clock_error(number, flags)
            if error:
                ready.append((user, error, kind, 0, 0))
                continue
            passed = clock.now(number) if flags & ABSOLUTE else 0
            deadlines.append((max(0, when - passed), user))
        elif kind in (READ, WRITE):
            try:
                found = world.descriptors.get(number, d.POLL_FD_READWRITE)
            except Errno as e:
                ready.append((user, e.number, kind, 0, 0))
                continue
            if found.fd < 0:
                available = found.available() if kind == READ else 0
                ready.append((user, errno.SUCCESS, kind, available, 0))
            else:
                waiting.append((found, kind, user))
        else:
            raise Errno(errno.INVAL)
    if ready:
        ready += _look(waiting, 0)
    else:
        ready = _wait(clock, waiting, deadlines)
    for i, event in enumerate(ready):
        world.pack(EVENT, events + EVENT.size * i, *event)
    world.u32(result, len(ready))


def _clock_error(number: int, flags: int) -> int:
    """Why a clock cannot be waited for: that of the processor stands still meanwhile."""
    if number > THREAD or flags & ~ABSOLUTE:
        return errno.INVAL
    return errno.SUCCESS if number <= MONOTONIC else errno.NOTSUP


def _wait(
    clock: Clock,
    waiting: list[tuple[d.Descriptor, int, int]],
    deadlines: list[tuple[int, int]],
) -> list[Event]:
    """Wait for descriptors up to the first deadline; what happens."""
    if not deadlines:
        return _look(waiting, None)
    first = min(deadlines)[0]
    if not waiting:
        clock.sleep(first)
    elif isinstance(clock, SystemClock):
        events = _look(waiting, clock.now(MONOTONIC) + first)
        if events:
            return events
    else:
        # time that is not ours does not pass while we wait: what is not ready now never is in time
        events = _look(waiting, 0)
        if events:
            return events
        clock.sleep(first)
        events = _look(waiting, 0)
        if events:
            return events
    return [(user, errno.SUCCESS, CLOCK, 0, 0) for when, user in deadlines if when == first]


def _look(waiting: list[tuple[d.Descriptor, int, int]], end: int | None) -> list[Event]:
    """What happens to descriptors up to a time of the system's monotonic clock.

    Args:
        waiting: descriptors of the host, the types of events and user data.
        end: 0 for what has happened already, None to wait as long as it takes.
    """
    if not waiting:
        return []
    import select
    import time

    poll = select.poll()
    masks: dict[int, int] = {}
    for found, kind, _ in waiting:
        mask = select.POLLIN if kind == READ else select.POLLOUT
        masks[found.fd] = masks.get(found.fd, 0) | mask
    for fd, mask in masks.items():
        poll.register(fd, mask)
    happened: dict[int, int] = {}
    while not happened:
        left = _LONGEST if end is None else max(0, end - time.monotonic_ns()) / 1e6
        happened = dict(poll.poll(min(left, _LONGEST)))
        if left <= 0:
            break
    ended = select.POLLHUP | select.POLLERR
    events: list[Event] = []
    for found, kind, user in waiting:
        got = happened.get(found.fd, 0)
        if got & select.POLLNVAL:
            events.append((user, errno.BADF, kind, 0, 0))
        elif got & (ended | (select.POLLIN if kind == READ else select.POLLOUT)):
            size = found.available() if kind == READ else 1
            events.append((user, errno.SUCCESS, kind, size, HANGUP if got & ended else 0))
    return events
