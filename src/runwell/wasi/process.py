"""Arguments, environment, clocks, random numbers, exit."""

from __future__ import annotations

import time

from runwell.wasi import errno
from runwell.wasi.calls import call
from runwell.wasi.clocks import check
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


@call("ii")
def clock_res_get(world: World, number: int, result: int) -> None:
    """Resolution of a clock, in nanoseconds."""
    world.u64(result, world.clock.resolution(check(number)))


@call("iIi")
def clock_time_get(world: World, number: int, _precision: int, result: int) -> None:
    """Time of a clock, in nanoseconds."""
    world.u64(result, world.clock.now(check(number)))


@call("ii")
def random_get(world: World, buffer: int, size: int) -> None:
    """Fill a buffer with random bytes."""
    view = world.view(buffer, size)
    for at in range(0, size, 1 << 20):
        piece = view[at : at + (1 << 20)]
        piece[:] = world.random(len(piece))


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
