"""What all programs of ``everything`` have: types of objects, and functions that note values."""

TYPES_TEXT = """
  (type $s0 (sub (struct (field (mut i32)) (field (mut i64)))))
  (type $s1 (sub $s0 (struct (field (mut i32)) (field (mut i64)) (field (mut f64))
    (field (mut i8)) (field (mut anyref)))))
  (type $s2 (sub final $s1 (struct (field (mut i32)) (field (mut i64)) (field (mut f64))
    (field (mut i8)) (field (mut anyref)) (field (mut i16)) (field (mut v128)) (field (mut f32))
    (field (mut (ref null $s0))))))
  (type $a8 (array (mut i8)))
  (type $ai (array (mut i32)))
  (type $ar (array (mut anyref)))
  (type $ad (array (mut f64)))
"""

HELPERS = """
  (func $mix (param i64)
    (global.set $sum (i64.add (local.get 0)
      (i64.mul (i64.rotl (global.get $sum) (i64.const 9)) (i64.const 0x9E3779B97F4A7C15)))))
  (func $fold (param v128) (result i64)
    (i64.add (i64x2.extract_lane 0 (local.get 0))
      (i64.mul (i64x2.extract_lane 1 (local.get 0)) (i64.const 31))))
  (func $may (result i32)
    (global.set $budget (i32.sub (global.get $budget) (i32.const 1)))
    (i32.gt_s (global.get $budget) (i32.const 0)))
  (func $f32 (param f32) (result f32)
    (select (f32.const nan) (local.get 0) (i32.gt_u
      (i32.and (i32.reinterpret_f32 (local.get 0)) (i32.const 0x7fffffff)) (i32.const 0x7f800000))))
  (func $f64 (param f64) (result f64)
    (select (f64.const nan) (local.get 0) (i64.gt_u
      (i64.and (i64.reinterpret_f64 (local.get 0)) (i64.const 0x7fffffffffffffff))
      (i64.const 0x7ff0000000000000))))
  (func $v32 (param v128) (result v128)
    (v128.bitselect (v128.const i32x4 0x7fc00000 0x7fc00000 0x7fc00000 0x7fc00000) (local.get 0)
      (i32x4.gt_s (v128.and (local.get 0)
          (v128.const i32x4 0x7fffffff 0x7fffffff 0x7fffffff 0x7fffffff))
        (v128.const i32x4 0x7f800000 0x7f800000 0x7f800000 0x7f800000))))
  (func $v64 (param v128) (result v128)
    (v128.bitselect (v128.const i64x2 0x7ff8000000000000 0x7ff8000000000000) (local.get 0)
      (i64x2.gt_s (v128.and (local.get 0)
          (v128.const i64x2 0x7fffffffffffffff 0x7fffffffffffffff))
        (v128.const i64x2 0x7ff0000000000000 0x7ff0000000000000))))
  (func $mix_any (param $r anyref) (param $deep i32)
    (local $s (ref null $s0)) (local $i i32)
    (call $mix (i64.extend_i32_u (ref.is_null (local.get $r))))
    (if (i32.lt_s (local.get $deep) (i32.const 0)) (then (return)))
    (if (ref.test (ref i31) (local.get $r)) (then
      (call $mix (i64.extend_i32_s (i31.get_s (ref.cast i31ref (local.get $r)))))))
    (if (ref.test (ref $s0) (local.get $r)) (then
      (local.set $s (ref.cast (ref null $s0) (local.get $r)))
      (call $mix (i64.extend_i32_u (struct.get $s0 0 (local.get $s))))
      (call $mix (struct.get $s0 1 (local.get $s)))
      (if (ref.test (ref $s1) (local.get $s)) (then
        (call $mix (i64.reinterpret_f64
          (struct.get $s1 2 (ref.cast (ref null $s1) (local.get $s)))))
        (call $mix (i64.extend_i32_u (struct.get_u $s1 3
          (ref.cast (ref null $s1) (local.get $s)))))
        (call $mix_any (struct.get $s1 4 (ref.cast (ref null $s1) (local.get $s)))
          (i32.sub (local.get $deep) (i32.const 1)))))
      (if (ref.test (ref $s2) (local.get $s)) (then
        (call $mix (i64.extend_i32_u (struct.get_u $s2 5
          (ref.cast (ref null $s2) (local.get $s)))))
        (call $mix (call $fold (struct.get $s2 6 (ref.cast (ref null $s2) (local.get $s)))))
        (call $mix (i64.extend_i32_u (i32.reinterpret_f32
          (struct.get $s2 7 (ref.cast (ref null $s2) (local.get $s))))))
        (call $mix_any (struct.get $s2 8 (ref.cast (ref null $s2) (local.get $s)))
          (i32.sub (local.get $deep) (i32.const 1)))))))
    (if (ref.test (ref array) (local.get $r)) (then
      (call $mix (i64.extend_i32_u (array.len (ref.cast arrayref (local.get $r)))))
      (local.set $i (i32.const 4))
      (if (i32.lt_u (array.len (ref.cast arrayref (local.get $r))) (i32.const 4))
        (then (local.set $i (array.len (ref.cast arrayref (local.get $r))))))
      (loop $next (if (local.get $i) (then
        (local.set $i (i32.sub (local.get $i) (i32.const 1)))
        (if (ref.test (ref $a8) (local.get $r)) (then (call $mix (i64.extend_i32_s
          (array.get_s $a8 (ref.cast (ref $a8) (local.get $r)) (local.get $i))))))
        (if (ref.test (ref $ai) (local.get $r)) (then (call $mix (i64.extend_i32_s
          (array.get $ai (ref.cast (ref $ai) (local.get $r)) (local.get $i))))))
        (if (ref.test (ref $ad) (local.get $r)) (then (call $mix (i64.reinterpret_f64
          (array.get $ad (ref.cast (ref $ad) (local.get $r)) (local.get $i))))))
        (if (ref.test (ref $ar) (local.get $r)) (then (call $mix_any
          (array.get $ar (ref.cast (ref $ar) (local.get $r)) (local.get $i))
          (i32.sub (local.get $deep) (i32.const 1)))))
        (br $next))))))
  )
"""
