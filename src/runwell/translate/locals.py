"""Locals: their types and slots, reading and writing them.

A function says how many locals of a type it has in a few bytes, up to fifty thousand.  So only the
first of them are spelled out; those behind are looked up in the list of runs.
"""

from runwell.base.limits import LOCALS
from runwell.base.types import NON_NULL, V128
from runwell.kernel import kernel, likely, local_array, null, u32, u64, unlikely
from runwell.runtime.layout import TypeCode
from runwell.translate.emit import is_last_result, is_ref, move, note_origin, redirect
from runwell.translate.errors import Error, Invalid
from runwell.translate.reading import next_u32, refuse
from runwell.translate.stack import (
    pop_value,
    push_constant,
    push_local,
    push_type,
    push_value,
    settle_local,
)
from runwell.translate.tables import IS_MOVABLE
from runwell.translate.value_types import next_value_type
from runwell.translate.work import NEAR_LOCALS, Class, Entry, Local, Where, Work

LINK_BYTES = 16
LONGEST = 16  # words of an instruction that is moved


@kernel
def add_locals(w: Work, n: u32, t: u32) -> None:
    """Declare ``n`` locals of a type, behind those before."""
    if n == 0:
        return
    first = w.n_locals
    size: u32 = 16 if t == V128 else 8
    slot = w.ref_top if is_ref(t) else w.top
    run = w.runs[w.n_runs]
    run.first = first
    run.type = t
    run.slot = slot
    w.n_runs += 1
    w.n_locals = first + n
    near = first + n if first + n < NEAR_LOCALS else u32(NEAR_LOCALS)
    for i in range(first, near):
        local = w.near[i]
        local.type = t
        local.slot = slot + (i - first) * size
        w.steps += 1
    if is_ref(t):
        w.ref_top += n * size
    else:
        w.top += n * size


@kernel
def clear_frame(w: Work) -> None:
    """Begin a frame that has no locals yet."""
    w.n_locals = 0
    w.n_runs = 0
    w.top = 0
    w.ref_top = 0
    w.link = 0
    w.ref_params = 0


@kernel
def declare_locals(w: Work, own: TypeCode) -> None:
    """Lay out the frame: parameters, link, and the locals that the body declares."""
    clear_frame(w)
    i: u32 = 0
    while i < own.n_params:
        run = i
        while i < own.n_params and own.params[i] == own.params[run]:
            i += 1
        add_locals(w, i - run, own.params[run])
    w.n_params = own.n_params
    w.link = w.top
    w.ref_params = w.ref_top
    w.top += LINK_BYTES
    total = u64(w.n_locals)
    for _ in range(next_u32(w)):
        n = next_u32(w)
        t = next_value_type(w)
        total += u64(n)
        if total <= LOCALS:
            add_locals(w, n, t)
        elif total > 0xFFFF_FFFF:
            raise Invalid(Error.TOO_MANY_LOCALS)
    if total > LOCALS:
        refuse(w, Error.LOCALS_LIMIT, LOCALS)


@kernel
def far_local(w: Work, x: u32) -> Local:
    """The local of a high index, until the next call."""
    low: u32 = 0
    high = w.n_runs
    while high - low > 1:
        middle = low + (high - low) // 2
        if w.runs[middle].first <= x:
            low = middle
        else:
            high = middle
    run = w.runs[low]
    w.far.type = run.type
    w.far.slot = run.slot + (x - run.first) * (u32(16) if run.type == V128 else u32(8))
    return w.far


@kernel(inline=True)
def find_local(w: Work, x: u32) -> Local:
    """A local, by its index."""
    if unlikely(x >= w.n_locals):
        refuse(w, Error.UNKNOWN_LOCAL, x)
    if likely(x < NEAR_LOCALS):
        return w.near[x]
    return far_local(w, x)


@kernel
def check_set(w: Work, x: u32) -> None:
    """A local without a value to begin with must have been set on every way to here."""
    if x >= w.n_params and w.is_set[x] == 0:
        refuse(w, Error.UNINITIALIZED_LOCAL, x)


@kernel
def note_set(w: Work, x: u32) -> None:
    """Such a local has a value, until the end of the block."""
    if x >= w.n_params and w.is_set[x] == 0:
        w.is_set[x] = 1
        w.set_list[w.n_set] = x
        w.n_set += 1


@kernel(inline=True)
def get_local(w: Work) -> None:
    """``local.get``."""
    x = next_u32(w)
    local = find_local(w, x)
    if unlikely(local.type & NON_NULL != 0):
        check_set(w, x)
    if w.dead != 0:
        push_type(w, local.type)
    else:
        push_local(w, local.type, local.slot, x)


@kernel
def save_before(w: Work, x: u32) -> bool:
    """Bring the pending reads of a local home before the last instruction is executed.

    That instruction is then free to write to the local.  Fails if it cannot be moved.
    """
    n = w.out - w.last
    if IS_MOVABLE[w.last_form] == 0 or n > LONGEST:
        return False
    words = local_array(u32, LONGEST)
    for i in range(n):
        words[i] = w.last[i]
    kind = w.last_class
    result = w.last_entry
    form = w.last_form
    origin: u32 = 0
    if w.notes != null:
        origin = w.notes[w.n_notes - 1].offset
    w.out = w.last
    w.last = null
    w.last_dest = null
    settle_local(w, x)
    at = w.out
    if w.notes != null:
        note_origin(w, at, origin)
    for i in range(n):
        at[i] = words[i]
    w.out = at + n
    w.last = at
    w.last_dest = at + (n - 1)
    w.last_entry = result
    w.last_form = form
    w.last_class = kind
    w.before = null
    if kind == Class.INT:
        w.acc = result.home
    return True


@kernel
def push_again(w: Work, e: Entry, t: u32) -> None:
    """Push what was popped last, unchanged but for its type."""
    kind = e.kind
    place = e.place
    value = e.value
    if kind == Where.LOCAL:
        push_local(w, t, place, u32(value))
    elif kind == Where.CONSTANT:
        push_constant(w, t, value)
    else:
        push_value(w, t)


@kernel
def set_local(w: Work, keep: bool) -> None:
    """``local.set``, or ``local.tee`` to keep the value."""
    x = next_u32(w)
    local = find_local(w, x)
    t = local.type
    slot = local.slot
    e = pop_value(w, t)
    if unlikely(t & NON_NULL != 0):
        note_set(w, x)
    if w.dead != 0:
        if keep:
            push_type(w, t)
        return
    if is_last_result(w, e) and (w.heads[x] == 0 or save_before(w, x)):
        redirect(w, slot)
        if keep:
            push_local(w, t, slot, x)
        return
    if e.kind == Where.CONSTANT or e.place != slot:
        settle_local(w, x)
        move(w, e, t, slot, null)
    if keep:
        # The accumulator holds what is in both slots; the operand's is the one to be used next.
        if e.kind == Where.HOME and w.acc == slot:
            w.acc = e.home
        push_again(w, e, t)
