import pytest
from tests.unit.jit.programs import job_of

from runwell.elf.object import Object
from runwell.jit.compile import compile_encoded, compile_job

TEXT = """(module (memory 1)
  (func (param i32) (result i32) (i32.load (local.get 0)))
  (func (param i32) (result i32) (loop (br 0)) unreachable))"""


@pytest.mark.parametrize("level", [0, 1, 2, 3])
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
