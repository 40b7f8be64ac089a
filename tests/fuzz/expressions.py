"""Random expressions whose values the reference evaluator knows, and what engines make of them.

python -m tests.fuzz.expressions FIRST LAST

An expression is a tree of rows of the instruction table over constants and globals.  NaNs are made
canonical, in the evaluator and by the engines' configuration.
"""

from __future__ import annotations

import json
import math
import random
import struct
import sys
from typing import NamedTuple

import runwell
from runwell.base.errors import Trap
from runwell.base.types import F32, F64, I32, I64, V128, ValType
from runwell.elf.movable_maker import make_movable
from runwell.isa.evaluate import evaluate
from runwell.isa.facts import facts
from runwell.isa.floats import FORMATS
from runwell.isa.op import Op, Rule
from runwell.isa.table import TABLE
from runwell.jit.compile import compile_job
from runwell.jit.installed import install
from runwell.jit.level import Level
from runwell.jit.prepare import make_job
from tests.fuzz.everything_values import SHAPE_LANES
from tests.table.operands import edges

NUMBERS = (I32, I64, F32, F64, V128)
ROWS = {
    t: [
        op
        for op in TABLE
        if op.rule in (Rule.PLAIN, Rule.LANE, Rule.SHUFFLE)
        and op.results == (t,)
        and {*op.params} <= {*NUMBERS}
    ]
    for t in NUMBERS
}
FUNCTIONS = 40  # of a module


class Value(NamedTuple):
    """An expression.

    Attributes:
        text: in the text format.
        bits: its value, None if it traps.
    """

    text: str
    bits: int | None


class Expressions:
    """A module of expressions.

    Attributes:
        text: of the module; ``f0``, ``f1``… put their values at address 0.
        values: of the functions: types and bits.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(f"expressions {seed}")
        self.globals: list[str] = []
        self.values: list[tuple[ValType, int | None]] = []
        functions = []
        for n in range(FUNCTIONS):
            t = self.random.choice(NUMBERS)
            value = self.value(t, self.random.randrange(1, 6))
            self.values.append((t, value.bits))
            functions.append(f'(func (export "f{n}") ({t.text}.store (i32.const 0) {value.text}))')
        parts = [*self.globals, *functions]
        self.text = f'(module (memory (export "memory") 1) {" ".join(parts)})'

    def leaf(self, t: ValType) -> Value:
        """A constant, or a global that holds one."""
        r = self.random
        bits = r.choice(edges(t)) if r.random() < 0.7 else r.getrandbits(t.bits)
        text = _constant(t, bits)
        if r.random() < 0.5:
            self.globals.append(f"(global $g{len(self.globals)} (mut {t.text}) {text})")
            text = f"(global.get $g{len(self.globals) - 1})"
        return Value(text, bits)

    def value(self, t: ValType, depth: int) -> Value:
        """An expression of a type."""
        r = self.random
        if depth == 0 or r.random() < 0.1:
            return self.leaf(t)
        op = r.choice(ROWS[t])
        operands = [self.value(p, depth - 1) for p in op.params]
        case = [o.bits for o in operands]
        imms = ""
        if op.rule == Rule.LANE:
            lane = r.randrange(SHAPE_LANES[op.mnemonic.partition(".")[0]])
            imms = f" {lane}"
            case.append(lane)
        elif op.rule == Rule.SHUFFLE:
            lanes = [r.randrange(32) for _ in range(16)]
            imms = "".join(f" {lane}" for lane in lanes)
            case.append(sum(lane << 8 * i for i, lane in enumerate(lanes)))
        text = f"({op.keyword}{imms} {' '.join(o.text for o in operands)})"
        return Value(text, _apply(op, case))


def _constant(t: ValType, bits: int) -> str:
    if t == V128:
        return f"(v128.const i64x2 {bits & 0xFFFF_FFFF_FFFF_FFFF:#x} {bits >> 64:#x})"
    if t in (I32, I64):
        return f"({t.text}.const {bits:#x})"
    form = FORMATS[t.bits]
    sign = "-" if bits & form.sign else ""
    if form.is_nan(bits):
        return f"({t.text}.const {sign}nan:{bits & ((form.quiet << 1) - 1):#x})"
    own, whole = ("<f", "<I") if t == F32 else ("<d", "<Q")
    (value,) = struct.unpack(own, struct.pack(whole, bits))
    return f"({t.text}.const {f'{sign}inf' if math.isinf(value) else value.hex()})"


def _apply(op: Op, case: list[int | None]) -> int | None:
    """The value of an instruction; None if it, or what makes an operand, traps."""
    if None in case:
        return None
    try:
        result = evaluate(op, tuple(case), bytearray(16))
    except Trap:
        return None
    assert result is not None
    width, t = facts(op).nan_width, op.results[0]
    if not width:
        return result
    form, found = FORMATS[width], 0
    for at in range(0, t.bits, width):
        lane = result >> at & ((1 << width) - 1)
        found |= (form.nan if form.is_nan(lane) else lane) << at
    return found


def run(seed: int) -> list[str]:
    """What engines make of a module's expressions, if it is not what the evaluator does."""
    module = Expressions(seed)
    config = runwell.Config(engine="interpreter", deterministic=True)
    wrong = []
    for level in (None, *Level):
        guest = runwell.Module(module.text, engine=runwell.Engine(config))
        exports = runwell.Instance(guest).exports
        if level is not None:
            job = make_job(guest.code, range(guest.code.n_functions), level)
            install(make_movable(compile_job(job)), guest.code)
        for n, (t, expected) in enumerate(module.values):
            try:
                exports[f"f{n}"]()
                found = int.from_bytes(exports.memory.read(0, t.bits // 8), "little")
            except runwell.Trap:
                found = None
            if found != expected:
                wrong.append(f"{seed} f{n} level {level}: {found}, not {expected}")
    return wrong


def main() -> None:
    """Try seeds; print what is wrong as JSON."""
    first, last = map(int, sys.argv[1:])
    json.dump([wrong for seed in range(first, last) for wrong in run(seed)], sys.stdout)


if __name__ == "__main__":
    main()
