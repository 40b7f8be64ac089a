"""Waiting and notifying, on native threads of their own."""

import ctypes
import threading
import time

import pytest

from runwell.base.traps import TrapCode
from runwell.codegen.testing import bind
from runwell.kernel.types import ctype_of
from runwell.module.types import MemoryType
from runwell.runtime import layout, wait_kernels
from runwell.runtime.context import Context
from runwell.runtime.memory import Memory
from runwell.runtime.wait_kernels import NOT_EQUAL, OK, QUEUES, TIMED_OUT

FOREVER = -1
MILLISECOND = 1_000_000
# There is no native stack to leave.
CALL_HOST = """define i32 @call_host(ptr %ctx, ptr %host, ptr %fp, ptr %rp, ptr %target) {
  %code = call i32 %target(ptr %ctx, ptr %host, ptr %fp, ptr %rp)
  ret i32 %code
}"""


class Guests:
    """An instance of one memory, and threads that wait in it."""

    def __init__(self, memory, kernels):
        self.memory, self.kernels = memory, kernels
        self.memories = (ctypes.c_uint64 * 1)(memory.address)
        self.instance = ctype_of(layout.Instance)(memories=ctypes.addressof(self.memories))
        self.contexts, self.threads, self.outcomes, self.order = [], [], {}, []

    def wait(self, address, expected, timeout=FOREVER, *, width=32, offset=0, context=None):
        wait = getattr(self.kernels, f"memory_wait{width}")
        context = context or Context()
        return wait(context.address, self.instance, address, offset, expected, timeout, 0)

    def notify(self, address, count=0xFFFF_FFFF, *, offset=0):
        return self.kernels.memory_notify(0, self.instance, address, offset, count, 0)

    def start(self, address, **options):
        """Wait in a thread, which surely waits when this returns."""
        context = Context()
        number = len(self.threads)

        def run():
            self.outcomes[number] = self.wait(address, 0, context=context, **options)
            self.order.append(number)

        self.threads.append(threading.Thread(target=run))
        self.contexts.append(context)
        before = self.queued()
        self.threads[-1].start()
        self.await_that(lambda: self.queued() > before)

    def queued(self):
        at = self.kernels.address("wait_queues")
        queues = (ctype_of(wait_kernels.Queue) * QUEUES).from_address(at)
        total = 0
        for queue in queues:
            waiter = queue.first
            while waiter:
                total += 1
                waiter = ctype_of(wait_kernels.Waiter).from_address(waiter).next
        return total

    def await_that(self, condition):
        end = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < end
            time.sleep(0.0005)

    def join(self):
        for thread in self.threads:
            thread.join(20)
            assert not thread.is_alive()
        assert self.queued() == 0


def add_rest(module):
    """What belongs to the interpreter."""
    module.add_global("@stub_leave_native = constant i64 0")
    module.add_function(CALL_HOST)


@pytest.fixture(scope="module")
def kernels():
    return bind(
        wait_kernels.memory_wait32,
        wait_kernels.memory_wait64,
        wait_kernels.memory_notify,
        wait_kernels.wake_context,
        wait_kernels.nap,
        wait_kernels.wait_queues,
        extra=add_rest,
    )


@pytest.fixture
def guests(kernels, core):
    made = Guests(Memory(MemoryType(1, 1, shared=True)), kernels)
    yield made
    made.join()


@pytest.mark.parametrize("width", [32, 64])
def test_memory_is_not_as_expected(guests, width):
    guests.memory.write(0, b"\1\0\0\0\2\0\0\0")
    assert guests.wait(0, 2, width=width) == NOT_EQUAL
    whole = 1 if width == 32 else 2 << 32 | 1
    assert guests.wait(0, whole, 0, width=width) == TIMED_OUT


@pytest.mark.parametrize("timeout", [0, 1, 3 * MILLISECOND, 50 * MILLISECOND])
def test_timeout(guests, timeout):
    start = time.monotonic_ns()
    assert guests.wait(8, 0, timeout) == TIMED_OUT
    assert time.monotonic_ns() - start >= timeout
    assert guests.queued() == 0


def test_the_longest_timeout_is_no_short_one(guests):
    guests.start(0, timeout=(1 << 63) - 1)
    time.sleep(0.01)
    assert guests.notify(0) == 1
    guests.join()
    assert guests.outcomes == {0: OK}


def test_notify_counts_and_keeps_the_order(guests):
    for address in (0, 4, 0, 0, 4, 0):
        guests.start(address)
    assert guests.notify(0, 0) == 0
    assert guests.notify(8) == 0
    assert guests.notify(0, 1) == 1
    guests.await_that(lambda: guests.order == [0])
    assert guests.notify(0, 2) == 2
    guests.await_that(lambda: sorted(guests.order) == [0, 2, 3])
    assert guests.notify(4) == 2
    assert guests.notify(0) == 1
    assert guests.notify(0) == guests.notify(4) == 0
    guests.join()
    assert guests.outcomes == dict.fromkeys(range(6), OK)


def test_addresses_that_share_a_queue(guests):
    """Waiters at all words of a page; the middle ones leave first."""
    for address in (0, 16384, 32768, 49152):
        guests.start(address, width=64)
    assert guests.notify(16384) == 1
    assert guests.notify(49152) == 1
    assert guests.notify(0) == 1
    assert guests.notify(32768) == 1


def test_offset(guests):
    guests.start(8, offset=100 * 4)
    assert guests.notify(8) == 0
    assert guests.notify(0, offset=408) == 1


def test_timed_out_waiters_leave_the_queue(guests):
    guests.start(0)
    guests.start(0, timeout=20 * MILLISECOND)
    guests.start(0)
    guests.await_that(lambda: guests.outcomes == {1: TIMED_OUT})
    assert guests.notify(0) == 2


def test_interrupt(guests):
    """It stops the one context, at once, and not by looking around from time to time."""
    guests.start(0)
    guests.start(0)
    context = guests.contexts[0]
    context.native.interrupt = int(TrapCode.INTERRUPTED)
    guests.kernels.wake_context(context.address)
    guests.await_that(lambda: 0 in guests.outcomes)
    assert guests.outcomes == {0: TrapCode.INTERRUPTED << 32}
    assert context.native.interrupt == 0
    assert guests.notify(0) == 1


def test_waking_for_no_reason(guests):
    guests.start(0)
    for _ in range(50):
        guests.kernels.wake_context(guests.contexts[0].address)
    time.sleep(0.01)
    assert guests.queued() == 1
    assert guests.notify(0) == 1


def test_nap_ends_when_the_word_changed(guests):
    word = ctypes.c_uint32(3)
    guests.kernels.nap(word, 2, 10**18)  # or for ever
    guests.kernels.nap(word, 3, 1000)


@pytest.mark.parametrize(
    ("address", "offset", "code"),
    [
        (2, 0, TrapCode.UNALIGNED_ATOMIC),
        (0, 1, TrapCode.UNALIGNED_ATOMIC),
        (65535, 0, TrapCode.UNALIGNED_ATOMIC),
        (65536, 0, TrapCode.OUT_OF_BOUNDS_MEMORY),
        (65532, 4, TrapCode.OUT_OF_BOUNDS_MEMORY),
        ((1 << 64) - 8, 16, TrapCode.OUT_OF_BOUNDS_MEMORY),
        ((1 << 64) - 8, 0, TrapCode.OUT_OF_BOUNDS_MEMORY),
    ],
)
def test_traps(guests, address, offset, code):
    assert guests.notify(address, offset=offset) == code << 32
    for width in (32, 64):
        assert guests.wait(address, 0, 0, width=width, offset=offset) == code << 32


def test_a_wider_access_needs_more(guests):
    assert guests.wait(65532, 0, 0) == TIMED_OUT
    assert guests.wait(65532, 0, 0, width=64) == TrapCode.UNALIGNED_ATOMIC << 32
    assert guests.wait(4, 0, 0, width=64) == TrapCode.UNALIGNED_ATOMIC << 32


def test_memories_that_are_not_shared(kernels, core):
    guests = Guests(Memory(MemoryType(1, 1)), kernels)
    assert guests.notify(0) == 0
    assert guests.notify(2) == TrapCode.UNALIGNED_ATOMIC << 32
    # That it can never wait is said first.
    assert guests.wait(2, 0, 0) == TrapCode.UNSHARED_MEMORY << 32


def test_handing_over(guests):
    """Two threads wake each other many times; none misses it."""
    cells = (ctypes.c_uint32 * 2).from_address(guests.memory.base)
    rounds = 300

    def run(me):
        context = Context()
        for i in range(rounds):
            while cells[me] == i:
                assert guests.wait(4 * me, i, 10**10, context=context) in (OK, NOT_EQUAL)
            cells[1 - me] += 1
            guests.notify(4 * (1 - me))

    threads = [threading.Thread(target=run, args=(me,)) for me in range(2)]
    for thread in threads:
        thread.start()
    cells[0] = 1
    guests.notify(0)
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert list(cells) == [rounds + 1, rounds]
