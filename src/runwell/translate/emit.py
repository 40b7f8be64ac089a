"""Writing register code: instructions, the accumulators, fusion with the previous instruction.

The last instruction stays open to change until a label: its result may be kept in the accumulator
only, sent to a local, or become a branch, all by another form and a look at its last word.
"""

from runwell.base.types import EXNREF, F32, F64, I32, I64, V128, ValType
from runwell.isa.form import Src
from runwell.kernel import Ptr, addr, i32, i64, kernel, null, u32, unlikely
from runwell.translate.tables import (
    ACC_FORM,
    COPY,
    FORM,
    FUSION,
    FUSION_COLUMN,
    FUSION_ROW,
    HANDLERS,
    KINDS,
    MOVES,
    VARIANTS,
    form,
)
from runwell.translate.work import NOWHERE, UNKNOWN, Class, Entry, Where, Work

SLOT, IMM, ACC, IMM64, REF = int(Src.SLOT), int(Src.IMM), int(Src.ACC), int(Src.IMM64), int(Src.REF)
# Columns of the tables of variants.
GENERAL, OF_F32, OF_F64, OF_V128, OF_REF = range(len(VARIANTS))
I32_CONST, I64_CONST = form("i32.const K->SLOT"), form("i64.const K->SLOT")
I64_CONST_LONG = form("i64.const L->SLOT")
F32_CONST, F64_CONST = form("f32.const K->SLOT"), form("f64.const L->SLOT")
NULLEXNREF = int(ValType.NULLEXNREF)
LAST_REF = 0x74  # highest code of a reference type


@kernel(inline=True)
def is_number(t: u32) -> bool:
    """Is this a number, of one slot, or unknown?"""
    return F64 <= t <= UNKNOWN


@kernel(inline=True)
def is_ref(t: u32) -> bool:
    """Is this a reference type?"""
    return t & 0xFF <= LAST_REF


@kernel(inline=True)
def is_exception(t: u32) -> bool:
    """Is this the type of references to exceptions?"""
    return t & 0xFF == EXNREF or t & 0xFF == NULLEXNREF


@kernel(inline=True)
def class_of(t: u32) -> u32:
    """Which accumulator values of the type pass through, a ``Class``."""
    if is_ref(t):
        return u32(Class.REF)
    return u32(Class.INT) if t >= I64 else u32(Class.FLOAT)


# Instructions.


@kernel(inline=True)
def set_handler(at: Ptr[u32], form: u32) -> None:
    """Make the instruction at ``at`` one of ``form``."""
    handler = HANDLERS[form]
    at[0] = u32(handler)
    at[1] = u32(handler >> 32)


@kernel
def note_origin(w: Work, at: Ptr[u32], offset: u32) -> None:
    """Record which Wasm instruction the one at ``at`` comes from."""
    code = u32(at - w.entry) * 4
    while w.n_notes != 0 and w.notes[w.n_notes - 1].code >= code:
        w.n_notes -= 1
    note = w.notes[w.n_notes]
    note.code = code
    note.offset = offset
    w.n_notes += 1


@kernel(inline=True)
def fused_form(first: u32, second: u32) -> u32:
    """The form that does both, or 0."""
    return u32(FUSION[u32(FUSION_ROW[first]) + u32(FUSION_COLUMN[second])])


@kernel(inline=True)
def begin(w: Work, form: u32) -> Ptr[u32]:
    """Append an instruction; gives the place of its words, which ``finish`` or ``made`` ends."""
    at = w.out
    if w.last != null:
        fused = fused_form(w.last_form, form)
        if fused != 0:
            set_handler(w.last, fused)
            w.last_form = fused
            w.last_dest = null
            return at
    w.old_acc = w.acc
    w.before = w.last
    w.before_form = w.last_form
    w.last = at
    w.last_form = form
    w.last_dest = null
    set_handler(at, form)
    if unlikely(w.notes != null):
        note_origin(w, at, u32(w.instruction - w.body))
    return at + 2


@kernel(inline=True)
def finish(w: Work, end: Ptr[u32]) -> None:
    """End the last instruction; it has no destination, or one that must stay as it is."""
    w.out = end


@kernel(inline=True)
def label_here(w: Work) -> None:
    """Control may arrive here from elsewhere: forget what was before."""
    w.last = null
    w.last_dest = null
    w.acc = NOWHERE
    w.facc = NOWHERE


@kernel
def change_form(w: Work, form: u32) -> None:
    """Give the last instruction another form; it may fuse with the one before now."""
    if w.before != null:
        fused = fused_form(w.before_form, form)
        if fused != 0:
            first = w.last + 2
            n = w.out - first
            for i in range(n):
                w.last[i] = first[i]
            w.out = w.out - 2
            if w.last_dest != null:
                w.last_dest = w.last_dest - 2
            w.last = w.before
            w.before = null
            w.last_form = fused
            set_handler(w.last, fused)
            if unlikely(w.notes != null):
                w.n_notes -= 1
            return
    w.last_form = form
    set_handler(w.last, form)


# The accumulators.


@kernel(inline=True)
def wrote(w: Work, kind: u32, slot: u32) -> None:
    """An instruction left its result in ``slot`` and in the accumulator of class ``kind``."""
    if kind == Class.INT:
        w.acc = slot
        if w.facc == slot:
            w.facc = NOWHERE
    elif kind == Class.FLOAT:
        w.facc = slot
        if w.acc == slot:
            w.acc = NOWHERE


@kernel(inline=True)
def made(w: Work, dest: Ptr[u32], kind: u32, slot: u32, e: Ptr[Entry]) -> None:
    """End the last instruction with its destination word; ``e`` is its result, or null.

    With ``e`` given the destination may change as long as ``e`` is at home.
    """
    dest[0] = slot
    w.out = dest + 1
    w.last_entry = e
    w.last_dest = dest if e != null else null
    w.last_class = kind
    wrote(w, kind, slot)


@kernel(inline=True)
def is_last_result(w: Work, e: Entry) -> bool:
    """Is it where the last instruction put it, and may that go elsewhere?"""
    return w.last_dest != null and w.last_entry == addr(e) and e.kind == Where.HOME


@kernel(inline=True)
def redirect(w: Work, slot: u32) -> None:
    """Let the last instruction put its result elsewhere, for good."""
    w.last_dest[0] = slot
    w.last_dest = null
    wrote(w, w.last_class, slot)


@kernel(inline=True)
def consume(w: Work, e: Entry) -> None:
    """An operand that nobody else needs is taken from the accumulator: do not store it."""
    if is_last_result(w, e):
        short = u32(ACC_FORM[w.last_form])
        if short != 0:
            w.out = w.last_dest
            w.last_dest = null
            change_form(w, short)


# Sources.


@kernel(inline=True)
def source(w: Work, e: Entry, t: u32) -> u32:
    """The best kind of source for an operand, taken as ``type``."""
    if e.kind == Where.CONSTANT:
        fits = t != F64 and e.value == i64(i32(e.value))
        return u32(IMM) if fits else u32(IMM64)
    if is_ref(t):
        return u32(REF)
    return u32(ACC) if e.place == (w.acc if t >= I64 else w.facc) else u32(SLOT)


@kernel(inline=True)
def put(p: Ptr[u32], e: Entry, kind: u32) -> Ptr[u32]:
    """Write the words of a source; gives the place behind them."""
    if kind == ACC:
        return p
    if kind == IMM:
        p[0] = u32(e.value)
        return p + 1
    if kind == IMM64:
        p[0] = u32(e.value)
        p[1] = u32(e.value >> 32)
        return p + 2
    p[0] = e.place
    return p + 1


@kernel
def load_constant(w: Work, t: u32, value: i64, slot: u32, e: Ptr[Entry]) -> None:
    """Emit a constant, for ``slot``."""
    long = False
    if t == I32:
        p = begin(w, I32_CONST)
    elif t == F32:
        p = begin(w, F32_CONST)
    elif t == F64:
        p = begin(w, F64_CONST)
        long = True
    elif value == i64(i32(value)):
        p = begin(w, I64_CONST)
    else:
        p = begin(w, I64_CONST_LONG)
        long = True
    p[0] = u32(value)
    p = p + 1
    if long:
        p[0] = u32(value >> 32)
        p = p + 1
    made(w, p, class_of(t), slot, e)


@kernel
def load_home(w: Work, e: Entry, t: u32) -> None:
    """Load a constant that an instruction takes no other way."""
    load_constant(w, t, e.value, e.home, addr(e))
    e.kind = u32(Where.HOME)
    e.place = e.home


@kernel(inline=True)
def weaker(kind: u32) -> u32:
    """The next kind of source for the same operand, or the same kind."""
    if kind == IMM:
        return u32(IMM64)
    return u32(SLOT) if kind == ACC else kind


@kernel
def weaken(w: Work, forms: u32, n: u32) -> u32:
    """Sources for which there is a form, loading constants if need be.

    The operands are staged.  The value packs ``form | kind0 << 16 | kind1 << 20`` and so on.
    """
    while True:
        for choice in range(u32(1) << n):
            cell = forms
            scale: u32 = 1
            packed: u32 = 0
            for i in range(n):
                kind = source(w, w.operands[i][0], w.operand_types[i])
                if choice >> i & 1 != 0:
                    kind = weaker(kind)
                cell += kind * scale
                scale *= KINDS
                packed |= kind << (16 + 4 * i)
            found = u32(FORM[cell])
            if found != 0:
                return found | packed
        for i in range(n):
            e = w.operands[i][0]
            if e.kind == Where.CONSTANT:
                load_home(w, e, w.operand_types[i])
                break


@kernel(inline=True)
def operate_1(w: Work, forms: u32, e: Entry, t: u32) -> Ptr[u32]:
    """Begin an instruction of one source; gives the place behind its words."""
    kind = source(w, e, t)
    chosen = u32(FORM[forms + kind])
    if unlikely(chosen == 0):
        stage(w, 0, e, t)
        packed = weaken(w, forms, 1)
        chosen = packed & 0xFFFF
        kind = packed >> 16 & 0xF
    if kind == ACC:
        consume(w, e)
    return put(begin(w, chosen), e, kind)


@kernel(inline=True)
def stage(w: Work, i: u32, e: Entry, t: u32) -> None:
    """Name an operand of the instruction that is being chosen."""
    w.operands[i] = addr(e)
    w.operand_types[i] = t


@kernel(inline=True)
def variant_of(t: u32) -> u32:
    """The column of the variant for a type."""
    if is_ref(t):
        return u32(OF_REF)
    if t >= I64:
        return u32(GENERAL)
    if t == V128:
        return u32(OF_V128)
    return u32(OF_F32) if t == F32 else u32(OF_F64)


@kernel
def operate_move(w: Work, row: u32, e: Entry, t: u32) -> Ptr[u32]:
    """Begin an instruction that moves a value; gives the place behind the words of its source.

    A float is moved as an integer unless it is in the accumulator of floats.
    """
    variant = variant_of(t)
    as_type = t
    if variant <= OF_F64 and (e.kind == Where.CONSTANT or e.place != w.facc):
        variant = GENERAL
    if variant == GENERAL:
        as_type = I64
    w.moved_class = class_of(as_type)
    return operate_1(w, MOVES[row + variant], e, as_type)


@kernel
def move(w: Work, from_: Entry, t: u32, slot: u32, e: Ptr[Entry]) -> None:
    """Emit what brings an operand's value into ``slot``, as operand ``e`` or null."""
    if from_.kind == Where.CONSTANT:
        load_constant(w, t, from_.value, slot, e)
    elif from_.place != slot:
        dest = operate_move(w, COPY, from_, t)
        made(w, dest, w.moved_class, slot, e)


@kernel
def operate_2(w: Work, forms: u32, a: Entry, a_type: u32, b: Entry, b_type: u32) -> Ptr[u32]:
    """Begin an instruction of two sources; gives the place behind their words."""
    a_kind = source(w, a, a_type)
    b_kind = source(w, b, b_type)
    chosen = u32(FORM[forms + a_kind + b_kind * KINDS])
    if unlikely(chosen == 0):
        stage(w, 0, a, a_type)
        stage(w, 1, b, b_type)
        packed = weaken(w, forms, 2)
        chosen = packed & 0xFFFF
        a_kind = packed >> 16 & 0xF
        b_kind = packed >> 20 & 0xF
    if a_kind == ACC:
        consume(w, a)
    if b_kind == ACC:
        consume(w, b)
    return put(put(begin(w, chosen), a, a_kind), b, b_kind)


@kernel
def operate_staged(w: Work, forms: u32, n: u32) -> Ptr[u32]:
    """Begin an instruction of ``n`` staged sources; gives the place behind their words."""
    packed = weaken(w, forms, n)
    for i in range(n):
        if packed >> (16 + 4 * i) & 0xF == ACC:
            consume(w, w.operands[i][0])
    p = begin(w, packed & 0xFFFF)
    for i in range(n):
        p = put(p, w.operands[i][0], packed >> (16 + 4 * i) & 0xF)
    return p


@kernel
def operate_3(w: Work, forms: u32) -> Ptr[u32]:
    """Begin an instruction of three staged sources; gives the place behind their words."""
    return operate_staged(w, forms, 3)


@kernel
def emit_word(w: Work, form: u32, word: u32) -> None:
    """Emit an instruction of one immediate and no result."""
    p = begin(w, form)
    p[0] = word
    finish(w, p + 1)
