"""Scratch memory for translations, one piece for each that goes on at the same time.

A piece is reserved once and used again and again; the system gives it pages as they are touched.
"""

from runwell.base.limits import HANDLERS, LOCALS
from runwell.kernel import (
    Ptr,
    addr,
    atomic_cas,
    atomic_store,
    kernel,
    null,
    sizeof,
    static,
    u8,
    u32,
    u64,
)
from runwell.runtime.c_library import calloc, memset, sched_yield
from runwell.runtime.layout import CatchClause, TryRange
from runwell.translate.work import (
    CONTROLS,
    ENTRIES,
    NEAR_LOCALS,
    RUNS,
    UNKNOWN,
    Control,
    Entry,
    Local,
    Run,
    Where,
    Work,
)

PIECES = 16
ALIGNMENT = 64

works = static("translation_works", u64, PIECES)
works_taken = static("translation_works_taken", u32, PIECES)


@kernel(inline=True)
def part(at: u64, size: u64) -> u64:
    """The end of a part of ``size`` bytes at ``at``."""
    return (at + size + (ALIGNMENT - 1)) & ~u64(ALIGNMENT - 1)


@kernel
def lay_out_work(at: u64) -> u64:
    """Make the memory at ``at`` ready for translations; gives its end.

    With ``at`` 0 nothing is written: the end is the size that is needed.
    """
    entries = part(at, u64(sizeof(Work)))
    types = part(entries, u64(ENTRIES * sizeof(Entry)))
    controls = part(types, u64(ENTRIES * 4))
    heads = part(controls, u64(CONTROLS * sizeof(Control)))
    near = part(heads, u64(LOCALS * 4))
    runs = part(near, u64(NEAR_LOCALS * sizeof(Local)))
    is_set = part(runs, u64(RUNS * sizeof(Run)))
    set_list = part(is_set, u64(LOCALS))
    ranges = part(set_list, u64(LOCALS * 4))
    clauses = part(ranges, u64(HANDLERS * sizeof(TryRange)))
    end = part(clauses, u64(HANDLERS * sizeof(CatchClause)))
    if at == 0:
        return end
    w = Ptr[Work](at)
    w.entries = Ptr[Entry](entries)
    w.types = Ptr[u32](types)
    w.controls = Ptr[Control](controls)
    w.heads = Ptr[u32](heads)
    w.near = Ptr[Local](near)
    w.runs = Ptr[Run](runs)
    w.is_set = Ptr[u8](is_set)
    w.set_list = Ptr[u32](set_list)
    w.n_set = 0
    w.ranges = Ptr[TryRange](ranges)
    w.clauses = Ptr[CatchClause](clauses)
    w.notes = null
    w.steps = 0
    memset(Ptr[u8](heads), 0, u64(LOCALS * 4))
    memset(Ptr[u8](is_set), 0, u64(LOCALS))
    bottom = w.entries[0]
    bottom.kind = u32(Where.HOME)
    bottom.home = 0
    bottom.place = 0
    w.types[0] = UNKNOWN
    return end


@kernel
def take_work() -> Ptr[Work]:
    """A free piece, for ``give_work_back``; null if the system has no memory for it."""
    while True:
        for i in range(u32(PIECES)):
            if atomic_cas(works_taken + i, u32(0), u32(1)):
                if works[i] == 0:
                    at = u64(calloc(1, lay_out_work(0)))
                    if at == 0:
                        atomic_store(works_taken + i, u32(0))
                        return Ptr[Work](null)
                    lay_out_work(at)
                    works[i] = at
                return Ptr[Work](works[i])
        sched_yield()


@kernel
def give_work_back(w: Work) -> None:
    """Let others use a piece."""
    for i in range(u32(PIECES)):
        if works[i] == u64(addr(w)):
            atomic_store(works_taken + i, u32(0))
