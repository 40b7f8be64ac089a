"""Values for random programs: expressions of every type, from the instruction table and by hand."""

from __future__ import annotations

import random
import struct
from collections import defaultdict

from runwell.base.types import F32, F64, I32, I64, V128
from runwell.isa.facts import facts
from runwell.isa.op import Op, Rule
from runwell.isa.table import TABLE

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
TELLING_FLOATS = (
    "0", "-0", "1", "-1", "inf", "-inf", "nan", "0.5", "2147483648", "-2147483649",
    "9223372036854775808", "4294967296", "1e-40", "3e38",
)  # fmt: skip
SLOTS = 8  # of tables


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


class Values:
    """What a function under construction may push.

    Attributes:
        random: decides everything.
        theme: what the program has.
        functions: parameters and results of the program's functions.
        types: what locals, parameters and results may be.
    """

    def __init__(self, rng: random.Random, theme: Theme) -> None:
        self.random, self.theme = rng, theme
        self.functions: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
        self.simple, self.accesses, self.stores = _rows(theme)
        self.types = [t for t in NUMBERS if t != "v128" or theme.vectors]
        self.types += ["i32", "i64", "funcref", "externref"]
        if theme.exceptions:
            self.types.append("exnref")
        if theme.objects:
            self.types += OBJECTS
        self.at = "i64" if theme.wide else "i32"

    def _statements(self, depth: int) -> str:
        """Some statements, or none."""
        raise NotImplementedError

    def _as_i64(self, value: str, t: str) -> str:
        return {
            "i32": f"(i64.extend_i32_u {value})",
            "i64": value,
            "f32": f"(i64.extend_i32_u (i32.reinterpret_f32 {value}))",
            "f64": f"(i64.reinterpret_f64 {value})",
            "v128": f"(call $fold {value})",
        }[t]

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

    def _zero(self, t: str) -> str:
        if t == "v128":
            return "(v128.const i64x2 0 0)"
        if t in NUMBERS:
            return f"({t}.const 0)"
        return f"(ref.null {NULLS.get(t) or t.removeprefix('(ref null ').removesuffix(')')})"

    def _literal(self, t: str) -> str:
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
        value = r.choice(
            (small, small, -small, r.getrandbits(bits), r.getrandbits(r.choice((8, 16, bits))))
        )
        if r.random() < 0.1:
            value = (1 << (bits - 1)) - r.choice((0, 1, 2))
        return value & ((1 << bits) - 1)

    def _float(self, t: str) -> str:
        r = self.random
        if r.random() < 0.3:
            return r.choice(TELLING_FLOATS)
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
        head = f"(loop {label} (param {t}) (result {t}) (local.set {name})"
        return f"{start} {first} {head} {body} {back})"

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
            return self._new(r.choice(("$s1", "$s2")) if name == "$s1" else name, depth)
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
        results = list_of("result", types)
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


def list_of(word: str, types: tuple[str, ...]) -> str:
    return f" ({word} {' '.join(types)})" if types else ""
