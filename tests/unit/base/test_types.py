import pytest

from runwell.base.types import (
    EXTERNREF,
    F32,
    FUNCREF,
    I32,
    I64,
    NON_NULL,
    V128,
    FuncType,
    ValType,
    ref_to_index,
    ref_type,
)


@pytest.mark.parametrize(
    ("t", "text"),
    [
        (I32, "i32"),
        (FUNCREF, "funcref"),
        (ref_type(0x70, nullable=False), "(ref func)"),
        (ref_to_index(0, nullable=True), "(ref null 0)"),
        (ref_to_index(7, nullable=False), "(ref 7)"),
        (ValType.NULLEXNREF, "nullexnref"),
    ],
)
def test_text(t, text):
    assert t.text == text


def test_typed_references_are_plain_ints():
    t = ref_to_index(3, nullable=False)
    assert t == ValType(int(t))
    assert {int(t): "found"}[t] == "found"
    assert t.heap_index == 3
    assert t & NON_NULL


@pytest.mark.parametrize("code", [0x40, 0x17F, 0x270, -1, 0x7A])
def test_numbers_that_are_no_type(code):
    with pytest.raises(ValueError, match="not a valid ValType"):
        ValType(code)


def test_classes():
    assert [t.is_ref for t in (I32, V128, FUNCREF, EXTERNREF, ref_to_index(1, nullable=True))] == [
        False,
        False,
        True,
        True,
        True,
    ]
    assert I64.is_int
    assert F32.is_float
    assert (I32.bits, V128.bits, FUNCREF.bits, ValType.I8.bits) == (32, 128, 64, 8)
    assert FUNCREF.is_nullable
    assert not ref_type(0x70, nullable=False).is_nullable
    assert not I32.is_nullable


def test_function_type_text():
    assert str(FuncType((I32, F32), (FUNCREF,))) == "[i32 f32] -> [funcref]"
