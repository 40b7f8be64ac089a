"""What time it is for a guest: the system's, or one of its own."""

from __future__ import annotations

import time

from runwell.wasi import errno
from runwell.wasi.errno import Errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object

# $clockid
REALTIME, MONOTONIC, PROCESS, THREAD = range(4)
_SYSTEM = (
    time.CLOCK_REALTIME,
    time.CLOCK_MONOTONIC,
    getattr(time, "CLOCK_PROCESS_CPUTIME_ID", time.CLOCK_MONOTONIC),
    getattr(time, "CLOCK_THREAD_CPUTIME_ID", time.CLOCK_MONOTONIC),
)
_LONGEST_NS = 10**15  # that the system can be asked to sleep at once


class Clock(Protocol):
    """Tells the time, and lets it pass.

    Clocks are numbered as in WASI: ``REALTIME``, ``MONOTONIC``, ``PROCESS`` and ``THREAD``.
    """

    __slots__ = ()

    def now(self, clock: int) -> int:
        """Nanoseconds; those of ``REALTIME`` since 1970."""
        raise NotImplementedError

    def resolution(self, clock: int) -> int:
        """Nanoseconds between two values of a clock, at least 1."""
        return 1

    def sleep(self, duration_ns: int) -> None:
        """Let time pass."""
        raise NotImplementedError


class SystemClock(Clock):
    """The system's clocks."""

    __slots__ = ()

    def now(self, clock: int) -> int:
        """What the system's clock shows."""
        return time.clock_gettime_ns(_SYSTEM[clock])

    def resolution(self, clock: int) -> int:
        """As the system says."""
        return max(1, round(time.clock_getres(_SYSTEM[clock]) * 1e9))

    def sleep(self, duration_ns: int) -> None:
        """Sleep; a signal's handler may end it with an exception."""
        end = time.monotonic_ns() + duration_ns
        while (left := end - time.monotonic_ns()) > 0:
            time.sleep(min(left, _LONGEST_NS) / 1e9)


class VirtualClock(Clock):
    """Time that passes only if the guest asks for it, and so is the same in each run.

    Each reading lets a tick pass, and sleeping takes no time of ours.

    Args:
        start_ns: what the real-time clock shows at first, in nanoseconds since 1970.
        tick_ns: how much passes with each reading; 0 for time that stands still.

    Raises:
        ValueError: an argument is negative.
    """

    __slots__ = ("_passed", "_start", "_tick")

    def __init__(self, start_ns: int = 0, tick_ns: int = 1000) -> None:
        if start_ns < 0 or tick_ns < 0:
            raise ValueError("a virtual clock starts at 0 or later, and never goes back")
        self._start, self._tick, self._passed = start_ns, tick_ns, 0

    def now(self, clock: int) -> int:
        """The time, one tick later."""
        self._passed += self._tick
        return (self._passed + (self._start if clock == REALTIME else 0)) & (1 << 64) - 1

    def resolution(self, clock: int) -> int:
        """A tick."""
        return max(1, self._tick)

    def sleep(self, duration_ns: int) -> None:
        """Be there at once."""
        self._passed += duration_ns


def check(number: int) -> int:
    """A ``$clockid``.

    Raises:
        Errno: INVAL if there is no such clock.
    """
    if number > THREAD:
        raise Errno(errno.INVAL)
    return number
