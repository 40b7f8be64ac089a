"""Instructions of the garbage-collected heap: structures and arrays."""

from runwell.base.objects import TAG
from runwell.base.types import EXTERNREF, FUNCREF, I32, INDEX_SHIFT, NON_NULL, ValType
from runwell.isa.object_ops import READS, WRITES
from runwell.isa.op import Op, Rule
from runwell.isa.table import TABLE
from runwell.kernel import Ptr, const_array, kernel, local_array, u8, u32, u64
from runwell.runtime.layout import TypeCode
from runwell.translate.casts import branch_on_cast, cast
from runwell.translate.emit import (
    begin,
    finish,
    is_exception,
    is_ref,
    operate_1,
    operate_2,
    operate_3,
    stage,
)
from runwell.translate.errors import Error, Invalid
from runwell.translate.fuel import ELEMENTS, charge_size
from runwell.translate.locals import push_again
from runwell.translate.memory import check_data
from runwell.translate.nulls import pop_reference
from runwell.translate.reading import next_u32, refuse
from runwell.translate.references import check_elem
from runwell.translate.stack import (
    check_top,
    check_type,
    pop_value,
    push_type,
    result,
    settle_top,
    truncate,
    underflow,
)
from runwell.translate.tables import OP_SHIFT, base, form
from runwell.translate.value_types import BOTTOM, CODE, IS_ARRAY, IS_STRUCT, is_match
from runwell.translate.work import NOWHERE, Work

I8, I16 = int(ValType.I8), int(ValType.I16)
ANYREF, EQREF, I31REF = int(ValType.ANYREF), int(ValType.EQREF), int(ValType.I31REF)
ARRAYREF = int(ValType.ARRAYREF)
EXTENDS, SIGNED = 1, 2
# Rows of the tables of operations that write.
AS_I8, AS_I16, AS_I32, AS_I64, AS_F32, AS_F64, AS_V128, AS_REF = range(len(WRITES))
assert WRITES == ("i8", "i16", "i32", "i64", "f32", "f64", "v128", "ref")
assert ("i8_s", "i8_u", "i16_s", "i16_u", *WRITES[2:]) == READS

NEW_STRUCT, NEW_STRUCT_DEFAULT = form("struct.new ->REF"), form("struct.new_default ->REF")
NEW_ARRAY, NEW_ARRAY_DEFAULT = form("array.new ->REF"), form("array.new_default ->REF")
NEW_ARRAY_FIXED = form("array.new_fixed ->REF")
NEW_ARRAY_DATA, NEW_ARRAY_ELEM = form("array.new_data ->REF"), form("array.new_elem ->REF")
FILL_ARRAY, COPY_ARRAY = form("array.fill"), form("array.copy")
INIT_DATA, INIT_ELEM = form("array.init_data"), form("array.init_elem")
GET_EXN, SET_EXN = base("struct.get.exn"), base("struct.set.exn")
ELEMENT_GET_EXN, ELEMENT_SET_EXN = base("array.get.exn"), base("array.set.exn")
ARRAY_LEN, REF_I31 = base("array.len"), base("ref.i31")
I31_GET_S, I31_GET_U = base("i31.get_s"), base("i31.get_u")
SAME = base("ref.eq")


def _flags(op: Op) -> int:
    extends = op.rule in (Rule.STRUCT_GET, Rule.ARRAY_GET) and op.mnemonic.endswith(("_s", "_u"))
    return extends * EXTENDS | op.mnemonic.endswith("_s") * SIGNED


# By instruction: does it extend a packed value? With its sign?
FLAGS = const_array("translate_heap_flags", u8, lambda: [_flags(op) for op in TABLE])
# Operations that read and write fields and elements, by what these are.
GETS = const_array("translate_struct_gets", u32, lambda: [base(f"struct.get.{r}") for r in READS])
SETS = const_array("translate_struct_sets", u32, lambda: [base(f"struct.set.{r}") for r in WRITES])
ELEMENT_GETS = const_array(
    "translate_array_gets", u32, lambda: [base(f"array.get.{r}") for r in READS]
)
ELEMENT_SETS = const_array(
    "translate_array_sets", u32, lambda: [base(f"array.set.{r}") for r in WRITES]
)


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
def write_row(storage: u32) -> u32:
    """Which of ``WRITES`` writes a field."""
    match storage:
        case ValType.I8:
            return u32(AS_I8)
        case ValType.I16:
            return u32(AS_I16)
        case ValType.I32:
            return u32(AS_I32)
        case ValType.I64:
            return u32(AS_I64)
        case ValType.F32:
            return u32(AS_F32)
        case ValType.F64:
            return u32(AS_F64)
        case ValType.V128:
            return u32(AS_V128)
        case _:
            return u32(AS_REF)


@kernel
def read_row(storage: u32, row: u64) -> u32:
    """Which of ``READS`` an instruction reads a field by."""
    # A packed type has two, the signed one first.
    kind = write_row(storage)
    if kind > AS_I16:
        return kind + 2
    return 2 * kind + (0 if FLAGS[row >> OP_SHIFT] & SIGNED != 0 else 1)


# Structures.


@kernel
def in_frame(w: Work, form: u32, n: u32) -> Ptr[u32]:
    """Begin an instruction that finds its operands, the highest, in the frame.

    Gives the place of its other immediates.
    """
    # It may take long.
    w.brief = 0
    settle_top(w, n)
    end = w.ref_top
    top = w.top
    truncate(w, w.sp - n)
    p = begin(w, form)
    p[0] = w.top
    p[1] = top - w.top
    p[2] = w.ref_top
    p[3] = end
    return p + 4


@kernel
def make(w: Work, form: u32, n: u32, t: TypeCode) -> None:
    """Emit an instruction that makes an object of its highest operands, which were checked."""
    if w.dead != 0:
        truncate(w, w.sp - n)
        push_type(w, reference_to(t) | NON_NULL)
        return
    p = in_frame(w, form, n)
    p[0] = t.canon
    result(w, p + 1, reference_to(t) | NON_NULL)


@kernel
def make_with(w: Work, form: u32, n: u32, t: TypeCode, word: u32) -> None:
    """As ``make``, with one more immediate."""
    if w.dead != 0:
        make(w, form, n, t)
        return
    p = in_frame(w, form, n)
    p[0] = t.canon
    p[1] = word
    result(w, p + 2, reference_to(t) | NON_NULL)


@kernel
def offset_of(t: TypeCode, field: u32) -> u32:
    """Where a field is, from a reference."""
    offset: u32 = t.heap_type.fields[field].offset
    return offset - TAG


# Structures.


@kernel
def struct_get(w: Work, t: TypeCode, row: u64) -> None:
    """``struct.get``."""
    field = next_field(w, t)
    storage = storage_of(t, field)
    check_access(w, storage, row)
    e = pop_value(w, reference_to(t))
    if w.dead != 0:
        push_type(w, t.params[field])
        return
    if is_exception(storage):
        end = w.ref_top
        p = operate_1(w, GET_EXN, e, FUNCREF)
        p[1] = end
        p[0] = offset_of(t, field)
        result(w, p + 2, t.params[field])
        return
    p = operate_1(w, GETS[read_row(storage, row)], e, FUNCREF)
    p[0] = offset_of(t, field)
    result(w, p + 1, t.params[field])


@kernel
def struct_set(w: Work, t: TypeCode) -> None:
    """``struct.set``."""
    field = next_field(w, t)
    check_mutable(w, t, field)
    storage = storage_of(t, field)
    value = pop_value(w, t.params[field])
    e = pop_value(w, reference_to(t))
    if w.dead == 0:
        forms = u32(SET_EXN) if is_exception(storage) else u32(SETS[write_row(storage)])
        p = operate_2(w, forms, e, FUNCREF, value, t.params[field])
        p[0] = offset_of(t, field)
        finish(w, p + 1)


@kernel
def struct_op(w: Work, row: u64, rule: u32) -> None:
    """An instruction of structures."""
    t = next_composite(w, IS_STRUCT)
    match rule:
        case Rule.STRUCT_NEW:
            check_top(w, t.params, t.n_params)
            make(w, NEW_STRUCT, t.n_params, t)
        case Rule.STRUCT_NEW_DEFAULT:
            check_default(w, t)
            make(w, NEW_STRUCT_DEFAULT, 0, t)
        case Rule.STRUCT_GET:
            struct_get(w, t, row)
        case _:
            struct_set(w, t)


# Arrays.


@kernel
def check_indices(w: Work, n: u32) -> None:
    """The highest ``n`` operands must be indices or lengths."""
    types = local_array(u32, 3)
    for i in range(n):
        types[i] = I32
    check_top(w, types, n)


@kernel
def check_fixed(w: Work, element: u32, n: u32) -> None:
    """The highest ``n`` operands must be elements; they stay."""
    i: u32 = 0
    while i < n:
        if w.sp - i == w.height:
            w.sp = w.height
            underflow(w, element)
            # In unreachable code the rest is supposed to be right.
            return
        check_type(w, w.types[w.sp - 1 - i], element)
        i += 1
        w.steps += 1


@kernel
def charge_elements(w: Work) -> None:
    """Let an instruction pay for as many elements as its last operand says."""
    if w.dead == 0:
        charge_size(w, w.entries[w.sp - 1], I32, ELEMENTS)


@kernel
def array_new(w: Work, t: TypeCode, rule: u32) -> None:
    """An instruction that makes an array."""
    element = t.params[0]
    match rule:
        case Rule.ARRAY_NEW:
            types = local_array(u32, 2)
            types[0] = element
            types[1] = I32
            check_top(w, types, 2)
            charge_elements(w)
            make(w, NEW_ARRAY, 2, t)
        case Rule.ARRAY_NEW_DEFAULT:
            check_default(w, t)
            check_indices(w, 1)
            charge_elements(w)
            make(w, NEW_ARRAY_DEFAULT, 1, t)
        case Rule.ARRAY_NEW_FIXED:
            n = next_u32(w)
            check_fixed(w, element, n)
            if w.dead != 0 and n > w.sp - w.height:
                n = w.sp - w.height
            make_with(w, NEW_ARRAY_FIXED, n, t, n)
        case Rule.ARRAY_NEW_DATA:
            data = next_u32(w)
            check_data(w, data)
            check_bytes(w, t)
            check_indices(w, 2)
            charge_elements(w)
            make_with(w, NEW_ARRAY_DATA, 2, t, data)
        case _:
            elem = next_u32(w)
            check_elem(w, elem)
            check_type(w, w.module.element_types[elem], element)
            check_indices(w, 2)
            charge_elements(w)
            make_with(w, NEW_ARRAY_ELEM, 2, t, elem)


@kernel
def array_get(w: Work, t: TypeCode, row: u64) -> None:
    """``array.get``."""
    storage = storage_of(t, 0)
    check_access(w, storage, row)
    index = pop_value(w, I32)
    e = pop_value(w, reference_to(t))
    if w.dead != 0:
        push_type(w, t.params[0])
        return
    if is_exception(storage):
        end = w.ref_top
        p = operate_2(w, ELEMENT_GET_EXN, e, FUNCREF, index, I32)
        p[0] = end
        result(w, p + 1, t.params[0])
        return
    p = operate_2(w, ELEMENT_GETS[read_row(storage, row)], e, FUNCREF, index, I32)
    result(w, p, t.params[0])


@kernel
def array_set(w: Work, t: TypeCode) -> None:
    """``array.set``."""
    check_mutable(w, t, 0)
    storage = storage_of(t, 0)
    stage(w, 2, pop_value(w, t.params[0]), t.params[0])
    stage(w, 1, pop_value(w, I32), I32)
    stage(w, 0, pop_value(w, reference_to(t)), FUNCREF)
    if w.dead == 0:
        forms = u32(ELEMENT_SET_EXN)
        if not is_exception(storage):
            forms = u32(ELEMENT_SETS[write_row(storage)])
        finish(w, operate_3(w, forms))


@kernel
def change(w: Work, form: u32, types: Ptr[u32], n: u32, word: u32) -> None:
    """Emit an instruction that works on many elements; ``word`` is its segment, or NOWHERE."""
    check_top(w, types, n)
    if w.dead != 0:
        truncate(w, w.sp - n)
        return
    charge_elements(w)
    p = in_frame(w, form, n)
    if word != NOWHERE:
        p[0] = word
        p = p + 1
    finish(w, p)


@kernel
def array_copy(w: Work, t: TypeCode) -> None:
    """``array.copy``."""
    source = next_composite(w, IS_ARRAY)
    check_mutable(w, t, 0)
    to = storage_of(t, 0)
    from_ = storage_of(source, 0)
    if from_ != to and (is_packed(from_) or is_packed(to) or not is_match(w, from_, to)):
        raise Invalid(Error.ARRAY_TYPES)
    types = local_array(u32, 5)
    types[0] = reference_to(t)
    types[1] = I32
    types[2] = reference_to(source)
    types[3] = I32
    types[4] = I32
    change(w, COPY_ARRAY, types, 5, NOWHERE)


@kernel
def array_init(w: Work, t: TypeCode, rule: u32) -> None:
    """``array.init_data`` and ``array.init_elem``."""
    segment = next_u32(w)
    form: u32 = INIT_DATA
    if rule == Rule.ARRAY_INIT_DATA:
        check_data(w, segment)
        check_mutable(w, t, 0)
        check_bytes(w, t)
    else:
        form = INIT_ELEM
        check_elem(w, segment)
        check_mutable(w, t, 0)
        check_type(w, w.module.element_types[segment], t.params[0])
    types = local_array(u32, 4)
    types[0] = reference_to(t)
    types[1] = I32
    types[2] = I32
    types[3] = I32
    change(w, form, types, 4, segment)


@kernel
def array_op(w: Work, row: u64, rule: u32) -> None:
    """An instruction of arrays."""
    if rule == Rule.ARRAY_LEN:
        e = pop_value(w, ARRAYREF)
        if w.dead != 0:
            push_type(w, I32)
        else:
            result(w, operate_1(w, ARRAY_LEN, e, FUNCREF), I32)
        return
    t = next_composite(w, IS_ARRAY)
    match rule:
        case Rule.ARRAY_GET:
            array_get(w, t, row)
        case Rule.ARRAY_SET:
            array_set(w, t)
        case Rule.ARRAY_FILL:
            check_mutable(w, t, 0)
            types = local_array(u32, 4)
            types[0] = reference_to(t)
            types[1] = I32
            types[2] = t.params[0]
            types[3] = I32
            change(w, FILL_ARRAY, types, 4, NOWHERE)
        case Rule.ARRAY_COPY:
            array_copy(w, t)
        case Rule.ARRAY_INIT_DATA | Rule.ARRAY_INIT_ELEM:
            array_init(w, t, rule)
        case _:
            array_new(w, t, rule)


# Other references.


@kernel
def convert(w: Work, want: u32, to: u32) -> None:
    """A conversion between external and internal references, which are the same words."""
    t = pop_reference(w)
    if t & CODE != BOTTOM:
        check_type(w, t, want)
        to |= t & NON_NULL
    else:
        to |= NON_NULL
    if w.dead != 0:
        push_type(w, to)
    else:
        push_again(w, w.entries[w.sp], to)


@kernel
def ref_eq(w: Work) -> None:
    """``ref.eq``."""
    b = pop_value(w, EQREF)
    a = pop_value(w, EQREF)
    if w.dead != 0:
        push_type(w, I32)
    else:
        result(w, operate_2(w, SAME, a, FUNCREF, b, FUNCREF), I32)


@kernel
def ref_i31(w: Work) -> None:
    """``ref.i31``."""
    e = pop_value(w, I32)
    if w.dead != 0:
        push_type(w, I31REF | NON_NULL)
    else:
        result(w, operate_1(w, REF_I31, e, I32), I31REF | NON_NULL)


@kernel
def i31_get(w: Work, row: u64) -> None:
    """``i31.get_s`` and ``i31.get_u``."""
    e = pop_value(w, I31REF)
    if w.dead != 0:
        push_type(w, I32)
    else:
        is_signed = FLAGS[row >> OP_SHIFT] & SIGNED != 0
        forms = u32(I31_GET_S) if is_signed else u32(I31_GET_U)
        result(w, operate_1(w, forms, e, FUNCREF), I32)


@kernel
def heap_op(w: Work, row: u64, rule: u32) -> None:
    """An instruction of the heap."""
    match rule:
        case Rule.REF_EQ:
            ref_eq(w)
        case Rule.REF_TEST | Rule.REF_CAST:
            cast(w, row, rule)
        case Rule.BR_ON_CAST | Rule.BR_ON_CAST_FAIL:
            branch_on_cast(w, rule)
        case Rule.ANY_CONVERT_EXTERN:
            convert(w, EXTERNREF, ANYREF)
        case Rule.EXTERN_CONVERT_ANY:
            convert(w, ANYREF, EXTERNREF)
        case Rule.REF_I31:
            ref_i31(w)
        case Rule.I31_GET:
            i31_get(w, row)
        case Rule.STRUCT_NEW | Rule.STRUCT_NEW_DEFAULT | Rule.STRUCT_GET | Rule.STRUCT_SET:
            struct_op(w, row, rule)
        case _:
            array_op(w, row, rule)
