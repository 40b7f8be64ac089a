from array import array

from tests.unit.jit.programs import job_of, module_code

import runwell
from runwell.base.types import F64, I32, I64
from runwell.jit.job import decode_header
from runwell.jit.prepare import declared_locals, make_job
from runwell.translate.code import PORTABLE, decode_code

TEXT = """(module (import "m" "f" (func)) (tag $e)
  (func (param i32) (result i32) (local i64 i64) (local f64) (i32.add (local.get 0) (i32.const 1)))
  (func (block $h (try_table (catch $e $h) (call 0)))))"""


def test_code_is_portable():
    job = job_of(TEXT)
    words = array("I", job.functions[0].code)
    names = [i.parts[-1].form.op.name for i in decode_code(words, PORTABLE)]
    assert names[-1].startswith("return_value")


def test_locals():
    assert declared_locals(module_code(TEXT), 1) == ((2, int(I64)), (1, int(F64)))
    assert job_of(TEXT).functions[0].locals == [(2, I64), (1, F64)]


def test_handlers_and_header():
    job = job_of(TEXT)
    assert job.functions[0].handlers == b""
    assert job.functions[1].handlers
    header = decode_header(job.header)
    assert int(I32) in header.types[header.functions[1]][0]


def test_invalid_functions_are_left_out():
    module = runwell.Module("(module (func) (func (result i32)))", validation="lazy")
    assert [f.function for f in make_job(module.code, range(2)).functions] == [0]
