"""Register code with numbers of forms instead of addresses of handlers."""

import ctypes

from translate_harness import FORM_AT, HANDLERS, every_form

from runwell.kernel import ctype_of
from runwell.runtime.layout import FuncCode
from runwell.text.parser import parse
from runwell.translate.code import PORTABLE, decode_code, encode_code

TEXT = """(module
  (func $f (param i32) (result i64)
    (block $a (block $b (block $c (br_table $a $b $c $a (local.get 0))) (return (i64.const 1)))
      (return (i64.const 0x123456789ab)))
    (call $f (i32.const 5)))
  (func $g (param v128) (result v128)
    (i32x4.add (local.get 0) (v128.const i32x4 1 2 3 4))))"""


def exported(translator, code):
    size = translator.bound.export_code(code, None)
    words = (ctypes.c_uint32 * (size // 4))()
    assert translator.bound.export_code(code, words) == size
    return list(words)


def test_every_form(translator):
    instructions = every_form()
    words = encode_code(instructions, HANDLERS)
    code = ctype_of(FuncCode)()
    code.start, code.code_bytes = words.buffer_info()[0], 4 * len(words)
    found = exported(translator, code)
    assert decode_code(found, PORTABLE) == instructions
    assert found == list(encode_code(instructions, PORTABLE))


def test_functions_are_translated_if_need_be(translator):
    module = translator.prepare(parse(TEXT))
    for index in (1, 0):
        code = ctype_of(FuncCode).from_address(module.code_address(index))
        found = decode_code(exported(translator, code), PORTABLE)
        words = (ctypes.c_uint32 * (code.code_bytes // 4)).from_address(code.start)
        assert decode_code(list(words), FORM_AT) == found
        assert len(found) > 1


def test_what_cannot_be_translated_has_no_code(translator):
    module = translator.prepare(parse("(module (func (result i32) i64.const 1))"))
    code = ctype_of(FuncCode).from_address(module.code_address(0))
    assert translator.bound.export_code(code, None) == 0
