"""Clocks of the system, and those of guests."""

import time

import pytest

from runwell.wasi.clocks import MONOTONIC, PROCESS, REALTIME, THREAD, SystemClock, VirtualClock


def test_the_system_s():
    clock = SystemClock()
    assert abs(clock.now(REALTIME) - time.time_ns()) < 10**9
    assert clock.now(MONOTONIC) <= time.monotonic_ns() <= clock.now(MONOTONIC)
    assert clock.now(THREAD) <= clock.now(PROCESS)
    assert all(clock.resolution(n) >= 1 for n in range(4))
    before = time.monotonic_ns()
    clock.sleep(5_000_000)
    assert time.monotonic_ns() - before >= 5_000_000


def test_a_virtual_one():
    clock = VirtualClock(start_ns=10**18, tick_ns=10)
    assert [clock.now(REALTIME) for _ in range(3)] == [10**18 + 10, 10**18 + 20, 10**18 + 30]
    assert clock.now(MONOTONIC) == 40
    clock.sleep(3600 * 10**9)
    assert clock.now(MONOTONIC) == 3600 * 10**9 + 50
    assert clock.resolution(REALTIME) == 10


def test_time_may_stand_still():
    clock = VirtualClock(tick_ns=0)
    assert [clock.now(REALTIME), clock.now(REALTIME), clock.resolution(0)] == [0, 0, 1]


def test_time_never_goes_back():
    for options in ({"start_ns": -1}, {"tick_ns": -1}):
        with pytest.raises(ValueError, match="never goes back"):
            VirtualClock(**options)
