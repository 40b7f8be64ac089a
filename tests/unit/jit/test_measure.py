"""How big functions are, as Python has it."""

import runwell
from runwell.jit.measure import measure

TEXT = """(module
  (func $a
    (loop $l (call $a) (call $b) (call $a) (br_if $l (i32.const 1)) (br_if $l (i32.const 0))))
  (func $b (param i64) (local i32)))"""


def test_what_is_named_often_counts_once():
    text = TEXT.replace("(call $b)", "(call $b (i64.const 0))")
    a, b = (measure(runwell.Module(text).code, x) for x in range(2))
    assert (a.callees, a.loops) == ({0, 1}, 1)
    assert (b.callees, b.loops, b.blocks, b.fan_out, b.vectors) == (frozenset(), 0, 1, 0, 0)
    assert b.slots > a.slots
    assert b.bytes < a.bytes


def test_what_is_invalid_has_no_size():
    code = runwell.Module("(module (func (result i32)))", validation="lazy").code
    assert measure(code, 0) is None
