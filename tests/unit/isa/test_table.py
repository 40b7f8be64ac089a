import subprocess
import sys

import pytest

from runwell.base.features import FEATURES
from runwell.isa.op import Imm, Op, Rows, Rule
from runwell.isa.table import TABLE, Table


def row(code, mnemonic, prefix=0):
    rows = Rows(prefix=prefix)
    rows.op(mnemonic, code)(lambda: None)
    return rows


def test_finds_by_opcode_and_name():
    for op in TABLE:
        assert TABLE.at(op.prefix, op.code) is op
        assert TABLE[op.mnemonic] is op
        assert op in TABLE.named(op.keyword)
        assert TABLE.ops[op.index] is op


def test_is_ordered_by_opcode():
    codes = [(op.prefix, op.code) for op in TABLE]
    assert codes == sorted(codes)


def test_knows_nothing_else():
    assert TABLE.at(0, 0xFF) is None
    assert TABLE.get("i32.nonsense") is None
    assert TABLE.named("i32.nonsense") == ()
    assert "i32.nonsense" not in TABLE
    with pytest.raises(KeyError):
        TABLE["i32.nonsense"]


def test_duplicate_opcode_names_both():
    with pytest.raises(ValueError, match="opcode 0x01 is both a and b"):
        Table((row(1, "a"), row(1, "b")))


def test_duplicate_mnemonic_raises():
    with pytest.raises(ValueError, match="a has two opcodes"):
        Table((row(1, "a"), row(2, "a")))


def test_unknown_prefix_raises():
    with pytest.raises(ValueError, match="unknown prefix 0x12"):
        Table((row(1, "a", prefix=0x12),))


def test_rows_are_consistent():
    for op in TABLE:
        check_row(op)


def check_row(op: Op):
    assert op.feature in FEATURES
    assert op.doc
    assert op.prefix != 0 or op.code < 0x100
    assert bool(op.width) == (Imm.MEMARG in op.imms)
    if op.commutes:
        assert op.params[-1] == op.params[-2]
    if op.is_compare:
        assert len(op.results) == 1
    if op.rule == Rule.PLAIN:
        assert op.imms == ()


def test_warm_import_is_light():
    code = "import sys, runwell.isa.table; print(*sys.modules)"
    out = subprocess.check_output([sys.executable, "-c", code], text=True)
    heavy = {"dataclasses", "inspect", "ast", "subprocess", "pathlib", "llvmlite"}
    assert not heavy & set(out.split())
