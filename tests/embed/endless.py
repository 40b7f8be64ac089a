"""Guests that do not end by themselves, for tests of what ends them."""

# Every export but "count", "nop" and "memory" runs for ever, or nearly.
WAT = """
(module
  (import "env" "call" (func $call))
  (memory (export "memory") 16384 16384 shared)
  (memory $large 32768)
  (table $t 2 funcref)
  (global $rounds (export "rounds") (mut i64) (i64.const 0))
  (type $v (func))
  (elem (table $t) (i32.const 0) $ping $pong)
  (tag $e)
  (func (export "nop"))
  (func (export "count") (param i32) (result i32) (local i32)
    (loop $l
      (local.set 1 (i32.add (local.get 1) (i32.const 1)))
      (br_if $l (i32.lt_u (local.get 1) (local.get 0))))
    (local.get 1))
  (func (export "loop") (loop $l (br $l)))
  (func (export "counting") (loop $l
    (global.set $rounds (i64.add (global.get $rounds) (i64.const 1))) (br $l)))
  (func $grow (param i32) (result i32)
    (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
      (then (i32.const 1))
      (else (i32.add (call $grow (i32.sub (local.get 0) (i32.const 1)))
                     (call $grow (i32.sub (local.get 0) (i32.const 2)))))))
  (func (export "recursion") (drop (call $grow (i32.const 60))))
  (func $wide (param i32 externref) (local externref externref)
    (local.set 2 (local.get 1))
    (if (local.get 0) (then
      (call $wide (i32.sub (local.get 0) (i32.const 1)) (local.get 2))
      (call $wide (i32.sub (local.get 0) (i32.const 1)) (local.get 2)))))
  (func (export "references") (param externref) (call $wide (i32.const 60) (local.get 0)))
  (func $ping (return_call $pong))
  (func $pong (return_call_indirect $t (type $v) (i32.const 0)))
  (func (export "tail_calls") (call $ping))
  (func (export "wait")
    (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1))))
  (func (export "fill")
    (loop $l (memory.fill $large (i32.const 0) (i32.const 1) (i32.const 0x7FFFFFFF)) (br $l)))
  (func (export "copy")
    (loop $l
      (memory.copy $large $large (i32.const 1) (i32.const 0) (i32.const 0x7FFFFF00)) (br $l)))
  (func (export "throw")
    (loop $l (block $h (try_table (catch $e $h) (throw $e))) (br $l)))
  (func (export "callbacks") (loop $l (call $call) (br $l))))
"""
ENDLESS = [
    "loop",
    "counting",
    "recursion",
    "references",
    "tail_calls",
    "wait",
    "fill",
    "copy",
    "throw",
    "callbacks",
]
