"""Kernels that put instances back into a state that they were in."""

from runwell.kernel import Ptr, i32, kernel, u8, u32, u64
from runwell.runtime.c_library import (
    PROT_NONE,
    PROT_RW,
    madvise,
    memmove,
    memset,
    mmap,
    mprotect,
)
from runwell.runtime.exception_kernels import is_exception_type, release_cells, release_globals
from runwell.runtime.layout import FUEL_UNSEEN, Memory, Snapshot
from runwell.runtime.memory_kernels import whole_pages

# Linux: private, at this very address, not counted against swap space.
MAP_IMAGE = 0x4012
MADV_DONTNEED = 4


@kernel(export=True)
def memory_use_image(memory: Ptr[Memory], file: u64, size: u64) -> u32:
    """Let a memory begin with the contents of a file, which writes do not change; 0 if it fails.

    The memory is new, of at most ``size`` bytes, and has ``size`` bytes afterwards.
    """
    if size != 0:
        at = mmap(memory.base, whole_pages(size), PROT_RW, MAP_IMAGE, i32(file), 0)
        if u64(at) + 1 == 0:
            return u32(0)
    memory.bytes = size
    memory.pages = size >> u64(memory.page_shift)
    memory.image = size
    memory.is_mapped = u32(1)
    return u32(1)


@kernel(export=True)
def memory_use_copy(memory: Ptr[Memory], source: Ptr[u8], size: u64) -> u32:
    """As ``memory_use_image``, from bytes that stay where they are, where there are no files."""
    before = whole_pages(memory.bytes)
    wanted = whole_pages(size)
    if wanted > before and mprotect(memory.base + before, wanted - before, PROT_RW) != 0:
        return u32(0)
    memmove(memory.base, source, size)
    memory.bytes = size
    memory.pages = size >> u64(memory.page_shift)
    memory.image = size
    memory.image_at = source
    return u32(1)


@kernel
def memory_reset(memory: Ptr[Memory]) -> None:
    """Give a memory the contents and the size of its image."""
    image = whole_pages(memory.image)
    committed = whole_pages(memory.bytes)
    if committed > image:
        madvise(memory.base + image, committed - image, MADV_DONTNEED)
        mprotect(memory.base + image, committed - image, PROT_NONE)
    if memory.is_mapped != 0:
        if image != 0:
            # What was written is forgotten, and the file shows again.
            madvise(memory.base, image, MADV_DONTNEED)
    else:
        memmove(memory.base, memory.image_at, memory.image)
        memset(memory.base + memory.image, 0, image - memory.image)
    memory.bytes = memory.image
    memory.pages = memory.image >> u64(memory.page_shift)


@kernel(export=True)
def instance_reset(snapshot: Ptr[Snapshot]) -> u32:
    """Put an instance into the state of a snapshot, which was made of it; 0 if it runs."""
    instance = snapshot.instance
    if instance.active != 0:
        return u32(0)
    release_globals(instance)
    memmove(Ptr[u8](instance) + snapshot.start, snapshot.state, snapshot.size)
    instance.fuel = snapshot.fuel
    instance.fuel_floor = FUEL_UNSEEN
    instance.time_limit = snapshot.time_limit
    for i in range(u64(0), snapshot.n_memories):
        memory_reset(Ptr[Memory](snapshot.memories[i]))
    for i in range(u64(0), snapshot.n_tables):
        image = snapshot.tables + i
        table = image.table
        if is_exception_type(table.type):
            release_cells(table.elements, table.size)
        if table.size > image.size:
            added = table.size - image.size
            memset(Ptr[u8](table.elements + image.size), 0, 8 * added)
        table.size = image.size
        memmove(Ptr[u8](table.elements), Ptr[u8](image.elements), 8 * image.size)
    return u32(1)
