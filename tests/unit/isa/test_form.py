from runwell.isa.form import FORMS, Dst, Form, FusedForm, Mode, Src, form_by_key, form_by_name
from runwell.isa.register import BY_NAME, REF, REG_OPS, Kind, Word
from runwell.isa.table import TABLE

PLAIN = [form for form in FORMS if isinstance(form, Form)]
FUSED = [form for form in FORMS if isinstance(form, FusedForm)]


def test_positions():
    assert [form.index for form in FORMS] == list(range(len(FORMS)))
    assert FORMS[0].name == "invalid"
    assert len(form_by_key()) == len(form_by_name()) == len(PLAIN)


def test_every_operation_has_a_form_with_slots_only():
    for op in REG_OPS:
        if op.kind == Kind.CONST:
            continue
        srcs = tuple(Src.REF if ty == REF else Src.SLOT for ty in op.params)
        found = [form for form in PLAIN if form.op is op]
        assert found, op.name
        if not op.name.endswith(("_f32", "_f64")):
            assert any(form.srcs == srcs for form in found), op.name


def test_forms_fit_their_operations():
    for form in PLAIN:
        check_form(form)


def check_form(form):
    assert len(form.srcs) == len(form.params)
    assert form.srcs.count(Src.ACC) <= 1
    for src, ty in zip(form.srcs, form.params, strict=True):
        assert (src == Src.REF) == (ty == REF)
    assert (form.dst == Dst.REF) == (REF in form.op.results)
    assert form.dst.is_branch or bool(form.dst) == bool(form.op.results)
    if form.acc_form is not None:
        assert form.acc_form.words == form.words - 1
    if form.mode:
        assert form.imms[-1] == Word.MEMORY


def test_fused_forms():
    for form in FUSED:
        check_fused(form)


def check_fused(form):
    for part in form.parts[:-1]:
        assert not part.dst.is_branch or part.dst.is_conditional
        assert part.op.kind != Kind.LEAVE
    assert form.words == sum(part.words for part in form.parts)
    if form.acc_form is not None:
        assert form.acc_form.words == form.words - 1


def test_loads_have_every_mode():
    for op in REG_OPS:
        if op.kind in (Kind.LOAD, Kind.STORE):
            assert {form.mode for form in PLAIN if form.op is op} == set(Mode)


def test_mirror_and_opposite_are_operations_that_undo_themselves():
    for op in REG_OPS:
        for name, again in ((op.mirror, "mirror"), (op.opposite, "opposite")):
            if name:
                assert getattr(BY_NAME[name], again) == op.name


def test_plain_rows_are_register_operations():
    for row in TABLE:
        if row.inputs is not None and row.mnemonic in BY_NAME:
            assert BY_NAME[row.mnemonic].row is row
