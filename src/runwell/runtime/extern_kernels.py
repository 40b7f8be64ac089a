"""Letting guests have objects of the host (which of them they still have: ``extern_list_kernels``).

Whoever calls these has the interpreter lock, and a context that runs no guest just now.  What is
given out is where a collector looks for references before anybody can collect.
"""

from runwell.base.limits import HEAP_BYTES
from runwell.base.objects import HOST_AT, HOST_BYTES
from runwell.kernel import Ptr, kernel, null, sizeof, static, u8, u32, u64
from runwell.runtime.c_library import calloc, free, malloc
from runwell.runtime.extern_list_kernels import type_of_hosts
from runwell.runtime.handle_kernels import link_handle
from runwell.runtime.heap_kernels import collect, find_room, heap_new, publish
from runwell.runtime.heap_layout import Bin, Extern, Handle, Heap, HeapType
from runwell.runtime.layout import Context
from runwell.runtime.pause_kernels import heir_of
from runwell.runtime.stop_kernels import lock_heap, unlock_heap

# For host functions that Python calls, so that no guest is there that has a heap.
spare_heap = static("spare_heap", u64)


@kernel(export=True)
def spare_heap_of_process() -> Ptr[Heap]:
    """A heap that belongs to no store; null if there is no room."""
    if spare_heap[0] == 0:
        spare_heap[0] = u64(heap_new(u64(HEAP_BYTES)))
    return Ptr[Heap](spare_heap[0])


@kernel
def lock_heir(heap: Ptr[Heap]) -> Ptr[Heap]:
    """What a heap has become part of, locked."""
    while True:
        at = heir_of(heap)
        lock_heap(at)
        if at.heir == null:
            return at
        unlock_heap(at)


@kernel
def add_extern(heap: Ptr[Heap], bins: Ptr[Bin], object_: u64) -> u64:
    """The reference to an object of the host, or 0 if there is no room; the lock is held."""
    extern = Ptr[Extern](malloc(u64(sizeof(Extern))))
    if extern == null:
        return u64(0)
    # Whatever the limit of the guest: it is the host that gives it out.
    cell = find_room(heap, bins, u64(HOST_BYTES), ~u64(0))
    if cell == null:
        free(Ptr[u8](extern))
        return u64(0)
    Ptr[u64](Ptr[u8](cell) + HOST_AT)[0] = object_
    extern.cell = u64(cell)
    extern.object = object_
    extern.next = heap.externs
    heap.externs = extern
    heap.n_externs += 1
    return publish(cell, Ptr[HeapType](type_of_hosts()))


@kernel
def make_room_for_extern(heap: Ptr[Heap]) -> None:
    """Look which objects of the host are in use, if they have become many; the lock is held."""
    if heap.n_externs >= heap.most_externs:
        collect(heap)


@kernel(export=True)
def extern_put(ctx: Ptr[Context], heap: Ptr[Heap], object_: u64, at: Ptr[u64]) -> u32:
    """Put a reference to an object of the host on a context's stack; 0 if there is no room.

    The caller adds to the object's count.
    """
    root = lock_heir(heap)
    make_room_for_extern(root)
    bins = root.bins + 0 if root.owner == u64(ctx) else root.shared + 0
    word = add_extern(root, bins, object_)
    at[0] = word
    end = Ptr[u8](at + 1)
    if ctx.ref_end < end:
        ctx.ref_end = end
    unlock_heap(root)
    return u32(word != 0)


@kernel(export=True)
def extern_handle(heap: Ptr[Heap], object_: u64) -> Ptr[Handle]:
    """A handle of an object of the host, for Python; null if there is no room.

    The caller adds to the object's count.
    """
    handle = Ptr[Handle](calloc(u64(1), u64(sizeof(Handle))))
    if handle == null:
        return handle
    root = lock_heir(heap)
    make_room_for_extern(root)
    handle.word = add_extern(root, root.shared + 0, object_)
    if handle.word != 0:
        link_handle(handle, root)
    unlock_heap(root)
    if handle.word == 0:
        free(Ptr[u8](handle))
        return Ptr[Handle](0)
    return handle


# For Python's cycle collector.


@kernel(export=True)
def first_extern(heap: Ptr[Heap]) -> Ptr[Extern]:
    """The list of what a heap holds, which nobody changes until ``release_externs``."""
    lock_heap(heap)
    found: Ptr[Extern] = heap.externs
    return found


@kernel(export=True)
def release_externs(heap: Ptr[Heap]) -> None:
    """The caller of ``first_extern`` is done."""
    unlock_heap(heap)


@kernel(export=True)
def take_externs(heap: Ptr[Heap], instead: u64) -> Ptr[Extern]:
    """Let guests have another object in place of all that a heap holds, which the caller gets."""
    first = first_extern(heap)
    at = first
    while at != null:
        Ptr[u64](Ptr[u8](Ptr[u64](at.cell)) + HOST_AT)[0] = instead
        at = at.next
    heap.externs = null
    heap.n_externs = 0
    release_externs(heap)
    return first
