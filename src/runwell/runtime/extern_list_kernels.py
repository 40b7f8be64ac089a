"""Objects of the host that guests refer to: which of them are still in use.

To a guest each is an object of the heap of its store, so whatever finds the objects in use finds
those of the host as well.  The heap has a list of what it holds in Python; what a collection has
not marked leaves that list for another, of the whole process, from which somebody who has the
interpreter lock and no other takes it to let go of it: that may run any Python code.
"""

from runwell.base.objects import IS_HOST
from runwell.kernel import (
    Ptr,
    addr,
    atomic_cas,
    atomic_load,
    atomic_swap,
    kernel,
    null,
    static,
    u32,
    u64,
)
from runwell.runtime.heap_layout import Extern, Heap, HeapType
from runwell.runtime.region_kernels import mark_bit, mark_word

# The type of all objects of the host: its number and those of its supertypes are 0, as no type's.
host_type = static("host_type", HeapType, 2)
# Those that no guest refers to any more, and of which nobody has let go yet.
dead_externs = static("dead_externs", u64)


@kernel
def type_of_hosts() -> u64:
    """The address of the type."""
    host_type[0].kind = u32(IS_HOST)
    return u64(addr(host_type[0]))


@kernel
def drop_externs(first: Ptr[Extern], last: Ptr[Extern]) -> None:
    """Put a chain into the list of those to be let go of."""
    while True:
        head = atomic_load(dead_externs)
        last.next = Ptr[Extern](head)
        if atomic_cas(dead_externs, head, u64(first)):
            return


@kernel(export=True)
def take_dead_externs() -> Ptr[Extern]:
    """All that are to be let go of, in a chain that the caller has to free."""
    return Ptr[Extern](atomic_swap(dead_externs, u64(0)))


@kernel
def drop_all_externs(heap: Ptr[Heap]) -> None:
    """Nobody refers to anything in a heap any more."""
    first = heap.externs
    if first == null:
        return
    last = first
    while last.next != null:
        last = last.next
    heap.externs = null
    heap.n_externs = 0
    drop_externs(first, last)


@kernel
def sort_externs(heap: Ptr[Heap]) -> None:
    """After marking: keep those that are in use."""
    kept = Ptr[Extern](0)
    dead = Ptr[Extern](0)
    last = Ptr[Extern](0)
    n: u64 = 0
    at = heap.externs
    while at != null:
        following = at.next
        if mark_word(at.cell)[0] & mark_bit(at.cell) != 0:
            at.next = kept
            kept = at
            n += 1
        else:
            at.next = dead
            if dead == null:
                last = at
            dead = at
        at = following
    heap.externs = kept
    heap.n_externs = n
    if dead != null:
        drop_externs(dead, last)


@kernel
def move_externs(heap: Ptr[Heap], heir: Ptr[Heap]) -> None:
    """Let another heap hold what a heap does."""
    at = heap.externs
    heap.externs = null
    while at != null:
        following = at.next
        at.next = heir.externs
        heir.externs = at
        at = following
    heir.n_externs += heap.n_externs
    heir.most_externs = max(heir.most_externs, heap.most_externs)
    heap.n_externs = 0
