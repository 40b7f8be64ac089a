;; Euclid's algorithm.  Try: runwell run --invoke gcd examples/gcd.wat 1071 462
(module
  (func $gcd (export "gcd") (param $a i64) (param $b i64) (result i64)
    (loop $again
      (if (i64.eqz (local.get $b)) (then (return (local.get $a))))
      (local.get $b)
      (local.set $b (i64.rem_u (local.get $a) (local.get $b)))
      (local.set $a)
      (br $again))
    (unreachable)))
