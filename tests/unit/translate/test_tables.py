"""The tables agree with what they are derived from."""

from itertools import product

from runwell.isa.form import FORMS, Dst, Form, FusedForm, Mode, Src, form_by_key
from runwell.isa.op import Rule
from runwell.isa.register import REG_OPS, Kind
from runwell.isa.table import TABLE
from runwell.translate import tables

PRIMARY = (Dst.NONE, Dst.SLOT, Dst.REF, Dst.JUMP, Dst.IF)


def is_primary(form):
    """Is it the first in the order of destinations among those that differ in nothing else?"""
    before = PRIMARY[: PRIMARY.index(form.dst)] if form.dst in PRIMARY else PRIMARY
    return form.dst in PRIMARY and not any(map(form.with_dst, before))


def test_every_primary_form_is_found():
    cells = tables.FORM.values()
    found = set()
    for op in REG_OPS:
        modes = tuple(Mode) if op.kind in (Kind.LOAD, Kind.STORE) else (Mode.GUARD,)
        stride = len(Src) ** len(op.params)
        for mode, srcs in product(modes, product(Src, repeat=len(op.params))):
            cell = tables.base(op.name) + mode * stride
            cell += sum(src * len(Src) ** i for i, src in enumerate(srcs))
            index = cells[cell]
            if index:
                form = FORMS[index]
                assert isinstance(form, Form)
                assert form.key[:2] == (op.name, srcs)
                assert (form.mode, form.dst in PRIMARY) == (mode, True)
                found.add(index)
    primary = {f.index for f in form_by_key().values() if is_primary(f) and f.index}
    assert found == primary


def test_accumulator_and_branch_forms_differ_in_the_destination_only():
    acc, branch = tables.ACC_FORM.values(), tables.BRANCH_FORM.values()
    for f in FORMS:
        if acc[f.index]:
            assert FORMS[acc[f.index]] is f.with_dst(Dst.ACC)
        for sense, dst in enumerate(tables.SENSES):
            found = branch[f.index * 4 + sense]
            if found and f.dst != Dst.JUMP:
                other = FORMS[found]
                # The comparison's opposite, or the same said as a branch on the operand.
                is_opposite = isinstance(f, Form) and isinstance(other, Form) and other.op != f.op
                assert other is f.with_dst(dst) or is_opposite


def test_the_opposite_takes_the_place_of_unless():
    lt = tables.form("i32.lt_s SS->SLOT")
    unless = tables.BRANCH_FORM.values()[4 * lt + tables.UNLESS]
    assert FORMS[unless].name == "i32.ge_s SS->IF"


def test_a_branch_on_zero_is_a_branch_on_the_operand():
    eqz = tables.form("i32.eqz A->SLOT")
    names = [FORMS[index].name for index in tables.BRANCH_FORM.values()[4 * eqz : 4 * eqz + 4]]
    assert names == [f"br_if A->{dst}" for dst in ("UNLESS", "IF", "LOOP_UNLESS", "LOOP_IF")]


def test_fusion_matrix():
    rows, columns = tables.FUSION_ROW.values(), tables.FUSION_COLUMN.values()
    cells = tables.FUSION.values()
    pairs = {(f.first.index, f.second.index): f.index for f in FORMS if isinstance(f, FusedForm)}
    for first, second in product([*FORMS][:400], repeat=2):
        assert cells[rows[first.index] + columns[second.index]] == pairs.get(
            (first.index, second.index), 0
        )
    for (first, second), fused in pairs.items():
        assert cells[rows[first] + columns[second]] == fused


def test_a_row_says_what_its_instruction_is():
    rows = tables.INSTRUCTIONS.values()
    starts, sizes = tables.PREFIX_STARTS.values(), tables.PREFIX_SIZES.values()
    for op in TABLE:
        if op.prefix == 0:
            row = rows[op.code]
        else:
            assert op.code < sizes[op.prefix - tables.FIRST_PREFIX]
            row = rows[starts[op.prefix - tables.FIRST_PREFIX] + op.code]
        assert row >> tables.OP_SHIFT == op.index
        assert row >> tables.RULE_SHIFT & 0xFF == op.rule
        assert [row >> 8 * i & 0xFF for i in range(len(op.params))] == list(op.params)
        assert row < 1 << 64
    assert rows[0xFF] >> tables.RULE_SHIFT == tables.ILLEGAL
    assert rows[0xFC] >> tables.RULE_SHIFT == tables.PREFIX
    assert max(Rule) < tables.PREFIX


def test_all_slots_always_have_a_form():
    """So that the choice of sources ends: what is in no slot can be brought there."""
    for op in REG_OPS:
        if op.kind == Kind.CONST or op.name.endswith(("_f32", "_f64")):
            continue
        slots = tuple(Src.REF if t.is_ref else Src.SLOT for t in op.params)
        assert any((op.name, slots, dst, Mode.GUARD) in form_by_key() for dst in PRIMARY), op
