"""Blocks: entering and leaving them, ``else`` and ``end``."""

from runwell.base.features import FEATURES
from runwell.base.limits import CONTROL_DEPTH
from runwell.base.types import I32, V128
from runwell.isa.op import Rule
from runwell.kernel import addr, i64, kernel, null, u32, u64, unlikely
from runwell.runtime.layout import TypeCode
from runwell.translate.branches import JUMP, conditional, leave, patch, refer
from runwell.translate.emit import begin, finish, is_ref, label_here
from runwell.translate.errors import Error, Invalid
from runwell.translate.exceptions import close_try, open_try, patch_clauses
from runwell.translate.fuel import close_paid, free_of_charge, open_paid
from runwell.translate.reading import need_feature, next_signed, refuse
from runwell.translate.stack import (
    check_top,
    pop_value,
    push_types,
    settle_from,
    settle_top,
    show_mismatch,
    truncate,
)
from runwell.translate.tables import UNLESS
from runwell.translate.value_types import (
    IS_FUNC,
    REF,
    REF_NULL,
    check_type_feature,
    is_match,
    is_one_byte_type,
    next_value_type,
)
from runwell.translate.work import Control, Work

EMPTY = 0x40
MULTI_VALUE = FEATURES.index("multi-value")


@kernel
def use_results(f: Control, t: TypeCode) -> None:
    """Give a block the results of a function type, and its label too."""
    f.results = t.results
    f.n_results = t.n_results
    f.label_types = t.results
    f.n_label = t.n_results
    f.label_bytes = t.result_bytes
    f.label_ref_bytes = t.ref_result_bytes


@kernel
def use_params(f: Control, t: TypeCode) -> None:
    """Give a block the parameters of a function type."""
    f.params = t.params
    f.n_params = t.n_params
    f.param_bytes = t.param_bytes
    f.param_ref_bytes = t.ref_param_bytes


@kernel
def clear_types(f: Control) -> None:
    """Give a block neither parameters nor results."""
    f.n_params = 0
    f.param_bytes = 0
    f.param_ref_bytes = 0
    f.n_results = 0
    f.n_label = 0
    f.label_bytes = 0
    f.label_ref_bytes = 0


@kernel
def use_single(f: Control, t: u32) -> None:
    """Give a block one result."""
    clear_types(f)
    f.single = t
    f.results = addr(f.single)
    f.n_results = 1
    f.label_types = f.results
    f.n_label = 1
    if is_ref(t):
        f.label_ref_bytes = 8
    else:
        f.label_bytes = 16 if t == V128 else 8


@kernel
def next_block_type(w: Work, f: Control) -> None:
    """A block type: nothing, one result, or the index of a function type."""
    if w.pc >= w.end:
        raise Invalid(Error.UNEXPECTED_END)
    byte = u32(w.pc[0])
    clear_types(f)
    if byte == EMPTY:
        w.pc = w.pc + 1
    elif is_one_byte_type(w, byte):
        w.pc = w.pc + 1
        use_single(f, byte)
    elif REF_NULL <= byte <= REF:
        use_single(f, next_value_type(w))
    else:
        index = next_signed(w, 33)
        if index < 0:
            check_type_feature(w, byte)
            refuse(w, Error.MALFORMED_VALUE_TYPE, byte)
        need_feature(w, MULTI_VALUE)
        if index >= i64(w.module.n_types) or w.module.types[index].kind != IS_FUNC:
            refuse(w, Error.UNKNOWN_TYPE, u32(index))
        t = w.module.types[index]
        use_params(f, t)
        use_results(f, t)


@kernel
def open_block(w: Work, f: Control, rule: u32) -> None:
    """Begin a block whose types are known; its parameters are on the stack."""
    f.rule = rule
    f.unreachable = 0
    f.fixups = null
    f.otherwise = null
    f.stub_of = 0
    f.n_set = w.n_set
    f.catches = 0
    f.range = 0
    f.height = w.sp - f.n_params
    f.top = w.top - f.param_bytes
    f.ref_top = w.ref_top - f.param_ref_bytes


@kernel
def enter_block(w: Work, rule: u32) -> None:
    """``block``, ``loop``, ``if`` or ``try_table``."""
    if w.frame - w.controls >= CONTROL_DEPTH:
        refuse(w, Error.NESTING_LIMIT, CONTROL_DEPTH)
    f = w.frame[1]
    next_block_type(w, f)
    condition = w.entries[0]
    if rule == Rule.IF:
        condition = pop_value(w, I32)
    check_top(w, f.params, f.n_params)
    if w.dead == 0:
        # No pending read may cross the boundary: the block may write the local, or be left out.
        settle_from(w, 0)
    if rule != Rule.IF:
        free_of_charge(w)
    open_block(w, f, rule)
    if rule == Rule.TRY_TABLE:
        open_try(w, f)
    elif rule == Rule.IF:
        if w.dead == 0:
            f.otherwise = conditional(w, condition, UNLESS)
            f.otherwise[0] = 0
            close_paid(w)
            open_paid(w)
    elif rule == Rule.LOOP:
        f.label_types = f.params
        f.n_label = f.n_params
        f.label_bytes = f.param_bytes
        f.label_ref_bytes = f.param_ref_bytes
        w.brief = 0
        close_paid(w)
        label_here(w)
        f.start = w.out
        if w.dead == 0:
            open_paid(w)
    w.frame = addr(f)
    w.height = f.height


@kernel
def check_end(w: Work) -> None:
    """At the end of a block or arm exactly the results must be there."""
    f = w.frame[0]
    check_top(w, f.results, f.n_results)
    if w.sp != f.height + f.n_results:
        show_mismatch(w, f.results, f.n_results)
        w.n_found = w.sp - f.height
        raise Invalid(Error.TYPE_MISMATCH)


@kernel
def enter_else(w: Work) -> None:
    """``else``."""
    f = w.frame[0]
    if f.rule != Rule.IF:
        raise Invalid(Error.ELSE_WITHOUT_IF)
    check_end(w)
    free_of_charge(w)
    close_paid(w)
    if w.dead == 0:
        settle_top(w, f.n_results)
        word = begin(w, JUMP)
        finish(w, word + 1)
        refer(w, f, word)
    if f.otherwise != null:
        resume(w, f)
        patch(w, f.otherwise)
        f.otherwise = null
    forget_set(w, f)
    w.sp = f.height
    f.rule = u32(Rule.ELSE)
    f.unreachable = 0
    push_types(w, f.params, f.n_params)
    w.home = w.sp
    if w.dead == 0:
        open_paid(w)


@kernel
def resume(w: Work, f: Control) -> None:
    """A label that is branched to: the code is wanted again; the block's operands are gone."""
    truncate(w, f.height)
    w.dead = 0
    w.top = f.top
    w.ref_top = f.ref_top
    label_here(w)


@kernel(inline=True)
def forget_set(w: Work, f: Control) -> None:
    """At the end of a block or arm: what was set in it counts as not set."""
    if unlikely(w.n_set != f.n_set):
        unset_from(w, f.n_set)


@kernel
def unset_from(w: Work, n: u32) -> None:
    """Forget all locals that were set but the first ``n``."""
    while w.n_set > n:
        w.n_set -= 1
        w.is_set[w.set_list[w.n_set]] = 0
        w.steps += 1


@kernel
def end_block(w: Work) -> None:
    """``end`` of a block."""
    f = w.frame[0]
    check_end(w)
    if f.rule == Rule.IF:
        check_missing_else(w, f)
    free_of_charge(w)
    is_label = f.fixups != null or f.otherwise != null or f.catches != 0
    if is_label:
        close_paid(w)
    close_try(w, f)
    if is_label:
        if w.dead == 0:
            settle_top(w, f.n_results)
        resume(w, f)
        patch(w, f.otherwise)
        patch(w, f.fixups)
        patch_clauses(w, f)
        push_types(w, f.results, f.n_results)
        w.home = w.sp
        open_paid(w)
    forget_set(w, f)
    w.frame = w.frame - 1
    w.height = w.frame.height


@kernel
def check_missing_else(w: Work, f: Control) -> None:
    """An ``if`` without ``else`` gives back what it was given."""
    wrong = f.n_params != f.n_results
    if not wrong:
        for i in range(f.n_params):
            wrong |= not is_match(w, f.params[i], f.results[i])
        w.steps += u64(f.n_params)
    if wrong:
        show_mismatch(w, f.results, f.n_results)
        raise Invalid(Error.TYPE_MISMATCH)


@kernel
def end_function(w: Work) -> None:
    """``end`` of the function: return what is on the stack."""
    f = w.controls[0]
    check_end(w)
    free_of_charge(w)
    close_paid(w)
    if w.dead == 0:
        leave(w)
    if f.fixups != null or f.catches != 0:
        resume(w, f)
        patch(w, f.fixups)
        patch_clauses(w, f)
        push_types(w, f.results, f.n_results)
        w.home = w.sp
        leave(w)
    truncate(w, f.height)
    unset_from(w, 0)
