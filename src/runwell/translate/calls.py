"""Calls: the operands on top of the stack are the callee's first slots, and so are its results."""

from runwell.base.types import FUNCREF, I32, I64
from runwell.kernel import Ptr, kernel, u32
from runwell.runtime.layout import TypeCode
from runwell.translate.emit import begin, emit_word, finish, label_here, operate_1
from runwell.translate.errors import Error
from runwell.translate.reading import next_u32, refuse
from runwell.translate.stack import (
    check_top,
    check_type,
    pop_value,
    push_types,
    settle_top,
    truncate,
)
from runwell.translate.tables import base, form
from runwell.translate.value_types import IS_FUNC
from runwell.translate.work import Work

CALL, CALL_IMPORT, REF_FRAME = form("call"), form("call_import"), form("ref_frame")
CALL_INDIRECT, CALL_INDIRECT_64 = base("call_indirect"), base("call_indirect64")
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
def call_indirect(w: Work) -> None:
    """``call_indirect``."""
    t = next_function_type(w)
    table = next_u32(w)
    if table >= w.module.n_tables:
        refuse(w, Error.UNKNOWN_TABLE, table)
    check_type(w, w.module.table_types[2 * table], FUNCREF)
    is_64 = w.module.table_types[2 * table + 1] & TABLE_IS_64 != 0
    index_type: u32 = I64 if is_64 else I32
    e = pop_value(w, index_type)
    check_top(w, t.params, t.n_params)
    if w.dead == 0:
        # The index lies above the arguments, so bringing those home leaves it alone.
        settle_top(w, t.n_params)
        p = operate_1(w, CALL_INDIRECT_64 if is_64 else CALL_INDIRECT, e, index_type)
        p[0] = t.number
        p[1] = table
        finish(w, put_frame(w, p + 2, t))
    end_call(w, t)
