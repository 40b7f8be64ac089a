import pytest

from runwell.base.types import I32
from runwell.binary.decoder import decode
from runwell.jit.job import Job, JobFunction, decode_header, header_of
from runwell.text.parser import parse

TEXT = """(module (type $s (struct)) (type $t (func (param i32 f64) (result i64)))
  (global i32 (i32.const 1)) (tag (param f32)) (func (type $t) (i64.const 1)))"""


def test_header():
    module = decode(parse(TEXT))
    header = header_of(module, tuple(range(7, 7 + len(module.types))))
    assert decode_header(header.encode()) == header
    assert header.types[0] == ((), ())
    assert header.types[1] == ((0x7F, 0x7C), (0x7E,))
    assert header.functions == (1,)
    assert header.globals == (0x7F,)
    assert header.types[header.tags[0]] == ((0x7D,), ())
    assert header.numbers[:2] == (7, 8)


def test_jobs_travel():
    functions = (
        JobFunction(3, b"code", ((2, int(I32)), (1, 0x7B)), b"handlers", (8, 24)),
        JobFunction(4, b""),
    )
    job = Job(b"header", functions, 1)
    assert Job.decode(job.encode()) == job
    assert functions[0].locals[0] == (2, I32)


@pytest.mark.parametrize("data", [b"", Job(b"", ()).encode()[:-2], b"N", b"i\x01\x00\x00\x00"])
def test_what_is_no_job(data):
    with pytest.raises(ValueError, match=r"job|marshal"):
        Job.decode(data)
