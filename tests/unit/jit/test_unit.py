"""The text of several functions together."""

import re

from tests.unit.jit.programs import job_of

from runwell.jit.unit import entries_of, job_text

TEXT = """(module
  (type $t (func (param i32) (result i32)))
  (table 1 funcref) (tag $e)
  (func $a (type $t) (i32.add (local.get 0) (i32.const 1)))
  (func $b (type $t) (call $a (local.get 0)))
  (func $c (type $t) (call_indirect (type $t) (local.get 0) (i32.const 0)))
  (func $d (block $h (try_table (catch $e $h) (call $d)))))"""


def test_functions_call_each_other_directly():
    text = job_text(job_of(TEXT), "x86_64")
    assert len(re.findall(r"^define .* @f\d\(", text, re.MULTILINE)) == 4
    assert "call preserve_nonecc { i64, <4 x float> } @f0(ptr %ctx, ptr %inst" in text


def test_others_through_their_code():
    text = job_text(job_of(TEXT, [1]), "x86_64")
    assert "@f0" not in text


def test_types_are_imported():
    text = job_text(job_of(TEXT), "x86_64")
    assert "@type_0 = external hidden global i8, !absolute_symbol" in text
    assert "hidden" not in job_text(job_of(TEXT), "aarch64").partition("define")[0]


def test_handlers_are_entries():
    job = job_of(TEXT)
    (landing,) = entries_of(job.functions[3])
    text = job_text(job, "x86_64")
    assert f"@f3_at_{landing}(" in text
    assert re.search(r"define weak .* @f3\(", text)
    assert entries_of(job.functions[0]._replace(entries=(8, 0, 8))) == [0, 8]


def test_the_same_job_gives_the_same_text():
    job = job_of(TEXT)
    assert job_text(job, "x86_64") == job_text(job, "x86_64")
