"""Kernels of exceptions: making, sharing and freeing them.

An exception never changes, so those that refer to others refer to older ones: counting holders
finds everything that can be freed.  References on a context's stack are copied without being
counted.  So a context holds, in a list of its own, every exception that a reference on its stack
may be to: one that is caught there, read from a table or global, or given by the host.  When the
list is full, the stack is searched for what is in the list, and the rest is let go.

Cells of tables and globals may be read by one thread while another writes to them, so whoever
reads one holds what was there before anybody can let it go: both happen under a lock.
"""

from runwell.base.types import ValType
from runwell.kernel import (
    Ptr,
    addr,
    atomic_add,
    kernel,
    null,
    sizeof,
    static,
    u8,
    u32,
    u64,
)
from runwell.runtime.c_library import calloc, free, malloc, memmove
from runwell.runtime.layout import Context, ExceptionObject, Instance, Tag
from runwell.runtime.lock_kernels import give_lock, take_lock

# Exceptions that a context holds before it looks whether it must, at least.
LEAST_ROOM = 256
# Words of the stack that are worth looking at for each of them.
WORDS_EACH = 16
HASH = 0x9E37_79B9_7F4A_7C15

exceptions_lock = static("exceptions_lock", u32)
# The list of exceptions that may refer to objects of a heap.
first_with_objects = static("first_with_objects", u64)


@kernel(inline=True)
def values_of(e: Ptr[ExceptionObject]) -> Ptr[u8]:
    """The values that an exception carries."""
    return Ptr[u8](e + 1)


@kernel(inline=True)
def references_of(e: Ptr[ExceptionObject]) -> Ptr[u64]:
    """The references that an exception carries."""
    return Ptr[u64](Ptr[u8](e + 1) + e.tag.value_bytes)


@kernel
def is_exception_type(type_: u32) -> bool:
    """Are references of a type to exceptions?"""
    heap = type_ & 0xFF
    return heap == ValType.EXNREF or heap == ValType.NULLEXNREF


@kernel
def lock_exceptions() -> None:
    """Wait until nobody else is between reading or writing a cell and counting."""
    take_lock(exceptions_lock)


@kernel
def unlock_exceptions() -> None:
    """Let others go on."""
    give_lock(exceptions_lock)


@kernel(export=True)
def exception_hold(e: Ptr[ExceptionObject]) -> None:
    """Keep an exception, of which somebody has hold; or null."""
    if e != null:
        atomic_add(addr(e.holders), u32(1))


@kernel
def is_let_go(e: Ptr[ExceptionObject]) -> bool:
    """Let go of an exception; is nobody left who has hold of it?"""
    return atomic_add(addr(e.holders), ~u32(0)) == 1


@kernel(export=True)
def exception_release(e: Ptr[ExceptionObject]) -> None:
    """Let go of an exception, or null, and free what nobody has hold of any more."""
    dead: Ptr[ExceptionObject] = null
    if e != null and is_let_go(e):
        e.next = null
        dead = e
    while dead != null:
        at = dead
        dead = Ptr[ExceptionObject](at.next)
        tag = at.tag
        if tag.n_exceptions != 0:
            references = references_of(at)
            for i in range(tag.ref_bytes // 8):
                inner = Ptr[ExceptionObject](references[i])
                if tag.is_exception[i] != 0 and inner != null and is_let_go(inner):
                    inner.next = Ptr[u8](dead)
                    dead = inner
        if tag.n_objects != 0:
            forget_objects(at)
        atomic_add(addr(tag.holders), ~u32(0))
        free(Ptr[u8](at))


@kernel(export=True)
def exception_new(tag: Ptr[Tag], values: Ptr[u8], references: Ptr[u64]) -> Ptr[ExceptionObject]:
    """Make an exception that the caller has hold of; null if there is no room."""
    size = u64(sizeof(ExceptionObject)) + u64(tag.value_bytes) + u64(tag.ref_bytes)
    e = Ptr[ExceptionObject](malloc(size))
    if e == null:
        return e
    e.tag = tag
    e.holders = 1
    e.heap_holders = 0
    e.cycle = 0
    atomic_add(addr(tag.holders), u32(1))
    memmove(values_of(e), values, u64(tag.value_bytes))
    memmove(Ptr[u8](references_of(e)), Ptr[u8](references), u64(tag.ref_bytes))
    if tag.n_exceptions != 0:
        for i in range(tag.ref_bytes // 8):
            if tag.is_exception[i] != 0:
                exception_hold(Ptr[ExceptionObject](references[i]))
    if tag.n_objects != 0:
        note_objects(e)
    return e


@kernel
def note_objects(e: Ptr[ExceptionObject]) -> None:
    """Let collectors know of an exception that refers to objects."""
    lock_exceptions()
    first = Ptr[ExceptionObject](first_with_objects[0])
    e.before = null
    e.behind = Ptr[u8](first)
    if first != null:
        first.before = Ptr[u8](e)
    first_with_objects[0] = u64(e)
    unlock_exceptions()


@kernel
def forget_objects(e: Ptr[ExceptionObject]) -> None:
    """The opposite of ``note_objects``."""
    lock_exceptions()
    before = Ptr[ExceptionObject](e.before)
    behind = Ptr[ExceptionObject](e.behind)
    if before != null:
        before.behind = Ptr[u8](behind)
    else:
        first_with_objects[0] = u64(behind)
    if behind != null:
        behind.before = Ptr[u8](before)
    unlock_exceptions()


# Cells.


@kernel(export=True)
def exception_take(cell: Ptr[u64]) -> Ptr[ExceptionObject]:
    """What a cell refers to, which the caller has hold of; or null."""
    lock_exceptions()
    e = Ptr[ExceptionObject](cell[0])
    exception_hold(e)
    unlock_exceptions()
    return e


@kernel(export=True)
def exception_put(cell: Ptr[u64], e: u64) -> None:
    """Make a cell refer to an exception that the caller has hold of, or to null."""
    exception_hold(Ptr[ExceptionObject](e))
    lock_exceptions()
    old = cell[0]
    cell[0] = e
    unlock_exceptions()
    exception_release(Ptr[ExceptionObject](old))


@kernel(export=True)
def exception_put_in_object(cell: Ptr[u64], e: u64) -> None:
    """As ``exception_put``, where the cell is a field of an object of a heap."""
    if e != 0:
        atomic_add(addr(Ptr[ExceptionObject](e).heap_holders), u32(1))
    exception_hold(Ptr[ExceptionObject](e))
    lock_exceptions()
    old = cell[0]
    cell[0] = e
    unlock_exceptions()
    exception_release_of_object(Ptr[ExceptionObject](old))


@kernel
def exception_release_of_object(e: Ptr[ExceptionObject]) -> None:
    """As ``exception_release``, for a field of an object of a heap."""
    if e != null:
        atomic_add(addr(e.heap_holders), ~u32(0))
        exception_release(e)


@kernel
def release_cells(cells: Ptr[u64], count: u64) -> None:
    """Let go of what cells refer to, which nobody reads any more."""
    for i in range(count):
        exception_release(Ptr[ExceptionObject](cells[i]))


@kernel
def release_globals(instance: Ptr[Instance]) -> None:
    """Let go of what an instance's own globals refer to."""
    for i in range(instance.n_exception_cells):
        cell = Ptr[u64](Ptr[u8](instance) + instance.exception_cells[i])
        exception_release(Ptr[ExceptionObject](cell[0]))


@kernel(export=True)
def exception_read(ctx: Ptr[Context], cell: Ptr[u64], end: Ptr[u64]) -> u64:
    """Read a cell, for the context's stack, which is in use up to ``end``."""
    e = exception_take(cell)
    if e != null:
        exception_adopt(ctx, e, end)
    return u64(e)


# What a context holds.


@kernel(export=True)
def exception_adopt(ctx: Ptr[Context], e: Ptr[ExceptionObject], end: Ptr[u64]) -> None:
    """Let a context take over the caller's hold of an exception.

    Its stack of references is in use up to ``end``.
    """
    if ctx.n_exceptions == ctx.exception_room and not make_room(ctx, end):
        # Without room to remember it, it stays for ever.
        return
    ctx.exceptions[ctx.n_exceptions] = e
    ctx.n_exceptions += 1


@kernel
def make_room(ctx: Ptr[Context], end: Ptr[u64]) -> bool:
    """Let go of what is not on the stack, or else make the list longer; is there room now?"""
    words = u64(end - Ptr[u64](ctx.refs))
    if ctx.n_exceptions * WORDS_EACH >= words:
        let_go(ctx, end)
    if ctx.n_exceptions * 2 < ctx.exception_room:
        return True
    room = 2 * ctx.exception_room if ctx.exception_room != 0 else u64(LEAST_ROOM)
    longer = Ptr[Ptr[ExceptionObject]](malloc(8 * room))
    if longer == null:
        is_room: bool = ctx.n_exceptions < ctx.exception_room
        return is_room
    memmove(Ptr[u8](longer), Ptr[u8](ctx.exceptions), 8 * ctx.n_exceptions)
    free(Ptr[u8](ctx.exceptions))
    ctx.exceptions = longer
    ctx.exception_room = room
    return True


@kernel(inline=True)
def find_cell(cells: Ptr[u64], mask: u64, address: u64) -> Ptr[u64]:
    """Where an address is in a hash table, or would be; the lowest bit of a cell is a mark."""
    i = address * HASH >> 32 & mask
    while cells[i] != 0 and cells[i] & ~u64(1) != address:
        i = i + 1 & mask
    return cells + i


@kernel
def let_go(ctx: Ptr[Context], end: Ptr[u64]) -> None:
    """Let go of exceptions that no reference on the context's stack is to."""
    size: u64 = 1
    while size < 2 * ctx.n_exceptions:
        size = size * 2
    cells = Ptr[u64](calloc(size, u64(8)))
    if cells == null:
        return
    mask = size - 1
    n: u64 = 0
    for i in range(ctx.n_exceptions):
        e = ctx.exceptions[i]
        cell = find_cell(cells, mask, u64(e))
        if cell[0] == 0:
            cell[0] = u64(e)
            ctx.exceptions[n] = e
            n += 1
        else:
            # One hold is enough.
            exception_release(e)
    at = Ptr[u64](ctx.refs)
    while at < end:
        # What is no reference to an exception is in no cell, or, where the memory of an exception
        # was given to others, holds one for longer than need be.
        if at[0] & 1 == 0 and at[0] != 0:
            cell = find_cell(cells, mask, at[0])
            cell[0] |= u64(1) if cell[0] != 0 else u64(0)
        at = at + 1
    kept: u64 = 0
    for i in range(n):
        e = ctx.exceptions[i]
        if find_cell(cells, mask, u64(e))[0] & 1 != 0:
            ctx.exceptions[kept] = e
            kept += 1
        else:
            exception_release(e)
    ctx.n_exceptions = kept
    free(Ptr[u8](cells))


@kernel(export=True)
def exceptions_sweep(ctx: Ptr[Context]) -> None:
    """Let go of what a context of which no guest runs just now holds without need."""
    if ctx.n_exceptions != 0:
        let_go(ctx, Ptr[u64](ctx.ref_end))


@kernel(export=True)
def exceptions_forget(ctx: Ptr[Context]) -> None:
    """Let go of all that a context holds, before it is freed."""
    for i in range(ctx.n_exceptions):
        exception_release(ctx.exceptions[i])
    exception_release(ctx.exception)
    free(Ptr[u8](ctx.exceptions))
    ctx.exception = null
    ctx.exceptions = null
    ctx.n_exceptions = 0
    ctx.exception_room = 0
