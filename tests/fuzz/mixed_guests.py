"""Modules made at random whose functions call each other in every way there is.

What they compute matters little: how they get from one to the other is what is tested.  They call
directly, through a table, by tail calls, the host and through it themselves; they throw, catch,
trap and fault; parameters are of all types, in registers and beyond.
"""

import random

TYPES = ("i32", "i64", "f32", "f64", "v128", "externref")
# Locals behind the parameters: one of each type, a counter, an exception.
LOCALS = {"i32": "$i", "i64": "$l", "f32": "$s", "f64": "$d", "v128": "$v", "externref": "$r"}
ZEROS = {"externref": "(ref.null extern)", "v128": "(v128.const i64x2 0 0)"}


class Guest:
    """One module; ``text`` is the whole."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        r = self.random
        self.functions = [self._signature() for _ in range(r.randint(4, 9))]
        # Some have the type of another, so that tables and tail calls find them.
        for i in range(1, len(self.functions)):
            if r.random() < 0.5:
                self.functions[i] = r.choice(self.functions[:i])
        bodies = "\n".join(self._function(i) for i in range(len(self.functions)))
        self.text = f"""(module
  (import "m" "host" (func $host (param i32 i32) (result i32)))
  (memory 1)
  (tag $e (export "e") (param i32))
  (tag $o (param externref f64))
  (table $t funcref (elem {" ".join(f"$f{i}" for i in range(len(self.functions)))} $host))
  (global $limit (export "limit") (mut i32) (i32.const 300))
  (global $left (export "left") (mut i32) (i32.const 0))
  (global $sum (export "sum") (mut i64) (i64.const 0))
{bodies}
  (func (export "run") (param $n i32) (param $x i32) (result i32)
    {self._locals()}
    (global.set $left (global.get $limit))
    (local.set $i (local.get $x))
    {self._call(r.randrange(len(self.functions)), tail=False)}
    (i32.add (local.get $i) (i32.wrap_i64 (local.get $l))))
  (func (export "again") (param $n i32) (param $x i32) (result i32)
    {self._locals()}
    (local.set $i (local.get $x))
    {self._call(r.randrange(len(self.functions)), tail=False)}
    (local.get $i)))"""

    def _signature(self):
        r = self.random
        params = tuple(r.choice(TYPES) for _ in range(r.choice((0, 1, 2, 3, 5, 8))))
        return params, tuple(r.choice(TYPES) for _ in range(r.choice((0, 1, 1, 1, 1, 2, 3))))

    def _locals(self):
        return " ".join(f"(local {name} {ty})" for ty, name in LOCALS.items()) + (
            " (local $k i32) (local $x0 exnref)"
        )

    def _function(self, index):
        params, results = self.functions[index]
        head = " ".join(f"(param $p{i} {ty})" for i, ty in enumerate(params))
        head += "".join(f" (result {ty})" for ty in results)
        taken = "".join(
            f"(local.set {LOCALS[ty]} (local.get $p{i}))" for i, ty in enumerate(params)
        )
        body = "\n    ".join(self._statement(3, index) for _ in range(self.random.randint(2, 5)))
        leave = "".join(f"(local.get {LOCALS[ty]})" for ty in results)
        return f"""  (func $f{index} (param $n i32) {head}
    {self._locals()}
    {taken}
    (global.set $left (i32.sub (global.get $left) (i32.const 1)))
    (if (i32.or (i32.le_s (local.get $n) (i32.const 0))
                (i32.lt_s (global.get $left) (i32.const 0)))
      (then {leave} return))
    {body}
    {leave})"""

    def _value(self, ty, depth=2):
        """An expression of a type."""
        r = self.random
        if depth == 0 or r.random() < 0.4:
            return f"(local.get {LOCALS[ty]})" if r.random() < 0.8 else self._constant(ty)

        def sub(t):
            return self._value(t, depth - 1)

        match ty:
            case "i32":
                op = r.choice(("add", "sub", "mul", "xor", "and"))
                other = r.choice(
                    (
                        f"(i32.wrap_i64 {sub('i64')})",
                        sub("i32"),
                        f"(i32x4.extract_lane 1 {sub('v128')})",
                        f"(ref.is_null {sub('externref')})",
                        f"(i32.trunc_sat_f64_s {sub('f64')})",
                    )
                )
                return f"(i32.{op} {sub('i32')} {other})"
            case "i64":
                op = r.choice(("add", "mul", "xor"))
                return f"(i64.{op} {sub('i64')} (i64.extend_i32_s {sub('i32')}))"
            case "f32":
                return f"(f32.add (f32.convert_i32_s {sub('i32')}) (f32.const 0.5))"
            case "f64":
                other = f"(f64.promote_f32 (f32.convert_i32_u {sub('i32')}))"
                return f"(f64.sub (f64.convert_i32_s {sub('i32')}) {other})"
            case "v128":
                return f"(i32x4.add {sub('v128')} (i32x4.splat {sub('i32')}))"
        return f"(select (result externref) {sub(ty)} {sub(ty)} {sub('i32')})"

    def _constant(self, ty):
        n = self.random.randint(-9, 99)
        return ZEROS.get(ty) or f"({ty}.const {n})"

    def _statement(self, depth, index):
        r = self.random
        kind = r.choice(
            (
                "set",
                "call",
                "call",
                "call",
                "host",
                "if",
                "try",
                "try",
                "loop",
                "leave",
                "trap",
                "trap",
            )
        )
        if depth == 0 and kind in ("if", "try", "loop"):
            kind = "call"
        match kind:
            case "set":
                ty = r.choice(TYPES)
                return f"(local.set {LOCALS[ty]} {self._value(ty)})"
            case "call":
                return self._call(r.randrange(len(self.functions)), tail=False)
            case "host":
                return (
                    f"(local.set $i (call $host (local.get $n) {self._value('i32')}))"
                    "(global.set $sum"
                    " (i64.add (global.get $sum) (i64.extend_i32_s (local.get $i))))"
                )
            case "if":
                yes, no = (self._statement(depth - 1, index) for _ in range(2))
                return f"(if {self._value('i32')} (then {yes}) (else {no}))"
            case "try":
                return self._try(depth, index)
            case "loop":
                label = f"$again{r.randrange(10**9)}"
                return f"""(local.set $k (i32.const {r.randint(1, 3)}))
    (loop {label} {self._statement(depth - 1, index)}
      (br_if {label} (i32.gt_s
        (local.tee $k (i32.sub (local.get $k) (i32.const 1))) (i32.const 0))))"""
            case "leave":
                same = [i for i, s in enumerate(self.functions) if s[1] == self.functions[index][1]]
                return f"(if {self._rarely(4)} (then {self._call(r.choice(same), tail=True)}))"
        what = r.choice(
            (
                "unreachable",
                "(drop (i32.load (i32.const 0x7fffff00)))",
                "(drop (i32.div_s (local.get $i) (i32.const 0)))",
                "(throw $e (local.get $i))",
                "(throw $o (local.get $r) (local.get $d))",
            )
        )
        return f"(if {self._rarely(4)} (then {what}))"

    def _rarely(self, n):
        low = f"(i32.and {self._value('i32')} (i32.const {n - 1}))"
        return f"(i32.eq {low} (i32.const {self.random.randrange(n)}))"

    def _try(self, depth, index):
        r = self.random
        label = f"$h{r.randrange(10**9)}"
        inner = " ".join(self._statement(depth - 1, index) for _ in range(r.randint(1, 2)))
        match r.randrange(5):
            case 0:
                return f"""(block {label} (result i32)
        (try_table (catch $e {label}) {inner}) (i32.const 5)) (local.set $i)"""
            case 1:
                return f"(block {label} (try_table (catch_all {label}) {inner}))"
            case 2:
                return f"""(block {label} (result externref f64)
        (try_table (catch $o {label}) {inner})
        (local.get $r) (local.get $d)) (local.set $d) (local.set $r)"""
            case 3:
                again = f"(if {self._rarely(2)} (then (throw_ref (local.get $x0))))"
                return f"""(block $done{label[1:]} (block {label} (result i32 exnref)
        (try_table (catch_ref $e {label}) {inner}) (br $done{label[1:]}))
        (local.set $x0) (local.set $i) {again})"""
        return f"""(block $done{label[1:]} (block {label} (result exnref)
        (try_table (catch_all_ref {label}) {inner}) (br $done{label[1:]})) (local.set $x0)
        (if {self._rarely(2)} (then (throw_ref (local.get $x0)))))"""

    def _call(self, callee, *, tail):
        r = self.random
        params, results = self.functions[callee]
        values = "(i32.sub (local.get $n) (i32.const 1)) " + " ".join(
            self._value(t) for t in params
        )
        word = "return_call" if tail else "call"
        if r.random() < 0.4:
            index = callee if r.random() < 0.95 else r.randrange(len(self.functions) + 3)
            ty = "(param i32" + "".join(f" {t}" for t in params) + ")"
            ty += f" (result{''.join(f' {t}' for t in results)})" if results else ""
            text = f"({word}_indirect $t {ty} {values} (i32.const {index}))"
        else:
            text = f"({word} $f{callee} {values})"
        if tail:
            return text
        return text + "".join(f"(local.set {LOCALS[t]})" for t in reversed(results))
