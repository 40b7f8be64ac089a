"""Exceptions: throwing them, and the table of a function's handlers.

A ``try_table`` emits nothing.  It becomes a range of code with clauses, each of which says where an
exception goes on and which slots it leaves its values in: those that the label expects them in, so
no code is needed on the way either.  While a function is translated, a clause whose label lies
ahead is in a chain of the block's, as branch words are.
"""

from runwell.base.limits import HANDLERS
from runwell.base.types import EXNREF, NON_NULL
from runwell.isa.op import Rule
from runwell.kernel import Ptr, kernel, sizeof, u8, u32, u64
from runwell.runtime.c_library import memmove
from runwell.runtime.layout import CatchClause, HandlerTable, ModuleCode, TryRange, TypeCode
from runwell.translate.branches import become_unreachable, next_label
from runwell.translate.emit import begin, finish, label_here, operate_1
from runwell.translate.errors import Error, Invalid
from runwell.translate.fuel import fix_paid
from runwell.translate.reading import next_byte, next_u32, refuse
from runwell.translate.stack import (
    check_top,
    pop_value,
    push_type,
    push_types,
    push_value,
    settle_top,
    truncate,
)
from runwell.translate.tables import base, form
from runwell.translate.work import Control, Work

THROW, THROW_REF = form("throw"), base("throw_ref")
# Bits of a clause's kind.
WITH_REFERENCE, ANY_TAG, KINDS = 1, 2, 4


@kernel
def next_tag(w: Work) -> u32:
    """A tag index."""
    x = next_u32(w)
    if x >= w.module.n_tags:
        refuse(w, Error.UNKNOWN_TAG, x)
    return x


@kernel
def tag_type(w: Work, tag: u32) -> TypeCode:
    """The type of a tag."""
    t: TypeCode = w.module.types[w.module.tag_types[tag]]
    return t


@kernel
def throw(w: Work) -> None:
    """``throw``."""
    x = next_tag(w)
    t = tag_type(w, x)
    check_top(w, t.params, t.n_params)
    if w.dead == 0:
        settle_top(w, t.n_params)
        p = begin(w, THROW)
        p[0] = w.function
        p[1] = x
        p[2] = w.top - t.param_bytes
        p[3] = w.ref_top - t.ref_param_bytes
        finish(w, p + 4)
    become_unreachable(w)


@kernel
def throw_ref(w: Work) -> None:
    """``throw_ref``."""
    e = pop_value(w, EXNREF)
    if w.dead == 0:
        p = operate_1(w, THROW_REF, e, EXNREF)
        p[0] = w.function
        finish(w, p + 1)
    become_unreachable(w)


@kernel
def next_clause(w: Work, keep: bool) -> None:
    """A clause of a ``try_table``; its label is one of those around that."""
    kind = u32(next_byte(w))
    if kind >= KINDS:
        refuse(w, Error.MALFORMED_CATCH, kind)
    low = w.sp
    top = w.top
    ref_top = w.ref_top
    tag: u32 = 0
    n: u32 = 0
    if kind & ANY_TAG == 0:
        tag = next_tag(w)
        t = tag_type(w, tag)
        push_types(w, t.params, t.n_params)
        n = t.n_params
    if kind & WITH_REFERENCE != 0:
        if w.dead != 0:
            push_type(w, EXNREF | NON_NULL)
        else:
            push_value(w, EXNREF | NON_NULL)
        n += 1
    label = next_label(w)
    if n != label.n_label:
        refuse_arity(w, label)
    check_top(w, label.label_types, n)
    truncate(w, low)
    w.top = top
    w.ref_top = ref_top
    if keep:
        add_clause(w, kind, tag, label)


@kernel
def refuse_arity(w: Work, label: Control) -> None:
    """A clause gives more or fewer values than its label takes."""
    w.n_wanted = 0
    w.n_found = 0
    raise Invalid(Error.TYPE_MISMATCH)


@kernel
def add_clause(w: Work, kind: u32, tag: u32, label: Control) -> None:
    """Add a clause to the table."""
    if w.n_clauses >= HANDLERS:
        refuse(w, Error.HANDLERS_LIMIT, HANDLERS)
    clause = w.clauses + w.n_clauses
    w.n_clauses += 1
    clause.kind = kind
    clause.tag = tag
    clause.slot = label.top
    clause.ref_slot = label.ref_top
    if label.rule == Rule.LOOP:
        clause.target = u32(label.start - w.entry) * 4
    else:
        clause.target = label.catches
        label.catches = w.n_clauses


@kernel
def open_try(w: Work, f: Control) -> None:
    """Read the clauses of a ``try_table`` whose operands are in place, and begin its range."""
    n = next_u32(w)
    keep = w.dead == 0 and n != 0
    if keep:
        if w.n_ranges >= HANDLERS:
            refuse(w, Error.HANDLERS_LIMIT, HANDLERS)
        # What comes before must neither shrink nor take in what comes now.
        label_here(w)
        fix_paid(w)
        found = w.ranges + w.n_ranges
        w.n_ranges += 1
        found.start = u32(w.out - w.entry) * 4
        found.end = 0xFFFF_FFFF
        found.parent = w.open_range
        found.first = w.n_clauses
        f.range = w.n_ranges
        w.open_range = w.n_ranges
    for _ in range(n):
        next_clause(w, keep)
    if keep:
        (w.ranges + (f.range - 1)).last = w.n_clauses


@kernel
def close_try(w: Work, f: Control) -> None:
    """End the range of a ``try_table``."""
    if f.range == 0:
        return
    label_here(w)
    fix_paid(w)
    found = w.ranges + (f.range - 1)
    found.end = u32(w.out - w.entry) * 4
    w.open_range = found.parent


@kernel
def patch_clauses(w: Work, f: Control) -> None:
    """Make all clauses of a block's chain lead to here."""
    x = f.catches
    while x != 0:
        clause = w.clauses + (x - 1)
        x = clause.target
        clause.target = u32(w.out - w.entry) * 4
        w.steps += 1


@kernel
def shift_handlers(w: Work, bytes_: u32) -> None:
    """All code but that before the function's first instruction has moved."""
    for i in range(w.n_ranges):
        found = w.ranges + i
        found.start += bytes_
        found.end += bytes_
    for i in range(w.n_clauses):
        clause = w.clauses + i
        clause.target += bytes_


@kernel
def keep_handlers(w: Work, module: ModuleCode) -> Ptr[HandlerTable]:
    """Put the table at the end of the module's arena; null if there are no handlers."""
    if w.n_ranges == 0:
        return Ptr[HandlerTable](0)
    ranges = u64(w.n_ranges) * u64(sizeof(TryRange))
    clauses = u64(w.n_clauses) * u64(sizeof(CatchClause))
    size = (u64(sizeof(HandlerTable)) + ranges + clauses + 7) & ~u64(7)
    # The table is smaller than what translation leaves of the arena for its next instruction.
    at: Ptr[u8] = module.code_end - size
    module.code_end = at
    table: Ptr[HandlerTable] = Ptr[HandlerTable](at)
    table.n_ranges = w.n_ranges
    table.n_clauses = w.n_clauses
    to = Ptr[u8](table + 1)
    memmove(to, Ptr[u8](w.ranges), ranges)
    memmove(to + ranges, Ptr[u8](w.clauses), clauses)
    return table
