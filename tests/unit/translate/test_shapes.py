"""Walking register code without decoding it."""

from array import array

import runwell
from runwell.isa.form import FORMS
from runwell.jit.prepare import job_function
from runwell.translate.code import PORTABLE, decode_code, instruction_words
from runwell.translate.shapes import shapes

TEXT = """(module (memory 1)
  (func (param i32 f64) (result f64) (local v128)
    (block (block (br_table 0 1 0 (local.get 0))) (local.set 0 (i32.const 77)))
    (loop (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br_if 0 (local.get 0)))
    (i64.store offset=8 (local.get 0) (i64.const 0x123456789abc))
    (local.set 2 (v128.const i64x2 1 2))
    (f64.add (local.get 1) (f64.const 2.5))))"""


def test_lengths_are_those_of_instructions():
    code = array("I", job_function(runwell.Module(TEXT).code, 0).code)
    assert len(shapes()) == len(FORMS)
    for instruction in decode_code(code, PORTABLE):
        shape = shapes()[instruction.form.index]
        at = instruction.at // 4
        targets = code[at + shape.table] + 1 if shape.table else 0
        assert shape.words + targets == instruction_words(instruction.parts)
