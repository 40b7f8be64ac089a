"""Clocks and random numbers that are not the system's."""

from __future__ import annotations

import _random
import os

from runwell.wasi.clocks import Clock, SystemClock, VirtualClock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def clock(choice: str | Clock | None, *, deterministic: bool = False) -> Clock:
    """The clock of a configuration: one by its name, or a user's own.

    Args:
        choice: what the configuration has; None if nothing was chosen.
        deterministic: is that the virtual one, not the system's?
    """
    if choice is None:
        choice = "virtual" if deterministic else "real"
    if isinstance(choice, str):
        return VirtualClock() if choice == "virtual" else SystemClock()
    return choice


def source(
    choice: int | Callable[[int], bytes] | None, *, deterministic: bool = False
) -> Callable[[int], bytes]:
    """What makes random bytes: the system, a seed, or a user's own callable.

    Args:
        choice: what the configuration has; None if nothing was chosen.
        deterministic: is that the seed 0, not the system?
    """
    if choice is None:
        return _seeded(0) if deterministic else os.urandom
    return choice if callable(choice) else _seeded(choice)


def _seeded(seed: int) -> Callable[[int], bytes]:
    """Bytes that follow from ``seed``, as ``random.Random(seed).randbytes`` makes them."""
    # the type below ``random.Random``, whose module takes milliseconds to import
    bits = _random.Random(seed).getrandbits

    def randbytes(size: int) -> bytes:
        return bits(8 * size).to_bytes(size, "little") if size else b""

    return randbytes
