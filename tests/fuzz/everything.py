"""Random modules that reach every part of WebAssembly: text, and nothing but the seed decides.

Numeric, vector and memory instructions are taken from the instruction table, so that whatever is
added there is in the next programs.  A program always ends: calls and loops take from ``$budget``,
which the host sets before each call, and recursion may go on until there are no frames left.  What
it computes goes into globals, a memory and tables, where whoever compares programs looks.

Only bits that the specification settles are looked at: what may be a NaN goes through ``$f32``,
``$f64`` or ``$v32``, ``$v64``, which make it the canonical one, unless the engine does that.
"""

from __future__ import annotations

import random

from tests.fuzz.everything_text import HELPERS, TYPES_TEXT
from tests.fuzz.everything_values import (
    ELEMENTS,
    FIELDS,
    NUMBERS,
    OBJECTS,
    SLOTS,
    Theme,
    Values,
    list_of,
)

EXPORTS = 5
DATA_BYTES = 64
MOST_NODES = 160  # of a function


class Everything(Values):
    """One program.

    Attributes:
        text: of the module, which exports ``run0``, ``run1``, …, each taking an i32 and an i64.
    """

    def __init__(self, seed: int, own_nans: bool = False) -> None:
        r = random.Random(seed)
        super().__init__(r, Theme(r, own_nans))
        self.functions = [self._signature() for _ in range(r.randrange(3, 8))]
        for x in range(1, len(self.functions)):
            if r.random() < 0.4:
                self.functions[x] = self.functions[r.randrange(x)]
        parts = [self._function(x) for x in range(len(self.functions))]
        parts += [self._export(x) for x in range(EXPORTS)]
        self.text = self._whole("\n".join(parts))

    # The module around the functions.

    def _whole(self, functions: str) -> str:
        r, theme = self.random, self.theme
        wide, shared = "i64 " if theme.wide else "", " shared" if theme.shared else ""
        names = " ".join(f"$f{x}" for x in range(len(self.functions)))
        data = "".join(f"\\{r.randrange(256):02x}" for _ in range(DATA_BYTES))
        head = f"""(module
  (import "m" "host" (func $host (param i32 i64) (result i32)))
  {TYPES_TEXT}
  {"".join(self._type(x) for x in range(len(self.functions)))}
  (memory $m0 (export "m0") {wide}1 3{shared})
  (memory $m1 (export "m1") 1 2)
  (table $t (export "t") {SLOTS + 4} {2 * SLOTS} funcref)
  (table $x (export "x") i64 {SLOTS} {2 * SLOTS} externref)
  (table $o {SLOTS} {2 * SLOTS} anyref)
  (elem (table $t) (i32.const 0) func {names} $host)
  (elem $e func {names} $host)
  (elem $i anyref (ref.i31 (i32.const {r.randrange(99)})) (ref.null any)
    (ref.i31 (i32.const -1)) (struct.new_default $s2))
  (elem declare func $host {names})
  (data (memory $m0) ({self.at}.const 100) "{data}")
  (data $d "{data}")
  (tag $e0 (param i32))
  (tag $e1 (param i64 f64))
  (tag $e2)
  (global $budget (export "budget") (mut i32) (i32.const 0))
  (global $calls (export "calls") (mut i32) (i32.const 0))
  (global $sum (export "sum") (mut i64) (i64.const 0))
"""
        for t in NUMBERS:
            head += f"  (global $g_{t} (mut {t}) {self._literal(t)})\n"
        head += """  (global $g_any (mut anyref) (ref.null any))
  (global $g_extern (mut externref) (ref.null extern))
  (global $g_func (mut funcref) (ref.func $host))
"""
        return f"{head}{HELPERS}{functions}\n{self._digest()})"

    def _signature(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        r = self.random
        params = tuple(r.choice(self.types) for _ in range(r.choice((0, 1, 2, 3, 4, 9))))
        return params, tuple(r.choice(self.types) for _ in range(r.choice((0, 1, 1, 1, 2, 4))))

    def _type(self, x: int) -> str:
        params, results = self.functions[x]
        return f"(type $t{x} (func{list_of('param', params)}{list_of('result', results)}))"

    def _digest(self) -> str:
        """What Python cannot see: all globals and tables, into ``$sum``."""
        lines = [f"(call $mix {self._as_i64('(global.get $g_' + t + ')', t)})" for t in NUMBERS]
        lines += ["(call $mix_any (global.get $g_any) (i32.const 3))"]
        lines += [
            f"(call $mix_any (table.get $o (i32.const {x})) (i32.const 2))" for x in range(SLOTS)
        ]
        lines += [
            f"(call $mix (i64.extend_i32_u (ref.is_null (table.get ${t} ({at}.const {x})))))"
            for t, at in (("t", "i32"), ("x", "i64"))
            for x in range(SLOTS)
        ]
        lines += ["(call $mix (table.size $x))"]
        lines += ["(call $mix (i64.extend_i32_u (table.size $t)))"]
        return f'(func (export "digest") {" ".join(lines)})'

    def _export(self, x: int) -> str:
        """Calls one of the functions with what it was given; what it gets goes into ``$sum``."""
        callee = self.random.randrange(len(self.functions))
        self.results = ()
        self._begin(("i32", "i64"), 40)
        body = [self._statement(2) for _ in range(self.random.randrange(3))]
        values = " ".join(self._value(t, 2) for t in self.functions[callee][0])
        body.append(f"(call $f{callee} {values})")
        body += [self._note(t) for t in reversed(self.functions[callee][1])]
        return (
            f'(func (export "run{x}") (param $p0 i32) (param $p1 i64)\n {self._declared()}\n '
            + "\n ".join(body)
            + ")"
        )

    def _note(self, t: str) -> str:
        """Mix what is on the stack into ``$sum``."""
        if t in NUMBERS:
            name = f"$n_{t}"
            return f"(local.set {name}) (call $mix {self._as_i64(f'(local.get {name})', t)})"
        if t in OBJECTS:
            return "(i32.const 3) (call $mix_any)"
        return "(ref.is_null) (i64.extend_i32_u) (call $mix)"

    def _function(self, x: int) -> str:
        r = self.random
        params, results = self.functions[x]
        self.results = results
        self._begin(params, r.choice((20, 60, MOST_NODES)))
        body = [self._statement(3) for _ in range(r.randrange(1, 7))]
        body += [self._value(t, 3) for t in results]
        names = "".join(f" (param $p{i} {t})" for i, t in enumerate(params))
        zeros = " ".join(self._zero(t) for t in results)
        deep = ""
        if self.theme.deep and r.random() < 0.5:
            # Whoever has a budget of more than this many calls goes down until there are no frames.
            values = " ".join(f"(local.get $p{i})" for i in range(len(params)))
            deep = f"""(if (i32.gt_s (global.get $budget) (i32.const 100000)) (then
    (call $f{x} {values}) {"(drop)" * len(results)}))"""
        return f"""(func $f{x} (type $t{x}){names}{list_of("result", results)}
  {self._declared()}
  (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
  (global.set $budget (i32.sub (global.get $budget) (i32.const 1)))
  (if (i32.lt_s (global.get $budget) (i32.const 0)) (then {zeros} (return)))
  {deep}
  {" ".join(body)})"""

    # Statements.

    def _statements(self, depth: int) -> str:
        return " ".join(self._statement(depth) for _ in range(self.random.randrange(3)))

    def _statement(self, depth: int) -> str:
        """Something that leaves the stack as it is."""
        r = self.random
        self.left -= 1
        if self.left < 0 or depth <= 0:
            return "(nop)"
        kinds = [self._set] * 6 + [self._store] * 3 + [self._global] * 2 + [self._loop] * 2
        kinds += [self._when, self._skip, self._switch, self._bulk, self._tables, self._void_call]
        kinds += [self._leave, self._noted]
        if self.theme.objects:
            kinds += [self._change] * 3
        if self.theme.exceptions:
            kinds += [self._throw, self._try]
        return r.choice(kinds)(depth - 1)

    def _set(self, depth: int) -> str:
        t = self.random.choice(self.types)
        return f"(local.set {self.random.choice(self.locals_of(t))} {self._value(t, depth)})"

    def _noted(self, depth: int) -> str:
        t = self.random.choice([t for t in self.types if t in NUMBERS])
        return f"(call $mix {self._as_i64(self._value(t, depth), t)})"

    def _store(self, depth: int) -> str:
        return self._touch(self.random.choice(self.stores), depth)

    def _global(self, depth: int) -> str:
        r = self.random
        t = r.choice([t for t in self.types if t in NUMBERS])
        name = f"$g_{t}"
        if r.random() < 0.3:
            t, name = r.choice(
                (("anyref", "$g_any"), ("externref", "$g_extern"), ("funcref", "$g_func"))
            )
            if t == "anyref" and not self.theme.objects:
                t, name = "funcref", "$g_func"
        return f"(global.set {name} {self._value(t, depth)})"

    def _loop(self, depth: int) -> str:
        label = f"$a{self.left}_{self.random.randrange(10**6)}"
        counter = self._counter()
        rounds = self.random.choice((1, 2, 3, 5, 20))
        body = self._statements(depth) + " " + self._statements(depth)
        return f"""(local.set {counter} (i32.const {rounds}))
  (loop {label} {body} (br_if {label} {self._again(counter)}))"""

    def _when(self, depth: int) -> str:
        other = f"(else {self._statements(depth)})" if self.random.random() < 0.5 else ""
        return f"(if {self._value('i32', depth)} (then {self._statements(depth)}) {other})"

    def _skip(self, depth: int) -> str:
        """A block that is left for itself or one around it."""
        r = self.random
        label = self._label(())
        before, after = self._statements(depth), self._statements(depth)
        target, types = r.choice(self.labels)
        values = " ".join(self._value(t, depth) for t in types)
        test = self._value("i32", depth)
        self.labels.pop()
        drops = "(drop)" * len(types)
        return f"(block {label} {before} (br_if {target} {values} {test}) {drops} {after})"

    def _switch(self, depth: int) -> str:
        n = self.random.randrange(1, 6)
        label = f"$w{self.left}_{self.random.randrange(10**6)}"
        order = [self.random.randrange(n) for _ in range(self.random.randrange(1, 9))]
        targets = " ".join(f"{label}_{x}" for x in order)
        text = f"(br_table {targets} {self._small(depth)})"
        for x in range(n):
            leave = f"(br {label})" if self.random.random() < 0.5 else ""
            text = f"(block {label}_{x} {text}) {self._statements(depth)} {leave}"
        return f"(block {label} {text})"

    def _bulk(self, depth: int) -> str:
        r = self.random
        at, size = self.at, r.choice((0, 1, 7, 16, 40, 300))
        a, b = self._address(at, depth), self._address(at, depth)
        c = self._address("i32", depth)
        return r.choice(
            (
                f"(memory.copy $m0 $m0 {a} {b} ({at}.const {size}))",
                f"(memory.copy $m1 $m0 {c} {b} (i32.const {size}))",
                f"(memory.copy $m0 $m1 {a} {c} (i32.const {size}))",
                f"(memory.fill $m0 {a} {self._value('i32', depth)} ({at}.const {size}))",
                f"(memory.init $m0 $d {a} (i32.const {r.randrange(40)})"
                f" (i32.const {min(size, 24)}))",
                "(data.drop $d)" if r.random() < 0.2 else "(atomic.fence)",
            )
        )

    def _tables(self, depth: int) -> str:
        r = self.random
        n = r.choice((0, 1, 2, 3))
        i, j = f"(i32.const {r.randrange(SLOTS)})", self._small(depth)
        wide = f"(i64.const {r.randrange(SLOTS)})"
        choices = [
            f"(table.set $t {i} {self._value('funcref', depth)})",
            f"(table.set $x {wide} {self._value('externref', depth)})",
            f"(table.fill $x {wide} {self._value('externref', depth)} (i64.const {n}))",
            f"(table.copy $t $t {i} {j} (i32.const {n}))",
            f"(table.init $t $e {i} (i32.const 0) (i32.const {n}))",
            "(elem.drop $e)" if r.random() < 0.2 else "(nop)",
        ]
        if self.theme.objects:
            choices += [
                f"(table.set $o {i} {self._value('anyref', depth)})",
                f"(table.init $o $i {i} (i32.const 1) (i32.const {n}))",
                f"(table.fill $o {i} {self._value('anyref', depth)} (i32.const {n}))",
            ]
        return r.choice(choices)

    def _void_call(self, depth: int) -> str:
        x = self.random.randrange(len(self.functions))
        return self._call(x, depth) + "(drop)" * len(self.functions[x][1])

    def _leave(self, depth: int) -> str:
        """Return, call as the last thing, or trap: rarely."""
        r = self.random
        low = f"(i32.and {self._value('i32', depth)} (i32.const 7))"
        test = f"(i32.eq {low} (i32.const {r.randrange(8)}))"
        if r.random() < 0.15:
            return f"(if {test} (then (unreachable)))"
        if r.random() < 0.5:
            same = [x for x, f in enumerate(self.functions) if f[1] == self.results]
            if same:
                return f"(if {test} (then {self._call(r.choice(same), depth, tail=True)}))"
        values = " ".join(self._value(t, depth) for t in self.results)
        return f"(if {test} (then {values} (return)))"

    def _change(self, depth: int) -> str:
        r = self.random
        if r.random() < 0.5:
            of, index, t, _ = r.choice([f for f in FIELDS if f[2] != "v128" or self.theme.vectors])
            return f"(struct.set {of} {index} {self._object(of, depth)} {self._value(t, depth)})"
        of, t, _ = r.choice(ELEMENTS)
        array, i = self._object(of, depth), self._index(depth)
        one = f"(i32.const {r.choice((0, 1, 2))})"
        choices = [
            lambda: f"(array.set {of} {array} {i} {self._value(t, depth)})",
            lambda: f"(array.fill {of} {array} {i} {self._value(t, depth)} {one})",
            lambda: f"(array.copy {of} {of} {array} {i} {self._object(of, depth)} {i} {one})",
        ]
        if of == "$ar":
            choices.append(lambda: f"(array.init_elem $ar $i {array} {i} (i32.const 1) {one})")
        else:
            choices.append(lambda: f"(array.init_data {of} $d {array} {i} (i32.const 3) {one})")
        return r.choice(choices)()

    def _throw(self, depth: int) -> str:
        r = self.random
        what = r.choice(
            (
                f"(throw $e0 {self._value('i32', depth)})",
                f"(throw $e1 {self._value('i64', depth)} {self._value('f64', depth)})",
                "(throw $e2)",
                f"(throw_ref {self._leaf('exnref')})",
            )
        )
        if "throw_ref" in what:
            test = f"(i32.eqz (ref.is_null {self._leaf('exnref')}))"
        else:
            test = f"(i32.eqz (i32.and {self._value('i32', depth)} (i32.const 3)))"
        return f"(if {test} (then {what}))"

    def _try(self, depth: int) -> str:
        label = f"$h{self.left}_{self.random.randrange(10**6)}"
        body = self._statements(depth) + self._throw(depth) + self._void_call(depth)
        clauses, types, taken = self._clause(label)
        zeros = " ".join(self._zero(t) for t in types)
        return f"""(block {label}{list_of("result", types)}
    (try_table {clauses} {body}) {zeros}) {taken}"""
