"""References that may be null: tests, and branches on them."""

from runwell.base.types import FUNCREF, I32, NON_NULL
from runwell.isa.op import Rule
from runwell.kernel import Ptr, kernel, u32
from runwell.translate.branches import (
    SENSES,
    in_place,
    is_outermost,
    jump,
    needs_home,
    next_label,
    refer,
)
from runwell.translate.emit import begin, finish, is_ref, label_here, operate_1, put, source
from runwell.translate.errors import Error, Invalid
from runwell.translate.fuel import close_paid, open_paid
from runwell.translate.locals import push_again
from runwell.translate.stack import (
    check_top,
    check_type,
    pop_number,
    push_type,
    result,
    settle_from,
    settle_top,
    show_types,
)
from runwell.translate.tables import BRANCH_FORM, FORM, IF, LOOP, UNLESS, base
from runwell.translate.value_types import BOTTOM
from runwell.translate.work import CARRY_SINGLY, UNKNOWN, Control, Entry, Work

IS_NULL, AS_NON_NULL = base("ref.is_null"), base("ref.as_non_null")


@kernel
def pop_reference(w: Work) -> u32:
    """Pop a reference of any type; gives its type.  If it has an entry, that is number ``sp``."""
    t = w.types[pop_number(w, FUNCREF)]
    if t == UNKNOWN:
        return u32(BOTTOM)
    if not is_ref(t):
        check_type(w, t, FUNCREF)
    return t


@kernel
def ref_is_null(w: Work) -> None:
    """``ref.is_null``."""
    pop_reference(w)
    if w.dead != 0:
        push_type(w, I32)
    else:
        result(w, operate_1(w, IS_NULL, w.entries[w.sp], FUNCREF), I32)


@kernel
def ref_as_non_null(w: Work) -> None:
    """``ref.as_non_null``."""
    t = pop_reference(w)
    if w.dead != 0:
        push_type(w, t | NON_NULL)
    elif t & NON_NULL != 0:
        push_again(w, w.entries[w.sp], t)
    else:
        result(w, operate_1(w, AS_NON_NULL, w.entries[w.sp], FUNCREF), t | NON_NULL)


@kernel
def on_null(w: Work, e: Entry, sense: u32) -> Ptr[u32]:
    """Emit a branch on whether a reference is null; gives its word."""
    kind = source(w, e, FUNCREF)
    chosen = u32(BRANCH_FORM[SENSES * u32(FORM[IS_NULL + kind]) + sense])
    p = put(begin(w, chosen), e, kind)
    finish(w, p + 1)
    return p


@kernel
def branch_on(w: Work, label: Control, e: Entry, sense: u32, other: u32) -> None:
    """Branch if a reference is null, or unless; ``other`` is the opposite of that."""
    n = label.n_label
    if n > CARRY_SINGLY:
        settle_from(w, 0)
    elif n != 0 and is_outermost(w, label) and needs_home(w, n):
        settle_top(w, n)
    if in_place(w, label):
        if label.rule == Rule.LOOP:
            sense += LOOP
        refer(w, label, on_null(w, e, sense))
    else:
        skip = on_null(w, e, other)
        jump(w, label, False)
        skip[0] = u32((w.out - skip) * 4)
        label_here(w)
    close_paid(w)
    open_paid(w)


@kernel
def branch_on_null(w: Work) -> None:
    """``br_on_null``."""
    label = next_label(w)
    t = pop_reference(w)
    # It lies above what the branch carries, so nothing overwrites it.
    e = w.entries[w.sp]
    check_top(w, label.label_types, label.n_label)
    if w.dead != 0:
        push_type(w, t | NON_NULL)
    else:
        branch_on(w, label, e, IF, UNLESS)
        push_again(w, e, t | NON_NULL)


@kernel
def branch_on_non_null(w: Work) -> None:
    """``br_on_non_null``."""
    label = next_label(w)
    t = pop_reference(w)
    if w.dead != 0:
        push_type(w, t | NON_NULL)
    else:
        push_again(w, w.entries[w.sp], t | NON_NULL)
    check_top(w, label.label_types, label.n_label)
    if label.n_label == 0:
        show_types(w, label.label_types, 0, w.types + (w.sp - 1), 1)
        raise Invalid(Error.TYPE_MISMATCH)
    if w.dead == 0:
        branch_on(w, label, w.entries[w.sp - 1], UNLESS, IF)
    pop_number(w, FUNCREF)
