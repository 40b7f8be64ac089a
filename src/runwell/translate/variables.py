"""Globals, ``drop`` and ``select``."""

from runwell.base.types import I32
from runwell.kernel import kernel, sizeof, u32
from runwell.runtime.layout import Instance
from runwell.translate.emit import (
    begin,
    finish,
    is_exception,
    is_ref,
    operate_1,
    operate_3,
    operate_move,
    stage,
    variant_of,
)
from runwell.translate.errors import Error, Invalid
from runwell.translate.reading import next_u32, refuse
from runwell.translate.stack import check_type, pop_number, pop_value, push_type, result
from runwell.translate.tables import (
    FORM,
    GLOBAL_GET,
    GLOBAL_GET_FAR,
    GLOBAL_SET,
    GLOBAL_SET_FAR,
    SELECT,
    TYPED,
    base,
    form,
)
from runwell.translate.value_types import next_value_type
from runwell.translate.work import UNKNOWN, Work

CELL_BYTES = 16
GET_EXN, GET_FAR_EXN = form("global.get_exn ->REF"), form("global.get_far_exn ->REF")
SET_EXN, SET_FAR_EXN = base("global.set_exn"), base("global.set_far_exn")


@kernel(inline=True)
def cell_of(x: u32) -> u32:
    """Byte offset of a global's cell from the instance."""
    return u32(sizeof(Instance)) + x * CELL_BYTES


@kernel
def get_global(w: Work) -> None:
    """``global.get``."""
    x = next_u32(w)
    if x >= w.module.n_globals:
        refuse(w, Error.UNKNOWN_GLOBAL, x)
    if w.constant != 0:
        check_constant_global(w, x)
    t: u32 = w.module.global_types[2 * x]
    if w.dead != 0:
        push_type(w, t)
        return
    far = x < w.module.n_imported_globals
    if is_exception(t):
        p = begin(w, GET_FAR_EXN if far else GET_EXN)
        p[0] = cell_of(x)
        p[1] = w.ref_top
        result(w, p + 2, t)
        return
    row = u32(GLOBAL_GET_FAR) if far else u32(GLOBAL_GET)
    p = begin(w, u32(FORM[TYPED[row + variant_of(t)]]))
    p[0] = cell_of(x)
    result(w, p + 1, t)


@kernel
def check_constant_global(w: Work, x: u32) -> None:
    """A constant expression reads immutable globals that have their value already."""
    if x >= w.visible_globals:
        refuse(w, Error.UNKNOWN_GLOBAL, x)
    if w.module.global_types[2 * x + 1] != 0:
        raise Invalid(Error.CONSTANT_REQUIRED)


@kernel
def set_global(w: Work) -> None:
    """``global.set``."""
    x = next_u32(w)
    if x >= w.module.n_globals:
        refuse(w, Error.UNKNOWN_GLOBAL, x)
    if w.module.global_types[2 * x + 1] == 0:
        refuse(w, Error.IMMUTABLE_GLOBAL, x)
    t: u32 = w.module.global_types[2 * x]
    e = pop_value(w, t)
    if w.dead != 0:
        return
    far = x < w.module.n_imported_globals
    if is_exception(t):
        p = operate_1(w, SET_FAR_EXN if far else SET_EXN, e, t)
        p[0] = cell_of(x)
        finish(w, p + 1)
        return
    p = operate_move(w, u32(GLOBAL_SET_FAR) if far else u32(GLOBAL_SET), e, t)
    p[0] = cell_of(x)
    finish(w, p + 1)


@kernel
def drop_value(w: Work) -> None:
    """``drop``."""
    pop_number(w, UNKNOWN)


@kernel
def select_typed(w: Work) -> None:
    """``select`` with a result type."""
    if next_u32(w) != 1:
        raise Invalid(Error.RESULT_ARITY)
    select(w, next_value_type(w))


@kernel
def select(w: Work, want: u32) -> None:
    """``select`` between values of a type, or of any type but references."""
    condition = pop_value(w, I32)
    b = pop_number(w, want)
    a = pop_number(w, want)
    t = want
    if want == UNKNOWN:
        t = w.types[a] if w.types[a] != UNKNOWN else w.types[b]
        if is_ref(t) or is_ref(w.types[b]):
            check_type(w, t if is_ref(t) else w.types[b], I32)
    check_type(w, w.types[b], t)
    check_type(w, w.types[a], t)
    if w.dead != 0:
        push_type(w, t)
        return
    stage(w, 0, w.entries[a], t)
    stage(w, 1, w.entries[b], t)
    stage(w, 2, condition, I32)
    row = TYPED[SELECT + variant_of(t)]
    result(w, operate_3(w, row), t)
