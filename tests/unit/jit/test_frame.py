"""Structures, arrays and casts in compiled code."""

from tests.unit.jit.guests import assert_same

TYPES = """
  (type $point (sub (struct (field $x (mut i32)) (field $y (mut f64)))))
  (type $named (sub $point (struct (field (mut i32)) (field (mut f64)) (field i64))))
  (type $small (struct (field (mut i8)) (field (mut i16)) (field (mut f32)) (field (mut v128))))
  (type $bytes (array (mut i8)))
  (type $longs (array (mut i64)))
  (type $list (struct (field i32) (field (ref null $list))))
  (type $refs (array (mut anyref)))
  (data $text "hello, world")
"""

TEXT = f"""(module {TYPES}
  (func (export "fields") (param i32 f64) (result f64)
    (local $p (ref null $point))
    (local.set $p (struct.new $point (local.get 0) (local.get 1)))
    (struct.set $point $x (local.get $p) (i32.add (struct.get $point $x (local.get $p))
      (i32.const 1)))
    (f64.add (struct.get $point $y (local.get $p))
      (f64.convert_i32_s (struct.get $point $x (local.get $p)))))
  (func (export "small") (param i32) (result i32)
    (local $s (ref null $small))
    (local.set $s (struct.new $small (local.get 0) (local.get 0)
      (f32.convert_i32_s (local.get 0)) (i32x4.splat (local.get 0))))
    (i32.add (i32.add (struct.get_s $small 0 (local.get $s)) (struct.get_u $small 1
      (local.get $s))) (i32.add (i32.trunc_f32_s (struct.get $small 2 (local.get $s)))
      (i32x4.extract_lane 2 (struct.get $small 3 (local.get $s))))))
  (func (export "bytes") (param i32) (result i32)
    (local $b (ref null $bytes)) (local $i i32) (local $sum i32)
    (local.set $b (array.new_data $bytes $text (i32.const 0) (i32.const 12)))
    (array.fill $bytes (local.get $b) (i32.const 2) (local.get 0) (i32.const 3))
    (loop $more
      (local.set $sum (i32.add (local.get $sum)
        (array.get_u $bytes (local.get $b) (local.get $i))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $i) (array.len (local.get $b)))))
    (local.get $sum))
  (func (export "at") (param i32) (result i32)
    (array.get_s $bytes (array.new $bytes (i32.const 200) (i32.const 4)) (local.get 0)))
  (func (export "longs") (param i32 i64) (result i64)
    (local $a (ref null $longs))
    (local.set $a (array.new_fixed $longs 3 (local.get 1) (i64.const 5) (local.get 1)))
    (array.set $longs (local.get $a) (local.get 0) (i64.const 77))
    (i64.add (array.get $longs (local.get $a) (i32.const 0))
      (array.get $longs (local.get $a) (i32.const 2))))
  (func $list (export "list") (param i32) (result i32)
    (local $l (ref null $list)) (local $i i32) (local $sum i32)
    (loop $more
      (local.set $l (struct.new $list (local.get $i) (local.get $l)))
      (drop (array.new_default $bytes (i32.const 1000)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $i) (local.get 0))))
    (block $done (loop $next
      (br_on_null $done (local.get $l)) (drop)
      (local.set $sum (i32.add (local.get $sum) (struct.get $list 0 (local.get $l))))
      (local.set $l (struct.get $list 1 (local.get $l)))
      (br $next)))
    (local.get $sum))
  (func $kind (param anyref) (result i32)
    (block $point (result (ref $point)) (block $named (result (ref $named))
      (br_on_cast $named anyref (ref $named) (local.get 0))
      (br_on_cast $point anyref (ref $point))
      (if (result i32) (ref.test (ref i31) (local.get 0))
        (then (i31.get_s (ref.cast (ref i31) (local.get 0))))
        (else (if (result i32) (ref.test (ref array) (local.get 0))
          (then (i32.const -2)) (else (i32.const -3)))))
      (return)) (drop) (return (i32.const -4)))
    (drop) (i32.const -5))
  (func (export "kinds") (param i32) (result i32)
    (i32.add (i32.mul (call $kind (struct.new_default $point)) (i32.const 1000))
      (i32.add (i32.mul (call $kind (struct.new_default $named)) (i32.const 100))
        (i32.add (i32.mul (call $kind (array.new_default $longs (i32.const 1))) (i32.const 10))
          (i32.add (call $kind (ref.i31 (local.get 0))) (call $kind (ref.null none)))))))
  (func (export "cast") (param i32) (result i32)
    (local $r anyref)
    (local.set $r (if (result anyref) (local.get 0)
      (then (struct.new_default $point)) (else (ref.i31 (i32.const 1)))))
    (struct.get $named 0 (ref.cast (ref $named) (local.get $r))))
  (func (export "null") (param i32) (result i32)
    (struct.get $point $x (ref.null $point)))
  (func (export "copy") (param i32) (result i32)
    (local $a (ref null $refs)) (local $b (ref null $refs))
    (local.set $a (array.new $refs (ref.i31 (i32.const 3)) (i32.const 10)))
    (local.set $b (array.new_default $refs (i32.const 10)))
    (array.copy $refs $refs (local.get $b) (i32.const 2) (local.get $a) (i32.const 0)
      (local.get 0))
    (i32.add (ref.is_null (array.get $refs (local.get $b) (i32.const 1)))
      (ref.eq (ref.cast eqref (array.get $refs (local.get $b) (i32.const 2)))
        (ref.i31 (i32.const 3)))))
  (func (export "much") (param i32) (result i32)
    (array.len (array.new_default $longs (local.get 0)))))"""


def test_compiled_code_does_the_same():
    calls = [
        ("fields", 4, 2.5),
        *[("small", n) for n in (5, -1, 200)],
        ("bytes", 7),
        *[("at", n) for n in (0, 3, 4, -1)],
        *[("longs", n, 6) for n in (0, 1, 3)],
        ("list", 20000),
        ("kinds", 5),
        *[("cast", n) for n in (0, 1)],
        ("null", 0),
        *[("copy", n) for n in (0, 3, 9)],
        *[("much", n) for n in (10, 1 << 30)],
    ]
    found = assert_same(TEXT, calls, max_heap_bytes=16 << 20)
    assert found[0] == "7.5"
    assert ("at", 4) in calls
    assert found[calls.index(("at", 4))][0] == "OUT_OF_BOUNDS_ARRAY"
    assert found[calls.index(("list", 20000))] == str(20000 * 19999 // 2)
    assert found[calls.index(("cast", 1))][0] == "CAST_FAILURE"
    assert found[calls.index(("null", 0))][0] == "NULL_STRUCTURE"
    assert found[calls.index(("much", 1 << 30))][0] == "HEAP_EXHAUSTED"
