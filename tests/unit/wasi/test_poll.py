"""Waiting, in time that is the system's or the guest's."""

import os
import signal
import struct
import threading

import pytest
from tests.wasi.guest import DATA, RESULT, Guest

from runwell.wasi import MemoryDirectory, VirtualClock

SUBSCRIPTIONS = 256
CLOCK, READ, WRITE = range(3)
DAY = 86400 * 10**9


def poll(guest, *subscriptions):
    """What happened: of each event the user data, error and type."""
    for i, (kind, number, when, flags) in enumerate(subscriptions):
        at = SUBSCRIPTIONS + 48 * i
        struct.pack_into("<QB7xI4xQQH6x", guest.memory, at, i, kind, number, when, 0, flags)
    assert guest.poll_oneoff(SUBSCRIPTIONS, DATA, len(subscriptions), RESULT) == "SUCCESS"
    return [struct.unpack_from("<QHB", guest.memory, DATA + 32 * i) for i in range(guest.u32())]


def test_virtual_time_passes_at_once():
    clock = VirtualClock(10**18, 1)
    guest = Guest(clock=clock)
    assert poll(guest, (CLOCK, 1, DAY, 0)) == [(0, 0, CLOCK)]
    assert poll(guest, (CLOCK, 0, 10**18 + 2 * DAY, 1), (CLOCK, 1, 3 * DAY, 1)) == [(0, 0, CLOCK)]
    assert 2 * DAY <= clock.now(1) < 2 * DAY + 1000


def test_in_virtual_time_only_what_is_ready_now_is_in_time():
    reader, writer = os.pipe()
    with open(reader, "rb", buffering=0) as source, open(writer, "wb", buffering=0) as sink:
        guest = Guest(stdin=source, clock=VirtualClock())
        assert poll(guest, (READ, 0, 0, 0), (CLOCK, 1, DAY, 0)) == [(1, 0, CLOCK)]
        sink.write(b"x")
        assert poll(guest, (READ, 0, 0, 0), (CLOCK, 1, DAY, 0)) == [(0, 0, READ)]
        guest.read(0, 1)
        threading.Timer(0.05, sink.write, [b"y"]).start()
        assert poll(guest, (READ, 0, 0, 0)) == [(0, 0, READ)]


def test_what_is_in_memory_is_always_ready():
    guest = Guest(stdin=b"abc", stdout=None, preopens={"/": MemoryDirectory({"f": b"12345"})})
    _, fd = guest.open("f")
    assert poll(guest, (READ, 0, 0, 0), (WRITE, 1, 0, 0), (CLOCK, 1, DAY, 0)) == [
        (0, 0, READ),
        (1, 0, WRITE),
    ]
    assert guest.open("f", rights=2 | 1 << 27)[1] == fd + 1
    assert poll(guest, (READ, fd + 1, 0, 0)) == [(0, 0, READ)]
    assert struct.unpack_from("<Q", guest.memory, DATA + 16) == (5,)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="a system without timers")
@pytest.mark.parametrize("stdin", ["clock", "pipe"])
def test_a_signal_ends_the_wait(stdin):
    class Rang(Exception):
        pass

    def ring(*_args):
        raise Rang

    reader, writer = os.pipe()
    old = signal.signal(signal.SIGALRM, ring)
    try:
        with open(reader, "rb", buffering=0) as source, open(writer, "wb", buffering=0):
            guest = Guest(stdin=source)
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            with pytest.raises(Rang):
                poll(guest, *([(READ, 0, 0, 0)] if stdin == "pipe" else [(CLOCK, 1, DAY, 0)]))
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            with pytest.raises(Rang):
                guest.read(0)
    finally:
        signal.signal(signal.SIGALRM, old)


def test_others_run_while_a_guest_waits():
    counted = []
    stop = threading.Event()

    def count():
        while not stop.wait(0.001):
            counted.append(1)

    thread = threading.Thread(target=count)
    thread.start()
    poll(Guest(), (CLOCK, 1, 200_000_000, 0))
    stop.set()
    thread.join()
    assert len(counted) > 10


def test_not_to_wait_for_inherited_streams():
    reader, writer = os.pipe()
    with open(reader, "rb", buffering=0) as source, open(writer, "wb", buffering=0) as sink:
        guest = Guest(stdin=source)
        assert guest.fd_fdstat_set_flags(0, 4) == "SUCCESS"
        assert guest.read(0) == "AGAIN"
        sink.write(b"x")
        assert guest.read(0) == b"x"
        # the other users of the pipe are not told not to wait
        assert os.get_blocking(reader)
