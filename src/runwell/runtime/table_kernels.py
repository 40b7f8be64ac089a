"""Kernels of tables: reserving, growing, copying (spec: execution of table instructions)."""

from runwell.base.traps import TrapCode
from runwell.kernel import Ptr, kernel, null, sizeof, u8, u32, u64
from runwell.runtime.c_library import (
    MAP_RESERVE,
    PROT_NONE,
    PROT_RW,
    calloc,
    free,
    memmove,
    mmap,
    mprotect,
    munmap,
)
from runwell.runtime.exception_kernels import (
    exception_put,
    exception_release,
    exception_take,
    is_exception_type,
    release_cells,
)
from runwell.runtime.interrupt_kernels import is_wanted, poll, trapped
from runwell.runtime.layout import Context, Instance, Table
from runwell.runtime.memory_kernels import outside, whole_pages

# As in ``memory_kernels``, elements.
PIECE = 1 << 16
OUT_OF_BOUNDS = int(TrapCode.OUT_OF_BOUNDS_TABLE)


@kernel(export=True)
def table_new(template: Ptr[Table], value: u64) -> Ptr[Table]:
    """Make a table like ``template``, full of ``value``; null if the host refuses.

    The elements of a table that cannot grow follow it; those of others have address space of their
    own.
    """
    fixed = template.reserved == 0
    extra = 8 * template.size if fixed else u64(0)
    table = Ptr[Table](calloc(u64(sizeof(Table)) + extra, u64(1)))
    if table == null:
        return Ptr[Table](0)
    memmove(Ptr[u8](table), Ptr[u8](template), u64(sizeof(Table)))
    table.elements = Ptr[u64](table + 1)
    if not fixed:
        at = mmap(null, template.reserved, PROT_NONE, MAP_RESERVE, -1, 0)
        if u64(at) + 1 == 0:
            free(Ptr[u8](table))
            return Ptr[Table](0)
        table.elements = Ptr[u64](at)
    table.size = u64(0)
    if table_grow_by(table, value, template.size) == ~u64(0):
        table_free(table)
        return Ptr[Table](0)
    return table


@kernel(export=True)
def table_free(table: Ptr[Table]) -> None:
    """Give a table and its address space back."""
    if is_exception_type(table.type):
        release_cells(table.elements, table.size)
    if table.reserved != 0:
        munmap(Ptr[u8](table.elements), table.reserved)
    free(Ptr[u8](table))


@kernel(export=True)
def table_grow_by(table: Ptr[Table], value: u64, delta: u64) -> u64:
    """Grow a table by copies of ``value``; the old size, or all ones if it cannot be."""
    old: u64 = table.size
    if delta > table.max_size - old:
        return ~u64(0)
    wanted = whole_pages(8 * (old + delta))
    if table.reserved != 0 and wanted > table.committed:
        at = Ptr[u8](table.elements) + table.committed
        if wanted > table.reserved or mprotect(at, wanted - table.committed, PROT_RW) != 0:
            return ~u64(0)
        table.committed = wanted
    if value != 0:  # fresh pages are null
        fill_elements(table, old, value, delta)
    table.size = old + delta
    return old


@kernel
def fill_elements(table: Ptr[Table], to: u64, value: u64, size: u64) -> None:
    """Make elements refer to the same; they are accessible."""
    if is_exception_type(table.type):
        for i in range(to, to + size):
            exception_put(table.elements + i, value)
        return
    for i in range(to, to + size):
        table.elements[i] = value


@kernel
def move_elements(table: Ptr[Table], to: u64, items: Ptr[u64], size: u64) -> None:
    """Copy references, which may be of the same table; they are accessible."""
    if not is_exception_type(table.type):
        memmove(Ptr[u8](table.elements + to), Ptr[u8](items), 8 * size)
        return
    start = table.elements + to
    for i in range(size):
        x = i if start <= items else size - 1 - i
        put_element(start + x, items + x)


@kernel
def put_element(cell: Ptr[u64], source: Ptr[u64]) -> None:
    """Copy a reference to an exception from cell to cell."""
    e = exception_take(source)
    exception_put(cell, u64(e))
    exception_release(e)


@kernel(export=True)
def table_write(table: Ptr[Table], to: u64, items: Ptr[u64], size: u64) -> u32:
    """Copy references into a table; 0 or a trap code."""
    if outside(to, size, table.size):
        return u32(OUT_OF_BOUNDS)
    move_elements(table, to, items, size)
    return u32(0)


@kernel(export=True)
def table_grow(instance: Ptr[Instance], value: u64, delta: u64, table: u32) -> u64:
    """Meaning of ``table.grow``; the old size, or all ones."""
    return table_grow_by(instance.tables[table], value, delta)


@kernel(export=True)
def table_set_all(table: Ptr[Table], value: u64) -> None:
    """Make all elements refer to the same."""
    fill_elements(table, u64(0), value, table.size)


@kernel(export=True)
def table_fill(
    ctx: Ptr[Context], instance: Ptr[Instance], to: u64, value: u64, size: u64, table: u32
) -> u64:
    """Meaning of ``table.fill``; 0, or a trap code in the high half."""
    t = instance.tables[table]
    if outside(to, size, t.size):
        return trapped(u32(OUT_OF_BOUNDS))
    done: u64 = 0
    while size - done > PIECE:
        fill_elements(t, to + done, value, u64(PIECE))
        done += PIECE
        if is_wanted(ctx):
            trap = poll(ctx)
            if trap != 0:
                return trapped(trap)
    fill_elements(t, to + done, value, size - done)
    return u64(0)


@kernel
def copy_pieces_to(
    ctx: Ptr[Context], table: Ptr[Table], to: u64, items: Ptr[u64], size: u64
) -> u64:
    """Copy references into a table; 0, or a trap code in the high half."""
    if outside(to, size, table.size):
        return trapped(u32(OUT_OF_BOUNDS))
    backward = items < table.elements + to
    done: u64 = 0
    while size - done > PIECE:
        at = size - done - PIECE if backward else done
        move_elements(table, to + at, items + at, u64(PIECE))
        done += PIECE
        if is_wanted(ctx):
            trap = poll(ctx)
            if trap != 0:
                return trapped(trap)
    at = u64(0) if backward else done
    move_elements(table, to + at, items + at, size - done)
    return u64(0)


@kernel(export=True)
def table_copy(
    ctx: Ptr[Context],
    instance: Ptr[Instance],
    to: u64,
    source: u64,
    size: u64,
    to_table: u32,
    source_table: u32,
) -> u64:
    """Meaning of ``table.copy``; 0, or a trap code in the high half."""
    b = instance.tables[source_table]
    if outside(source, size, b.size):
        return trapped(u32(OUT_OF_BOUNDS))
    return copy_pieces_to(ctx, instance.tables[to_table], to, b.elements + source, size)


@kernel(export=True)
def table_init(
    ctx: Ptr[Context],
    instance: Ptr[Instance],
    to: u64,
    source: u64,
    size: u64,
    elem: u32,
    table: u32,
) -> u64:
    """Meaning of ``table.init``; 0, or a trap code in the high half."""
    segment = instance.elements + elem
    if outside(source, size, segment.size):
        return trapped(u32(OUT_OF_BOUNDS))
    return copy_pieces_to(ctx, instance.tables[table], to, Ptr[u64](segment.items) + source, size)


@kernel(export=True)
def elem_drop(instance: Ptr[Instance], elem: u32) -> u32:
    """Meaning of ``elem.drop``; always 0."""
    (instance.elements + elem).size = u64(0)
    return u32(0)


@kernel(export=True)
def resolve_functions(
    instance: Ptr[Instance], functions: Ptr[u32], count: u64, items: Ptr[u64]
) -> None:
    """Write the references to an instance's functions, given by index."""
    for i in range(u64(0), count):
        items[i] = u64(instance.funcs[functions[i]])
