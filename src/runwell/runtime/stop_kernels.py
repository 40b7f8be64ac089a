"""Stopping the guests that use a heap, for who collects or changes it; see ``pause_kernels``."""

from runwell.kernel import (
    Ptr,
    addr,
    atomic_add,
    atomic_cas,
    atomic_load,
    atomic_store,
    atomic_swap,
    kernel,
    null,
    u32,
    u64,
)
from runwell.runtime.c_library import sched_yield
from runwell.runtime.heap_layout import Heap
from runwell.runtime.layout import Context
from runwell.runtime.pause_kernels import ALL_HEAPS, collections_running
from runwell.runtime.signal_kernels import context_readers, known_context_count, known_contexts
from runwell.runtime.sleep_kernels import nap, wake_all

PATIENCE = 200  # looks at a word before sleeping between them
NAP = 20_000  # nanoseconds


@kernel
def wait_a_little(looks: u32) -> None:
    """Let others go on, having looked so often."""
    if looks < PATIENCE:
        sched_yield()
    else:
        nap(collections_running, atomic_load(collections_running), u64(NAP))


@kernel
def lock_heap(heap: Ptr[Heap]) -> None:
    """Wait for a heap's lock; the caller's context uses no heap meanwhile."""
    looks: u32 = 0
    while not atomic_cas(addr(heap.lock), u32(0), u32(1)):
        wait_a_little(looks)
        looks += 1


@kernel
def unlock_heap(heap: Ptr[Heap]) -> None:
    """Give a heap's lock back."""
    atomic_store(addr(heap.lock), u32(0))


@kernel
def wait_for(other: Ptr[Context], heap: Ptr[Heap]) -> None:
    """Wait until a context does not use a heap."""
    looks: u32 = 0
    while True:
        used = atomic_load(addr(other.heap))
        if used != u64(heap) and used != ALL_HEAPS:
            return
        # So that it looks soon.
        other.stack_limit = null
        wait_a_little(looks)
        looks += 1


@kernel
def stop_guests(heap: Ptr[Heap]) -> None:
    """Stop all guests that use a heap; its lock is held, and this thread's context uses none."""
    # Contexts that are known stay until ``resume_guests``.
    atomic_add(context_readers, u32(1))
    atomic_swap(addr(heap.collecting), u32(1))
    atomic_add(collections_running, u32(1))
    for i in range(atomic_load(known_context_count)):
        other = Ptr[Context](atomic_load(known_contexts + i))
        if other != null:
            wait_for(other, heap)


@kernel
def resume_guests(heap: Ptr[Heap]) -> None:
    """Let the guests that use a heap go on."""
    atomic_store(addr(heap.collecting), u32(0))
    atomic_add(collections_running, ~u32(0))
    atomic_add(context_readers, ~u32(0))
    wake_all(addr(heap.collecting))
    wake_all(collections_running)
