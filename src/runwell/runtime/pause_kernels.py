"""Stopping the threads whose guests use a heap, while it is collected or changed.

A context that runs such guests says so in ``heap``.  It says so no longer while it waits, or calls
the host: then the collector may look at its stack of references, up to ``ref_end``, and it must not
go on before the collection is over.  Guests that run notice within a few thousand branches, or at
the next call, that somebody collects, and wait.

Who enters writes ``heap`` and then reads ``collecting``; who collects writes ``collecting`` and
then reads ``heap``: so one of them sees the other.  Nobody who holds a heap's lock, or whom a
collector waits for, ever waits for Python's interpreter lock.
"""

from runwell.kernel import (
    Ptr,
    addr,
    atomic_load,
    atomic_store,
    atomic_swap,
    extern_data,
    kernel,
    null,
    static,
    u8,
    u32,
    u64,
)
from runwell.runtime.code_kernels import find_code
from runwell.runtime.heap_layout import Heap
from runwell.runtime.layout import REF_FRAME_UNIT, Context, Instance, ModuleCode
from runwell.runtime.sleep_kernels import nap

# In place of a heap: the guest's frames are of several.
ALL_HEAPS = 1
LONG_NAP = 1_000_000  # nanoseconds

stub_leave_native = extern_data("stub_leave_native", u64)

# How many heaps are being collected or changed.
collections_running = static("collections_running", u32)


@kernel
def reference_end(ctx: Ptr[Context]) -> Ptr[u8]:
    """Where the references end that a guest uses; the context says where it is."""
    if ctx.ip == Ptr[u8](stub_leave_native):
        # Compiled code has said so itself.
        return Ptr[u8](ctx.ref_top)
    instance = ctx.instance
    if instance != null:
        code = find_code(Ptr[ModuleCode](instance.module), ctx.ip)
        if code != null:
            end: Ptr[u8] = ctx.rp + u64(code.ref_frame) * u64(REF_FRAME_UNIT)
            return end
    return Ptr[u8](ctx.refs_end)


@kernel
def heir_of(heap: Ptr[Heap]) -> Ptr[Heap]:
    """What a heap has become part of, or itself."""
    at = heap
    while at.heir != null:
        at = at.heir
    return at


@kernel(export=True)
def heap_enter(ctx: Ptr[Context], heap: u64) -> None:
    """Let a context run guests that use a heap, as soon as nobody stops them."""
    while True:
        busy = collections_running
        if heap != ALL_HEAPS:
            at = heir_of(Ptr[Heap](heap))
            busy = addr(at.collecting)
            atomic_swap(addr(ctx.heap), u64(at))
            # It may have become part of another one while nobody could see that it is used.
            if atomic_load(busy) == 0 and at.heir == null:
                return
        else:
            atomic_swap(addr(ctx.heap), u64(ALL_HEAPS))
            if atomic_load(busy) == 0:
                return
        atomic_store(addr(ctx.heap), u64(0))
        seen = atomic_load(busy)
        if seen != 0:
            nap(busy, seen, u64(LONG_NAP))


@kernel
def park(ctx: Ptr[Context]) -> u64:
    """Use no heap for a while; the context says where the guest is.  Gives what it used."""
    heap: u64 = ctx.heap
    if heap != 0:
        ctx.ref_end = reference_end(ctx)
        atomic_store(addr(ctx.heap), u64(0))
    return heap


@kernel(export=True)
def unpark(ctx: Ptr[Context], heap: u64) -> None:
    """Go on after ``park``."""
    if heap != 0:
        heap_enter(ctx, heap)


@kernel(export=True)
def make_way(ctx: Ptr[Context]) -> None:
    """Wait if somebody collects; the context says where the guest is."""
    if atomic_load(collections_running) != 0:
        unpark(ctx, park(ctx))


@kernel(export=True)
def heap_attach(ctx: Ptr[Context], callee: Ptr[Instance]) -> None:
    """A guest calls one of another instance; the context says from where."""
    heap = u64(callee.heap)
    used: u64 = ctx.heap
    if heap == 0 or heap == used or used == ALL_HEAPS:
        return
    if used != 0:
        park(ctx)
        heap_enter(ctx, u64(ALL_HEAPS))
    else:
        heap_enter(ctx, heap)
