"""Canonical NaNs, for deterministic code: put where somebody could see another one.

What makes a NaN leaves one of any payload.  Most of them are operands of the next operation, to
which one NaN is as good as another: arithmetic makes a new one, comparisons and conversions to
integers see that it is one and no more.  So the operand stack remembers which operands are not
clean, and they are made so before anything else happens to them: before they are stored, passed,
left to a branch, or taken for bits.  Between blocks all operands are clean.
"""

from runwell.base.types import F32, V128
from runwell.isa.op import Rule
from runwell.kernel import addr, kernel, u32, u64
from runwell.translate import tables as rules
from runwell.translate.emit import class_of, made, operate_1
from runwell.translate.stack import pop_value, result
from runwell.translate.tables import (
    ARITY_SHIFT,
    BYTE,
    CANONICAL,
    CANONICAL_F32,
    CANONICAL_F32X4,
    CANONICAL_F64,
    CANONICAL_F64X2,
    CARELESS,
    OP_SHIFT,
    RESULT_SHIFT,
    RULE_SHIFT,
)
from runwell.translate.work import Work

# Operands of which the mask knows; those above are made clean at once.
_KNOWN = 64


@kernel
def canonical(w: Work, row: u64) -> None:
    """The instruction that has just been translated may have made a NaN: note it.

    What makes that canonical is no instruction of the guest's, and costs no fuel.
    """
    forms = CANONICAL[row >> OP_SHIFT]
    if forms == 0 or w.dead != 0:
        return
    i = w.sp - 1
    if i < _KNOWN:
        bit = u64(1) << u64(i)
        w.unclean = w.unclean | bit
        if forms == CANONICAL_F64X2:
            w.unclean_64 = w.unclean_64 | bit
        else:
            w.unclean_64 = w.unclean_64 & ~bit
    else:
        t = u32(row >> RESULT_SHIFT & BYTE)
        result(w, operate_1(w, forms, pop_value(w, t), t), t)


@kernel
def forms_of(w: Work, i: u32) -> u32:
    """What makes an unclean operand canonical."""
    t = w.types[i]
    if t == V128:
        wide = w.unclean_64 >> u64(i) & 1
        return u32(CANONICAL_F64X2) if wide != 0 else u32(CANONICAL_F32X4)
    return u32(CANONICAL_F32) if t == F32 else u32(CANONICAL_F64)


@kernel
def clean(w: Work) -> None:
    """Make all operands clean, the highest last, which is wanted next."""
    i: u32 = 0
    while w.unclean != 0:
        if w.unclean & 1 << u64(i) != 0:
            t = w.types[i]
            forms = forms_of(w, i)
            w.unclean = w.unclean & ~(u64(1) << u64(i))
            if i + 1 == w.sp:
                result(w, operate_1(w, forms, pop_value(w, t), t), t)
            else:
                e = w.entries[i]
                made(w, operate_1(w, forms, e, t), class_of(t), e.home, addr(e))
        i += 1


@kernel
def clean_for(w: Work, row: u64) -> None:
    """Some operand is not clean: see to it that the next instruction, of a row, does not mind."""
    match u32(row >> RULE_SHIFT & BYTE):
        case Rule.LOCAL_GET | Rule.GLOBAL_GET | Rule.CONST | Rule.LOAD | Rule.NOP:
            return  # they take no floats
        case Rule.PLAIN:
            n = u32(row >> ARITY_SHIFT & 3)
            low = w.sp - n
            if low >= _KNOWN or low > w.sp:
                return  # it takes none of those; or it is invalid
            taken = w.unclean >> u64(low) << u64(low)
            if taken == 0:
                return
            if CARELESS[row >> OP_SHIFT] != 0 and do_fit(w, low, row):
                w.unclean = w.unclean & ~taken
                return
            clean(w)
        case rules.PREFIX:
            return  # which instruction it is will be known
        case _:
            clean(w)


@kernel
def do_fit(w: Work, low: u32, row: u64) -> bool:
    """Does an instruction take its unclean operands for what they are?  Vectors have two ways."""
    for i in range(low, w.sp):
        is_unclean = i < _KNOWN and w.unclean >> u64(i) & 1 != 0
        if is_unclean and w.types[i] == V128 and forms_of(w, i) != CANONICAL[row >> OP_SHIFT]:
            return False
    return True
