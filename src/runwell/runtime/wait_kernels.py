"""Waiting at an address of a shared memory, and waking who waits there (threads proposal).

Who waits is an entry on its own native stack, linked into the queue of its address, of which there
are few; all changes of a queue, and the comparison of memory with what was expected, are made under
its lock, so that a notification falls either before the comparison or to the waiter.

A waiter sleeps on ``wakings`` of its context, which everybody increments who has news: a notifier,
or whoever interrupts the context.  It reads that counter before it looks for news, so none is
missed.  The counter outlives the entry: an interrupter needs to know nothing of queues.
"""

from typing import Literal

from runwell.base.traps import TrapCode
from runwell.kernel import (
    Array,
    Ptr,
    addr,
    atomic_load,
    atomic_store,
    i64,
    kernel,
    local_array,
    null,
    static,
    struct,
    u8,
    u32,
    u64,
)
from runwell.runtime.interrupt_kernels import is_wanted, poll, trapped
from runwell.runtime.layout import Context, Instance, Memory
from runwell.runtime.lock_kernels import give_lock, take_lock
from runwell.runtime.pause_kernels import park, unpark
from runwell.runtime.sleep_kernels import monotonic, nap, wake_context

# The results of waiting.
OK, NOT_EQUAL, TIMED_OUT = 0, 1, 2
QUEUES = 256


@struct
class Waiter:
    """A thread that waits."""

    next: Ptr["Waiter"]
    previous: Ptr["Waiter"]
    address: Ptr[u8]
    context: Ptr[Context]
    notified: u32


@struct
class Queue:
    """Waiters in the order in which they came, of all addresses that share a queue."""

    first: Ptr[Waiter]
    last: Ptr[Waiter]
    lock: u32
    unused: Array[u8, Literal[44]]  # so that each has a cache line of its own


wait_queues = static("wait_queues", Queue, QUEUES)


@kernel
def lock_queue(address: Ptr[u8]) -> Ptr[Queue]:
    """The queue of an address, locked."""
    x = u64(address) >> 2
    queue = wait_queues + ((x ^ x >> 10 ^ x >> 20) & u64(QUEUES - 1))
    take_lock(addr(queue.lock))
    return queue


@kernel
def unlock_queue(queue: Ptr[Queue]) -> None:
    """Unlock a queue."""
    give_lock(addr(queue.lock))


@kernel
def link_waiter(queue: Ptr[Queue], waiter: Ptr[Waiter]) -> None:
    """Put a waiter at the end of a locked queue."""
    waiter.next = null
    waiter.previous = queue.last
    if queue.last == null:
        queue.first = waiter
    else:
        queue.last.next = waiter
    queue.last = waiter


@kernel
def unlink_waiter(queue: Ptr[Queue], waiter: Ptr[Waiter]) -> None:
    """Take a waiter out of a locked queue."""
    if waiter.previous == null:
        queue.first = waiter.next
    else:
        waiter.previous.next = waiter.next
    if waiter.next == null:
        queue.last = waiter.previous
    else:
        waiter.next.previous = waiter.previous


@kernel
def sleep_until(waiter: Ptr[Waiter], deadline: u64) -> None:
    """Sleep until there is news of whatever kind, or the time has come."""
    context = waiter.context
    word = addr(context.wakings)
    while True:
        seen = atomic_load(word)
        now = monotonic()
        if atomic_load(addr(waiter.notified)) != 0 or now >= deadline:
            return
        if is_wanted(context):
            return
        nap(word, seen, deadline - now)


@kernel
def check_access(memory: Ptr[Memory], address: u64, offset: u64, width: u64) -> u32:
    """A trap code unless an atomic access is aligned and within the memory."""
    at = address + offset
    if at & (width - 1) != 0:
        return u32(TrapCode.UNALIGNED_ATOMIC)
    size = atomic_load(addr(memory.bytes))
    if at < offset or size < width or at > size - width:
        return u32(TrapCode.OUT_OF_BOUNDS_MEMORY)
    return u32(0)


@kernel
def read_cell(address: Ptr[u8], width: u64) -> u64:
    """What is waited on, of 4 or 8 bytes."""
    if width == 4:
        return u64(atomic_load(Ptr[u32](address)))
    return atomic_load(Ptr[u64](address))


@kernel
def wait_at(
    context: Ptr[Context], address: Ptr[u8], width: u64, expected: u64, timeout: i64
) -> u64:
    """Wait at an address until notified; the result, or a trap code in the high half."""
    waiter = local_array(Waiter, 1)
    waiter.address = address
    waiter.context = context
    waiter.notified = 0
    deadline = ~u64(0)
    if timeout >= 0:
        deadline = monotonic() + u64(timeout)
    queue = lock_queue(address)
    if read_cell(address, width) != expected:
        unlock_queue(queue)
        return u64(NOT_EQUAL)
    link_waiter(queue, waiter)
    unlock_queue(queue)
    trap: u32 = 0
    while True:
        # Nobody who collects objects waits for this thread.
        heap = park(context)
        sleep_until(waiter, deadline)
        unpark(context, heap)
        if atomic_load(addr(waiter.notified)) != 0 or not is_wanted(context):
            break
        trap = poll(context)
        if trap != 0:
            break
    # The notifier may still be busy with this entry, or come at the last moment.
    lock_queue(address)
    notified = waiter.notified
    if notified == 0:
        unlink_waiter(queue, waiter)
    unlock_queue(queue)
    if trap != 0:
        return trapped(trap)
    return u64(OK) if notified != 0 else u64(TIMED_OUT)


@kernel
def wait_in(
    context: Ptr[Context],
    memory: Ptr[Memory],
    address: u64,
    offset: u64,
    width: u64,
    expected: u64,
    timeout: i64,
) -> u64:
    """Wait in a memory, if that can be."""
    if memory.shared == 0:
        return trapped(u32(TrapCode.UNSHARED_MEMORY))
    trap = check_access(memory, address, offset, width)
    if trap != 0:
        return trapped(trap)
    return wait_at(context, memory.base + (address + offset), width, expected, timeout)


@kernel(export=True)
def memory_wait32(
    context: Ptr[Context],
    instance: Ptr[Instance],
    address: u64,
    offset: u64,
    expected: u32,
    timeout: i64,
    memory: u32,
) -> u64:
    """Meaning of ``memory.atomic.wait32``; the result, or a trap code in the high half."""
    m = instance.memories[memory]
    return wait_in(context, m, address, offset, u64(4), u64(expected), timeout)


@kernel(export=True)
def memory_wait64(
    context: Ptr[Context],
    instance: Ptr[Instance],
    address: u64,
    offset: u64,
    expected: u64,
    timeout: i64,
    memory: u32,
) -> u64:
    """Meaning of ``memory.atomic.wait64``; the result, or a trap code in the high half."""
    return wait_in(context, instance.memories[memory], address, offset, u64(8), expected, timeout)


@kernel(export=True)
def memory_notify(
    context: Ptr[Context],
    instance: Ptr[Instance],
    address: u64,
    offset: u64,
    count: u32,
    memory: u32,
) -> u64:
    """Meaning of ``memory.atomic.notify``; the result, or a trap code in the high half."""
    m = instance.memories[memory]
    trap = check_access(m, address, offset, u64(4))
    if trap != 0:
        return trapped(trap)
    at = m.base + (address + offset)
    woken: u32 = 0
    queue = lock_queue(at)
    waiter = queue.first
    while waiter != null and woken != count:
        following = waiter.next
        if waiter.address == at:
            unlink_waiter(queue, waiter)
            atomic_store(addr(waiter.notified), u32(1))
            wake_context(waiter.context)
            woken += 1
        waiter = following
    unlock_queue(queue)
    return u64(woken)
