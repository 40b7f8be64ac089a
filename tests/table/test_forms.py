"""Every form that the interpreter executes, against the evaluator; no test names an instruction."""

import pytest
from tests.table.interpreted import PAGE, can_be_drawn, fused_outcomes, outcomes, reference
from tests.table.operands import MEMORY_BYTES, operands
from tests.table.test_rows import MEMORY, same
from tests.unit.interp.worker import Worker

from runwell.isa.form import FORMS, Form, FusedForm, Mode
from runwell.isa.register import Kind

ROW_FORMS = [
    form
    for form in FORMS
    if isinstance(form, Form) and form.op.row is not None and form.op.row.inputs is not None
]
FUSED = [form for form in FORMS if isinstance(form, FusedForm) and can_be_drawn(form)]
CASES = 40


@pytest.fixture(scope="session")
def worker():
    made = Worker()
    yield made
    made.close()


def cases_of(form):
    """Operands of the row; addresses near the end of a page if they were near that of a memory."""
    every = operands(form.op.row)
    picked = every[:: max(1, len(every) // CASES)]
    if form.op.kind not in (Kind.LOAD, Kind.STORE):
        return picked
    picked += [(*case[:2], *(value & 0x7F for value in case[2:])) for case in picked[:4]]
    shift = PAGE - MEMORY_BYTES
    bits = 64 if form.mode == Mode.CHECKED64 else 32
    return [(addr + shift if addr + shift < 1 << bits else addr, *rest) for addr, *rest in picked]


@pytest.mark.parametrize("form", ROW_FORMS, ids=lambda form: form.name)
def test_handler_agrees_with_evaluator(form, worker):
    cases = cases_of(form)
    row = form.op.row
    found = worker.run(outcomes, form.index, cases, MEMORY)
    assert any(found), "no operands can be encoded"
    for case, got in zip(cases, found, strict=True):
        if got is None:
            continue
        trap, result, memory = got
        shown = f"{form.name} {[hex(value) for value in case]}"
        want_trap, want, want_memory = reference(form, case, MEMORY)
        assert trap == want_trap, f"{shown}: {trap}, not {want_trap}"
        assert memory == want_memory, shown
        if trap or not row.results:
            continue
        result &= (1 << form.op.results[0].bits) - 1
        assert same(row, case, want, result), f"{shown}: {result:#x}, not {want:#x}"


@pytest.mark.parametrize("form", FUSED, ids=lambda form: form.name)
def test_fused_does_as_its_parts(form, worker):
    for fused, parts in worker.run(fused_outcomes, form.index, 1, 12):
        assert fused == parts
