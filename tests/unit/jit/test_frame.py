"""What crosses calls, and where."""

import re

from tests.unit.jit.programs import job_of

from runwell.jit.unit import job_text

TEXT = """(module
  (type $t (func (param i32 f64 i32 i32 i32 i32 i32 f32) (result i32 f64)))
  (import "m" "f" (func $import (type $t)))
  (func $own (type $t) (i32.const 1) (f64.const 2))
  (func $tail (type $t) (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4)
    (local.get 5) (local.get 6) (local.get 7) (return_call $own))
  (func (export "f") (param f64) (result i32 f64)
    (call $own (i32.const 10) (local.get 0) (i32.const 12) (i32.const 13) (i32.const 14)
      (i32.const 15) (i32.const 16) (f32.const 17)))
  (func (param externref) (result externref) (local externref)
    (drop (call 4 (local.get 1))) (local.get 0))
  (func $imported (param f64) (result i32 f64)
    (call $import (i32.const 10) (local.get 0) (i32.const 12) (i32.const 13) (i32.const 14)
      (i32.const 15) (i32.const 16) (f32.const 17))))"""


def body(function):
    text = job_text(job_of(TEXT), "x86_64")
    return text[text.index(f"@f{function}(") :].partition("\n}")[0]


def test_arguments():
    call = re.search(r"call preserve_nonecc .*@f1\((.*)\)", body(3))
    words = [word.split()[-1] for word in re.split(r", (?![^<]*>)", call[1])]
    assert words[0:2] == ["%ctx", "%inst"]
    assert words[4] == "poison"
    integers, floats = words[5:11], words[11:17]
    assert [word == "poison" for word in integers] == [False, True, False, False, False, False]
    assert [word == "poison" for word in floats] == [True, False, True, True, True, True]
    # The others are stored, each filling its slot.
    assert body(3).partition("@f1(")[0].count("store i64 ") == 2


def test_one_frame_less_is_left():
    assert "add nsw i32 %left, -1" in body(3)
    assert "add nsw" not in body(2)


def test_several_results_are_in_the_frame():
    assert "extractvalue" not in body(3)
    assert len(re.findall(r"store (?:i64|double) .*ptr %", body(1))) >= 2


def test_tail_calls():
    assert "musttail call preserve_nonecc" in body(2)


def test_references_go_by_their_stack():
    text = body(4)
    assert "%rp = load ptr" in text
    assert "store ptr %rp, ptr" in text


def test_imports_are_called_through_their_code():
    text = body(5)
    assert "select i1" in text
    assert re.search(r"call preserve_nonecc \{ i64, <4 x float> \} %t", text)
