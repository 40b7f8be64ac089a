"""Sleeping on a word until somebody has news."""

import ctypes
import threading
import time
from pathlib import Path

import pytest

from runwell.codegen.testing import bind
from runwell.kernel.types import ctype_of
from runwell.runtime import layout, sleep_kernels

LONG = 10_000_000_000


@pytest.fixture(scope="module")
def kernels():
    return bind(
        sleep_kernels.monotonic,
        sleep_kernels.nap,
        sleep_kernels.wake,
        sleep_kernels.wake_all,
        sleep_kernels.wake_context,
    )


class Sleepers:
    """Threads that sleep on a word."""

    def __init__(self, kernels, count):
        self.word = ctypes.c_uint32(7)
        self.kernels, self.awake = kernels, []
        self.threads = [threading.Thread(target=self._sleep, args=(i,)) for i in range(count)]
        for thread in self.threads:
            thread.start()
        self.wait_for(lambda: all(map(self._is_asleep, self.threads)))

    def _sleep(self, number):
        self.kernels.nap(ctypes.addressof(self.word), 7, LONG)
        self.awake.append(number)

    @staticmethod
    def _is_asleep(thread):
        """Is it in a call of the system, several times in a row?  Nobody else wants the lock."""
        status = Path(f"/proc/self/task/{thread.native_id}/stat")
        for _ in range(5):
            time.sleep(0.002)
            if status.read_text().rpartition(")")[2].split()[0] != "S":
                return False
        return True

    @staticmethod
    def wait_for(condition):
        end = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < end
            time.sleep(0.001)


def test_the_clock_is_that_of_the_system(kernels):
    before = time.monotonic_ns()
    ours = [kernels.monotonic() for _ in range(3)]
    times = [before, *ours, time.monotonic_ns()]
    assert times == sorted(times)


def test_nobody_sleeps_who_has_missed_something(kernels):
    word = ctypes.c_uint32(8)
    start = time.monotonic_ns()
    kernels.nap(ctypes.addressof(word), 7, LONG)
    assert time.monotonic_ns() - start < LONG


@pytest.mark.parametrize("duration", [0, 1, 999_999_999 // 100, 20_000_000])
def test_a_nap_ends_by_itself(kernels, duration):
    word = ctypes.c_uint32(7)
    end = time.monotonic_ns() + duration
    naps = 0
    while time.monotonic_ns() < end:
        kernels.nap(ctypes.addressof(word), 7, max(end - time.monotonic_ns(), 0))
        naps += 1
    assert naps <= 1000
    assert word.value == 7


def test_the_longest_nap_is_bounded(kernels):
    """A duration that the system would not take does not make the call fail at once."""
    sleepers = Sleepers.__new__(Sleepers)
    sleepers.word, sleepers.kernels, sleepers.awake = ctypes.c_uint32(7), kernels, []

    def sleep():
        kernels.nap(ctypes.addressof(sleepers.word), 7, (1 << 64) - 1)
        sleepers.awake.append(0)

    thread = threading.Thread(target=sleep)
    thread.start()
    sleepers.wait_for(lambda: sleepers._is_asleep(thread))
    assert sleepers.awake == []
    kernels.wake(ctypes.addressof(sleepers.word))
    thread.join(20)
    assert sleepers.awake == [0]


def test_one_is_woken_and_then_all(kernels):
    sleepers = Sleepers(kernels, 4)
    assert sleepers.awake == []
    kernels.wake(ctypes.addressof(sleepers.word))
    assert sleepers.word.value == 8
    sleepers.wait_for(lambda: sleepers.awake)
    time.sleep(0.02)
    assert len(sleepers.awake) == 1
    kernels.wake_all(ctypes.addressof(sleepers.word))
    for thread in sleepers.threads:
        thread.join(20)
    assert sorted(sleepers.awake) == [0, 1, 2, 3]
    assert sleepers.word.value == 8


def test_waking_a_context(kernels):
    context = ctype_of(layout.Context)()
    at = ctypes.addressof(context)
    done = []

    def sleep():
        kernels.nap(at + layout.Context.offset("wakings"), 0, LONG)
        done.append(context.wakings)

    thread = threading.Thread(target=sleep)
    thread.start()
    kernels.wake_context(at)
    thread.join(20)
    assert done == [1]
    kernels.wake_context(at)
    assert context.wakings == 2
