import pytest

from runwell.base.errors import MalformedError
from runwell.binary.expressions import constant, skip_expression
from runwell.binary.reader import Reader
from runwell.isa.imms import encode_op
from runwell.isa.op import Imm
from runwell.isa.table import TABLE

VALUES = {
    Imm.I32: -(2**31),
    Imm.I64: 2**63 - 1,
    Imm.F32: 0x0B0B0B0B,
    Imm.F64: 0x0B0B0B0B0B0B0B0B,
    Imm.V128: int.from_bytes(b"\x0b" * 16, "little"),
    Imm.GLOBAL: 300,
    Imm.FUNC: 11,
}
# Whatever has only immediates that constant expressions have; the others are not constant.
CONSTANT = [op for op in TABLE if op.imms and all(imm in VALUES for imm in op.imms)]


@pytest.mark.parametrize("op", CONSTANT, ids=lambda op: op.mnemonic)
def test_short_and_general_ways_agree(op):
    data = encode_op(op, tuple(VALUES[imm] for imm in op.imms)) + b"\x0b"
    r = Reader(b"\1" + data + b"\x0b", 1, len(data) + 2)
    assert constant(r, len(data) + 2) == (1, len(data) + 1)
    assert r.at == len(data) + 1
    assert skip_expression(data, 0, len(data)) == len(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "unexpected end"),
        ("4100", "unexpected end"),
        ("43000000", "unexpected end"),
        ("4180808080800b", "integer representation too long"),
        ("41808080800800", "integer too large"),
        ("f30b", "illegal opcode f3"),
        ("fcff010b", "illegal opcode fc ff 01"),
        ("02400b", "unexpected end"),
        ("050b", "END opcode expected"),
    ],
)
def test_malformed(data, message):
    data = bytes.fromhex(data)
    with pytest.raises(MalformedError, match=message):
        constant(Reader(data, 0, len(data)), len(data))


def test_blocks_nest():
    data = bytes.fromhex("024003400b0b410004400505050b0b".replace("050505", "05"))
    assert skip_expression(data, 0, len(data)) == len(data)
