"""Tests of what a reference is to: ``ref.test``, ``ref.cast`` and branches on them."""

from runwell.base.types import EXNREF, EXTERNREF, FUNCREF, I32, INDEX_SHIFT, NON_NULL, ValType
from runwell.isa.object_ops import TEST_KINDS
from runwell.isa.op import Op, Rule
from runwell.isa.table import TABLE
from runwell.kernel import Ptr, const_array, kernel, u8, u32, u64
from runwell.translate.branches import (
    SENSES,
    in_place,
    is_outermost,
    jump,
    needs_home,
    next_label,
    refer,
)
from runwell.translate.emit import begin, finish, label_here, operate_1, put, source
from runwell.translate.errors import Error, Invalid
from runwell.translate.locals import push_again
from runwell.translate.reading import next_byte, refuse
from runwell.translate.stack import (
    check_top,
    check_type,
    pop_number,
    pop_value,
    push_type,
    result,
    settle_from,
    settle_top,
    show_types,
)
from runwell.translate.tables import BRANCH_FORM, FORM, IF, LOOP, OP_SHIFT, UNLESS, base
from runwell.translate.value_types import CODE, IS_FUNC, next_heap_type
from runwell.translate.work import CARRY_SINGLY, Control, Entry, Work

ANYREF = int(ValType.ANYREF)
# Of the operand and of the type that it is tested for.
SOURCE_NULL, TARGET_NULL = 1, 2

# Two for each kind: the second holds of null, too.
TESTS = const_array(
    "translate_tests", u32, lambda: [base(f"is{n}.{k}") for k in TEST_KINDS for n in ("", "_null")]
)
CASTS = const_array(
    "translate_casts",
    u32,
    lambda: [base(f"cast{n}.{k}") for k in TEST_KINDS for n in ("", "_null")],
)
IS_NONE, IS_ANY, IS_EQ, IS_I31, IS_STRUCT, IS_ARRAY, IS_OBJECT, IS_FUNCTION = range(len(TEST_KINDS))
assert TEST_KINDS == ("none", "any", "eq", "i31", "struct", "array", "object", "function")


def _may_be_null(op: Op) -> int:
    return int(op.mnemonic.endswith(" null"))


# By instruction: is null of the type that it tests for?
MAY_BE_NULL = const_array("translate_may_be_null", u8, lambda: [_may_be_null(op) for op in TABLE])


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


@kernel
def test_kind(w: Work, t: u32) -> u32:
    """How to test for a heap type."""
    match t & CODE:
        case 0:
            is_func = w.module.types[t >> INDEX_SHIFT].kind == IS_FUNC
            return u32(IS_FUNCTION) if is_func else u32(IS_OBJECT)
        case ValType.NULLREF | ValType.NULLFUNCREF | ValType.NULLEXTERNREF | ValType.NULLEXNREF:
            return u32(IS_NONE)
        case ValType.EQREF:
            return u32(IS_EQ)
        case ValType.I31REF:
            return u32(IS_I31)
        case ValType.STRUCTREF:
            return u32(IS_STRUCT)
        case ValType.ARRAYREF:
            return u32(IS_ARRAY)
        case _:
            return u32(IS_ANY)


@kernel
def row_of(w: Work, t: u32) -> u32:
    """Which of ``TESTS`` or ``CASTS`` is for a reference type."""
    return 2 * test_kind(w, t) + u32(t & NON_NULL == 0)


@kernel
def put_type(w: Work, p: Ptr[u32], t: u32) -> Ptr[u32]:
    """Write the immediates of a test for a type; gives the place behind."""
    if t & CODE != 0:
        return p
    type_ = w.module.types[t >> INDEX_SHIFT]
    p[0] = type_.number
    if type_.kind == IS_FUNC:
        return p + 1
    p[1] = type_.heap_type.depth
    return p + 2


@kernel
def cast(w: Work, row: u64, rule: u32) -> None:
    """``ref.test`` and ``ref.cast``."""
    t = next_heap_type(w)
    e = pop_value(w, top_of(w, t))
    if MAY_BE_NULL[row >> OP_SHIFT] == 0:
        t |= NON_NULL
    if w.dead != 0:
        push_type(w, u32(I32) if rule == Rule.REF_TEST else t)
    elif rule == Rule.REF_TEST:
        p = operate_1(w, TESTS[row_of(w, t)], e, FUNCREF)
        result(w, put_type(w, p, t), I32)
    else:
        p = operate_1(w, CASTS[row_of(w, t)], e, FUNCREF)
        finish(w, put_type(w, p, t))
        push_again(w, e, t)


@kernel
def on_type(w: Work, e: Entry, t: u32, sense: u32) -> Ptr[u32]:
    """Emit a branch on whether a reference is of a type; gives its word."""
    kind = source(w, e, FUNCREF)
    chosen = u32(BRANCH_FORM[SENSES * u32(FORM[TESTS[row_of(w, t)] + kind]) + sense])
    p = put_type(w, put(begin(w, chosen), e, kind), t)
    finish(w, p + 1)
    return p


@kernel
def branch_if_type(w: Work, label: Control, e: Entry, t: u32, sense: u32, other: u32) -> None:
    """Branch if a reference is of a type, or unless; ``other`` is the opposite of that."""
    n = label.n_label
    if n > CARRY_SINGLY:
        settle_from(w, 0)
    elif is_outermost(w, label) and needs_home(w, n):
        settle_top(w, n)
    if in_place(w, label):
        if label.rule == Rule.LOOP:
            sense += LOOP
        refer(w, label, on_type(w, e, t, sense))
    else:
        skip = on_type(w, e, t, other)
        jump(w, label, False)
        skip[0] = u32((w.out - skip) * 4)
        label_here(w)


@kernel
def branch_on_cast(w: Work, rule: u32) -> None:
    """``br_on_cast`` and ``br_on_cast_fail``."""
    flags = u32(next_byte(w))
    if flags > (SOURCE_NULL | TARGET_NULL):
        refuse(w, Error.MALFORMED_CAST_FLAGS, flags)
    label = next_label(w)
    from_ = next_heap_type(w)
    if flags & SOURCE_NULL == 0:
        from_ |= NON_NULL
    target = next_heap_type(w)
    if flags & TARGET_NULL == 0:
        target |= NON_NULL
    check_type(w, target, from_)
    # What it is if it is not of the target type.
    rest = from_ if flags & TARGET_NULL == 0 else from_ | NON_NULL
    is_fail = rule == Rule.BR_ON_CAST_FAIL
    e = pop_value(w, from_)
    if w.dead != 0:
        push_type(w, rest if is_fail else target)
    else:
        push_again(w, e, rest if is_fail else target)
    if label.n_label == 0:
        show_types(w, label.label_types, 0, w.types + (w.sp - 1), 1)
        raise Invalid(Error.TYPE_MISMATCH)
    check_top(w, label.label_types, label.n_label)
    if w.dead == 0:
        sense = u32(UNLESS) if is_fail else u32(IF)
        other = u32(IF) if is_fail else u32(UNLESS)
        branch_if_type(w, label, w.entries[w.sp - 1], target, sense, other)
    pop_number(w, FUNCREF)
    after = target if is_fail else rest
    if w.dead != 0:
        push_type(w, after)
    else:
        push_again(w, w.entries[w.sp], after)
