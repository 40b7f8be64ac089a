"""Functions as a whole: how they begin, and where else they can be entered."""

import json
import re
import subprocess
import sys
from array import array

import pytest
from tests.unit.jit.programs import job_of

from runwell.base.errors import InternalError
from runwell.jit.job import decode_header
from runwell.jit.lower import Lowering
from runwell.jit.surroundings import Surroundings
from runwell.jit.unit import job_text
from runwell.translate.code import PORTABLE, decode_code

LOOP = """(module (memory 1) (global $g (mut i32) (i32.const 0))
  (func (export "f") (param i32) (result f64) (local i64 f64)
    (loop $l
      (local.set 1 (i64.add (local.get 1) (i64.const 3)))
      (local.set 2 (f64.add (local.get 2) (f64.convert_i64_s (local.get 1))))
      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 2)))"""


def loops(function):
    """Offsets of the loops of a function of a job."""
    code = decode_code(array("I", function.code), PORTABLE)
    return sorted({p.dest for i in code for p in i.parts if p.form.dst.is_backward})


def test_functions_look_at_both_limits_first():
    text = job_text(job_of(LOOP), "x86_64")
    body = text[text.index("@f0(") :]
    first, second = body.index("%beyond = icmp ugt"), body.index("%none = icmp slt i32 %left, 0")
    assert first < second < body.index("%mem" if "%mem =" in body else "br label %L0")
    assert text.count("@native_trap(") > 1


def test_only_used_variables_are_made():
    text = job_text(
        job_of("(module (func (local i32 i64) (local f32 5) nop))".replace(" 5", "")), "x86_64"
    )
    assert "alloca" not in text


def test_an_entry_in_the_middle_reads_the_frame():
    job = job_of(LOOP)
    (at,) = loops(job.functions[0])
    job = job._replace(functions=(job.functions[0]._replace(entries=(at,)),))
    text = job_text(job, "x86_64")
    entry = text[text.index(f"@f0_at_{at}(") :].partition("\n}")[0]
    assert "%none" not in entry
    assert re.search(r"load double, ptr %\S+, align 8", entry)


def test_code_that_is_cut_off_is_refused():
    job = job_of(LOOP)
    (function,) = job.functions
    around = Surroundings(decode_header(job.header), {0: "f0"}, "x86_64")
    with pytest.raises(InternalError, match="f0"):
        Lowering(around, function._replace(code=function.code[:-12])).run()


_RUN = """
import json, sys
import runwell
from tests.unit.jit.test_assembly import loops
from runwell.elf.movable_maker import make_movable
from runwell.jit.compile import compile_job
from runwell.jit.installed import install
from runwell.jit.prepare import make_job
from runwell.kernel.types import ctype_of
from runwell.runtime.layout import FuncCode
module = runwell.Module(sys.stdin.read())
job = make_job(module.code, [0], 1)
function = job.functions[0]._replace(entries=tuple(loops(job.functions[0])))
install(make_movable(compile_job(job._replace(functions=(function,)))), module.code)
# The interpreter begins, and goes on in compiled code.
code = ctype_of(FuncCode).from_address(module.code.code_address(0))
code.entry = code.start
print(json.dumps([runwell.Instance(module).exports.f(n) for n in (1, 10, 100_000)]))
"""


def test_the_interpreter_goes_on_in_compiled_loops():
    done = subprocess.run([sys.executable, "-c", _RUN], input=LOOP, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-1000:]
    expected = [sum(3 * k for k in range(1, n + 1)) for n in (1, 10, 100_000)]
    assert json.loads(done.stdout) == expected
