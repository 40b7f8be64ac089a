"""Kernels of linear memories: reserving, growing, copying (spec: execution of memory instructions).

What a guest does to a memory goes through the instance; what the host does names the ``Memory``.
"""

from runwell.base.traps import TrapCode
from runwell.kernel import (
    Ptr,
    addr,
    atomic_add,
    atomic_cas,
    atomic_load,
    atomic_store,
    atomic_swap,
    i32,
    kernel,
    null,
    sizeof,
    static,
    u8,
    u32,
    u64,
)
from runwell.runtime.c_library import (
    MAP_RESERVE,
    PROT_NONE,
    PROT_RW,
    free,
    malloc,
    memmove,
    memset,
    mmap,
    mprotect,
    munmap,
)
from runwell.runtime.interrupt_kernels import is_wanted, poll, trapped
from runwell.runtime.layout import Context, Instance, Memory
from runwell.runtime.lock_kernels import give_lock, take_lock

# Bytes that are copied without a look at what is wanted of the guest, in about a millisecond.
PIECE = 1 << 20
OUT_OF_BOUNDS = int(TrapCode.OUT_OF_BOUNDS_MEMORY)
# Memories that can be open at once; two mappings each, and Linux allows 65 530.
GUEST_RANGES = 32768

# Pairs of first and last address behind each open guarded memory, for the fault handler, which may
# interrupt a thread anywhere: so no lock, and a free pair holds no address.
guest_ranges = static("guest_ranges", u64, 2 * GUEST_RANGES)
# Reservations of small guarded memories that were closed: making one anew takes the system longer
# than zeroing it.  Address and size in units of 64 KiB, in one number; behind them a counter.
SPARES, SPARE_BYTES = 8, 1 << 17
spare_memories = static("spare_memories", u64, SPARES + 1)
# How many pairs were ever used, and where to look for a free one.
guest_range_counts = static("guest_range_counts", u64, 2)


@kernel(inline=True)
def whole_pages(size: u64) -> u64:
    """A size in bytes, rounded up to what the host can protect."""
    return (size + 4095) & ~u64(4095)


@kernel
def add_guest_range(low: u64, high: u64) -> u32:
    """Enter a memory into the fault handler's table; the number of its pair plus 1, or 0."""
    start = atomic_load(guest_range_counts + 1)
    for n in range(u64(0), u64(GUEST_RANGES)):
        i = (start + n) % u64(GUEST_RANGES)
        # An upper bound without a lower one matches nothing: that is how a pair is claimed.
        if atomic_cas(guest_ranges + (2 * i + 1), u64(0), u64(1)):
            atomic_store(guest_ranges + 2 * i, low)
            atomic_store(guest_ranges + (2 * i + 1), high)
            atomic_store(guest_range_counts + 1, i + 1)
            used = atomic_load(guest_range_counts)
            while used <= i:
                atomic_cas(guest_range_counts, used, i + 1)
                used = atomic_load(guest_range_counts)
            return u32(i + 1)
    return u32(0)


@kernel
def remove_guest_range(slot: u32) -> None:
    """Take a memory out of the fault handler's table."""
    i = u64(slot) - 1
    atomic_store(guest_ranges + (2 * i + 1), u64(1))
    atomic_store(guest_ranges + 2 * i, u64(0))
    atomic_store(guest_ranges + (2 * i + 1), u64(0))
    atomic_store(guest_range_counts + 1, i)


@kernel
def is_guest_address(address: u64) -> bool:
    """Does some open guarded memory contain the address?"""
    used = atomic_load(guest_range_counts)
    for i in range(u64(0), used):
        if guest_ranges[2 * i] <= address and address < guest_ranges[2 * i + 1]:
            return True
    return False


@kernel
def take_spare(size: u64) -> Ptr[u8]:
    """A spare reservation of which exactly ``size`` zeroed bytes are accessible, or null."""
    for i in range(u64(0), u64(SPARES)):
        found = atomic_load(spare_memories + i)
        if (
            found != 0
            and (found & 4095) << 16 == size
            and atomic_cas(spare_memories + i, found, u64(0))
        ):
            return Ptr[u8](found & ~u64(4095))
    return Ptr[u8](0)


@kernel
def keep_spare(memory: Ptr[Memory]) -> bool:
    """Keep the reservation of a small memory, with its pages, for the next one."""
    if memory.guarded == 0 or memory.bytes == 0 or memory.bytes > SPARE_BYTES:
        return False
    if memory.is_mapped != 0:
        return False
    memset(memory.base, 0, memory.bytes)
    n = atomic_add(spare_memories + SPARES, u64(1)) % u64(SPARES)
    before = atomic_swap(spare_memories + n, u64(memory.base) | memory.bytes >> u64(16))
    if before != 0:
        munmap(Ptr[u8](before & ~u64(4095)), memory.reserved)
    return True


@kernel(export=True)
def memory_new(template: Ptr[Memory]) -> Ptr[Memory]:
    """Make a memory like ``template``, with address space of its own; null if the host refuses."""
    at = Ptr[u8](0)
    if template.guarded != 0:
        at = take_spare(template.bytes)
    ok = at != null
    if not ok:
        at = mmap(null, template.reserved, PROT_NONE, MAP_RESERVE, -1, 0)
        if u64(at) + 1 == 0:
            return Ptr[Memory](0)
        ok = template.bytes == 0 or mprotect(at, whole_pages(template.bytes), PROT_RW) == 0
    memory = Ptr[Memory](malloc(u64(sizeof(Memory))))
    memmove(Ptr[u8](memory), Ptr[u8](template), u64(sizeof(Memory)))
    memory.base = at
    if ok and memory.guarded != 0:
        memory.slot = add_guest_range(u64(at), u64(at) + memory.reserved)
        ok = memory.slot != 0
    if not ok:
        memory_free(memory)
        return Ptr[Memory](0)
    return memory


@kernel(export=True)
def memory_free(memory: Ptr[Memory]) -> None:
    """Give a memory and its address space back."""
    if memory.slot != 0:
        remove_guest_range(memory.slot)
        if keep_spare(memory):
            free(Ptr[u8](memory))
            return
    munmap(memory.base, memory.reserved)
    free(Ptr[u8](memory))


@kernel(export=True)
def memory_grow_by(memory: Ptr[Memory], delta_pages: u64) -> u64:
    """Grow a memory; its old size in pages, or all ones if a limit or the host refuses."""
    take_lock(addr(memory.lock))
    old: u64 = memory.pages
    result = old
    if delta_pages > memory.max_pages - old:
        result = ~u64(0)
    elif delta_pages != 0:
        committed = whole_pages(memory.bytes)
        size = (old + delta_pages) << u64(memory.page_shift)
        wanted = whole_pages(size)
        at = memory.base + committed
        if size > memory.capacity or (
            wanted != committed and mprotect(at, wanted - committed, PROT_RW) != 0
        ):
            result = ~u64(0)
        else:
            # Other threads may look at any time.
            atomic_store(addr(memory.pages), old + delta_pages)
            atomic_store(addr(memory.bytes), size)
    give_lock(addr(memory.lock))
    return result


@kernel(inline=True)
def outside(start: u64, size: u64, bytes_: u64) -> bool:
    """Does a range end behind ``bytes_``?  It may be so large that its end wraps."""
    return size > bytes_ or start > bytes_ - size


@kernel(export=True)
def memory_grow(instance: Ptr[Instance], delta_pages: u64, memory: u32) -> u64:
    """Meaning of ``memory.grow``; the old size in pages, or all ones."""
    return memory_grow_by(instance.memories[memory], delta_pages)


@kernel
def copy_pieces(ctx: Ptr[Context], to: Ptr[u8], source: Ptr[u8], size: u64) -> u32:
    """Copy bytes, which may overlap; 0, or a trap code if the guest was stopped meanwhile."""
    backward = source < to
    done: u64 = 0
    while size - done > PIECE:
        at = size - done - PIECE if backward else done
        memmove(to + at, source + at, u64(PIECE))
        done += PIECE
        if is_wanted(ctx):
            trap = poll(ctx)
            if trap != 0:
                return trap
    at = u64(0) if backward else done
    memmove(to + at, source + at, size - done)
    return u32(0)


@kernel(export=True)
def memory_copy(
    ctx: Ptr[Context],
    instance: Ptr[Instance],
    to: u64,
    source: u64,
    size: u64,
    to_memory: u32,
    source_memory: u32,
) -> u64:
    """Meaning of ``memory.copy``; 0, or a trap code in the high half."""
    a = instance.memories[to_memory]
    b = instance.memories[source_memory]
    if outside(to, size, a.bytes) or outside(source, size, b.bytes):
        return trapped(u32(OUT_OF_BOUNDS))
    return trapped(copy_pieces(ctx, a.base + to, b.base + source, size))


@kernel(export=True)
def memory_fill(
    ctx: Ptr[Context], instance: Ptr[Instance], to: u64, value: u32, size: u64, memory: u32
) -> u64:
    """Meaning of ``memory.fill``; 0, or a trap code in the high half."""
    m = instance.memories[memory]
    if outside(to, size, m.bytes):
        return trapped(u32(OUT_OF_BOUNDS))
    at = m.base + to
    left = size
    while left > PIECE:
        memset(at, i32(value & 255), u64(PIECE))
        at = at + PIECE
        left -= PIECE
        if is_wanted(ctx):
            trap = poll(ctx)
            if trap != 0:
                return trapped(trap)
    memset(at, i32(value & 255), left)
    return u64(0)


@kernel(export=True)
def memory_init(
    ctx: Ptr[Context],
    instance: Ptr[Instance],
    to: u64,
    source: u64,
    size: u64,
    data: u32,
    memory: u32,
) -> u64:
    """Meaning of ``memory.init``; 0, or a trap code in the high half."""
    m = instance.memories[memory]
    segment = instance.data + data
    if outside(to, size, m.bytes) or outside(source, size, segment.size):
        return trapped(u32(OUT_OF_BOUNDS))
    return trapped(copy_pieces(ctx, m.base + to, segment.items + source, size))


@kernel(export=True)
def data_drop(instance: Ptr[Instance], data: u32) -> u32:
    """Meaning of ``data.drop``; always 0."""
    (instance.data + data).size = u64(0)
    return u32(0)


@kernel(export=True)
def apply_data(instance: Ptr[Instance], segments: Ptr[u64], count: u64) -> u32:
    """Copy active data segments: a memory, an address in it, a source and a size each.

    Stops at the first that does not fit, as instantiation does; 0 or a trap code.
    """
    for i in range(u64(0), count):
        row = segments + 4 * i
        m = instance.memories[row[0]]
        if outside(row[1], row[3], m.bytes):
            return u32(OUT_OF_BOUNDS)
        memmove(m.base + row[1], Ptr[u8](row[2]), row[3])
    return u32(0)
