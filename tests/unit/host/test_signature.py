import gc

import pytest

from runwell.base.types import (
    EXTERNREF,
    F64,
    FUNCREF,
    I32,
    I64,
    V128,
    FuncType,
    ValType,
    ref_to_index,
    ref_type,
)
from runwell.host import signature
from runwell.host.signature import common_signatures, kind_of, pack, signature_of
from runwell.module.types import StructType, SubType
from runwell.runtime.native import native
from runwell.runtime.types import hold_types


def test_packing():
    type_ = FuncType((I32, V128), (I64,))
    assert pack(type_) == bytes([2, 0, 1, 0, 0x7F, 0x7B, 0x7E])
    assert pack(FuncType((I32,) * 300, ()))[:4] == bytes([44, 1, 0, 0])


def test_kinds_of_references():
    assert kind_of(FUNCREF) == 0x70
    assert kind_of(EXTERNREF) == 0x6F
    func, struct = hold_types([SubType(FuncType((), ())), SubType(StructType(()))])
    assert kind_of(ref_to_index(func, nullable=True)) == kind_of(ref_type(0x70, False)) == 0x73
    assert kind_of(ref_type(0x6F, nullable=False)) == kind_of(ValType.NULLEXTERNREF) == 0x72
    assert kind_of(ref_to_index(struct, nullable=True)) == kind_of(ValType.ANYREF) == 0x6E
    assert kind_of(ValType.NULLREF) == 0x71


def test_common_signatures_have_entries():
    common = common_signatures()
    assert len(set(common)) == len(common)
    for key in common:
        assert native.address(f"call_{key}")
        assert native.address(f"host_{key}")


def test_entries():
    common = signature_of(FuncType((I32, I32), (I32,)))
    assert common.call_entry == native.address("call_ii_i")
    assert common.host_entry == native.address("host_ii_i")
    other = signature_of(FuncType((V128,), ()))
    assert other.call_entry == native.address("call_generic")
    assert other.host_entry == native.address("host_generic")


def test_room():
    s = signature_of(FuncType((I32, V128, EXTERNREF), (F64,) * 9))
    assert (s.param_bytes, s.ref_param_bytes, s.ref_bytes) == (24, 8, 8)
    assert s.frame_bytes == 72
    assert signature_of(FuncType((I32,), ())).frame_bytes == 24


def test_equal_types_share_a_signature():
    one, two = FuncType((I32, F64), ()), FuncType((I32, F64), ())
    assert signature_of(one) is signature_of(two)


@pytest.mark.parametrize("n", [50])
def test_signatures_go_when_nobody_uses_them(n):
    gc.collect()
    before = len(signature._signatures)
    for i in range(n):
        signature_of(FuncType((V128,) * (500 + i), ()))
    assert len(signature._signatures) == before
