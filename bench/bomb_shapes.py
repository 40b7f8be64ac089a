"""Modules that are cheap to write and dear to compile: a corpus of shapes, each at any size.

A shape is a function from a size to the text of a module that exports ``run : (i32) -> i32``.  The
parameter says how often the code is to run, so that engines find it hot.  ``SHAPES`` gives each its
own measure of size, chosen so that the sizes of ``bombs.py`` are alike in bytes.
"""

from __future__ import annotations

import random
from collections.abc import Callable

Shape = Callable[[int], str]


def _loop(body: str, locals_: str = "") -> str:
    """A module whose ``run`` executes ``body`` as often as its parameter says."""
    return f"""(module (memory 1) (func (export "run") (param $n i32) (result i32)
      (local $acc i32) {locals_}
      (loop $again
        {body}
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br_if $again (i32.gt_s (local.get $n) (i32.const 0))))
      (local.get $acc)))"""


def _functions(functions: str, call: str) -> str:
    """A module whose ``run`` calls others as often as its parameter says."""
    return f"""(module (memory 1) {functions}
      (func (export "run") (param $n i32) (result i32) (local $acc i32)
        (loop $again
          (local.set $acc (i32.xor (local.get $acc) {call}))
          (local.set $n (i32.sub (local.get $n) (i32.const 1)))
          (br_if $again (i32.gt_s (local.get $n) (i32.const 0))))
        (local.get $acc)))"""


def _locals(count: int, type_: str = "i32") -> str:
    return "(local " + " ".join([type_] * count) + ")"


def locals_and_ifs(size: int) -> str:
    """Thousands of locals, each assigned under conditions: phis everywhere."""
    count = max(8, size // 4)
    body = [
        f"(if (i32.and (local.get $n) (i32.const {i + 1})) (then"
        f" (local.set {2 + i % count} (i32.add (local.get {2 + (i * 7) % count}) (local.get $n)))))"
        for i in range(size)
    ]
    uses = [
        f"(local.set $acc (i32.xor (local.get $acc) (local.get {2 + i})))" for i in range(count)
    ]
    return _loop("\n".join(body + uses), _locals(count))


def diamonds(size: int) -> str:
    """If-else after if-else, all locals changed on both sides."""
    count = 40
    body = []
    for i in range(size):
        a, b, c = 2 + i % count, 2 + (i * 3 + 1) % count, 2 + (i * 5 + 2) % count
        body.append(
            f"(if (i32.lt_s (local.get {a}) (local.get {b}))"
            f" (then (local.set {c} (i32.add (local.get {a}) (i32.const {i}))))"
            f" (else (local.set {b} (i32.mul (local.get {c}) (i32.const 3)))))"
        )
    body.append(f"(local.set $acc (i32.xor (local.get $acc) (local.get {1 + count})))")
    return _loop("\n".join(body), _locals(count))


def switch_fan_out(size: int) -> str:
    """One ``br_table`` with a target for every case, as the loop of an interpreter has."""
    labels = " ".join(f"$c{i}" for i in range(size))
    text = f"(br_table {labels} $c0 (i32.rem_u (local.get $n) (i32.const {size})))"
    for i in range(size):
        text = (
            f"(block $c{i} {text})"
            f"(local.set {2 + i % 16} (i32.add (local.get {2 + (i + 5) % 16}) (i32.const {i})))"
        )
    text = f"(block $out {text})(local.set $acc (i32.add (local.get $acc) (local.get 2)))"
    return _loop(text, _locals(16))


def switch_machine(size: int) -> str:
    """A state machine whose states jump into one another through a switch in a loop."""
    rng = random.Random(size)
    labels = " ".join(f"$s{i}" for i in range(size))
    text = f"(br_table {labels} $s0 (local.get $state))"
    for i in range(size):
        one, other = rng.randrange(size), rng.randrange(size)
        text = (
            f"(block $s{i} {text})"
            f"(local.set {3 + i % 8} (i32.add (local.get {3 + (i + 3) % 8}) (local.get $n)))"
            f"(local.set $n (i32.sub (local.get $n) (i32.const 1)))"
            f"(br_if $done (i32.le_s (local.get $n) (i32.const 0)))"
            f"(local.set $state (select (i32.const {one}) (i32.const {other})"
            f" (i32.and (local.get {3 + i % 8}) (i32.const 1))))(br $machine)"
        )
    body = f"(block $done (loop $machine {text}))(local.set $acc (local.get 3))"
    return _loop(body, f"(local $state i32) {_locals(8)}")


def deep_blocks(size: int) -> str:
    """Blocks in blocks, with branches out of all of them."""
    text = "(nop)"
    for i in range(size):
        text = (
            f"(block {text} (br_if {i % 7 if i < size - 8 else 0}"
            f" (i32.eq (local.get $n) (i32.const {i})))"
            f" (local.set $acc (i32.add (local.get $acc) (i32.const {i}))))"
        )
    return _loop(text)


def deep_loops(size: int) -> str:
    """Loops in loops."""
    text = "(local.set $acc (i32.add (local.get $acc) (local.get $n)))"
    for i in range(size):
        text = (
            f"(loop {text} (local.set {2 + i} (i32.add (local.get {2 + i}) (i32.const 1)))"
            f" (br_if 0 (i32.eq (local.get {2 + i}) (i32.const 100000))))"
        )
    return _loop(text, _locals(size))


def many_loops(size: int) -> str:
    """Loops after loops, each inviting to be unrolled and vectorised."""
    body = [
        f"(local.set 2 (i32.const 0))"
        f"(loop (i32.store offset={64 * (i % 500)} (i32.shl (local.get 2) (i32.const 2))"
        f" (i32.add (i32.load offset={32 * (i % 900)} (i32.shl (local.get 2) (i32.const 2)))"
        f" (i32.const {i}))) (local.set 2 (i32.add (local.get 2) (i32.const 1)))"
        f" (br_if 0 (i32.lt_u (local.get 2) (i32.const 8))))"
        for i in range(size)
    ]
    return _loop("\n".join(body), _locals(1))


def multi_value_tower(size: int) -> str:
    """Blocks that take and give many values."""
    width = 50
    type_ = f"(param {' '.join(['i32'] * width)}) (result {' '.join(['i32'] * width)})"
    body = [" ".join(["(local.get $n)"] * width)]
    for i in range(size):
        odd = f"(i32.and (local.get $n) (i32.const {1 << i % 20}))"
        body.append(
            f"(block {type_} (i32.const {i}) (i32.add) (br_if 0 {odd}) (i32.const 3) (i32.mul))"
        )
    body.append("(i32.add) " * (width - 1) + "(local.set $acc)")
    return _loop("\n".join(body))


def straight_line(size: int) -> str:
    """One block of arithmetic without an end."""
    rng = random.Random(size)
    body = [
        f"(local.set {2 + i % 64} (i32.{rng.choice(('add', 'xor', 'mul', 'sub', 'rotl'))}"
        f" (local.get {2 + rng.randrange(64)}) (local.get {2 + rng.randrange(64)})))"
        for i in range(size)
    ]
    body.append("(local.set $acc (i32.add (local.get 2) (local.get 40)))")
    return _loop("\n".join(body), _locals(64))


def loads_and_stores(size: int) -> str:
    """Accesses of which none can be told from another."""
    rng = random.Random(size)
    body = [
        f"(i32.store (i32.and (local.get {2 + rng.randrange(16)}) (i32.const 0xfffc))"
        f" (i32.add (i32.load (i32.and (local.get {2 + rng.randrange(16)}) (i32.const 0xfffc)))"
        f" (i32.const {i})))"
        f"(local.set {2 + i % 16} (i32.add (local.get {2 + i % 16}) (i32.const {4 * i})))"
        for i in range(size)
    ]
    return _loop("\n".join(body), _locals(16))


def rotating_locals(size: int) -> str:
    """All locals change places in every turn of a loop."""
    body = ["(local.get 2)"]
    body += [f"(local.set {2 + i} (local.get {3 + i}))" for i in range(size - 1)]
    body += [f"(local.set {1 + size})", "(local.set $acc (i32.add (local.get $acc) (local.get 2)))"]
    body.insert(0, "(local.set 2 (i32.add (local.get 2) (local.get $n)))")
    return _loop("\n".join(body), _locals(size))


def selects(size: int) -> str:
    """Choices upon choices."""
    body = [
        f"(local.set {2 + i % 32} (select (local.get {2 + (i * 3) % 32})"
        f" (i32.add (local.get {2 + (i * 5 + 1) % 32}) (i32.const {i}))"
        f" (i32.lt_s (local.get {2 + (i * 7 + 2) % 32}) (local.get $n))))"
        for i in range(size)
    ]
    body.append("(local.set $acc (local.get 2))")
    return _loop("\n".join(body), _locals(32))


def huge_constants(size: int) -> str:
    """Constants that fit into no instruction."""
    rng = random.Random(size)
    body = [
        f"(local.set {2 + i % 8} (i64.xor (local.get {2 + (i + 1) % 8})"
        f" (i64.mul (local.get {2 + i % 8}) (i64.const {rng.getrandbits(63)}))))"
        for i in range(size)
    ]
    body.append("(local.set $acc (i32.wrap_i64 (local.get 2)))")
    return _loop("\n".join(body), _locals(8, "i64"))


def simd_chain(size: int) -> str:
    """Vector operations that need many instructions each."""
    kinds = (
        "(i8x16.swizzle {a} {b})",
        "(i16x8.q15mulr_sat_s {a} {b})",
        "(i8x16.shuffle 3 17 5 22 9 30 1 0 16 8 24 12 4 20 28 31 {a} {b})",
        "(i64x2.mul {a} {b})",
        "(i8x16.popcnt (v128.xor {a} {b}))",
        "(f32x4.min {a} {b})",
        "(i32x4.trunc_sat_f32x4_u {a})",
        "(i8x16.shr_s {a} (local.get $n))",
    )
    body = []
    for i in range(size):
        a, b = f"(local.get {2 + i % 12})", f"(local.get {2 + (i * 5 + 3) % 12})"
        op = kinds[i % len(kinds)].format(a=a, b=b)
        body.append(f"(local.set {2 + (i * 7 + 1) % 12} {op})")
    body.append("(local.set $acc (i32x4.extract_lane 1 (local.get 2)))")
    return _loop("\n".join(body), _locals(12, "v128"))


def float_divisions(size: int) -> str:
    """Slow arithmetic whose order may not change."""
    body = [
        f"(local.set {2 + i % 8} (f64.div (f64.sqrt (f64.abs (local.get {2 + (i + 3) % 8})))"
        f" (f64.add (local.get {2 + (i + 5) % 8}) (f64.const {i}.5))))"
        for i in range(size)
    ]
    body.append("(local.set $acc (i32.trunc_sat_f64_s (local.get 2)))")
    return _loop("\n".join(body), _locals(8, "f64"))


def many_functions(size: int) -> str:
    """Tiny functions, each of which calls the next."""
    functions = ["(func $f0 (param i32) (result i32) (local.get 0))"]
    functions += [
        f"(func $f{i} (param i32) (result i32)"
        f" (i32.add (call $f{i - 1} (local.get 0)) (i32.const {i})))"
        for i in range(1, size)
    ]
    return _functions("\n".join(functions), f"(call $f{size - 1} (local.get $n))")


def inliner_tower(size: int) -> str:
    """Every function calls the one below twice: inlined, that doubles and doubles."""
    functions = ["(func $f0 (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3)))"]
    for i in range(1, size):
        below = f"$f{i - 1}" if i % 16 else "$f0"
        functions.append(
            f"(func $f{i} (param i32) (result i32)"
            f" (i32.add (call {below} (i32.add (local.get 0) (i32.const {i})))"
            f" (if (result i32) (i32.and (local.get 0) (i32.const {1 << i % 16}))"
            f" (then (call {below} (local.get 0))) (else (i32.const {i})))))"
        )
    return _functions("\n".join(functions), f"(call $f{size - 1} (local.get $n))")


def many_parameters(size: int) -> str:
    """Calls that pass hundreds of values."""
    width = 100
    params = " ".join(["i32"] * width)
    functions = [f"(func $f0 (param {params}) (result i32) (i32.add (local.get 0) (local.get 99)))"]
    for i in range(1, size):
        values = " ".join(f"(local.get {(j * 7 + i) % width})" for j in range(width))
        functions.append(f"(func $f{i} (param {params}) (result i32) (call $f{i - 1} {values}))")
    values = " ".join(["(local.get $n)"] * width)
    return _functions("\n".join(functions), f"(call $f{size - 1} {values})")


def indirect_calls(size: int) -> str:
    """Calls through a table, each with its check."""
    head = """(type $t (func (param i32) (result i32))) (table funcref (elem $a $b))
      (func $a (type $t) (i32.add (local.get 0) (i32.const 1)))
      (func $b (type $t) (i32.mul (local.get 0) (i32.const 5)))"""
    body = "(local.get 0)"
    body += "".join(
        f"(call_indirect (type $t) (i32.and (local.get 0) (i32.const {1 & i})))"
        for i in range(size)
    )
    return _functions(f"{head}(func $f (type $t) {body})", "(call $f (local.get $n))")


def nested_handlers(size: int) -> str:
    """Handlers around handlers, every call of which may land in each."""
    text = "(call $may (local.get $n))"
    for i in range(size):
        text = (
            f"(block $h (try_table (catch $e $h) {text})"
            f" (local.set $acc (i32.add (local.get $acc) (i32.const {i}))))"
        )
    head = """(tag $e)
      (func $may (param i32)
        (if (i32.eqz (i32.and (local.get 0) (i32.const 7))) (then (throw $e))))"""
    return _loop(text).replace("(memory 1)", f"(memory 1) {head}", 1)


def type_tower(size: int) -> str:
    """Types beneath types, each with a field more, and an object of each that is cast down."""
    depth = 60  # the most that is valid
    types = "(type $s0 (sub (struct (field (mut i32)))))"
    for i in range(1, depth):
        types += f"(type $s{i} (sub $s{i - 1} (struct{' (field (mut i32))' * (i + 1)})))"
    body = []
    for i in range(size):
        deep, up = 1 + i * 7 % (depth - 1), i * 5 % depth
        body.append(
            f"(local.set $r (struct.new_default $s{deep}))"
            f"(struct.set $s{deep} {deep} (ref.cast (ref $s{deep}) (local.get $r)) (local.get $n))"
            f"(local.set $acc (i32.add (local.get $acc)"
            f" (ref.test (ref $s{up}) (local.get $r))))"
        )
    text = _loop("\n".join(body), "(local $r (ref null $s0))")
    return text.replace("(memory 1)", f"(memory 1) {types}", 1)


def cast_chain(size: int) -> str:
    """Branches on casts, one behind the other, out of one block and into the next."""
    types = "".join(
        f"(type $t{i} (sub {f'$t{i - 1}' if i else ''} (struct (field i32))))" for i in range(16)
    )
    body = [
        f"(local.set $r (block $b (result anyref)"
        f" (br_on_cast $b anyref (ref null $t{i % 16}) (local.get $r)) (drop)"
        f" (local.set $acc (i32.add (local.get $acc) (i32.const {i})))"
        f" (struct.new $t{(i * 5 + 3) % 16} (local.get $acc))))"
        for i in range(size)
    ]
    body.insert(0, "(local.set $r (struct.new $t7 (local.get $n)))")
    text = _loop("\n".join(body), "(local $r anyref)")
    return text.replace("(memory 1)", f"(memory 1) {types}", 1)


def huge_segments(size: int) -> str:
    """Bytes and functions by the thousand in segments, for a table and a memory."""
    rng = random.Random(size)
    elements = " ".join(f"$f{rng.randrange(8)}" for _ in range(size // 2))
    data = "".join(f"\\{rng.randrange(256):02x}" for _ in range(size // 2))
    functions = "".join(
        f"(func $f{i} (type $t) (i32.add (local.get 0) (i32.const {i})))" for i in range(8)
    )
    head = f"""(type $t (func (param i32) (result i32)))
      (table funcref (elem {elements})) (data (i32.const 0) "{data[: 65536 * 3]}") {functions}"""
    index = f"(i32.rem_u (local.get $n) (i32.const {size // 2}))"
    return _functions(head, f"(call_indirect (type $t) (local.get $n) {index})")


def hot_loops(size: int) -> str:
    """Thousands of functions, each with a loop that is hot."""
    functions = [
        f"""(func $f{i} (param i32) (result i32) (local i32 i32) (local.set 1 (i32.const 400))
        (loop $l (local.set 2 (i32.xor (local.get 2) (i32.mul (local.get 1) (i32.const {i + 3}))))
          (br_if $l (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))
        (i32.add (local.get 0) (local.get 2)))"""
        for i in range(size)
    ]
    calls = "(local.get $n)"
    body = "".join(f"(local.set $x (call $f{i} (local.get $x)))" for i in range(size))
    functions.append(f"(func $all (param $x i32) (result i32) {body} (local.get $x))")
    return _functions("\n".join(functions), f"(call $all {calls})")


def loops_to_enter(size: int) -> str:
    """One function of many loops, each of which is hot by itself and wants to be entered."""
    body = [
        f"(local.set 2 (i32.const 5000))"
        f"(loop (local.set $acc (i32.xor (local.get $acc) (i32.add (local.get 2) (i32.const {i}))))"
        f" (br_if 0 (local.tee 2 (i32.sub (local.get 2) (i32.const 1)))))"
        for i in range(size)
    ]
    return _loop("\n".join(body), _locals(1))


def constant_expression(size: int) -> str:
    """A global whose first value is a sum without an end."""
    sum_ = "(i32.const 1)" + "".join(f" (i32.const {i % 64}) (i32.add)" for i in range(size))
    text = _loop("(local.set $acc (i32.add (local.get $acc) (global.get $g)))")
    return text.replace("(memory 1)", f"(memory 1) (global $g i32 {sum_})", 1)


def indirect_tower(size: int) -> str:
    """Every function calls two others through references, each of which is likely."""
    functions = ["(type $t (func (param i32) (result i32)))"]
    functions += ["(func $f0 (type $t) (i32.mul (local.get 0) (i32.const 3)))"]
    for i in range(1, size):
        one, other = (f"$f{i - 1}", f"$f{i // 2}") if i % 12 else ("$f0", "$f0")
        functions.append(
            f"(func $f{i} (type $t) (i32.add (call_ref $t (local.get 0) (ref.func {one}))"
            f" (if (result i32) (i32.and (local.get 0) (i32.const {1 << i % 16}))"
            f" (then (call_indirect (type $t) (local.get 0) (i32.const {i // 2})))"
            f" (else (call_ref $t (i32.const {i}) (ref.func {other if i % 3 else '$f0'}))))))"
        )
    names = " ".join(f"$f{i % 12}" for i in range(size))
    functions.append(f"(table funcref (elem {names}))")
    all_ = " ".join(f"$f{i}" for i in range(size))
    functions.append(f"(elem declare func {all_})")
    return _functions("\n".join(functions), f"(call $f{min(size - 1, 11)} (local.get $n))")


def tables_of_one(size: int) -> str:
    """Switch behind switch, all of whose many cases lead to the same few places."""
    cases = 200
    body = []
    for i in range(size):
        labels = " ".join("$a" if j * (i + 3) % 5 else "$b" for j in range(cases))
        body.append(
            f"(block $a (block $b (br_table {labels} $b"
            f" (i32.rem_u (i32.add (local.get $n) (i32.const {i})) (i32.const {cases}))))"
            f" (local.set {2 + i % 8} (i32.add (local.get {2 + (i + 1) % 8}) (local.get $n))))"
        )
    body.append("(local.set $acc (i32.xor (local.get $acc) (local.get 2)))")
    return _loop("\n".join(body), _locals(8))


def handlers_in_loops(size: int) -> str:
    """Loops with handlers, behind each other, that share their variables."""
    body = [
        f"(local.set 2 (i32.const 3)) (loop $l{i} (block $h{i} (try_table (catch_all $h{i})"
        f" (call $may (local.get 2)) (local.set {3 + i % 12}"
        f" (i32.add (local.get {3 + (i + 5) % 12}) (i32.const {i})))))"
        f" (br_if $l{i} (local.tee 2 (i32.sub (local.get 2) (i32.const 1)))))"
        for i in range(size)
    ]
    body.append("(local.set $acc (i32.add (local.get $acc) (local.get 3)))")
    head = """(tag $e) (func $may (param i32)
        (if (i32.eq (local.get 0) (i32.const 2)) (then (throw $e))))"""
    text = _loop("\n".join(body), _locals(13))
    return text.replace("(memory 1)", f"(memory 1) {head}", 1)


# The shapes, each with how many bytes of binary a unit of its size is, about.
SHAPES: dict[str, tuple[Shape, float]] = {
    "locals and ifs": (locals_and_ifs, 18.5),
    "diamonds": (diamonds, 24),
    "switch fan-out": (switch_fan_out, 21),
    "switch machine": (switch_machine, 51),
    "deep blocks": (deep_blocks, 19),
    "deep loops": (deep_loops, 21),
    "many loops": (many_loops, 46),
    "multi-value tower": (multi_value_tower, 19),
    "straight line": (straight_line, 7.2),
    "loads and stores": (loads_and_stores, 35),
    "rotating locals": (rotating_locals, 6.2),
    "selects": (selects, 16),
    "huge constants": (huge_constants, 18.5),
    "SIMD chain": (simd_chain, 11),
    "float divisions": (float_divisions, 21),
    "many functions": (many_functions, 21),
    "inliner tower": (inliner_tower, 39),
    "many parameters": (many_parameters, 208),
    "indirect calls": (indirect_calls, 8),
    "nested handlers": (nested_handlers, 22),
    "type tower": (type_tower, 27.5),
    "cast chain": (cast_chain, 31),
    "huge segments": (huge_segments, 1),
    "hot loops": (hot_loops, 59),
    "loops to enter": (loops_to_enter, 29),
    "constant expression": (constant_expression, 3),
    "indirect tower": (indirect_tower, 48),
    "tables of one": (tables_of_one, 226),
    "handlers in loops": (handlers_in_loops, 52),
}


def module_of(name: str, bytes_: int) -> str:
    """The text of a shape's module of about so many bytes of binary."""
    shape, unit = SHAPES[name]
    return shape(max(4, round(bytes_ / unit)))
