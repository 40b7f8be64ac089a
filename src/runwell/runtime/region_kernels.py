"""The address space of a heap: regions, and the blocks in them.

The lock of the heap is held by whoever calls these kernels.
"""

from runwell.base.objects import TAG, TAG_MASK
from runwell.kernel import Ptr, ctz, kernel, null, sizeof, u8, u32, u64
from runwell.runtime.c_library import (
    MAP_RESERVE,
    PROT_RW,
    free,
    malloc,
    memmove,
    mmap,
    munmap,
)
from runwell.runtime.heap_layout import (
    BLOCK,
    MARK_BYTES,
    MARKS_AT,
    OWN_BLOCKS,
    REGION,
    Block,
    Heap,
    Region,
)

IN_REGION = REGION - 1
PAGE_MASK = 4095
# Blocks that an object of its own region does without.
MOST_BLOCKS = REGION // BLOCK - OWN_BLOCKS


@kernel(inline=True)
def region_of(address: u64) -> Ptr[Region]:
    """The region that an address is in, if it is in one."""
    return Ptr[Region](address & ~u64(IN_REGION))


@kernel(inline=True)
def block_of(address: u64) -> Ptr[Block]:
    """The block that the beginning of an object is in."""
    blocks: Ptr[Block] = region_of(address).blocks
    return blocks + (address & u64(IN_REGION)) // u64(BLOCK)


@kernel
def start_of(block: Ptr[Block]) -> Ptr[u8]:
    """Where a block's cells begin."""
    region = region_of(u64(block))
    return Ptr[u8](region) + u64(block - region.blocks) * u64(BLOCK)


@kernel(inline=True)
def is_large(region: Ptr[Region]) -> bool:
    """Has the region been made for a single object?"""
    found: bool = region.bytes > u64(REGION)
    return found


@kernel(inline=True)
def mark_word(address: u64) -> Ptr[u64]:
    """The word of the bitmap that has an object's mark; its bit is that of ``mark_bit``."""
    marks = Ptr[u64](Ptr[u8](region_of(address)) + MARKS_AT)
    return marks + ((address & u64(IN_REGION)) >> 9)


@kernel(inline=True)
def mark_bit(address: u64) -> u64:
    """See ``mark_word``."""
    return u64(1) << (address >> 3 & 63)


# Regions.


@kernel
def place_of(heap: Ptr[Heap], region: u64) -> u64:
    """Where in the list of regions one is, or would be."""
    low: u64 = 0
    high: u64 = heap.n_regions
    while low < high:
        middle = low + (high - low) // 2
        if heap.regions[middle] < region:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def add_to_list(heap: Ptr[Heap], region: u64) -> bool:
    """Put a region into the list; is there room?"""
    if heap.n_regions == heap.region_room:
        room = 2 * heap.region_room + 8
        longer = Ptr[u64](malloc(8 * room))
        if longer == null:
            return False
        memmove(Ptr[u8](longer), Ptr[u8](heap.regions), 8 * heap.n_regions)
        free(Ptr[u8](heap.regions))
        heap.regions = longer
        heap.region_room = room
    at = place_of(heap, region)
    place = heap.regions + at
    memmove(Ptr[u8](place + 1), Ptr[u8](place), 8 * (heap.n_regions - at))
    place[0] = region
    heap.n_regions += 1
    heap.turn = at
    return True


@kernel
def new_region(heap: Ptr[Heap], size: u64) -> Ptr[Region]:
    """Reserve a region of ``size`` bytes, whole pages; null if the system has none."""
    at = mmap(null, size + u64(REGION), PROT_RW, MAP_RESERVE, -1, 0)
    if u64(at) + 1 == 0:
        return Ptr[Region](0)
    start = u64(at) + u64(IN_REGION) & ~u64(IN_REGION)
    before = start - u64(at)
    if before != 0:
        munmap(at, before)
    if before != u64(REGION):
        munmap(Ptr[u8](start + size), u64(REGION) - before)
    if not add_to_list(heap, start):
        munmap(Ptr[u8](start), size)
        return Ptr[Region](0)
    region = Ptr[Region](start)
    region.heap = heap
    region.bytes = size
    return region


@kernel
def free_region(heap: Ptr[Heap], at: u64) -> None:
    """Give a region back, by its place in the list."""
    region = Ptr[Region](heap.regions[at])
    place = heap.regions + at
    heap.n_regions -= 1
    memmove(Ptr[u8](place), Ptr[u8](place + 1), 8 * (heap.n_regions - at))
    munmap(Ptr[u8](region), region.bytes)


@kernel
def is_object(heap: Ptr[Heap], word: u64) -> bool:
    """Is a word a reference to an object of the heap?  It may be anything."""
    if word & u64(TAG_MASK) != u64(TAG):
        return False
    address = word - u64(TAG)
    at = place_of(heap, u64(region_of(address)))
    if at == heap.n_regions or heap.regions[at] != u64(region_of(address)):
        return False
    if address & 7 != 0:
        return False
    block = block_of(address)
    if block.cell_bytes == 0:
        return False
    offset = address - u64(start_of(block))
    if offset % block.cell_bytes != 0 or offset // block.cell_bytes >= u64(block.n_cells):
        return False
    header = Ptr[u64](address)[0]
    return header != 0 and header & 1 == 0


@kernel
def clear_marks(heap: Ptr[Heap]) -> None:
    """Forget all marks."""
    for i in range(heap.n_regions):
        region = Ptr[Region](heap.regions[i])
        marks = Ptr[u64](Ptr[u8](region) + MARKS_AT)
        n = u64(1) if is_large(region) else u64(MARK_BYTES // 8)
        if is_large(region):
            marks = mark_word(u64(region) + u64(OWN_BLOCKS * BLOCK))
        for k in range(n):
            marks[k] = 0
        for k in range(u64(OWN_BLOCKS), u64(REGION // BLOCK)):
            region.blocks[k].n_marked = 0


# Blocks.


@kernel
def runs_of(mask: u64, n: u64) -> u64:
    """Where ``n`` bits in a row are set."""
    runs = mask
    length: u64 = 1
    while length < n and runs != 0:
        step = min(length, n - length)
        runs &= runs >> step
        length += step
    return runs


@kernel
def take_from(heap: Ptr[Heap], region: Ptr[Region], first: u64, n: u64) -> Ptr[Block]:
    """Take blocks of a region, which are free."""
    region.free &= ~((u64(1) << n) - 1 << first)
    heap.n_free -= n
    heap.used += n * u64(BLOCK)
    block: Ptr[Block] = region.blocks + first
    block.span = u32(n)
    block.n_marked = 0
    block.is_unswept = 0
    block.has_exceptions = 0
    return block


@kernel
def take_blocks(heap: Ptr[Heap], n: u64) -> Ptr[Block]:
    """Take blocks that follow each other; null if the system has no room."""
    at: u64 = heap.turn
    if heap.n_free >= n:
        for _ in range(heap.n_regions):
            if at >= heap.n_regions:
                at = 0
            region = Ptr[Region](heap.regions[at])
            runs = runs_of(region.free, n)
            if runs != 0:
                heap.turn = at
                return take_from(heap, region, ctz(runs), n)
            at += 1
    fresh = new_region(heap, u64(REGION))
    if fresh == null:
        return Ptr[Block](0)
    fresh.free = ~u64(0) << OWN_BLOCKS
    heap.n_free += u64(MOST_BLOCKS)
    return take_from(heap, fresh, u64(OWN_BLOCKS), n)


@kernel
def give_block(heap: Ptr[Heap], block: Ptr[Block]) -> None:
    """Give a block, or several, back."""
    region = region_of(u64(block))
    n = u64(block.span)
    block.cell_bytes = 0
    region.free |= (u64(1) << n) - 1 << u64(block - region.blocks)
    heap.n_free += n
    heap.used -= n * u64(BLOCK)


@kernel
def take_large(heap: Ptr[Heap], size: u64) -> Ptr[Block]:
    """Make a region for an object; null if the system has no room."""
    region = new_region(heap, large_bytes(size))
    if region == null:
        return Ptr[Block](0)
    heap.used += region.bytes
    block: Ptr[Block] = region.blocks + OWN_BLOCKS
    return block


@kernel(inline=True)
def large_bytes(size: u64) -> u64:
    """Bytes of the region of an object."""
    return size + u64(OWN_BLOCKS * BLOCK + PAGE_MASK) & ~u64(PAGE_MASK)


@kernel
def give_large(heap: Ptr[Heap], at: u64) -> None:
    """Free the region of an object, by its place in the list."""
    heap.used -= Ptr[Region](heap.regions[at]).bytes
    free_region(heap, at)


@kernel
def trim(heap: Ptr[Heap], keep: u64) -> None:
    """Give regions back that are empty, but for some free blocks."""
    empty = ~u64(0) << OWN_BLOCKS
    at: u64 = heap.n_regions
    while at > 0 and heap.n_free > keep + u64(MOST_BLOCKS):
        at -= 1
        if Ptr[Region](heap.regions[at]).free == empty:
            heap.n_free -= u64(MOST_BLOCKS)
            free_region(heap, at)


@kernel
def free_regions(heap: Ptr[Heap]) -> None:
    """Give all regions back."""
    while heap.n_regions != 0:
        free_region(heap, heap.n_regions - 1)
    free(Ptr[u8](heap.regions))


assert sizeof(Region) <= MARKS_AT
