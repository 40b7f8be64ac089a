"""References that Python holds: each is a node in a list of its heap."""

from runwell.base.objects import TAG, TAG_MASK
from runwell.kernel import (
    Ptr,
    kernel,
    null,
    sizeof,
    static,
    u8,
    u32,
    u64,
)
from runwell.runtime.c_library import calloc, free
from runwell.runtime.heap_layout import Handle, Heap
from runwell.runtime.lock_kernels import give_lock, take_lock
from runwell.runtime.region_kernels import region_of

handles_lock = static("handles_lock", u32)


@kernel
def lock_handles() -> None:
    """Wait until nobody else reads or changes a list of handles."""
    take_lock(handles_lock)


@kernel
def unlock_handles() -> None:
    """Let others go on."""
    give_lock(handles_lock)


@kernel(export=True)
def handle_new(cell: Ptr[u64]) -> Ptr[Handle]:
    """Let Python hold what a cell refers to; null if that is no object, or there is no room.

    A collector that comes from the cell later finds the handle, and one that was there before has
    marked the object.
    """
    handle = Ptr[Handle](calloc(u64(1), u64(sizeof(Handle))))
    if handle == null:
        return handle
    lock_handles()
    word = cell[0]
    if word & u64(TAG_MASK) != u64(TAG):
        unlock_handles()
        free(Ptr[u8](handle))
        return Ptr[Handle](0)
    handle.word = word
    put_into_list(handle, region_of(word).heap)
    unlock_handles()
    return handle


@kernel
def put_into_list(handle: Ptr[Handle], heap: Ptr[Heap]) -> None:
    """Let a heap know of a handle; the lock is held."""
    handle.heap = heap
    handle.previous = null
    handle.next = heap.handles
    if handle.next != null:
        handle.next.previous = handle
    heap.handles = handle


@kernel
def link_handle(handle: Ptr[Handle], heap: Ptr[Heap]) -> None:
    """Let a heap know of a handle."""
    lock_handles()
    put_into_list(handle, heap)
    unlock_handles()


@kernel
def unlink_handle(handle: Ptr[Handle]) -> None:
    """Take a handle out of its heap's list; the lock is held."""
    if handle.previous != null:
        handle.previous.next = handle.next
    else:
        handle.heap.handles = handle.next
    if handle.next != null:
        handle.next.previous = handle.previous


@kernel(export=True)
def handle_free(handle: Ptr[Handle]) -> None:
    """Python lets go of a reference.

    While the heap is collected it stays: its object may be where the collector was before.
    """
    lock_handles()
    if handle.heap != null and handle.heap.collecting != 0:
        handle.dying = 1
        unlock_handles()
        return
    if handle.heap != null:
        unlink_handle(handle)
    unlock_handles()
    free(Ptr[u8](handle))


@kernel
def drop_dying(heap: Ptr[Heap]) -> None:
    """Forget the handles that Python let go of during a collection."""
    lock_handles()
    handle = heap.handles
    while handle != null:
        following = handle.next
        if handle.dying != 0:
            unlink_handle(handle)
            free(Ptr[u8](handle))
        handle = following
    unlock_handles()


@kernel
def give_handles(heap: Ptr[Heap], heir: Ptr[Heap]) -> None:
    """Move all handles of a heap to another, or (``heir`` null) let them know that it is gone."""
    lock_handles()
    handle = heap.handles
    heap.handles = null
    while handle != null:
        following = handle.next
        if heir != null:
            put_into_list(handle, heir)
        else:
            handle.heap = null
            handle.previous = null
            handle.next = null
        handle = following
    unlock_handles()
