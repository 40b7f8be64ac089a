"""Every row, on every engine: no test names an instruction."""

import random

import pytest
from tests.table.native import Worker, compile_rows, symbol, wide_inputs
from tests.table.operands import MEMORY_BYTES, operands, wide_operands

from runwell.base.errors import Trap
from runwell.isa.evaluate import evaluate
from runwell.isa.facts import NOTHING, facts
from runwell.isa.floats import FORMATS
from runwell.isa.op import Op
from runwell.isa.table import TABLE

ROWS = [op for op in TABLE if op.inputs is not None]
MEMORY = random.Random("memory").randbytes(MEMORY_BYTES)

every_row = pytest.mark.parametrize("op", ROWS, ids=lambda op: op.mnemonic)


@pytest.fixture(scope="session")
def native(tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / "rows.so"
    path.write_bytes(compile_rows(ROWS))
    worker = Worker(path)
    yield worker
    worker.close()


def reference(op: Op, case: tuple[int, ...], inputs=None) -> tuple[int, int, bytes]:
    """As an engine answers: trap code, result, memory."""
    memory = bytearray(MEMORY)
    try:
        result = evaluate(op, case, memory, inputs)
    except Trap as trap:
        return trap.code, 0, bytes(memory)
    return 0, result or 0, bytes(memory)


def lanes(value: int, width: int, count: int) -> list[int]:
    return [value >> (width * i) & ((1 << width) - 1) for i in range(count)]


def is_allowed_nan(result: int, op: Op, case: tuple[int, ...], width: int) -> bool:
    """Arithmetic; canonical if no NaN among the operands is anything else."""
    form = FORMATS[width]
    if not form.is_nan(result) or not result & form.quiet:
        return False
    canonical = True
    for ty, value in zip(op.inputs or (), case, strict=True):
        own = FORMATS[ty.bits if ty.is_float else width]
        for lane in lanes(value, own.bits, ty.bits // own.bits):
            if own.is_nan(lane) and lane & ~own.sign != own.nan:
                canonical = False
    return not canonical or result & ~form.sign == form.nan


def same(op: Op, case: tuple[int, ...], expected: int, got: int) -> bool:
    """Equal, but for the payloads of NaNs that the operation makes."""
    width = facts(op).nan_width
    if expected == got or not width:
        return expected == got
    form, count = FORMATS[width], op.results[0].bits // width
    pairs = zip(lanes(expected, width, count), lanes(got, width, count), strict=True)
    return all(is_allowed_nan(y, op, case, width) if form.is_nan(x) else x == y for x, y in pairs)


@every_row
def test_compiled_body_agrees_with_evaluator(op, native):
    """They agree; and the traps met are all those that the facts foresee."""
    cases = operands(op)
    outcomes = native.run(symbol(op), cases, MEMORY)
    traps = set()
    for case, (trap, result, memory) in zip(cases, outcomes, strict=True):
        want_trap, want, want_memory = reference(op, case)
        traps.add(want_trap)
        if trap != want_trap or memory != want_memory or not (trap or same(op, case, want, result)):
            shown = f"{op.mnemonic} {[hex(value) for value in case]}"
            raise AssertionError(f"{shown}: {trap}, {result:#x}, not {want_trap}, {want:#x}")
    assert traps - {0} == facts(op).traps


@pytest.mark.parametrize("op", [op for op in ROWS if op.width], ids=lambda op: op.mnemonic)
def test_access_with_wide_addresses(op, native):
    cases = wide_operands(op)
    outcomes = native.run(symbol(op, "_wide"), cases, MEMORY)
    for case, outcome in zip(cases, outcomes, strict=True):
        expected = reference(op, case, wide_inputs(op))
        if outcome[0] != expected[0] or not (outcome[0] or outcome[1:] == expected[1:]):
            raise AssertionError(f"{op.mnemonic} {[hex(value) for value in case]}")


def test_docstrings_tell_traps():
    for op in TABLE:
        assert op.doc.endswith("."), f"{op.mnemonic}: one sentence"
        if facts(op) is not NOTHING:
            assert bool(facts(op).traps) == ("traps" in op.doc.lower()), op.mnemonic
