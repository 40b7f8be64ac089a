"""Constant expressions."""

import ctypes

import pytest
from translate_harness import FORM_AT, from_first_cell

from runwell.base.features import BIT, DEFAULT, FEATURES
from runwell.kernel import ctype_of
from runwell.runtime.layout import FuncCode
from runwell.text.parser import parse
from runwell.translate.code import decode_code
from runwell.translate.errors import Error
from runwell.translate.layout import Span, Trouble
from runwell.translate.printer import print_code

IMPORTS = """
(import "" "i" (global $i i32)) (import "" "m" (global $m (mut i32)))
(import "" "r" (global $r funcref)) (func $f)
"""

VALID = {
    "i32": ("i32", "(i32.const 1)", "return_value_0 1"),
    "i64": (
        "i64",
        "(i64.const 0x123456789)",
        "i64.const 4886718345L -> acc; return_value_0 acc",
    ),
    "f64": (
        "f64",
        "(f64.const 1)",
        "i64.const 4607182418800017408L -> acc; return_value_0 acc",
    ),
    "global": (
        "i32",
        "(global.get $i)",
        "global.get_far global:0 -> acc; return_value_0 acc",
    ),
    "reference": (
        "funcref",
        "(ref.func $f)",
        "zero_refs ref_slot:0 count:8; ref.func func:0 -> {0}; return_value_0_ref {0}",
    ),
    "null": (
        "externref",
        "(ref.null extern)",
        "zero_refs ref_slot:0 count:8; ref.null -> {0}; return_value_0_ref {0}",
    ),
    "extended": (
        "i32",
        "(i32.add (i32.mul (global.get $i) (i32.const 4)) (i32.const 2))",
        "global.get_far global:0 -> acc; i32.mul acc, 4 -> acc; i32.add acc, 2 -> acc;"
        " return_value_0 acc",
    ),
}

INVALID = {
    "wrong type": ("i32", "(i64.const 1)", Error.TYPE_MISMATCH),
    "no value": ("i32", "", Error.TYPE_MISMATCH),
    "two values": ("i32", "(i32.const 1) (i32.const 2)", Error.TYPE_MISMATCH),
    "mutable global": ("i32", "(global.get $m)", Error.CONSTANT_REQUIRED),
    "later global": ("i32", "(global.get 3)", Error.UNKNOWN_GLOBAL),
    "no constant": ("i32", "(i32.eqz (i32.const 1))", Error.CONSTANT_REQUIRED),
    "nop": ("i32", "(nop) (i32.const 1)", Error.CONSTANT_REQUIRED),
    "load": ("i32", "(i32.load (i32.const 1))", Error.CONSTANT_REQUIRED),
    "unknown function": ("funcref", "(ref.func 9)", Error.UNKNOWN_FUNCTION),
}


def prepare(translator, type_, text, **options):
    source = f"(module {IMPORTS} (global {type_} {text}) (memory 1))"
    module = translator.prepare(parse(source), **options)
    init = module.module.global_inits[0]
    return module, ctype_of(Span)(*init, module.module.global_types[3].type, 3)


@pytest.mark.parametrize("name", VALID)
def test_valid(name, translator):
    type_, text, expected = VALID[name]
    module, span = prepare(translator, type_, text)
    trouble = ctype_of(Trouble)()
    assert translator.bound.validate_constants(module.address, span, 1, trouble) == 0
    code = ctype_of(FuncCode)()
    assert translator.bound.translate_constant(module.address, span, code) == 0
    size = module._native.code_out - code.entry
    words = list((ctypes.c_uint32 * (size // 4)).from_address(code.entry))
    found = from_first_cell(print_code(decode_code(words, FORM_AT))).split("\n")
    assert "; ".join(line.strip() for line in found if line) == expected
    assert code.frame_bytes >= 16


@pytest.mark.parametrize("name", INVALID)
def test_invalid(name, translator):
    type_, text, error = INVALID[name]
    module, span = prepare(translator, type_, text)
    trouble = ctype_of(Trouble)()
    assert translator.bound.validate_constants(module.address, span, 1, trouble) == error


def test_extended_constants_are_a_feature(translator):
    text = "(i32.add (i32.const 1) (i32.const 2))"
    module, span = prepare(translator, "i32", text, features=DEFAULT & ~BIT["extended-const"])
    trouble = ctype_of(Trouble)()
    found = translator.bound.validate_constants(module.address, span, 1, trouble)
    assert found == Error.FEATURE_OFF
    assert FEATURES[trouble.detail] == "extended-const"
    assert trouble.opcode == 0x6A
