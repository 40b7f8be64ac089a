"""Random programs that always end and always mean the same.

They are made to be hard on the translator: reads of locals that stay on the operand stack while
the local is written, values that branches carry, results of blocks, calls in the middle of
expressions.  No bits of a NaN are looked at, because they are not defined.
"""

import random

I32, I64, F32, F64 = "i32", "i64", "f32", "f64"
TYPES = (I32, I32, I32, I64, F64, F32)
INT_BINARY = "add sub mul and or xor shl shr_s shr_u rotl rotr".split()
INT_UNARY = "clz ctz popcnt extend8_s extend16_s".split()
INT_COMPARE = "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u".split()
FLOAT_BINARY = "add sub mul div min max".split()
FLOAT_UNARY = "abs neg ceil floor trunc nearest sqrt".split()
FLOAT_COMPARE = "eq ne lt gt le ge".split()
BINARY = {I32: INT_BINARY, I64: INT_BINARY, F32: FLOAT_BINARY, F64: FLOAT_BINARY}
UNARY = {I32: INT_UNARY, I64: [*INT_UNARY, "extend32_s"], F32: FLOAT_UNARY, F64: FLOAT_UNARY}
COMPARE = {I32: INT_COMPARE, I64: INT_COMPARE, F32: FLOAT_COMPARE, F64: FLOAT_COMPARE}
MAY_TRAP = "div_s div_u rem_s rem_u".split()
CONVERT = {
    I32: [("i32.wrap_i64", I64), ("i32.trunc_sat_f64_s", F64), ("i32.trunc_sat_f32_u", F32)],
    I64: [("i64.extend_i32_s", I32), ("i64.extend_i32_u", I32), ("i64.trunc_sat_f64_s", F64)],
    F32: [("f32.convert_i32_s", I32), ("f32.demote_f64", F64), ("f32.convert_i64_u", I64)],
    F64: [("f64.convert_i32_s", I32), ("f64.promote_f32", F32), ("f64.convert_i64_s", I64)],
}
LOAD = {
    I32: "i32.load i32.load8_s i32.load8_u i32.load16_s i32.load16_u".split(),
    I64: "i64.load i64.load8_u i64.load16_s i64.load32_s i64.load32_u".split(),
}
STORE = {
    I32: "i32.store i32.store8 i32.store16".split(),
    I64: "i64.store i64.store8 i64.store32".split(),
}
GLOBALS = 3
NODES = 60  # of a function


class Program:
    """A module.

    Attributes:
        signatures: parameter and result types of the functions, exported as f0, f1...
        text: in the text format.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.globals = self.types(GLOBALS)
        self.signatures: list[tuple[list[str], list[str]]] = []
        parts = ["(module (memory 1)"]
        parts += [
            f"(global $g{i} (mut {t}) {self.constant(t)})" for i, t in enumerate(self.globals)
        ]
        for _ in range(self.random.randrange(2, 5)):
            parts.append(self.function())
        self.text = "\n".join([*parts, ")"])

    def types(self, count: int) -> list[str]:
        return [self.random.choice(TYPES) for _ in range(count)]

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def arguments(self, types: list[str]) -> list[int | float]:
        """Values to call a function with."""
        values: list[int | float] = []
        for t in types:
            if t in (I32, I64):
                high = 1 << (31 if t == I32 else 63)
                values.append(self.random.choice([0, 1, -1, 7, self.random.randrange(-high, high)]))
            else:
                some = self.random.uniform(-9, 9)
                values.append(
                    self.random.choice([0.0, -0.0, 1.5, float("inf"), float("nan"), some])
                )
        return values

    def constant(self, t: str) -> str:
        pick = self.random.choice
        if t in (I32, I64):
            high = 1 << (31 if t == I32 or self.chance(0.5) else 63)
            value = pick([0, 1, 2, -1, 3, 7, 255, 256, self.random.randrange(-high, high)])
            return f"({t}.const {value})"
        some = self.random.uniform(-100, 100)
        return f"({t}.const {pick(['0', '1', '-1', '0.5', '1e10', 'inf', 'nan', '-0', some])})"

    def function(self) -> str:
        params = self.types(self.random.randrange(0, 4))
        results = self.types(self.random.choice([1, 1, 1, 2, 3, 6]))
        declared = self.types(self.random.randrange(1, 6))
        self.locals, self.counters, self.left = params + declared, 0, NODES
        body = [self.statement(3) for _ in range(self.random.randrange(1, 6))]
        body += [self.expression(t, 3) for t in results]
        head = f'(func $f{len(self.signatures)} (export "f{len(self.signatures)}")'
        head += "".join(f" (param {t})" for t in params)
        head += "".join(f" (result {t})" for t in results)
        head += "".join(f" (local {t})" for t in declared) + " (local i32)" * self.counters
        self.signatures.append((params, results))
        return f"{head}\n {' '.join(body)})"

    def local(self, t: str) -> int | None:
        """A local of a type."""
        found = [i for i, other in enumerate(self.locals) if other == t]
        return self.random.choice(found) if found else None

    def address(self, depth: int) -> str:
        mask = self.random.choice([0xFF, 0xFFF, 0x3FF0])
        return f"(i32.and {self.expression(I32, depth)} (i32.const {mask}))"

    def leaf(self, t: str) -> str:
        local = self.local(t)
        if local is not None and self.chance(0.7):
            return f"(local.get {local})"
        return self.constant(t)

    def expression(self, t: str, depth: int) -> str:
        """Something that pushes one value."""
        self.left -= 1
        if depth <= 0 or self.left < 0 or self.chance(0.15):
            return self.leaf(t)
        make = self.random.choices(
            [self.binary, self.unary, self.compare, self.tee, self.convert, self.select, self.load,
             self.conditional, self.block, self.under, self.read_global, self.call],
            [28, 8, 10, 10, 6, 6, 6, 6, 8, 8, 4, 6],
        )[0]  # fmt: skip
        return make(t, depth - 1) or self.leaf(t)

    def binary(self, t: str, depth: int) -> str:
        names = MAY_TRAP if t in (I32, I64) and self.chance(0.05) else BINARY[t]
        name = self.random.choice(names)
        return f"({t}.{name} {self.expression(t, depth)} {self.expression(t, depth)})"

    def unary(self, t: str, depth: int) -> str:
        return f"({t}.{self.random.choice(UNARY[t])} {self.expression(t, depth)})"

    def compare(self, t: str, depth: int) -> str:
        if t != I32:
            return ""
        if self.chance(0.2):
            return f"(i32.eqz {self.expression(I32, depth)})"
        of = self.random.choice(TYPES)
        name = self.random.choice(COMPARE[of])
        return f"({of}.{name} {self.expression(of, depth)} {self.expression(of, depth)})"

    def tee(self, t: str, depth: int) -> str:
        local = self.local(t)
        return "" if local is None else f"(local.tee {local} {self.expression(t, depth)})"

    def convert(self, t: str, depth: int) -> str:
        name, of = self.random.choice(CONVERT[t])
        return f"({name} {self.expression(of, depth)})"

    def select(self, t: str, depth: int) -> str:
        a, b = self.expression(t, depth), self.expression(t, depth)
        return f"(select {a} {b} {self.expression(I32, depth)})"

    def load(self, t: str, depth: int) -> str:
        if t not in LOAD:
            return ""
        address = self.address(depth) if self.chance(0.8) else "(i32.const 24)"
        return f"({self.random.choice(LOAD[t])} offset={self.random.randrange(200)} {address})"

    def conditional(self, t: str, depth: int) -> str:
        arms = [f"{self.statements(depth)} {self.expression(t, depth)}" for _ in range(2)]
        test = self.expression(I32, depth)
        return f"(if (result {t}) {test} (then {arms[0]}) (else {arms[1]}))"

    def block(self, t: str, depth: int) -> str:
        x, y = self.expression(t, depth), self.expression(t, depth)
        test, before = self.expression(I32, depth), self.statements(depth)
        return self.random.choice(
            [
                f"(block (result {t}) {before} (br_if 0 {x} {test}) drop {y})",
                f"(block (result {t}) (br_if 0 {x} {test}))",
                f"(block (result {t}) {y} (br 0))",
                f"(block (result {t}) (block (result {t}) (br_table 0 1 0 {x} {test})))",
            ]
        )

    def under(self, t: str, depth: int) -> str:
        """A read that waits on the stack while statements are executed."""
        local = self.local(t)
        if local is None:
            return ""
        then = f"{self.statements(depth)} {self.expression(t, depth)}"
        return f"(local.get {local}) {then} ({t}.{self.random.choice(BINARY[t])})"

    def read_global(self, t: str, depth: int) -> str:
        found = [i for i, other in enumerate(self.globals) if other == t]
        return f"(global.get $g{self.random.choice(found)})" if found else ""

    def call(self, t: str, depth: int) -> str:
        found = [i for i, (_, results) in enumerate(self.signatures) if results[0] == t]
        if not found:
            return ""
        return f"{self.call_of(self.random.choice(found), depth, 1)}"

    def call_of(self, x: int, depth: int, keep: int) -> str:
        params, results = self.signatures[x]
        arguments = " ".join(self.expression(t, depth) for t in params)
        return f"(call $f{x} {arguments}) " + "(drop) " * (len(results) - keep)

    def statements(self, depth: int) -> str:
        return " ".join(self.statement(depth) for _ in range(self.random.randrange(0, 3)))

    def statement(self, depth: int) -> str:
        """Something that leaves the stack as it is."""
        self.left -= 1
        if self.left < 0:
            return "(nop)"
        make = self.random.choices(
            [self.set_local, self.store, self.when, self.skip, self.loop, self.switch,
             self.set_global, self.call_for_nothing],
            [40, 10, 10, 10, 10, 6, 7, 7] if depth > 0 else [1, 0, 0, 0, 0, 0, 0, 0],
        )[0]  # fmt: skip
        return make(depth - 1)

    def set_local(self, depth: int) -> str:
        local = self.random.randrange(len(self.locals))
        return f"(local.set {local} {self.expression(self.locals[local], depth)})"

    def store(self, depth: int) -> str:
        t = self.random.choice([I32, I64])
        name, offset = self.random.choice(STORE[t]), self.random.randrange(200)
        return f"({name} offset={offset} {self.address(depth)} {self.expression(t, depth)})"

    def when(self, depth: int) -> str:
        otherwise = f"(else {self.statements(depth)})" if self.chance(0.6) else ""
        test = self.expression(I32, depth)
        return f"(if {test} (then {self.statements(depth)}) {otherwise})"

    def skip(self, depth: int) -> str:
        before, after = self.statements(depth), self.statements(depth)
        return f"(block {before} (br_if 0 {self.expression(I32, depth)}) {after})"

    def loop(self, depth: int) -> str:
        counter = len(self.locals) + self.counters
        self.counters += 1
        less = f"(i32.sub (local.get {counter}) (i32.const 1))"
        body = self.statements(depth)
        # Nothing else writes the counter, once all locals are known: it is behind them.
        back = self.random.choice(
            [
                f"(br_if 0 (local.tee $n {less}))",
                f"(local.set $n {less}) (br_if 0 (i32.gt_s (local.get $n) (i32.const 0)))",
                f"(local.set $n {less}) (block (br_if 0 (i32.eqz (local.get $n))) (br 1))",
            ]
        ).replace("$n", str(counter))
        start = f"(local.set {counter} (i32.const {self.random.randrange(1, 6)}))"
        return f"{start} (loop {body} {back})"

    def switch(self, depth: int) -> str:
        index = self.expression(I32, depth)
        first, second = self.statements(depth), self.statements(depth)
        table = f"(block (br_table 0 1 2 1 {index}))"
        return f"(block (block {table} {first} (br 1)) {second})"

    def set_global(self, depth: int) -> str:
        x = self.random.randrange(GLOBALS)
        return f"(global.set $g{x} {self.expression(self.globals[x], depth)})"

    def call_for_nothing(self, depth: int) -> str:
        if not self.signatures:
            return self.set_local(depth)
        return self.call_of(self.random.randrange(len(self.signatures)), depth, 0)
