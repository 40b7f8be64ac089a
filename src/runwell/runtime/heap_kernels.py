"""The heap: taking cells, collecting, joining with another heap (how and why: docs/rationale.md).

It does not move objects.  Cells of a size come from blocks of that size; what a collection left of
a block becomes a list of free cells when somebody needs one.  One thread, the owner, takes cells
from lists that nobody else touches; the others take theirs under the lock.
"""

from platform import machine

from runwell.base.objects import ELEMENTS_AT, IS_STRUCT, LEAST_RESULT, Storage
from runwell.base.traps import TrapCode
from runwell.kernel import (
    Ptr,
    addr,
    atomic_add,
    atomic_load,
    atomic_store,
    atomic_swap,
    const_array,
    kernel,
    likely,
    null,
    sizeof,
    static,
    u8,
    u16,
    u32,
    u64,
)
from runwell.runtime.c_library import calloc, free, malloc, memmove
from runwell.runtime.exception_kernels import exception_release_of_object
from runwell.runtime.extern_list_kernels import drop_all_externs, move_externs, sort_externs
from runwell.runtime.handle_kernels import drop_dying, give_handles
from runwell.runtime.heap_layout import (
    BLOCK,
    BLOCKS,
    CLASSES,
    MOST_IN_CELLS,
    OWN_BLOCKS,
    ROOT_INSTANCE,
    STEP,
    Bin,
    Block,
    Heap,
    HeapType,
    Region,
    Root,
    size_classes,
)
from runwell.runtime.layout import Context, ExceptionObject, Instance
from runwell.runtime.mark_kernels import length_of, mark_all
from runwell.runtime.pause_kernels import (
    ALL_HEAPS,
    collections_running,
    heap_enter,
    heir_of,
)
from runwell.runtime.region_kernels import (
    MOST_BLOCKS,
    add_to_list,
    clear_marks,
    free_regions,
    give_block,
    give_large,
    is_large,
    large_bytes,
    mark_bit,
    mark_word,
    start_of,
    take_blocks,
    take_large,
    trim,
)
from runwell.runtime.stop_kernels import lock_heap, resume_guests, stop_guests, unlock_heap

IS_ARM = machine() in ("aarch64", "arm64")
EXHAUSTED = int(TrapCode.HEAP_EXHAUSTED)
EXCEPTION = int(Storage.EXCEPTION)
# Bytes in use below which it is not worth collecting.
LEAST_THRESHOLD = 8 << 20
# A collection of a full heap that leaves less than this part of it free is in vain.
LEAST_FREE = 16
MOST_ENTRIES = 1 << 40
# Objects of the host before it is worth looking which of them are still in use, and how many bytes
# are looked at for each of them.
LEAST_EXTERNS = 1024
BYTES_EACH = 1024


def _class_of() -> list[int]:
    sizes = size_classes()
    return [
        next(x for x, size in enumerate(sizes) if size >= STEP * n)
        for n in range(MOST_IN_CELLS // STEP + 1)
    ]


# By size in steps: the class of its cells; by class: the size.
CLASS_OF = const_array("heap_class_of", u8, _class_of)
CLASS_BYTES = const_array("heap_class_bytes", u16, lambda: list(size_classes()))

# Counts collections in the process.
cycles = static("heap_cycles", u32)


@kernel(export=True)
def heap_new(limit: u64) -> Ptr[Heap]:
    """Make a heap of at most ``limit`` bytes; null if there is no room."""
    heap = Ptr[Heap](calloc(u64(1), u64(sizeof(Heap))))
    if heap != null:
        heap.limit = limit
        heap.threshold = min(limit, u64(LEAST_THRESHOLD))
        heap.stack_most = u64(MOST_ENTRIES)
        heap.most_externs = u64(LEAST_EXTERNS)
    return heap


@kernel(export=True)
def heap_free(heap: Ptr[Heap]) -> None:
    """Give a heap back; no guest uses it."""
    give_handles(heap, Ptr[Heap](0))
    if heap.face != null:
        heap.face[0] = 0
    drop_all_externs(heap)
    for i in range(heap.n_regions):
        region = Ptr[Region](heap.regions[i])
        for k in range(u64(OWN_BLOCKS), u64(BLOCKS)):
            block = region.blocks + k
            if block.cell_bytes != 0 and block.has_exceptions != 0:
                release_all(block)
    free_regions(heap)
    free(Ptr[u8](heap.roots))
    free(Ptr[u8](heap.stack))
    free(Ptr[u8](heap))


@kernel(export=True)
def heap_add_root(heap: Ptr[Heap], kind: u32, address: u64, plan: u64) -> u32:
    """Let a heap know of something that refers to its objects; 0 if there is no room."""
    lock_heap(heap)
    if heap.n_roots == heap.root_room:
        room = 2 * heap.root_room + 8
        longer = Ptr[Root](malloc(u64(sizeof(Root)) * room))
        if longer == null:
            unlock_heap(heap)
            return u32(0)
        memmove(Ptr[u8](longer), Ptr[u8](heap.roots), u64(sizeof(Root)) * heap.n_roots)
        free(Ptr[u8](heap.roots))
        heap.roots = longer
        heap.root_room = room
    root = heap.roots + heap.n_roots
    root.kind = kind
    root.address = address
    root.plan = plan
    heap.n_roots += 1
    if kind == ROOT_INSTANCE:
        Ptr[Instance](address).heap = Ptr[u8](heap)
    unlock_heap(heap)
    return u32(1)


# Sweeping.


@kernel
def release_exceptions(object_: Ptr[u64]) -> None:
    """Let go of the exceptions that a dead object refers to."""
    type_ = Ptr[HeapType](object_[0])
    at = Ptr[u8](object_)
    if type_.kind == IS_STRUCT:
        offsets = Ptr[u32](type_.fields + type_.n_fields) + type_.n_references
        for i in range(type_.n_exceptions):
            exception_release_of_object(Ptr[ExceptionObject](Ptr[u64](at + offsets[i])[0]))
    elif type_.storage == EXCEPTION:
        elements = Ptr[u64](at + ELEMENTS_AT)
        for k in range(length_of(object_)):
            exception_release_of_object(Ptr[ExceptionObject](elements[k]))


@kernel
def release_all(block: Ptr[Block]) -> None:
    """Let go of the exceptions that objects in a block refer to, all of which are dead."""
    at = start_of(block)
    for _ in range(block.n_cells):
        header = Ptr[u64](at)[0]
        if header != 0 and header & 1 == 0:
            release_exceptions(Ptr[u64](at))
        at = at + block.cell_bytes


@kernel
def sweep(block: Ptr[Block]) -> Ptr[u64]:
    """Free the cells of a block that are not marked; gives the list of them."""
    found = Ptr[u64](0)
    at = u64(start_of(block)) + u64(block.n_cells) * block.cell_bytes
    has_exceptions = block.has_exceptions != 0
    for _ in range(block.n_cells):
        at -= block.cell_bytes
        if mark_word(at)[0] & mark_bit(at) == 0:
            cell = Ptr[u64](at)
            if has_exceptions and cell[0] != 0 and cell[0] & 1 == 0:
                release_exceptions(cell)
            cell[0] = u64(found) + 1
            found = cell
    block.is_unswept = 0
    return found


@kernel
def finish_sweeping(heap: Ptr[Heap]) -> None:
    """Sweep what nobody has needed since the last collection."""
    for k in range(u32(CLASSES)):
        block = heap.unswept[k]
        while block != null:
            following = block.next
            sweep(block)
            block = following
        heap.unswept[k] = null


@kernel
def sort_out(heap: Ptr[Heap]) -> None:
    """After marking: free what is empty, and list the blocks that have free cells."""
    at: u64 = heap.n_regions
    while at > 0:
        at -= 1
        region = Ptr[Region](heap.regions[at])
        if is_large(region):
            block = region.blocks + OWN_BLOCKS
            if block.n_marked == 0:
                if block.has_exceptions != 0:
                    release_all(block)
                give_large(heap, at)
        else:
            for k in range(u64(OWN_BLOCKS), u64(BLOCKS)):
                sort_block(heap, region.blocks + k)


@kernel
def sort_block(heap: Ptr[Heap], block: Ptr[Block]) -> None:
    """After marking: free a block, or list it."""
    if block.cell_bytes == 0:
        return
    if block.n_marked == 0:
        if block.has_exceptions != 0:
            release_all(block)
        give_block(heap, block)
    elif block.n_marked < block.n_cells:
        block.is_unswept = 1
        block.next = heap.unswept[block.size_class]
        heap.unswept[block.size_class] = block
    heap.live += u64(block.n_marked) * block.cell_bytes


@kernel
def retire(bins: Ptr[Bin]) -> None:
    """Take no more cells from lists; those that were never used are free."""
    for k in range(u32(CLASSES)):
        bin_ = bins + k
        size = u64(CLASS_BYTES[k])
        while bin_.fresh < bin_.end:
            bin_.fresh[0] = 0
            bin_.fresh = Ptr[u64](Ptr[u8](bin_.fresh) + size)
        bin_.free = null
        bin_.fresh = null
        bin_.end = null


@kernel
def collect(heap: Ptr[Heap]) -> None:
    """Free all objects that nobody can reach; the lock is held, the context uses no heap."""
    stop_guests(heap)
    heap.cycle = atomic_add(cycles, u32(1)) + 1
    retire(heap.bins)
    retire(heap.shared)
    finish_sweeping(heap)
    clear_marks(heap)
    drop_dying(heap)
    heap.n_looked_at = 0
    mark_all(heap)
    sort_externs(heap)
    heap.live = 0
    sort_out(heap)
    heap.threshold = min(heap.limit, max(2 * heap.used, u64(LEAST_THRESHOLD)))
    trim(heap, (heap.threshold - min(heap.threshold, heap.used)) // u64(BLOCK))
    heap.most_externs = max(u64(LEAST_EXTERNS), 2 * heap.n_externs)
    # Where there is much to mark, it is worth it less often.
    heap.most_externs += (heap.live + 8 * heap.n_looked_at) // u64(BYTES_EACH)
    heap.n_collections += 1
    resume_guests(heap)


@kernel(export=True)
def heap_collect(heap: Ptr[Heap]) -> None:
    """Collect a heap, for Python."""
    while True:
        at = heir_of(heap)
        lock_heap(at)
        if at.heir == null:
            collect(at)
            unlock_heap(at)
            return
        unlock_heap(at)


# Joining.


@kernel(export=True)
def heap_join(heap: Ptr[Heap], other: Ptr[Heap]) -> u32:
    """Make another heap part of this one; 0 if there is no room.  Both are no part of any."""
    low = heap if heap < other else other
    high = other if heap < other else heap
    lock_heap(low)
    lock_heap(high)
    stop_guests(low)
    stop_guests(high)
    done = move_all(heap, other)
    resume_guests(high)
    resume_guests(low)
    unlock_heap(high)
    unlock_heap(low)
    return u32(done)


@kernel
def move_all(heap: Ptr[Heap], other: Ptr[Heap]) -> bool:
    """Move what a heap has to another one."""
    room = heap.n_roots + other.n_roots
    roots = Ptr[Root](malloc(u64(sizeof(Root)) * room + 1))
    regions = heap.n_regions + other.n_regions
    places = Ptr[u64](malloc(8 * regions + 1))
    if roots == null or places == null:
        free(Ptr[u8](roots))
        free(Ptr[u8](places))
        return False
    memmove(Ptr[u8](places), Ptr[u8](heap.regions), 8 * heap.n_regions)
    free(Ptr[u8](heap.regions))
    heap.regions = places
    heap.region_room = regions
    retire(other.bins)
    retire(other.shared)
    finish_sweeping(other)
    for i in range(other.n_regions):
        Ptr[Region](other.regions[i]).heap = heap
        add_to_list(heap, other.regions[i])
    other.n_regions = 0
    heap.used += other.used
    heap.n_free += other.n_free
    heap.limit = max(heap.limit, other.limit)
    heap.threshold = min(heap.limit, max(heap.threshold, heap.used))
    size = u64(sizeof(Root))
    memmove(Ptr[u8](roots), Ptr[u8](heap.roots), size * heap.n_roots)
    memmove(Ptr[u8](roots + heap.n_roots), Ptr[u8](other.roots), size * other.n_roots)
    free(Ptr[u8](heap.roots))
    heap.roots = roots
    heap.root_room = room
    for i in range(other.n_roots):
        if other.roots[i].kind == ROOT_INSTANCE:
            Ptr[Instance](other.roots[i].address).heap = Ptr[u8](heap)
    heap.n_roots = room
    other.n_roots = 0
    give_handles(other, heap)
    move_externs(other, heap)
    other.heir = heap
    return True


# Taking cells.


@kernel(inline=True)
def take_cell(bin_: Ptr[Bin], size: u64) -> Ptr[u64]:
    """A cell of a list; null if it has none."""
    cell: Ptr[u64] = bin_.free
    if likely(cell != null):
        bin_.free = Ptr[u64](cell[0] - 1)
        return cell
    cell = bin_.fresh
    if cell < bin_.end:
        bin_.fresh = Ptr[u64](Ptr[u8](cell) + size)
        return cell
    return Ptr[u64](0)


@kernel
def refill(heap: Ptr[Heap], bin_: Ptr[Bin], size_class: u32) -> bool:
    """Find cells that a collection has freed; are there any?"""
    while heap.unswept[size_class] != null:
        block = heap.unswept[size_class]
        heap.unswept[size_class] = block.next
        bin_.free = sweep(block)
        if bin_.free != null:
            return True
    return False


@kernel
def take_fresh(heap: Ptr[Heap], bin_: Ptr[Bin], size_class: u32) -> bool:
    """Make a block of cells; is there room?"""
    block = take_blocks(heap, u64(1))
    if block == null:
        return False
    size = u64(CLASS_BYTES[size_class])
    block.n_cells = u32(u64(BLOCK) // size)
    block.size_class = size_class
    start = Ptr[u64](start_of(block))
    bin_.fresh = start
    bin_.end = Ptr[u64](Ptr[u8](start) + u64(block.n_cells) * size)
    block.cell_bytes = size
    return True


@kernel
def take_span(heap: Ptr[Heap], size: u64) -> Ptr[u64]:
    """Room for an object that is larger than cells are; null if there is none."""
    n = (size + u64(BLOCK - 1)) // u64(BLOCK)
    block = take_large(heap, size) if n > MOST_BLOCKS else take_blocks(heap, n)
    if block == null:
        return Ptr[u64](0)
    start = Ptr[u64](start_of(block))
    start[0] = 0
    block.cell_bytes = n * u64(BLOCK)
    block.n_cells = 1
    block.size_class = CLASSES
    return start


@kernel
def find_room(heap: Ptr[Heap], bin_: Ptr[Bin], size: u64, most: u64) -> Ptr[u64]:
    """Room for an object, so that no more than ``most`` bytes are in use; null if there is none."""
    if size > MOST_IN_CELLS:
        n = (size + u64(BLOCK - 1)) // u64(BLOCK)
        bytes_ = large_bytes(size) if n > MOST_BLOCKS else n * u64(BLOCK)
        if bytes_ > most or heap.used > most - bytes_:
            return Ptr[u64](0)
        return take_span(heap, size)
    size_class = u32(CLASS_OF[(size + u64(STEP - 1)) // u64(STEP)])
    cell_bytes = u64(CLASS_BYTES[size_class])
    cell = take_cell(bin_ + size_class, cell_bytes)
    if cell == null and (
        refill(heap, bin_ + size_class, size_class)
        or (heap.used + u64(BLOCK) <= most and take_fresh(heap, bin_ + size_class, size_class))
    ):
        cell = take_cell(bin_ + size_class, cell_bytes)
    return cell


@kernel
def take_room(ctx: Ptr[Context], heap: Ptr[Heap], size: u64) -> u64:
    """Room for an object, after a collection if need be, or a trap code; the lock is held."""
    if heap.owner == 0:
        heap.owner = u64(ctx)
    bins = heap.bins + 0 if heap.owner == u64(ctx) else heap.shared + 0
    cell = find_room(heap, bins, size, heap.threshold)
    if cell == null and size < heap.limit:
        collect(heap)
        heap.owner = u64(ctx)
        # Who wants something of the guest should not have to wait for many of them.
        ctx.budget = 0
        is_vain = heap.live > heap.limit - heap.limit // LEAST_FREE
        if not is_vain:
            cell = find_room(heap, heap.bins + 0, size, heap.limit)
    return u64(cell) if cell != null else u64(EXHAUSTED)


@kernel
def allocate_slowly(ctx: Ptr[Context], instance: Ptr[Instance], size: u64) -> u64:
    """Room for an object, or a trap code; ``ctx.ref_end`` is set."""
    used: u64 = ctx.heap
    while True:
        atomic_store(addr(ctx.heap), u64(0))
        heap = heir_of(Ptr[Heap](instance.heap))
        lock_heap(heap)
        if heap.heir != null:
            unlock_heap(heap)
        else:
            result = take_room(ctx, heap, size)
            # Before the lock is given back, or else others would find the room free.
            if used != ALL_HEAPS:
                atomic_swap(addr(ctx.heap), u64(heap))
                unlock_heap(heap)
                return result
            atomic_swap(addr(ctx.heap), u64(ALL_HEAPS))
            if atomic_load(collections_running) == 0:
                unlock_heap(heap)
                return result
            # Another heap is being collected, which this thread must not use now.
            atomic_store(addr(ctx.heap), u64(0))
            if result >= LEAST_RESULT:
                discard(Ptr[u64](result))
            unlock_heap(heap)
            heap_enter(ctx, used)


@kernel
def discard(cell: Ptr[u64]) -> None:
    """Do not use room that was taken; the next collection will find it."""
    cell[0] = 0


@kernel(inline=True)
def allocate(ctx: Ptr[Context], instance: Ptr[Instance], size: u64, end: Ptr[u64]) -> u64:
    """Room for an object of ``size`` bytes, or a trap code.

    It may be collected meanwhile; references in use end at ``end``.  The object must be complete
    before anything else is allocated.
    """
    heap = Ptr[Heap](instance.heap)
    if likely(heap.owner == u64(ctx) and size <= MOST_IN_CELLS):
        size_class = CLASS_OF[(size + u64(STEP - 1)) // u64(STEP)]
        bin_ = heap.bins + size_class
        cell = take_cell(bin_, u64(CLASS_BYTES[size_class]))
        if likely(cell != null):
            return u64(cell)
    ctx.ref_end = Ptr[u8](end)
    return allocate_slowly(ctx, instance, size)


@kernel(inline=True)
def publish(at: Ptr[u64], type_: Ptr[HeapType]) -> u64:
    """An object is complete but for its type: the reference to it."""
    if IS_ARM:
        atomic_swap(at, u64(type_))
    else:
        at[0] = u64(type_)
    return u64(at) + 2
