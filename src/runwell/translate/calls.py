"""Calls: the operands on top of the stack are the callee's first slots, and so are its results."""

from runwell.base.types import FUNCREF, I32, I64, INDEX_SHIFT
from runwell.kernel import Ptr, kernel, u32, u64
from runwell.runtime.layout import TypeCode
from runwell.translate.branches import become_unreachable
from runwell.translate.emit import begin, emit_word, finish, label_here, operate_1
from runwell.translate.errors import Error, Invalid
from runwell.translate.reading import next_u32, refuse
from runwell.translate.stack import (
    check_top,
    check_type,
    pop_value,
    push_types,
    settle_top,
    show_types,
    truncate,
)
from runwell.translate.tables import base, form
from runwell.translate.value_types import IS_FUNC, is_match
from runwell.translate.work import Entry, Work

CALL, CALL_IMPORT, REF_FRAME = form("call"), form("call_import"), form("ref_frame")
CALL_INDIRECT, CALL_INDIRECT_64 = base("call_indirect"), base("call_indirect64")
CALL_REF = base("call_ref")
RETURN_CALL, RETURN_CALL_IMPORT = form("return_call"), form("return_call_import")
RETURN_CALL_INDIRECT = base("return_call_indirect")
RETURN_CALL_INDIRECT_64 = base("return_call_indirect64")
RETURN_CALL_REF = base("return_call_ref")
TABLE_IS_64 = 1


@kernel
def function_type(w: Work, x: u32) -> TypeCode:
    """The type of function ``x``."""
    if x >= w.module.n_functions:
        refuse(w, Error.UNKNOWN_FUNCTION, x)
    t: TypeCode = w.module.types[w.module.function_types[x]]
    return t


@kernel
def next_function_type(w: Work) -> TypeCode:
    """A type index."""
    x = next_u32(w)
    if x >= w.module.n_types or w.module.types[x].kind != IS_FUNC:
        refuse(w, Error.UNKNOWN_TYPE, x)
    t: TypeCode = w.module.types[x]
    return t


@kernel
def put_frame(w: Work, p: Ptr[u32], t: TypeCode) -> Ptr[u32]:
    """Write where the callee's frame begins, whose arguments are at home."""
    p[0] = w.top - t.param_bytes
    p[1] = t.param_bytes
    p[2] = w.ref_top - t.ref_param_bytes
    return p + 3


@kernel
def end_call(w: Work, t: TypeCode) -> None:
    """Behind a call: its results replace the arguments."""
    truncate(w, w.sp - t.n_params)
    if w.dead == 0:
        label_here(w)
        w.brief = 0
        if w.ref_top != 0:
            emit_word(w, REF_FRAME, 0 - w.ref_top)
    push_types(w, t.results, t.n_results)


@kernel
def call(w: Work) -> None:
    """``call``."""
    x = next_u32(w)
    t = function_type(w, x)
    check_top(w, t.params, t.n_params)
    if w.dead == 0:
        settle_top(w, t.n_params)
        is_import = x < w.module.n_imported_functions
        p = begin(w, CALL_IMPORT if is_import else CALL)
        p[0] = x
        finish(w, put_frame(w, p + 1, t))
    end_call(w, t)


@kernel
def next_callee_index(w: Work) -> Entry:
    """The table of an indirect call, as ``table`` and ``table_64``; the popped index into it."""
    table = next_u32(w)
    if table >= w.module.n_tables:
        refuse(w, Error.UNKNOWN_TABLE, table)
    check_type(w, w.module.table_types[2 * table], FUNCREF)
    w.table = table
    w.table_64 = w.module.table_types[2 * table + 1] & TABLE_IS_64
    return pop_value(w, I64 if w.table_64 != 0 else I32)


@kernel
def begin_indirect(w: Work, t: TypeCode, index: Entry, narrow: u32, wide: u32) -> Ptr[u32]:
    """Begin an indirect call, with the arguments at home; the index lies above, in nobody's way."""
    settle_top(w, t.n_params)
    is_64 = w.table_64 != 0
    p = operate_1(w, wide if is_64 else narrow, index, I64 if is_64 else I32)
    p[0] = t.number
    p[1] = w.table
    return p + 2


@kernel
def call_indirect(w: Work) -> None:
    """``call_indirect``."""
    t = next_function_type(w)
    index = next_callee_index(w)
    check_top(w, t.params, t.n_params)
    if w.dead == 0:
        p = begin_indirect(w, t, index, CALL_INDIRECT, CALL_INDIRECT_64)
        finish(w, put_frame(w, p, t))
    end_call(w, t)


@kernel
def next_callee_ref(w: Work, t: TypeCode) -> Entry:
    """The function reference of a call through one, popped."""
    return pop_value(w, t.canon << INDEX_SHIFT)


@kernel
def call_ref(w: Work) -> None:
    """``call_ref``."""
    t = next_function_type(w)
    ref = next_callee_ref(w, t)
    check_top(w, t.params, t.n_params)
    if w.dead == 0:
        settle_top(w, t.n_params)
        p = operate_1(w, CALL_REF, ref, FUNCREF)
        p[0] = t.number
        finish(w, put_frame(w, p + 1, t))
    end_call(w, t)


# Tail calls.


@kernel
def check_tail(w: Work, t: TypeCode) -> None:
    """What the callee gives must be what the function gives, and its arguments must be there."""
    f = w.controls[0]
    wrong = t.n_results != f.n_results
    if not wrong:
        for i in range(t.n_results):
            wrong |= not is_match(w, t.results[i], f.results[i])
        w.steps += u64(t.n_results)
    if wrong:
        show_types(w, f.results, f.n_results, t.results, t.n_results)
        raise Invalid(Error.TYPE_MISMATCH)
    check_top(w, t.params, t.n_params)


@kernel
def end_tail(w: Work, p: Ptr[u32], t: TypeCode) -> None:
    """Write which arguments, all at home, replace the frame."""
    p[0] = w.top - t.param_bytes
    p[1] = t.param_bytes
    p[2] = w.ref_top - t.ref_param_bytes
    p[3] = t.ref_param_bytes
    p[4] = w.link
    finish(w, p + 5)
    w.brief = 0


@kernel
def return_call(w: Work) -> None:
    """``return_call``."""
    x = next_u32(w)
    t = function_type(w, x)
    check_tail(w, t)
    if w.dead == 0:
        settle_top(w, t.n_params)
        is_import = x < w.module.n_imported_functions
        p = begin(w, RETURN_CALL_IMPORT if is_import else RETURN_CALL)
        p[0] = x
        end_tail(w, p + 1, t)
    become_unreachable(w)


@kernel
def return_call_indirect(w: Work) -> None:
    """``return_call_indirect``."""
    t = next_function_type(w)
    index = next_callee_index(w)
    check_tail(w, t)
    if w.dead == 0:
        p = begin_indirect(w, t, index, RETURN_CALL_INDIRECT, RETURN_CALL_INDIRECT_64)
        end_tail(w, p, t)
    become_unreachable(w)


@kernel
def return_call_ref(w: Work) -> None:
    """``return_call_ref``."""
    t = next_function_type(w)
    ref = next_callee_ref(w, t)
    check_tail(w, t)
    if w.dead == 0:
        settle_top(w, t.n_params)
        p = operate_1(w, RETURN_CALL_REF, ref, FUNCREF)
        p[0] = t.number
        end_tail(w, p + 1, t)
    become_unreachable(w)
