"""Arguments, environment, clocks, random numbers, exit."""

from __future__ import annotations

import os
import time

from runwell.wasi import errno
from runwell.wasi.calls import call
from runwell.wasi.errno import Errno
from runwell.wasi.world import ProcExit, World


def _sizes(world: World, strings: list[bytes], count: int, size: int) -> None:
    world.u32(count, len(strings))
    world.u32(size, sum(map(len, strings)))


def _strings(world: World, strings: list[bytes], pointers: int, buffer: int) -> None:
    for i, text in enumerate(strings):
        world.u32(pointers + 4 * i, buffer)
        world.view(buffer, len(text))[:] = text
        buffer += len(text)


@call("ii")
def args_sizes_get(world: World, count: int, size: int) -> None:
    """How many arguments there are, and how many bytes they take."""
    _sizes(world, world.args, count, size)


@call("ii")
def args_get(world: World, pointers: int, buffer: int) -> None:
    """The arguments."""
    _strings(world, world.args, pointers, buffer)


@call("ii")
def environ_sizes_get(world: World, count: int, size: int) -> None:
    """How many variables there are, and how many bytes they take."""
    _sizes(world, world.env, count, size)


@call("ii")
def environ_get(world: World, pointers: int, buffer: int) -> None:
    """The environment, as ``KEY=VALUE``."""
    _strings(world, world.env, pointers, buffer)


CLOCKS = (
    time.CLOCK_REALTIME,
    time.CLOCK_MONOTONIC,
    getattr(time, "CLOCK_PROCESS_CPUTIME_ID", time.CLOCK_MONOTONIC),
    getattr(time, "CLOCK_THREAD_CPUTIME_ID", time.CLOCK_MONOTONIC),
)


def clock(number: int) -> int:
    """The system's clock for a ``$clockid``.

    Raises:
        Errno: INVAL if there is no such clock.
    """
    if number >= len(CLOCKS):
        raise Errno(errno.INVAL)
    return CLOCKS[number]


@call("ii")
def clock_res_get(world: World, number: int, result: int) -> None:
    """Resolution of a clock, in nanoseconds."""
    world.u64(result, max(1, round(time.clock_getres(clock(number)) * 1e9)))


@call("iIi")
def clock_time_get(world: World, number: int, _precision: int, result: int) -> None:
    """Time of a clock, in nanoseconds."""
    world.u64(result, time.clock_gettime_ns(clock(number)))


@call("ii")
def random_get(world: World, buffer: int, size: int) -> None:
    """Fill a buffer with random bytes."""
    view = world.view(buffer, size)
    for at in range(0, size, 1 << 20):
        piece = view[at : at + (1 << 20)]
        piece[:] = os.urandom(len(piece))


@call("i")
def proc_exit(_world: World, code: int) -> None:
    """End the program."""
    raise ProcExit(code)


@call("i")
def proc_raise(_world: World, _signal: int) -> None:
    """Send a signal to oneself: no guest has signals."""
    raise Errno(errno.NOTSUP)


@call("")
def sched_yield(_world: World) -> None:
    """Let others run."""
    time.sleep(0)


@call("iii")
def sock_accept(world: World, fd: int, _flags: int, _result: int) -> None:
    """Accept a connection: no descriptor of ours is a listening socket."""
    world.descriptors.get(fd)
    raise Errno(errno.NOTSOCK)


@call("iiiiii")
def sock_recv(
    world: World, fd: int, _data: int, _count: int, _flags: int, _size: int, _out: int
) -> None:
    """Receive from a socket: no descriptor of ours is one."""
    world.descriptors.get(fd)
    raise Errno(errno.NOTSOCK)


@call("iiiii")
def sock_send(world: World, fd: int, _data: int, _count: int, _flags: int, _size: int) -> None:
    """Send to a socket: no descriptor of ours is one."""
    world.descriptors.get(fd)
    raise Errno(errno.NOTSOCK)


@call("ii")
def sock_shutdown(world: World, fd: int, _how: int) -> None:
    """Shut a socket down: no descriptor of ours is one."""
    world.descriptors.get(fd)
    raise Errno(errno.NOTSOCK)
