from queue import SimpleQueue

import pytest
from tests.unit.jit.programs import job_of

import runwell
from runwell.elf.object import Object
from runwell.jit.compile import compile_encoded, compile_job
from runwell.jit.compiler import Status, shared_compiler
from runwell.jit.level import Level
from runwell.jit.prepare import make_job

TEXT = """(module (memory 1)
  (func (param i32) (result i32) (i32.load (local.get 0)))
  (func (param i32) (result i32) (loop (br 0)) unreachable))"""


@pytest.mark.parametrize("level", list(Level))
def test_objects_define_the_functions(level):
    job = job_of(TEXT, level=level)
    found = {symbol.name for symbol in Object(compile_job(job), "jit").symbols}
    assert {"f0", "f1", "native_trap", "native_poll"} <= found


def test_encoded_jobs():
    job = job_of(TEXT)
    assert compile_encoded(job.encode()) == compile_job(job)


def test_what_is_no_job():
    with pytest.raises(ValueError, match="not a job"):
        compile_encoded(b"")


@pytest.mark.parametrize("level", list(Level))
@pytest.mark.parametrize("convert", ["convert_i32x4_s", "convert_i32x4_u"])
def test_zeros_that_are_converted(convert, level):
    # In a process of its own: LLVM ends the one that it is in over what it cannot do.
    zeros = f"(f32x4.{convert} (v128.const i32x4 0 0 0 0))"
    text = f"(module (func (param v128) (result v128) (f64x2.min {zeros} (local.get 0))))"
    code = runwell.Module(text, engine=runwell.Engine(runwell.Config(deterministic=True))).code
    outcomes = SimpleQueue()
    data = make_job(code, [0], level).encode()
    shared_compiler("process").submit(data, 100.0, outcomes.put)
    assert outcomes.get(timeout=100).status is Status.DONE
