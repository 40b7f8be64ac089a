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
import struct
from collections import defaultdict

from runwell.base.types import F32, F64, I32, I64, V128
from runwell.isa.facts import facts
from runwell.isa.op import Op, Rule
from runwell.isa.table import TABLE

from tests.fuzz.everything_text import HELPERS, TYPES_TEXT

NUMBERS = ("i32", "i64", "f32", "f64", "v128")
# Objects, from the most general; what can be stored into ``anyref``.
OBJECTS = (
    "anyref", "eqref", "i31ref", "structref", "arrayref", "(ref null $s0)", "(ref null $s1)",
    "(ref null $s2)", "(ref null $a8)", "(ref null $ai)", "(ref null $ar)", "(ref null $ad)",
)  # fmt: skip
SUBTYPES = {
    "anyref": OBJECTS,
    "eqref": OBJECTS[1:],
    "i31ref": ("i31ref",),
    "structref": ("structref", *OBJECTS[5:8]),
    "arrayref": ("arrayref", *OBJECTS[8:]),
    "(ref null $s0)": OBJECTS[5:8],
    "(ref null $s1)": OBJECTS[6:8],
}
# Fields that can be read: structure, index, type, suffix of the instruction.
FIELDS = (
    ("$s0", 0, "i32", ""), ("$s0", 1, "i64", ""),
    ("$s1", 0, "i32", ""), ("$s1", 2, "f64", ""), ("$s1", 3, "i32", "_s"), ("$s1", 3, "i32", "_u"),
    ("$s1", 4, "anyref", ""), ("$s2", 5, "i32", "_u"), ("$s2", 6, "v128", ""),
    ("$s2", 7, "f32", ""), ("$s2", 8, "(ref null $s0)", ""), ("$s2", 1, "i64", ""),
)  # fmt: skip
ELEMENTS = (
    ("$a8", "i32", "_s"), ("$a8", "i32", "_u"), ("$ai", "i32", ""), ("$ar", "anyref", ""),
    ("$ad", "f64", ""),
)  # fmt: skip
NULLS = {"externref": "extern", "funcref": "func", "exnref": "exn", "anyref": "any",
         "eqref": "eq", "i31ref": "i31", "structref": "struct", "arrayref": "array"}  # fmt: skip
SHAPE_LANES = {"i8x16": 16, "i16x8": 8, "i32x4": 4, "i64x2": 2, "f32x4": 4, "f64x2": 2}
ACCESSES = (Rule.LOAD, Rule.LOAD_LANE, Rule.ATOMIC_LOAD, Rule.ATOMIC_RMW, Rule.ATOMIC_CMPXCHG)
STORES = (Rule.STORE, Rule.STORE_LANE, Rule.ATOMIC_STORE)
SIMPLE = (Rule.PLAIN, Rule.WIDE, Rule.LANE, Rule.SHUFFLE)
EXPORTS = 5
SLOTS = 8  # of tables
DATA_BYTES = 64
MOST_NODES = 160  # of a function


class Theme:
    """What a program may have.

    Attributes:
        wide: its first memory has 64-bit addresses.
        shared: that memory is shared.
        objects: structures and arrays.
        vectors: of 128 bits.
        relaxed: vector instructions that other engines give other results.
        exceptions: throws and handlers.
        deep: recursion that ends for want of frames only.
        own_nans: the engine makes NaNs canonical, the program does not.
    """

    def __init__(self, rng: random.Random, own_nans: bool) -> None:
        self.own_nans = own_nans
        self.wide, self.shared = rng.random() < 0.3, rng.random() < 0.25
        self.objects, self.vectors = rng.random() < 0.5, rng.random() < 0.6
        self.relaxed = self.vectors and rng.random() < 0.15
        self.exceptions, self.deep = rng.random() < 0.5, rng.random() < 0.4


def _rows(theme: Theme) -> tuple[dict[str, list[Op]], dict[str, list[Op]], list[Op]]:
    """Rows that give a number, by its type: simple ones and accesses; and stores."""
    simple, accesses, stores = defaultdict(list), defaultdict(list), []
    for op in TABLE:
        types = {*op.params, *op.results}
        if V128 in types and not theme.vectors:
            continue
        if op.feature == "relaxed-simd" and not theme.relaxed:
            continue
        if op.rule in STORES:
            stores.append(op)
        elif op.rule in ACCESSES:
            accesses[op.results[0].text].append(op)
        elif op.rule in SIMPLE and op.results and types <= {I32, I64, F32, F64, V128}:
            simple[op.results[0].text].append(op)
    return simple, accesses, stores


class Everything:
    """One program.

    Attributes:
        text: of the module, which exports ``run0``, ``run1``, …, each taking an i32 and an i64.
        theme: what it has.
    """

    def __init__(self, seed: int, own_nans: bool = False) -> None:
        self.random = r = random.Random(seed)
        self.theme = Theme(r, own_nans)
        self.simple, self.accesses, self.stores = _rows(self.theme)
        self.types = [t for t in NUMBERS if t != "v128" or self.theme.vectors]
        self.types += ["i32", "i64", "funcref", "externref"]
        if self.theme.exceptions:
            self.types.append("exnref")
        if self.theme.objects:
            self.types += OBJECTS
        self.functions = [self._signature() for _ in range(r.randrange(3, 8))]
        for x in range(1, len(self.functions)):
            if r.random() < 0.4:
                self.functions[x] = self.functions[r.randrange(x)]
        self.at = "i64" if self.theme.wide else "i32"
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
        return f"(type $t{x} (func{_list('param', params)}{_list('result', results)}))"

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

    def _as_i64(self, value: str, t: str) -> str:
        return {
            "i32": f"(i64.extend_i32_u {value})",
            "i64": value,
            "f32": f"(i64.extend_i32_u (i32.reinterpret_f32 {value}))",
            "f64": f"(i64.reinterpret_f64 {value})",
            "v128": f"(call $fold {value})",
        }[t]

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

    def _begin(self, params: tuple[str, ...], nodes: int) -> None:
        """Begin a function."""
        self.left, self.counters, self.labels = nodes, 0, []
        self.locals = defaultdict(list)
        for i, t in enumerate(params):
            self.locals[t].append(f"$p{i}")
        self.own = []
        for t in dict.fromkeys(self.types):
            for i in range(2 if t in NUMBERS else 1):
                name = f"$l{len(self.own)}_{i}"
                self.own.append((name, t))
                self.locals[t].append(name)

    def _declared(self) -> str:
        found = "".join(f"(local {name} {t})" for name, t in self.own)
        found += "".join(f"(local $n_{t} {t})" for t in NUMBERS)
        return found + "".join(f"(local $c{i} i32)" for i in range(self.counters))

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
        return f"""(func $f{x} (type $t{x}){names}{_list("result", results)}
  {self._declared()}
  (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
  (global.set $budget (i32.sub (global.get $budget) (i32.const 1)))
  (if (i32.lt_s (global.get $budget) (i32.const 0)) (then {zeros} (return)))
  {deep}
  {" ".join(body)})"""

    # Values.

    def _zero(self, t: str) -> str:
        if t == "v128":
            return "(v128.const i64x2 0 0)"
        if t in NUMBERS:
            return f"({t}.const 0)"
        return f"(ref.null {NULLS.get(t) or t.removeprefix('(ref null ').removesuffix(')')})"

    def _literal(self, t: str) -> str:
        r = self.random
        if t == "v128":
            lanes = " ".join(str(self._integer(32)) for _ in range(4))
            return f"(v128.const i32x4 {lanes})"
        if t in ("i32", "i64"):
            return f"({t}.const {self._integer(int(t[1:]))})"
        if t in ("f32", "f64"):
            return f"({t}.const {self._float(t)})"
        return self._zero(t)

    def _integer(self, bits: int) -> int:
        r = self.random
        small = r.choice((0, 1, 2, 3, 7, 8, 31, 32, 63, 64, 127, 128, 255, 256, 0xFFFF))
        value = r.choice((small, small, -small, r.getrandbits(bits), r.getrandbits(r.choice((8, 16, bits)))))
        if r.random() < 0.1:
            value = (1 << (bits - 1)) - r.choice((0, 1, 2))
        return value & ((1 << bits) - 1)

    def _float(self, t: str) -> str:
        r = self.random
        if r.random() < 0.3:
            return r.choice(("0", "-0", "1", "-1", "inf", "-inf", "nan", "0.5", "2147483648",
                             "-2147483649", "9223372036854775808", "4294967296", "1e-40", "3e38"))  # fmt: skip
        if r.random() < 0.3:
            return repr(float(r.randrange(-300, 300)))
        code, size = ("<f", 4) if t == "f32" else ("<d", 8)
        (value,) = struct.unpack(code, r.randbytes(size))
        return "1.5" if value != value else value.hex() if abs(value) != float("inf") else "inf"

    def _leaf(self, t: str) -> str:
        r = self.random
        if self.locals[t] and r.random() < 0.75:
            return f"(local.get {r.choice(self.locals[t])})"
        if t in NUMBERS:
            return self._literal(t) if r.random() < 0.8 else f"(global.get $g_{t})"
        others = {"anyref": "$g_any", "externref": "$g_extern", "funcref": "$g_func"}
        if t in others and r.random() < 0.5:
            return f"(global.get {others[t]})"
        return self._zero(t)

    def _value(self, t: str, depth: int) -> str:
        """Something that pushes one value of a type."""
        r = self.random
        self.left -= 1
        if depth <= 0 or self.left < 0 or r.random() < 0.12:
            return self._leaf(t)
        common = [self._select, self._block, self._if, self._loop_value, self._tee, self._called]
        if self.theme.exceptions:
            common.append(self._tried)
        if t in NUMBERS:
            kinds = [self._simple] * 14 + [self._access] * 4 + common
            kinds += {"i32": [self._question] * 4, "i64": [self._size]}.get(t, [])
            if self.theme.objects:
                kinds += [self._field, self._element]
        else:
            kinds = [self._reference] * 8 + common
        return r.choice(kinds)(t, depth - 1) or self._leaf(t)

    def _simple(self, t: str, depth: int) -> str:
        op = self.random.choice(self.simple[t])
        if facts(op).traps and self.random.random() < 0.8:
            op = self.random.choice(self.simple[t])
        return self._apply(op, depth)

    def _apply(self, op: Op, depth: int) -> str:
        """A row's instruction and its operands."""
        r = self.random
        operands = " ".join(self._value(p.text, depth) for p in op.params)
        imms = ""
        if op.rule == Rule.LANE:
            imms = f" {r.randrange(SHAPE_LANES[op.mnemonic.partition('.')[0]])}"
        elif op.rule == Rule.SHUFFLE:
            imms = "".join(f" {r.randrange(32)}" for _ in range(16))
        text = f"({op.keyword}{imms} {operands})"
        if op.rule == Rule.WIDE:
            return f"{text} (drop)" if r.random() < 0.5 else f"{text} (local.set $n_i64)"
        width = facts(op).nan_width
        if width and not self.theme.own_nans:
            text = f"(call ${'v' if op.results[0] == V128 else 'f'}{width} {text})"
        return text

    def _memory(self) -> tuple[str, str]:
        return ("$m0", self.at) if self.random.random() < 0.8 else ("$m1", "i32")

    def _address(self, at: str, depth: int, align: int = 1) -> str:
        r = self.random
        kind = r.random()
        if kind < 0.2:
            near = 65536 - r.randrange(40) if kind < 0.05 else r.randrange(200) * align
            return f"({at}.const {near})"
        value = self._value(at, depth)
        if kind < 0.205:
            return value
        mask = r.choice((0xFF, 0xFFF, 0xFFFF)) & ~(align - 1)
        return f"({at}.and {value} ({at}.const {mask}))"

    def _access(self, t: str, depth: int) -> str:
        return self._touch(self.random.choice(self.accesses[t]), depth) if self.accesses[t] else ""

    def _touch(self, op: Op, depth: int) -> str:
        """A load, a store, or what is both."""
        r = self.random
        memory, at = self._memory()
        is_atomic = op.rule >= Rule.ATOMIC_LOAD
        align = op.width if is_atomic and r.random() < 0.99 else 1
        offset = r.choice((0, 0, r.randrange(64) * align, r.randrange(1 << 16) // align * align))
        if r.random() < 0.005:
            offset = r.choice((0xFFFF_FFFF, 0x7FFF_FFFF, 65536)) // align * align
        operands = self._address(at, depth, align)
        operands += "".join(f" {self._value(p.text, depth)}" for p in op.params[1:])
        lane = ""
        if op.rule in (Rule.LOAD_LANE, Rule.STORE_LANE):
            lane = f" {r.randrange(16 // op.width)}"
        return f"({op.keyword} {memory} offset={offset}{lane} {operands})"

    def _select(self, t: str, depth: int) -> str:
        typed = "" if t in NUMBERS and self.random.random() < 0.7 else f" (result {t})"
        a, b = self._value(t, depth), self._value(t, depth)
        return f"(select{typed} {a} {b} {self._value('i32', depth)})"

    def _label(self, results: tuple[str, ...]) -> str:
        label = f"$b{self.left}_{self.random.randrange(10**6)}"
        self.labels.append((label, results))
        return label

    def _block(self, t: str, depth: int) -> str:
        """A block that may be left early, with its value."""
        r = self.random
        label = self._label((t,))
        early = f"(br_if {label} {self._value(t, depth)} {self._value('i32', depth)}) (drop)"
        if r.random() < 0.2:
            early = f"""(block {label}i (result {t})
    (br_table {label}i {label} {label}i {self._value(t, depth)} {self._value("i32", depth)}))
    (drop)"""
        body = f"{self._statements(depth)} {early} {self._statements(depth)}"
        end = self._value(t, depth)
        self.labels.pop()
        return f"(block {label} (result {t}) {body} {end})"

    def _if(self, t: str, depth: int) -> str:
        test = self._value("i32", depth)
        arms = [f"{self._statements(depth)} {self._value(t, depth)}" for _ in range(2)]
        return f"(if (result {t}) {test} (then {arms[0]}) (else {arms[1]}))"

    def _loop_value(self, t: str, depth: int) -> str:
        """A loop with a parameter and a result."""
        label = f"$a{self.left}_{self.random.randrange(10**6)}"
        counter = self._counter()
        start = f"(local.set {counter} (i32.const {self.random.randrange(1, 5)}))"
        first, body = self._value(t, depth), self._statements(depth)
        self.locals_of(t)
        name = self.random.choice(self.locals_of(t))
        back = f"(local.get {name}) (br_if {label} {self._again(counter)})"
        return f"{start} {first} (loop {label} (param {t}) (result {t}) (local.set {name}) {body} {back})"

    def locals_of(self, t: str) -> list[str]:
        """Locals of a type; there is one."""
        if not self.locals[t]:
            name = f"$l{len(self.own)}_x"
            self.own.append((name, t))
            self.locals[t].append(name)
        return self.locals[t]

    def _counter(self) -> str:
        self.counters += 1
        return f"$c{self.counters - 1}"

    def _again(self, counter: str) -> str:
        less = f"(local.tee {counter} (i32.sub (local.get {counter}) (i32.const 1)))"
        return f"(i32.and (i32.gt_s {less} (i32.const 0)) (call $may))"

    def _tee(self, t: str, depth: int) -> str:
        return f"(local.tee {self.random.choice(self.locals_of(t))} {self._value(t, depth)})"

    def _called(self, t: str, depth: int) -> str:
        """The first result of a function."""
        r = self.random
        found = [x for x, (_, results) in enumerate(self.functions) if results[:1] == (t,)]
        if t == "i32" and r.random() < 0.3:
            return f"(call $host {self._value('i32', depth)} {self._value('i64', depth)})"
        if not found:
            return ""
        x = r.choice(found)
        return self._call(x, depth) + "(drop)" * (len(self.functions[x][1]) - 1)

    def _call(self, x: int, depth: int, tail: bool = False) -> str:
        r = self.random
        word = "return_call" if tail else "call"
        values = " ".join(self._value(t, depth) for t in self.functions[x][0])
        kind = r.random()
        if kind < 0.5:
            return f"({word} $f{x} {values})"
        if kind < 0.75:
            index = f"(i32.const {x})" if r.random() < 0.9 else self._small(depth)
            return f"({word}_indirect $t (type $t{x}) {values} {index})"
        function = f"(ref.func $f{x})"
        if r.random() < 0.3:
            function = f"(ref.cast (ref null $t{x}) {self._value('funcref', depth)})"
        return f"({word}_ref $t{x} {values} {function})"

    def _small(self, depth: int) -> str:
        """An index that is rarely too large."""
        return f"(i32.and {self._value('i32', depth)} (i32.const {SLOTS - 1}))"

    def _question(self, t: str, depth: int) -> str:
        r = self.random
        ref = r.choice([x for x in self.types if x not in NUMBERS])
        choices = [
            lambda: f"(ref.is_null {self._value(ref, depth)})",
            lambda: f"(ref.is_null {self._value('externref', depth)})",
            lambda: "(memory.size $m1)",
            lambda: f"(memory.grow $m1 (i32.const {r.choice((0, 0, 1, 70000))}))",
            lambda: f"(table.grow $t (ref.null func) (i32.const {r.choice((0, 1, 99))}))",
            lambda: f"(memory.atomic.notify $m0 offset=8 ({self.at}.const 8) (i32.const 1))",
        ]
        if self.theme.objects:
            choices += [
                lambda: f"(ref.test {r.choice(OBJECTS)} {self._value('anyref', depth)})",
                lambda: f"(ref.test (ref $s1) {self._value('eqref', depth)})",
                lambda: f"(ref.eq {self._value('eqref', depth)} {self._value('eqref', depth)})",
                lambda: f"(array.len {self._value('arrayref', depth)})",
                lambda: f"(i31.get_{r.choice('su')} {self._value('i31ref', depth)})",
                lambda: self._cast_branch(depth),
            ]
        if r.random() < 0.05:
            return (
                f"(memory.atomic.wait32 $m0 ({self.at}.const 16)"
                f" {self._value('i32', depth)} (i64.const 0))"
            )
        return r.choice(choices)()

    def _cast_branch(self, depth: int) -> str:
        r = self.random
        to = r.choice(OBJECTS[1:])
        label = f"$k{self.left}_{r.randrange(10**6)}"
        value = self._value("anyref", depth)
        a, b = self._value("i32", depth), self._value("i32", depth)
        if r.random() < 0.3:
            return f"""(block {label} (result i32) (block {label}n
    (br_on_null {label}n {value}) (drop) {a} (br {label})) {b})"""
        word, kept = r.choice((("br_on_cast", to), ("br_on_cast_fail", "anyref")))
        return f"""(block {label}o (result i32) (block {label} (result {kept})
    ({word} {label} anyref {to} {value}) (drop) {a} (br {label}o)) (drop) {b})"""

    def _size(self, t: str, depth: int) -> str:
        if self.theme.wide and self.random.random() < 0.5:
            return f"(memory.grow $m0 (i64.const {self.random.choice((0, 1, 9))}))"
        return self.random.choice(
            ("(table.size $x)", "(table.grow $x (ref.null extern) (i64.const 1))")
        )

    def _field(self, t: str, depth: int) -> str:
        found = [f for f in FIELDS if f[2] == t]
        if not found:
            return ""
        of, index, _, suffix = self.random.choice(found)
        return f"(struct.get{suffix} {of} {index} {self._object(of, depth)})"

    def _element(self, t: str, depth: int) -> str:
        found = [e for e in ELEMENTS if e[1] == t]
        if not found:
            return ""
        of, _, suffix = self.random.choice(found)
        return f"(array.get{suffix} {of} {self._object(of, depth)} {self._index(depth)})"

    def _index(self, depth: int) -> str:
        if self.random.random() < 0.5:
            return f"(i32.const {self.random.randrange(4)})"
        return f"(i32.and {self._value('i32', depth)} (i32.const 3))"

    def _object(self, of: str, depth: int) -> str:
        """A reference to an object of a type, mostly not null."""
        if self.random.random() < 0.15:
            return self._value(f"(ref null {of})", depth)
        return self._new(of, depth)

    def _new(self, of: str, depth: int) -> str:
        r = self.random

        def value(t: str) -> str:
            return self._value(t, depth - 1)

        if of in ("$s0", "$s1", "$s2"):
            if r.random() < 0.3:
                return f"(struct.new_default {of})"
            fields = ["i32", "i64"]
            if of != "$s0":
                fields += ["f64", "i32", "anyref"]
            if of == "$s2":
                fields += ["i32", "v128" if self.theme.vectors else "", "f32", "(ref null $s0)"]
            values = " ".join(value(t) if t else self._zero("v128") for t in fields)
            return f"(struct.new {of} {values})"
        t = next(e[1] for e in ELEMENTS if e[0] == of)
        length = f"(i32.const {r.choice((0, 1, 4, 4, 5, 40))})"
        choices = [
            lambda: f"(array.new {of} {value(t)} {length})",
            lambda: f"(array.new_default {of} {length})",
            lambda: f"(array.new_fixed {of} 4 {value(t)} {value(t)} {value(t)} {value(t)})",
        ]
        if of in ("$a8", "$ai", "$ad"):
            choices.append(lambda: f"(array.new_data {of} $d (i32.const 4) (i32.const 5))")
        if of == "$ar":
            choices.append(lambda: "(array.new_elem $ar $i (i32.const 0) (i32.const 4))")
        return r.choice(choices)()

    def _reference(self, t: str, depth: int) -> str:
        r = self.random
        name = t.removeprefix("(ref null ").removesuffix(")")
        if t == "funcref":
            x = r.randrange(len(self.functions))
            return r.choice((f"(ref.func $f{x})", f"(table.get $t {self._small(depth)})"))
        if t == "externref":
            index = f"(i64.extend_i32_u {self._small(depth)})"
            if self.theme.objects and r.random() < 0.4:
                return f"(extern.convert_any {self._value('anyref', depth)})"
            return f"(table.get $x {index})"
        if t == "exnref":
            return ""
        if name in ("$s0", "$s1", "$s2", "$a8", "$ai", "$ar", "$ad") and r.random() < 0.7:
            made = self._new(r.choice(("$s1", "$s2")) if name == "$s1" else name, depth)
            return made
        below = SUBTYPES.get(t, ())
        choices = [lambda: f"(ref.cast {t} {self._value('anyref', depth)})"]
        if len(below) > 1:
            choices += [lambda: self._value(r.choice(below[1:]), depth)] * 3
        if t == "i31ref" or t in ("anyref", "eqref"):
            choices += [lambda: f"(ref.i31 {self._value('i32', depth)})"] * 2
        if t == "anyref":
            choices += [
                lambda: f"(any.convert_extern {self._value('externref', depth)})",
                lambda: f"(table.get $o {self._small(depth)})",
                lambda: self._field(t, depth),
                lambda: self._element(t, depth),
            ]
        return r.choice(choices)()

    def _tried(self, t: str, depth: int) -> str:
        """A value, or another if an exception came."""
        label = f"$h{self.left}_{self.random.randrange(10**6)}"
        first, before, other = self._value(t, depth), self._statements(depth), self._value(t, depth)
        clauses, types, taken = self._clause(label)
        results = _list("result", types)
        return f"""(block {label}o (result {t}) (block {label}{results}
    (try_table (result {t}) {clauses} {before} {first}) (br {label}o)) {taken} {other})"""

    def _clause(self, label: str) -> tuple[str, tuple[str, ...], str]:
        """Clauses, what comes with the exception, and what is done with that."""
        e = "(local.set " + self.random.choice(self.locals_of("exnref")) + ")"
        i, w, d = (self.random.choice(self.locals_of(t)) for t in ("i32", "i64", "f64"))
        return self.random.choice(
            (
                (f"(catch $e0 {label})", ("i32",), f"(local.set {i})"),
                (f"(catch $e1 {label})", ("i64", "f64"), f"(local.set {d}) (local.set {w})"),
                (f"(catch $e2 {label}) (catch_all {label})", (), ""),
                (f"(catch_all_ref {label})", ("exnref",), e),
                (f"(catch_ref $e0 {label})", ("i32", "exnref"), f"{e} (local.set {i})"),
            )
        )

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
            t, name = r.choice((("anyref", "$g_any"), ("externref", "$g_extern"), ("funcref", "$g_func")))
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
                f"(memory.init $m0 $d {a} (i32.const {r.randrange(40)}) (i32.const {min(size, 24)}))",
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
        test = f"(i32.eq (i32.and {self._value('i32', depth)} (i32.const 7)) (i32.const {r.randrange(8)}))"
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
        return f"""(block {label}{_list("result", types)}
    (try_table {clauses} {body}) {zeros}) {taken}"""


def _list(word: str, types: tuple[str, ...]) -> str:
    return f" ({word} {' '.join(types)})" if types else ""
