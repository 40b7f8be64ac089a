"""Instructions of the garbage-collected heap: checked, but executing one traps.

There is no heap yet, so what follows such an instruction is dead: its types are kept and checked.
"""

from runwell.base.types import EXTERNREF, FUNCREF, I32, INDEX_SHIFT, NON_NULL, ValType
from runwell.isa.op import Op, Rule
from runwell.isa.table import TABLE
from runwell.kernel import const_array, kernel, u8, u32, u64
from runwell.runtime.layout import TypeCode
from runwell.translate.branches import next_label
from runwell.translate.emit import begin, finish, is_ref
from runwell.translate.errors import Error, Invalid
from runwell.translate.memory import check_data
from runwell.translate.nulls import pop_reference
from runwell.translate.reading import next_byte, next_u32, refuse
from runwell.translate.references import check_elem
from runwell.translate.stack import (
    check_top,
    check_type,
    pop_number,
    pop_value,
    push_type,
    release,
    show_types,
    truncate,
)
from runwell.translate.tables import OP_SHIFT, form
from runwell.translate.value_types import (
    BOTTOM,
    CODE,
    IS_ARRAY,
    IS_FUNC,
    IS_STRUCT,
    is_match,
    next_heap_type,
)
from runwell.translate.work import Work

NO_HEAP = form("no_heap")
I8, I16 = int(ValType.I8), int(ValType.I16)
ANYREF, EQREF, I31REF = int(ValType.ANYREF), int(ValType.EQREF), int(ValType.I31REF)
ARRAYREF, EXNREF = int(ValType.ARRAYREF), int(ValType.EXNREF)
# Of the operand and of the type that it is tested for.
SOURCE_NULL, TARGET_NULL = 1, 2
EXTENDS, MAY_BE_NULL = 1, 2


def _flags(op: Op) -> int:
    extends = op.rule in (Rule.STRUCT_GET, Rule.ARRAY_GET) and op.mnemonic.endswith(("_s", "_u"))
    return extends * EXTENDS | op.mnemonic.endswith(" null") * MAY_BE_NULL


# By instruction: does it extend a packed value? Is null of the type that it tests for?
FLAGS = const_array("translate_heap_flags", u8, lambda: [_flags(op) for op in TABLE])


@kernel
def die(w: Work) -> None:
    """Trap: there is no heap.  Of what follows only the types matter."""
    if w.dead == 0:
        finish(w, begin(w, NO_HEAP))
        i = w.sp
        while i > w.height:
            i -= 1
            release(w, i)
            w.steps += 1
        w.dead = 1


# Types.


@kernel
def next_composite(w: Work, kind: u32) -> TypeCode:
    """The index of a structure or array type."""
    x = next_u32(w)
    if x >= w.module.n_types or w.module.types[x].kind != kind:
        refuse(w, Error.UNKNOWN_TYPE, x)
    t: TypeCode = w.module.types[x]
    return t


@kernel
def reference_to(t: TypeCode) -> u32:
    """The type of nullable references to a defined type."""
    return t.canon << INDEX_SHIFT


@kernel
def storage_of(t: TypeCode, field: u32) -> u32:
    """The storage type of a field."""
    found: u32 = t.fields[2 * field]
    return found


@kernel
def is_packed(storage: u32) -> bool:
    """Is this a storage type that is no value type?"""
    return (storage == I8) | (storage == I16)


@kernel
def check_mutable(w: Work, t: TypeCode, field: u32) -> None:
    """Fail unless a field may be changed."""
    if t.fields[2 * field + 1] == 0:
        raise Invalid(Error.IMMUTABLE_FIELD if t.kind == IS_STRUCT else Error.IMMUTABLE_ARRAY)


@kernel
def next_field(w: Work, t: TypeCode) -> u32:
    """The index of a field."""
    field = next_u32(w)
    if field >= t.n_params:
        refuse(w, Error.UNKNOWN_FIELD, field)
    return field


@kernel
def check_access(w: Work, storage: u32, row: u64) -> None:
    """Packed fields are extended when they are read, and only they."""
    if is_packed(storage) != (FLAGS[row >> OP_SHIFT] & EXTENDS != 0):
        raise Invalid(Error.TYPE_MISMATCH)


@kernel
def check_default(w: Work, t: TypeCode) -> None:
    """Fail unless all fields have default values."""
    for i in range(t.n_params):
        if t.params[i] & NON_NULL != 0:
            raise Invalid(Error.NO_DEFAULT)
    w.steps += u64(t.n_params)


@kernel
def check_bytes(w: Work, t: TypeCode) -> None:
    """The elements of an array that is made of data are no references."""
    if is_ref(t.params[0]):
        raise Invalid(Error.NOT_NUMERIC)


@kernel
def top_of(w: Work, t: u32) -> u32:
    """The type of nullable references above a reference type."""
    code = t & CODE
    if code == 0:
        is_func = w.module.types[t >> INDEX_SHIFT].kind == IS_FUNC
        return u32(FUNCREF) if is_func else u32(ANYREF)
    match code:
        case ValType.FUNCREF | ValType.NULLFUNCREF:
            return u32(FUNCREF)
        case ValType.EXTERNREF | ValType.NULLEXTERNREF:
            return u32(EXTERNREF)
        case ValType.EXNREF | ValType.NULLEXNREF:
            return u32(EXNREF)
        case _:
            return u32(ANYREF)


# Structures and arrays.


@kernel
def struct_op(w: Work, row: u64, rule: u32) -> None:
    """An instruction of structures."""
    t = next_composite(w, IS_STRUCT)
    if rule == Rule.STRUCT_NEW:
        check_top(w, t.params, t.n_params)
        truncate(w, w.sp - t.n_params)
        push_type(w, reference_to(t) | NON_NULL)
        return
    if rule == Rule.STRUCT_NEW_DEFAULT:
        check_default(w, t)
        push_type(w, reference_to(t) | NON_NULL)
        return
    field = next_field(w, t)
    if rule == Rule.STRUCT_GET:
        check_access(w, storage_of(t, field), row)
        pop_value(w, reference_to(t))
        push_type(w, t.params[field])
    else:
        check_mutable(w, t, field)
        pop_value(w, t.params[field])
        pop_value(w, reference_to(t))


@kernel
def pop_i32s(w: Work, n: u32) -> None:
    """Pop indices and lengths."""
    for _ in range(n):
        pop_value(w, I32)


@kernel
def array_new(w: Work, t: TypeCode, rule: u32) -> None:
    """An instruction that makes an array."""
    element = t.params[0]
    match rule:
        case Rule.ARRAY_NEW:
            pop_value(w, I32)
            pop_value(w, element)
        case Rule.ARRAY_NEW_DEFAULT:
            check_default(w, t)
            pop_value(w, I32)
        case Rule.ARRAY_NEW_FIXED:
            n = next_u32(w)
            while n != 0 and (w.sp > w.height or w.frame.unreachable == 0):
                pop_value(w, element)
                n -= 1
        case Rule.ARRAY_NEW_DATA:
            check_data(w, next_u32(w))
            check_bytes(w, t)
            pop_i32s(w, 2)
        case _:
            elem = next_u32(w)
            check_elem(w, elem)
            check_type(w, w.module.element_types[elem], element)
            pop_i32s(w, 2)
    push_type(w, reference_to(t) | NON_NULL)


@kernel
def array_copy(w: Work, t: TypeCode) -> None:
    """``array.copy``."""
    source = next_composite(w, IS_ARRAY)
    check_mutable(w, t, 0)
    to = storage_of(t, 0)
    from_ = storage_of(source, 0)
    if from_ != to and (is_packed(from_) or is_packed(to) or not is_match(w, from_, to)):
        raise Invalid(Error.ARRAY_TYPES)
    pop_i32s(w, 2)
    pop_value(w, reference_to(source))
    pop_value(w, I32)
    pop_value(w, reference_to(t))


@kernel
def array_op(w: Work, row: u64, rule: u32) -> None:
    """An instruction of arrays."""
    if rule == Rule.ARRAY_LEN:
        pop_value(w, ARRAYREF)
        push_type(w, I32)
        return
    t = next_composite(w, IS_ARRAY)
    element = t.params[0]
    match rule:
        case Rule.ARRAY_GET:
            check_access(w, storage_of(t, 0), row)
            pop_value(w, I32)
            pop_value(w, reference_to(t))
            push_type(w, element)
        case Rule.ARRAY_SET:
            check_mutable(w, t, 0)
            pop_value(w, element)
            pop_value(w, I32)
            pop_value(w, reference_to(t))
        case Rule.ARRAY_FILL:
            check_mutable(w, t, 0)
            pop_value(w, I32)
            pop_value(w, element)
            pop_value(w, I32)
            pop_value(w, reference_to(t))
        case Rule.ARRAY_COPY:
            array_copy(w, t)
        case Rule.ARRAY_INIT_DATA:
            check_data(w, next_u32(w))
            check_mutable(w, t, 0)
            check_bytes(w, t)
            pop_i32s(w, 3)
            pop_value(w, reference_to(t))
        case Rule.ARRAY_INIT_ELEM:
            elem = next_u32(w)
            check_elem(w, elem)
            check_mutable(w, t, 0)
            check_type(w, w.module.element_types[elem], element)
            pop_i32s(w, 3)
            pop_value(w, reference_to(t))
        case _:
            array_new(w, t, rule)


# Casts.


@kernel
def cast(w: Work, row: u64, rule: u32) -> None:
    """``ref.test`` and ``ref.cast``."""
    t = next_heap_type(w)
    pop_value(w, top_of(w, t))
    if FLAGS[row >> OP_SHIFT] & MAY_BE_NULL == 0:
        t |= NON_NULL
    push_type(w, u32(I32) if rule == Rule.REF_TEST else t)


@kernel
def branch_on_cast(w: Work, rule: u32) -> None:
    """``br_on_cast`` and ``br_on_cast_fail``."""
    flags = u32(next_byte(w))
    if flags > (SOURCE_NULL | TARGET_NULL):
        refuse(w, Error.MALFORMED_CAST_FLAGS, flags)
    label = next_label(w)
    source = next_heap_type(w)
    if flags & SOURCE_NULL == 0:
        source |= NON_NULL
    target = next_heap_type(w)
    if flags & TARGET_NULL == 0:
        target |= NON_NULL
    check_type(w, target, source)
    # What it is if it is not of the target type.
    rest = source if flags & TARGET_NULL == 0 else source | NON_NULL
    is_fail = rule == Rule.BR_ON_CAST_FAIL
    pop_value(w, source)
    push_type(w, rest if is_fail else target)
    if label.n_label == 0:
        show_types(w, label.label_types, 0, w.types + (w.sp - 1), 1)
        raise Invalid(Error.TYPE_MISMATCH)
    check_top(w, label.label_types, label.n_label)
    pop_number(w, FUNCREF)
    push_type(w, target if is_fail else rest)


@kernel
def convert(w: Work, want: u32, to: u32) -> None:
    """A conversion between external and internal references, which keeps nullability."""
    t = pop_reference(w)
    if t & CODE != BOTTOM:
        check_type(w, t, want)
        push_type(w, to | t & NON_NULL)
    else:
        push_type(w, to | NON_NULL)


@kernel
def heap_op(w: Work, row: u64, rule: u32) -> None:
    """An instruction of the heap."""
    die(w)
    match rule:
        case Rule.REF_EQ:
            pop_value(w, EQREF)
            pop_value(w, EQREF)
            push_type(w, I32)
        case Rule.REF_TEST | Rule.REF_CAST:
            cast(w, row, rule)
        case Rule.BR_ON_CAST | Rule.BR_ON_CAST_FAIL:
            branch_on_cast(w, rule)
        case Rule.ANY_CONVERT_EXTERN:
            convert(w, EXTERNREF, ANYREF)
        case Rule.EXTERN_CONVERT_ANY:
            convert(w, ANYREF, EXTERNREF)
        case Rule.REF_I31:
            pop_value(w, I32)
            push_type(w, I31REF | NON_NULL)
        case Rule.I31_GET:
            pop_value(w, I31REF)
            push_type(w, I32)
        case Rule.STRUCT_NEW | Rule.STRUCT_NEW_DEFAULT | Rule.STRUCT_GET | Rule.STRUCT_SET:
            struct_op(w, row, rule)
        case _:
            array_op(w, row, rule)
