"""Finding the objects of a heap that are in use: from the roots, along references.

What lies deep is kept on a stack of its own, not on the thread's.  If that cannot grow, what would
have been put there is found again by a search of the whole heap for marked objects.

The references of an exception that only objects of the heap hold are followed when one of these is
reached, so that a cycle of both is found to be dead; any other exception is a root.
"""

from runwell.base.objects import ELEMENTS_AT, IS_STRUCT, LENGTH_AT, TAG, TAG_MASK, Storage
from runwell.kernel import Ptr, addr, atomic_load, kernel, null, sizeof, u8, u32, u64
from runwell.runtime.c_library import free, malloc, memmove
from runwell.runtime.exception_kernels import (
    first_with_objects,
    lock_exceptions,
    references_of,
    unlock_exceptions,
)
from runwell.runtime.handle_kernels import lock_handles, unlock_handles
from runwell.runtime.heap_layout import (
    BLOCKS,
    OWN_BLOCKS,
    ROOT_CELL,
    ROOT_TABLE,
    Heap,
    HeapType,
    MarkEntry,
    Region,
)
from runwell.runtime.layout import Context, ExceptionObject, Instance, InstancePlan, Segment, Table
from runwell.runtime.region_kernels import (
    block_of,
    is_object,
    mark_bit,
    mark_word,
    region_of,
    start_of,
)
from runwell.runtime.signal_kernels import known_context_count, known_contexts

# Elements of an array that are looked at before others get their turn.
AT_ONCE = 1024
LEAST_STACK = 4096
REF, EXCEPTION = int(Storage.REF), int(Storage.EXCEPTION)


@kernel
def push(heap: Ptr[Heap], object_: Ptr[u64], start: u64) -> None:
    """Remember to follow an object's references."""
    if heap.n_stack == heap.stack_room:
        room = max(2 * heap.stack_room, u64(LEAST_STACK))
        longer = Ptr[MarkEntry](0)
        if room <= heap.stack_most:
            longer = Ptr[MarkEntry](malloc(u64(sizeof(MarkEntry)) * room))
        if longer == null:
            heap.overflow = 1
            return
        size = u64(sizeof(MarkEntry)) * heap.n_stack
        memmove(Ptr[u8](longer), Ptr[u8](heap.stack), size)
        free(Ptr[u8](heap.stack))
        heap.stack = longer
        heap.stack_room = room
    entry = heap.stack + heap.n_stack
    entry.object = object_
    entry.start = start
    heap.n_stack += 1


@kernel(inline=True)
def has_references(type_: Ptr[HeapType]) -> bool:
    """Is there anything to follow in objects of a type?"""
    found: bool = type_.storage == REF or type_.storage == EXCEPTION
    if type_.kind == IS_STRUCT:
        found = type_.n_references + type_.n_exceptions != 0
    return found


@kernel
def mark(heap: Ptr[Heap], word: u64) -> None:
    """Mark what a reference is to, if that is an object."""
    if word & u64(TAG_MASK) != u64(TAG):
        return
    at = word - u64(TAG)
    if region_of(at).heap != heap:
        return
    marks = mark_word(at)
    bit = mark_bit(at)
    if marks[0] & bit != 0:
        return
    marks[0] |= bit
    block_of(at).n_marked += 1
    object_ = Ptr[u64](at)
    if has_references(Ptr[HeapType](object_[0])):
        push(heap, object_, u64(0))


@kernel
def mark_root(heap: Ptr[Heap], word: u64) -> None:
    """Mark what a word refers to, which may be anything."""
    if word & u64(TAG_MASK) == u64(TAG) and is_object(heap, word):
        mark(heap, word)


@kernel
def mark_roots(heap: Ptr[Heap], words: Ptr[u64], n: u64) -> None:
    """Mark what words refer to."""
    heap.n_looked_at += n
    for i in range(n):
        mark_root(heap, words[i])


@kernel
def follow_exception(heap: Ptr[Heap], e: Ptr[ExceptionObject]) -> None:
    """Mark what an exception refers to."""
    if e == null or e.cycle == heap.cycle:
        return
    e.cycle = heap.cycle
    if e.tag.n_objects != 0:
        references = references_of(e)
        for i in range(e.tag.ref_bytes // 8):
            mark_root(heap, references[i])


@kernel
def follow_struct(heap: Ptr[Heap], object_: Ptr[u64], type_: Ptr[HeapType]) -> None:
    """Mark what a structure refers to."""
    at = Ptr[u8](object_)
    offsets = Ptr[u32](type_.fields + type_.n_fields)
    for i in range(type_.n_references):
        mark(heap, Ptr[u64](at + offsets[i])[0])
    offsets = offsets + type_.n_references
    for i in range(type_.n_exceptions):
        follow_exception(heap, Ptr[ExceptionObject](Ptr[u64](at + offsets[i])[0]))


@kernel
def follow_elements(heap: Ptr[Heap], object_: Ptr[u64], start: u64, end: u64) -> None:
    """Mark what elements of an array refer to."""
    type_ = Ptr[HeapType](object_[0])
    elements = Ptr[u64](Ptr[u8](object_) + ELEMENTS_AT)
    if type_.storage == EXCEPTION:
        for i in range(start, end):
            follow_exception(heap, Ptr[ExceptionObject](elements[i]))
    else:
        for i in range(start, end):
            mark(heap, elements[i])


@kernel(inline=True)
def length_of(object_: Ptr[u64]) -> u64:
    """How many elements an array has."""
    return u64(Ptr[u32](Ptr[u8](object_) + LENGTH_AT)[0])


@kernel
def follow(heap: Ptr[Heap], object_: Ptr[u64], start: u64) -> None:
    """Mark what an object refers to, from an element on."""
    type_ = Ptr[HeapType](object_[0])
    if type_.kind == IS_STRUCT:
        follow_struct(heap, object_, type_)
        return
    length = length_of(object_)
    end = min(length, start + AT_ONCE)
    if end < length:
        push(heap, object_, end)
    follow_elements(heap, object_, start, end)


@kernel
def follow_stack(heap: Ptr[Heap]) -> None:
    """Follow what is on the stack, and what that leads to."""
    while heap.n_stack != 0:
        heap.n_stack -= 1
        entry = heap.stack + heap.n_stack
        follow(heap, entry.object, entry.start)


@kernel
def drain(heap: Ptr[Heap]) -> None:
    """Follow all that is to be followed."""
    follow_stack(heap)
    while heap.overflow != 0:
        heap.overflow = 0
        search(heap)


@kernel
def search(heap: Ptr[Heap]) -> None:
    """Follow the references of all marked objects: some were forgotten."""
    for i in range(heap.n_regions):
        region = Ptr[Region](heap.regions[i])
        for k in range(u64(OWN_BLOCKS), u64(BLOCKS)):
            block = region.blocks + k
            if block.cell_bytes != 0 and block.n_marked != 0:
                at = u64(start_of(block))
                for _ in range(block.n_cells):
                    if mark_word(at)[0] & mark_bit(at) != 0:
                        search_object(heap, Ptr[u64](at))
                    at += block.cell_bytes


@kernel
def search_object(heap: Ptr[Heap], object_: Ptr[u64]) -> None:
    """Follow the references of a marked object; nothing is put on the stack but what was not."""
    type_ = Ptr[HeapType](object_[0])
    if not has_references(type_):
        return
    if type_.kind == IS_STRUCT:
        follow_struct(heap, object_, type_)
        follow_stack(heap)
        return
    length = length_of(object_)
    for start in range(u64(0), length, AT_ONCE):
        follow_elements(heap, object_, start, min(length, start + AT_ONCE))
        follow_stack(heap)


# Roots.


@kernel
def mark_instance(heap: Ptr[Heap], instance: Ptr[Instance], plan: Ptr[InstancePlan]) -> None:
    """Mark what an instance's globals and element segments refer to."""
    for i in range(plan.n_object_cells):
        mark_root(heap, Ptr[u64](Ptr[u8](instance) + plan.object_cells[i])[0])
    for i in range(plan.n_elements):
        segment = Ptr[Segment](instance.elements + i)
        mark_roots(heap, Ptr[u64](segment.items), segment.size)


@kernel
def mark_stacks(heap: Ptr[Heap]) -> None:
    """Mark what the stacks of all threads refer to."""
    for i in range(atomic_load(known_context_count)):
        ctx = Ptr[Context](atomic_load(known_contexts + i))
        if ctx != null and ctx.ref_end > ctx.refs:
            mark_roots(heap, Ptr[u64](ctx.refs), u64(ctx.ref_end - ctx.refs) // 8)


@kernel
def mark_exceptions(heap: Ptr[Heap]) -> None:
    """Mark what exceptions refer to that not only objects hold."""
    lock_exceptions()
    e = Ptr[ExceptionObject](first_with_objects[0])
    while e != null:
        if atomic_load(addr(e.holders)) > atomic_load(addr(e.heap_holders)):
            follow_exception(heap, e)
        e = Ptr[ExceptionObject](e.behind)
    unlock_exceptions()


@kernel
def mark_handles(heap: Ptr[Heap]) -> None:
    """Mark what Python refers to."""
    lock_handles()
    handle = heap.handles
    while handle != null:
        mark_root(heap, handle.word)
        handle = handle.next
    unlock_handles()


@kernel
def mark_all(heap: Ptr[Heap]) -> None:
    """Mark all objects that are in use.

    Threads that run no guest may hand references from the stacks, from tables and from exceptions
    to Python meanwhile, or back.  So Python's handles come last, and those that it lets go of
    meanwhile stay.
    """
    mark_stacks(heap)
    for i in range(heap.n_roots):
        root = heap.roots + i
        if root.kind == ROOT_TABLE:
            table = Ptr[Table](root.address)
            mark_roots(heap, table.elements, table.size)
        elif root.kind == ROOT_CELL:
            mark_root(heap, Ptr[u64](root.address)[0])
        else:
            mark_instance(heap, Ptr[Instance](root.address), Ptr[InstancePlan](root.plan))
    drain(heap)
    mark_exceptions(heap)
    mark_handles(heap)
    drain(heap)
