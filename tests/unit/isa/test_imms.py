import random

import pytest

from runwell.base.errors import MalformedError
from runwell.base.types import EXTERNREF, FUNCREF, I32, V128, ref_to_index, ref_type
from runwell.isa.imms import (
    ENCODE,
    Cast,
    Catch,
    MemArg,
    decode_imms,
    decode_val_type,
    encode_op,
    encode_val_type,
)
from runwell.isa.op import Imm, Op
from runwell.isa.table import TABLE

# Values of every kind, edges first.
VALUES = {
    Imm.BLOCK_TYPE: [None, I32, V128, FUNCREF, ref_to_index(5, nullable=True), 0, 63, 64, 1 << 20],
    Imm.LABELS: [(0,), (1, 2, 3), (1 << 31, 0)],
    Imm.I32: [0, -1, 63, 64, -64, -65, 2**31 - 1, -(2**31)],
    Imm.I64: [0, -1, 2**63 - 1, -(2**63)],
    Imm.F32: [0, 0x7F800001, 0xFFFFFFFF],
    Imm.F64: [0, 0x7FF0000000000001, 2**64 - 1],
    Imm.V128: [0, 1, 2**128 - 1],
    Imm.MEMARG: [MemArg(0), MemArg(3, 127), MemArg(2, 2**64 - 1, 7), MemArg(0, 0, 1)],
    Imm.LANE: [0, 255],
    Imm.LANES: [tuple(range(16))],
    Imm.VAL_TYPES: [(), (I32,), (V128, ref_type(0x70, nullable=False))],
    Imm.HEAP_TYPE: [FUNCREF, EXTERNREF, ref_to_index(200, nullable=True)],
    Imm.REF_NULL_TYPE: [FUNCREF, ref_to_index(200, nullable=True)],
    Imm.REF_TYPE: [ref_type(0x70, nullable=False), ref_to_index(0, nullable=False)],
    Imm.CAST: [
        Cast(0, FUNCREF, ref_to_index(3, nullable=False)),
        Cast(9, ref_to_index(1, nullable=False), ref_to_index(3, nullable=True)),
    ],
    Imm.CATCHES: [
        (),
        (Catch(1, False, 2), Catch(300, True, 0), Catch(None, False, 1), Catch(None, True, 0)),
    ],
    Imm.ORDERING: [0],
}
INDICES = [0, 1, 127, 128, 2**32 - 1]


def immediates():
    """Some of every instruction."""
    for op in TABLE:
        rng = random.Random(op.mnemonic)
        for _ in range(20 if op.imms else 1):
            yield op, tuple(rng.choice(VALUES.get(kind, INDICES)) for kind in op.imms)


def test_every_kind_has_a_codec():
    assert set(ENCODE) == set(Imm)


def test_decode_undoes_encode():
    for op, values in immediates():
        data = encode_op(op, values)
        head = len(data) - sum(len(ENCODE[k](v)) for k, v in zip(op.imms, values, strict=True))
        assert decode_imms(op, data, head, len(data)) == (values, len(data))


def test_truncation_is_malformed():
    for op, values in immediates():
        data = encode_op(op, values)
        head = len(data) - sum(len(ENCODE[k](v)) for k, v in zip(op.imms, values, strict=True))
        for end in range(head, len(data)):
            with pytest.raises(MalformedError):
                decode_imms(op, data, head, end)


@pytest.mark.parametrize("kind", VALUES)
def test_values_survive(kind):
    op = Op(0, "test", (), (), I32, lambda: None, imms=(kind,))
    for value in VALUES[kind]:
        data = encode_op(op, (value,))
        assert decode_imms(op, data, 1, len(data)) == ((value,), len(data))


@pytest.mark.parametrize("t", [I32, V128, FUNCREF, *VALUES[Imm.REF_TYPE], *VALUES[Imm.HEAP_TYPE]])
def test_value_types_survive(t):
    data = encode_val_type(t)
    assert decode_val_type(data, 0, len(data)) == (t, len(data))


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        (Imm.MEMARG, b"\x80\x01\x00", "malformed memop flags"),
        (Imm.BLOCK_TYPE, b"\x41", "malformed value type"),
        (Imm.HEAP_TYPE, b"\x40", "malformed heap type"),
        (Imm.CAST, b"\x04\0\x70\x70", "malformed br_on_cast flags"),
        (Imm.CATCHES, b"\x01\x04\0", "malformed catch clause"),
        (Imm.ORDERING, b"\x01", "zero byte expected"),
        (Imm.LABELS, b"\xff\xff\xff\xff\x0f", "length out of bounds"),
        (Imm.I32, b"\x80\x80\x80\x80\x80\x00", "integer representation too long"),
        (Imm.FUNC, b"\xff\xff\xff\xff\x1f", "integer too large"),
    ],
)
def test_nonsense_is_malformed(kind, data, message):
    op = Op(0, "test", (), (), I32, lambda: None, imms=(kind,))
    with pytest.raises(MalformedError, match=message):
        decode_imms(op, data, 0, len(data))
