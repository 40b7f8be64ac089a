"""References and tables."""

from runwell.base.types import FUNCREF, INDEX_SHIFT, NON_NULL
from runwell.kernel import kernel, u32
from runwell.translate.calls import TABLE_IS_64
from runwell.translate.emit import (
    begin,
    emit_word,
    finish,
    is_exception,
    operate_1,
    operate_2,
    operate_3,
    stage,
)
from runwell.translate.errors import Error
from runwell.translate.fuel import ELEMENTS, charge_size
from runwell.translate.memory import copy_between, index_type, init_from
from runwell.translate.reading import next_u32, refuse
from runwell.translate.stack import check_type, pop_value, push_type, result
from runwell.translate.tables import base, form
from runwell.translate.value_types import next_heap_type
from runwell.translate.work import Work

REF_NULL, REF_FUNC = form("ref.null ->REF"), form("ref.func ->REF")
SIZE = form("table.size ->SLOT")
GET, GET_64 = base("table.get"), base("table64.get")
SET, SET_64 = base("table.set"), base("table64.set")
GET_EXN, GET_64_EXN = base("table.get_exn"), base("table64.get_exn")
SET_EXN, SET_64_EXN = base("table.set_exn"), base("table64.set_exn")
GROW, GROW_64 = base("table.grow"), base("table64.grow")
FILL, FILL_64 = base("table.fill"), base("table64.fill")
COPY, COPY_64 = base("table.copy"), base("table64.copy")
INIT, INIT_64 = base("table.init"), base("table64.init")
ELEM_DROP = form("elem.drop")


@kernel
def ref_null(w: Work) -> None:
    """``ref.null``."""
    t = next_heap_type(w)
    if w.dead != 0:
        push_type(w, t)
    else:
        result(w, begin(w, REF_NULL), t)


@kernel
def ref_func(w: Work) -> None:
    """``ref.func``."""
    x = next_u32(w)
    if x >= w.module.n_functions:
        refuse(w, Error.UNKNOWN_FUNCTION, x)
    if w.constant == 0 and w.module.declared[x] == 0:
        refuse(w, Error.UNDECLARED_FUNCTION, x)
    t = w.module.types[w.module.function_types[x]].canon << INDEX_SHIFT | NON_NULL
    if w.dead != 0:
        push_type(w, t)
        return
    p = begin(w, REF_FUNC)
    p[0] = x
    result(w, p + 1, t)


@kernel
def next_table(w: Work) -> u32:
    """A table index."""
    x = next_u32(w)
    if x >= w.module.n_tables:
        refuse(w, Error.UNKNOWN_TABLE, x)
    return x


@kernel
def check_elem(w: Work, x: u32) -> None:
    """Fail unless there is an element segment ``x``."""
    if x >= w.module.n_elements:
        refuse(w, Error.UNKNOWN_ELEM, x)


@kernel(inline=True)
def table_type(w: Work, table: u32) -> u32:
    """The type of a table's elements."""
    t: u32 = w.module.table_types[2 * table]
    return t


@kernel(inline=True)
def is_table_64(w: Work, table: u32) -> bool:
    """Has the table 64-bit indices?"""
    flags: u32 = w.module.table_types[2 * table + 1]
    return flags & TABLE_IS_64 != 0


@kernel
def table_get(w: Work) -> None:
    """``table.get``."""
    table = next_table(w)
    is_64 = is_table_64(w, table)
    t = index_type(is_64)
    index = pop_value(w, t)
    if w.dead != 0:
        push_type(w, table_type(w, table))
        return
    if is_exception(table_type(w, table)):
        end = w.ref_top
        p = operate_1(w, GET_64_EXN if is_64 else GET_EXN, index, t)
        p[0] = table
        p[1] = end
        result(w, p + 2, table_type(w, table))
        return
    p = operate_1(w, GET_64 if is_64 else GET, index, t)
    p[0] = table
    result(w, p + 1, table_type(w, table))


@kernel
def table_set(w: Work) -> None:
    """``table.set``."""
    table = next_table(w)
    is_64 = is_table_64(w, table)
    t = index_type(is_64)
    value = pop_value(w, table_type(w, table))
    index = pop_value(w, t)
    if w.dead == 0:
        forms = u32(SET_64) if is_64 else u32(SET)
        if is_exception(table_type(w, table)):
            forms = u32(SET_64_EXN) if is_64 else u32(SET_EXN)
        p = operate_2(w, forms, index, t, value, FUNCREF)
        p[0] = table
        finish(w, p + 1)


@kernel
def table_size(w: Work) -> None:
    """``table.size``."""
    table = next_table(w)
    t = index_type(is_table_64(w, table))
    if w.dead != 0:
        push_type(w, t)
        return
    p = begin(w, SIZE)
    p[0] = table
    result(w, p + 1, t)


@kernel
def table_grow_op(w: Work) -> None:
    """``table.grow``."""
    table = next_table(w)
    is_64 = is_table_64(w, table)
    t = index_type(is_64)
    delta = pop_value(w, t)
    value = pop_value(w, table_type(w, table))
    if w.dead != 0:
        push_type(w, t)
        return
    charge_size(w, delta, t, ELEMENTS)
    p = operate_2(w, GROW_64 if is_64 else GROW, value, FUNCREF, delta, t)
    p[0] = table
    result(w, p + 1, t)


@kernel
def table_fill_op(w: Work) -> None:
    """``table.fill``."""
    table = next_table(w)
    is_64 = is_table_64(w, table)
    t = index_type(is_64)
    size = pop_value(w, t)
    value = pop_value(w, table_type(w, table))
    target = pop_value(w, t)
    if w.dead == 0:
        charge_size(w, size, t, ELEMENTS)
        stage(w, 0, target, t)
        stage(w, 1, value, FUNCREF)
        stage(w, 2, size, t)
        p = operate_3(w, FILL_64 if is_64 else FILL)
        p[0] = table
        finish(w, p + 1)


@kernel
def table_copy_op(w: Work) -> None:
    """``table.copy``."""
    to = next_table(w)
    from_ = next_table(w)
    check_type(w, table_type(w, from_), table_type(w, to))
    to_64 = is_table_64(w, to)
    from_64 = is_table_64(w, from_)
    copy_between(w, to_64, from_64, COPY, COPY_64, to, from_, ELEMENTS)


@kernel
def table_init_op(w: Work) -> None:
    """``table.init``."""
    elem = next_u32(w)
    table = next_table(w)
    check_elem(w, elem)
    check_type(w, w.module.element_types[elem], table_type(w, table))
    init_from(w, is_table_64(w, table), INIT, INIT_64, elem, table, ELEMENTS)


@kernel
def drop_elem(w: Work) -> None:
    """``elem.drop``."""
    elem = next_u32(w)
    check_elem(w, elem)
    if w.dead == 0:
        emit_word(w, ELEM_DROP, elem)
