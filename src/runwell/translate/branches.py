"""Branches: conditions, the values that a branch carries, labels."""

from runwell.base.limits import BR_TABLE_TARGETS
from runwell.base.types import I32, V128
from runwell.isa.op import Rule
from runwell.isa.register import NEAR_LINKS
from runwell.kernel import Ptr, addr, i32, i64, kernel, null, u32
from runwell.translate.emit import (
    ACC,
    begin,
    change_form,
    consume,
    finish,
    is_last_result,
    is_ref,
    label_here,
    load_home,
    move,
    operate_1,
    operate_move,
    put,
    redirect,
    source,
)
from runwell.translate.errors import Error, Invalid
from runwell.translate.fuel import close_paid, open_paid
from runwell.translate.reading import next_u32, refuse
from runwell.translate.stack import (
    check_top,
    match_label,
    pop_value,
    settle_from,
    settle_top,
    show_mismatch,
    truncate,
)
from runwell.translate.tables import (
    BRANCH_FORM,
    FORM,
    IF,
    LOOP,
    NEAR_RETURN,
    NEAR_RETURN_VALUE,
    RETURN_VALUE,
    UNLESS,
    VARIANTS,
    base,
    form,
)
from runwell.translate.work import CARRY_SINGLY, Control, Entry, Where, Work

BR_IF, BR_TABLE = base("br_if"), base("br_table")
JUMP, LOOP_JUMP = form("br ->JUMP"), form("br ->LOOP")
RETURN, RETURN_MANY, COPY_MANY = form("return"), form("return_many"), form("copy_many")
SENSES = 4
MOST_NEAR, VARIANT_COUNT = NEAR_LINKS[-1], len(VARIANTS)
# Words that a target of br_table may take: its offset, and code of its own.
WORDS_A_TARGET = 32


@kernel
def become_unreachable(w: Work) -> None:
    """Control does not go on; what follows in the block is only checked."""
    close_paid(w)
    truncate(w, w.height)
    w.frame.unreachable = 1
    w.dead = 1


@kernel
def next_label(w: Work) -> Control:
    """The block that a label names."""
    depth = next_u32(w)
    if i64(depth) > w.frame - w.controls:
        refuse(w, Error.UNKNOWN_LABEL, depth)
    return (w.frame - depth)[0]


@kernel
def conditional(w: Work, e: Entry, sense: u32) -> Ptr[u32]:
    """Emit a branch on a value; gives its word.  The instruction that made the value may branch."""
    if is_last_result(w, e):
        branching = u32(BRANCH_FORM[SENSES * w.last_form + sense])
        if branching != 0:
            change_form(w, branching)
            word = w.last_dest
            w.last_dest = null
            w.acc = w.old_acc
            return word
    if e.kind == Where.CONSTANT:
        load_home(w, e, I32)
    kind = source(w, e, I32)
    if kind == ACC:
        consume(w, e)
    chosen = u32(BRANCH_FORM[SENSES * u32(FORM[BR_IF + kind]) + sense])
    p = put(begin(w, chosen), e, kind)
    finish(w, p + 1)
    return p


@kernel
def refer(w: Work, label: Control, word: Ptr[u32]) -> None:
    """Make a branch word lead to a label, now or when its place is known."""
    if label.rule == Rule.LOOP:
        word[0] = u32((word - label.start) * 4)
    else:
        word[0] = u32(0) if label.fixups == null else u32(word - label.fixups)
        label.fixups = word


@kernel
def patch(w: Work, word: Ptr[u32]) -> None:
    """Make all branch words of a chain lead to here."""
    while word != null:
        distance = i32(word[0])
        word[0] = u32((w.out - word) * 4)
        word = word - distance if distance != 0 else null
        w.steps += 1


@kernel
def in_place(w: Work, label: Control) -> bool:
    """Are the values that a branch carries where the label expects them?"""
    n = label.n_label
    if n == 0:
        return True
    if w.top - label.label_bytes != label.top or w.ref_top - label.label_ref_bytes != label.ref_top:
        return False
    i = w.sp - n if w.home < w.sp - n else w.home
    while i < w.sp:
        if w.entries[i].kind != Where.HOME:
            return False
        i += 1
        w.steps += 1
    return True


@kernel
def move_many(w: Work, label: Control) -> None:
    """Move the values that a branch carries, all at home, to where the label expects them."""
    first = w.top - label.label_bytes
    ref_first = w.ref_top - label.label_ref_bytes
    if first == label.top and ref_first == label.ref_top:
        return
    p = begin(w, COPY_MANY)
    p[0] = first
    p[1] = label.top
    p[2] = label.label_bytes
    p[3] = ref_first
    p[4] = label.ref_top
    p[5] = label.label_ref_bytes
    finish(w, p + 6)


@kernel
def carry(w: Work, label: Control, is_last: bool) -> None:
    """Move the values that a branch carries to where the label expects them.

    A value never moves up the stack, so in ascending order none is overwritten too early.
    ``is_last``: nobody needs them here any more.
    """
    n = label.n_label
    if n > CARRY_SINGLY:
        move_many(w, label)
        return
    slot = label.top
    ref_slot = label.ref_top
    for i in range(w.sp - n, w.sp):
        e = w.entries[i]
        t = w.types[i]
        to = slot
        if is_ref(t):
            to = ref_slot
            ref_slot += 8
        else:
            slot += u32(16) if t == V128 else u32(8)
        if e.kind != Where.HOME or e.place != to:
            if is_last and is_last_result(w, e):
                redirect(w, to)
            else:
                move(w, e, t, to, null)


@kernel
def leave_link(w: Work, p: Ptr[u32]) -> Ptr[u32]:
    """Write where the link is; gives the place behind."""
    p[0] = w.link
    return p + 1


@kernel
def leave(w: Work) -> None:
    """Return from the function; its results are on the stack."""
    f = w.controls[0]
    n = f.n_results
    near = w.link <= MOST_NEAR
    if n == 0:
        p = begin(w, u32(NEAR_RETURN[w.link >> 3]) if near else u32(RETURN))
        finish(w, p if near else leave_link(w, p))
    elif n == 1:
        row = u32(RETURN_VALUE)
        if near:
            row = NEAR_RETURN_VALUE + (w.link >> 3) * VARIANT_COUNT
        p = operate_move(w, row, w.entries[w.sp - 1], w.types[w.sp - 1])
        finish(w, p if near else leave_link(w, p))
    else:
        settle_top(w, n)
        p = begin(w, RETURN_MANY)
        p[0] = w.top - f.label_bytes
        p[1] = f.label_bytes
        p[2] = w.ref_top - f.label_ref_bytes
        p[3] = f.label_ref_bytes
        p[4] = w.link
        finish(w, p + 5)


@kernel(inline=True)
def is_outermost(w: Work, label: Control) -> bool:
    """Is this the function's own block?"""
    return addr(label) == w.controls


@kernel
def jump(w: Work, label: Control, is_last: bool) -> None:
    """Go to a label with the values on the stack."""
    if is_outermost(w, label):
        leave(w)
        return
    carry(w, label, is_last)
    is_loop = label.rule == Rule.LOOP
    word = begin(w, LOOP_JUMP if is_loop else JUMP)
    finish(w, word + 1)
    refer(w, label, word)


@kernel
def branch(w: Work) -> None:
    """``br``."""
    label = next_label(w)
    check_top(w, label.label_types, label.n_label)
    if w.dead == 0:
        if label.n_label > CARRY_SINGLY:
            settle_from(w, 0)
        jump(w, label, True)
    become_unreachable(w)


@kernel
def needs_home(w: Work, n: u32) -> bool:
    """Would a return bring its values home?  That must not happen on one path only."""
    return n > 1 or w.entries[w.sp - 1].kind == Where.CONSTANT


@kernel
def branch_if(w: Work) -> None:
    """``br_if``."""
    label = next_label(w)
    e = pop_value(w, I32)
    n = label.n_label
    check_top(w, label.label_types, n)
    if w.dead != 0:
        return
    if n > CARRY_SINGLY:
        settle_from(w, 0)
    elif n != 0 and is_outermost(w, label) and needs_home(w, n):
        settle_top(w, n)
    if in_place(w, label):
        sense = u32(IF + LOOP) if label.rule == Rule.LOOP else u32(IF)
        refer(w, label, conditional(w, e, sense))
    else:
        skip = conditional(w, e, UNLESS)
        jump(w, label, False)
        skip[0] = u32((w.out - skip) * 4)
        label_here(w)
    close_paid(w)
    open_paid(w)


@kernel
def check_labels(w: Work, n: u32) -> None:
    """Read and check the labels of a br_table: ``n`` and the default."""
    arity: u32 = 0
    types: Ptr[u32] = null
    for i in range(n + 1):
        label = next_label(w)
        if i == 0:
            arity = label.n_label
        elif label.n_label != arity:
            show_mismatch(w, label.label_types, label.n_label)
            raise Invalid(Error.TYPE_MISMATCH)
        if i == 0 or label.label_types != types:
            types = label.label_types
            match_label(w, types, arity)


@kernel
def branch_table(w: Work) -> None:
    """``br_table``."""
    n = next_u32(w)
    if i64(n) > w.end - w.pc:
        raise Invalid(Error.UNEXPECTED_END)
    if n > BR_TABLE_TARGETS:
        refuse(w, Error.BR_TABLE_LIMIT, BR_TABLE_TARGETS)
    e = pop_value(w, I32)
    labels = w.pc
    check_labels(w, n)
    if w.dead == 0:
        w.pc = labels
        if w.limit - w.out < i64(n) * WORDS_A_TARGET:
            raise Invalid(Error.OUT_OF_SPACE)
        emit_table(w, e, n)
    become_unreachable(w)


@kernel
def return_(w: Work) -> None:
    """``return``."""
    check_top(w, w.controls.results, w.controls.n_results)
    if w.dead == 0:
        leave(w)
    become_unreachable(w)


@kernel
def emit_table(w: Work, e: Entry, n: u32) -> None:
    """Emit a br_table, and code for the targets that need some; labels share theirs."""
    first = w.pc
    arity = next_label(w).n_label
    w.pc = first
    if arity != 0:
        if e.kind == Where.CONSTANT:
            load_home(w, e, I32)
        settle_top(w, arity)
    p = operate_1(w, BR_TABLE, e, I32)
    p[0] = n
    finish(w, p + (n + 2))
    w.serial += 1
    for i in range(n + 1):
        word = p + (i + 1)
        label = next_label(w)
        needs_code = label.rule == Rule.LOOP or is_outermost(w, label)
        if not needs_code and in_place(w, label):
            refer(w, label, word)
        else:
            if label.stub_of != w.serial:
                label_here(w)
                label.stub = w.out
                label.stub_of = w.serial
                jump(w, label, False)
            word[0] = u32((label.stub - word) * 4)
