"""Random programs that make, change and lose objects: text, and nothing but the seed decides.

Objects are kept in a table of any references.  A program is a list of steps, each of which reads
slots of the table by number, does something with what it finds there, by its type, and writes a
slot; what can be seen goes into a checksum.  Between steps there is garbage, so that a small heap
is collected often.
"""

import random

SLOTS = 24

HEAD = f"""(module
  (type $node (sub (struct (field $n (mut i32)) (field $next (mut anyref)))))
  (type $pair (sub $node (struct (field (mut i32)) (field (mut anyref)) (field $other (mut anyref))
    (field $small (mut i8)))))
  (type $wide (sub $node (struct (field (mut i32)) (field (mut anyref)) (field $l (mut i64))
    (field $d (mut f64)))))
  (type $refs (array (mut anyref)))
  (type $shorts (array (mut i16)))
  (type $longs (array (mut i64)))
  (table $t {SLOTS} anyref)
  (global $sum (mut i32) (i32.const 17))
  (func $note (param i32)
    (global.set $sum (i32.add (i32.mul (global.get $sum) (i32.const 31)) (local.get 0))))
  (func $length (param i32) (result i32)
    (block $no (result anyref)
      (return (array.len (br_on_cast_fail $no anyref (ref array)
        (table.get $t (local.get 0))))))
    (return (i32.sub (ref.is_null) (i32.const 3))))
  (func $kind (param anyref) (result i32)
    (i32.add (i32.add (ref.test (ref $node) (local.get 0))
        (i32.mul (i32.const 2) (ref.test (ref null $pair) (local.get 0))))
      (i32.add (i32.add (i32.mul (i32.const 4) (ref.test (ref i31) (local.get 0)))
          (i32.mul (i32.const 8) (ref.test (ref array) (local.get 0))))
        (i32.add (i32.mul (i32.const 16) (ref.test (ref eq) (local.get 0)))
          (i32.mul (i32.const 32) (ref.test (ref null struct) (local.get 0)))))))
  (func $walk (param $r anyref) (param $deep i32) (result i32)
    (local $sum i32) (local $i i32) (local $a (ref null $refs))
    (local.set $sum (call $kind (local.get $r)))
    (if (i32.le_s (local.get $deep) (i32.const 0)) (then (return (local.get $sum))))
    (if (ref.test (ref i31) (local.get $r)) (then
      (local.set $sum (i32.add (local.get $sum) (i31.get_s (ref.cast i31ref (local.get $r)))))))
    (if (ref.test (ref $node) (local.get $r)) (then
      (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 7)) (i32.add
        (struct.get $node $n (ref.cast (ref $node) (local.get $r)))
        (call $walk (struct.get $node $next (ref.cast (ref $node) (local.get $r)))
          (i32.sub (local.get $deep) (i32.const 1))))))))
    (if (ref.test (ref $pair) (local.get $r)) (then
      (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 5)) (i32.add
        (struct.get_s $pair $small (ref.cast (ref $pair) (local.get $r)))
        (call $walk (struct.get $pair $other (ref.cast (ref $pair) (local.get $r)))
          (i32.sub (local.get $deep) (i32.const 2))))))))
    (if (ref.test (ref $wide) (local.get $r)) (then
      (local.set $sum (i32.add (local.get $sum) (i32.wrap_i64 (i64.xor
        (struct.get $wide $l (ref.cast (ref $wide) (local.get $r)))
        (i64.reinterpret_f64 (struct.get $wide $d (ref.cast (ref $wide) (local.get $r))))))))))
    (block $no (result anyref)
      (local.set $a (br_on_cast_fail $no anyref (ref $refs) (local.get $r)))
      (loop $more
        (if (i32.lt_u (local.get $i) (array.len (local.get $a))) (then
          (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 3))
            (call $walk (array.get $refs (local.get $a) (local.get $i)) (i32.const 0))))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br $more))))
      (ref.null any))
    drop
    (local.get $sum))
  (func $rubbish (param $n i32)
    (local $a anyref)
    (loop $more
      (local.set $a (array.new $refs (local.get $a) (i32.rem_u (local.get $n) (i32.const 90))))
      (local.set $a (struct.new $node (local.get $n) (local.get $a)))
      (if (i32.eqz (i32.and (local.get $n) (i32.const 15)))
        (then (local.set $a (ref.null none))))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_if $more (local.get $n))))
  (func (export "run") (result i32)
"""


def program(seed: int, steps: int = 60) -> str:
    """The program of a seed."""
    rng = random.Random(seed)
    lines = [HEAD]

    def slot() -> str:
        return f"(i32.const {rng.randrange(SLOTS)})"

    def read() -> str:
        return f"(table.get $t {slot()})"

    def number() -> str:
        return f"(i32.const {rng.choice((0, 1, -1, rng.randrange(-(1 << 31), 1 << 31)))})"

    def small() -> str:
        return f"(i32.const {rng.choice((0, 1, 2, 3, 17, 300, 5000))})"

    def made() -> str:
        return rng.choice(
            (
                lambda: f"(struct.new $node {number()} {read()})",
                lambda: f"(struct.new $pair {number()} {read()} {read()} {number()})",
                lambda: (
                    f"(struct.new $wide {number()} {read()}"
                    f" (i64.const {rng.getrandbits(63)}) (f64.const {rng.random()}))"
                ),
                lambda: f"(array.new $refs {read()} {small()})",
                lambda: f"(array.new_default $longs {small()})",
                lambda: f"(array.new_fixed $refs 3 {read()} {read()} {read()})",
                lambda: f"(array.new $shorts {number()} {small()})",
                lambda: f"(ref.i31 {number()})",
                lambda: f"(any.convert_extern (extern.convert_any {read()}))",
                lambda: "(ref.null any)",
            )
        )()

    def guarded(type_: str, body: str) -> str:
        """Something done to a slot's object if it is of a type, which ``OBJECT`` stands for."""
        object_ = f"(ref {type_}) (table.get $t {slot()})"
        body = body.replace("OBJECT", f"(ref.cast {object_})")
        return f"(if (ref.test {object_}) (then {body}))"

    def changed() -> str:
        index = f"(i32.const {rng.randrange(4)})"
        return rng.choice(
            (
                lambda: guarded("$node", f"(struct.set $node $next OBJECT {read()})"),
                lambda: guarded("$node", f"(struct.set $node $n OBJECT {number()})"),
                lambda: guarded("$pair", f"(struct.set $pair $other OBJECT {read()})"),
                lambda: guarded("$pair", f"(struct.set $pair $small OBJECT {number()})"),
                lambda: guarded(
                    "$refs",
                    f"(if (i32.gt_u (array.len OBJECT) (i32.const 4)) (then"
                    f" (array.set $refs OBJECT {index} {read()})"
                    f" (array.copy $refs $refs OBJECT (i32.const 1) OBJECT {index} (i32.const 1))"
                    f" (array.fill $refs OBJECT (i32.const 3) {read()} (i32.const 1))))",
                ),
                lambda: guarded(
                    "$shorts",
                    "(if (array.len OBJECT) (then"
                    f" (array.set $shorts OBJECT (i32.const 0) {number()})"
                    f" (call $note (array.get_s $shorts OBJECT (i32.const 0)))))",
                ),
                lambda: f"(call $note (call $length {slot()}))",
                lambda: (
                    f"(call $note (ref.eq (ref.cast eqref {read()}) (ref.cast eqref {read()})))"
                ),
            )
        )()

    for _ in range(steps):
        lines.append(f"    (table.set $t {slot()} {made()})")
        lines.append(f"    {changed()}")
        if rng.random() < 0.3:
            lines.append(f"    (call $rubbish (i32.const {rng.choice((10, 500, 4000))}))")
        if rng.random() < 0.3:
            lines.append(f"    (call $note (call $walk {read()} (i32.const 6)))")
    lines += [
        f"    (call $note (call $walk (table.get $t (i32.const {x})) (i32.const 5)))"
        for x in range(SLOTS)
    ]
    lines.append("    (global.get $sum)))")
    return "\n".join(lines)
