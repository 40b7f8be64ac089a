"""How big functions are, as far as compilers care."""

import runwell
from runwell.jit.measure import measure

TEXT = """(module
  (type $a (func (param i32) (result i32))) (type $b (func)) (type $c (func (param f64)))
  (memory 1) (table 1 funcref)
  (func $callee (param i32) (result i32) (local.get 0))
  (func (param i32) (result i32) (local i32 i32)
    (loop $outer
      (local.set 2 (local.get 1))
      (loop $inner
        (local.set 1 (i32.add (local.get 1) (call $callee (local.get 0))))
        (br_if $inner (i32.lt_u (local.get 1) (i32.const 10))))
      (br_if $outer (i32.lt_u (local.get 1) (i32.const 100))))
    (block $a (block $b (block $c (br_table $a $b $c $a (local.get 1)))))
    (local.get 1))
  (func (param v128) (result v128) (i8x16.add (local.get 0) (i8x16.neg (local.get 0))))
  (func (result i32) (i32.const 1))
  (func (param (ref $b)) (call_ref $b (local.get 0))
    (drop (call_indirect (type $a) (i32.const 1) (i32.const 0)))
    (return_call_indirect (type $c) (f64.const 1) (i32.const 0))))"""


def sizes():
    code = runwell.Module(TEXT).code
    return [measure(code, x) for x in range(4)]


def test_types_of_indirect_calls():
    code = runwell.Module(TEXT).code
    numbers = {name: code.numbers[x] for x, name in enumerate("abc")}
    found = measure(code, 4)
    assert found.types == {numbers["a"], numbers["b"]}
    assert found.callees == frozenset()
    assert measure(code, 1).types == frozenset()


def test_what_is_counted():
    callee, loops, vectors, constant = sizes()
    assert loops.callees == {0}
    assert loops.loops == len(loops.spans) == 2
    (outer, outer_end), (inner, inner_end) = loops.spans
    assert 0 < outer < inner < inner_end < outer_end < loops.bytes
    assert loops.around(outer) == [outer]
    assert loops.around(inner) == [outer, inner]
    assert loops.fan_out == 4
    assert loops.blocks > 8
    assert vectors.vectors == 2
    assert callee.vectors == callee.loops == constant.fan_out == 0
    assert constant.blocks == 1
    assert callee.slots < loops.slots
    assert constant.bytes < vectors.bytes < loops.bytes
