"""Forms of register code run by the interpreter, in a worker process.

Slots are 16 bytes apart: the first belong to the link, then come operands and results.
"""

import ctypes
from itertools import chain
from typing import Any

from tests.unit.interp.assembler import BY_NAME, Assembler
from tests.unit.interp.guest import Guest

from runwell.base.errors import Trap
from runwell.base.types import F32, F64, I32, I64, V128
from runwell.isa.evaluate import evaluate
from runwell.isa.form import FORMS, Dst, Form, FusedForm, Mode, Src
from runwell.isa.register import Kind, Word

PAGE = 65536
LINK, ACC_AT, INT, FLOAT, RESULT = 0, 16, 48, 64, 96
FIRST_OPERAND = 128
MASK = (1 << 64) - 1
FLOATS = (F32, F64, V128)
# Where the operand that goes through the accumulator of floats waits, and what the tests look at.
SCRATCH = 0
SEEN_BYTES = 64


class Bench:
    """A guest that runs one form after the other."""

    def __init__(self) -> None:
        self.guest = Guest()
        self.base = self.guest.memory(PAGE)

    def run(self, code: Assembler, slots: dict[int, int], memory: bytes) -> int:
        """Run code in a frame with these slots; the trap code."""
        self.guest.functions.clear()
        del self.guest.keep[40:]
        index = self.guest.function(code)
        frame = (ctypes.c_uint8 * 1024).from_address(self.guest.context.top)
        for at, value in slots.items():
            frame[at : at + 16] = value.to_bytes(16, "little")
        ctypes.memmove(self.base + PAGE - len(memory), memory, len(memory))
        trap: int = self.guest.run(index, results=0)[0]
        return trap

    def scratch(self, value: int) -> None:
        """Set the operand that ``load_accumulators`` puts into the accumulator of floats."""
        ctypes.memmove(self.base + SCRATCH, value.to_bytes(16, "little"), 16)

    def slot(self, at: int) -> int:
        """What 16 bytes of the frame hold."""
        found = ctypes.string_at(self.guest.context.top + at, 16)
        return int.from_bytes(found, "little")

    def memory(self, size: int) -> bytes:
        """The end of the memory."""
        return ctypes.string_at(self.base + PAGE - size, size)


def load_accumulators(code: Assembler) -> None:
    """Integers from a slot, floats from the memory."""
    code.emit("v128.load S->SLOT", ACC_AT + 16, SCRATCH, FLOAT)
    code.emit("copy S->SLOT", ACC_AT, INT)


def emit(code: Assembler, form: Form, sources: list[int], imms: list[Any], dst: object) -> None:
    """One instruction; the slots of sources and the values of constants in order."""
    words = [s for s, src in zip(sources, form.srcs, strict=True) if src != Src.ACC]
    tail = [] if form.dst in (Dst.NONE, Dst.ACC) else [dst]
    code.emit(form.name, *words, *imms, *tail)


def split(form: Form, case: tuple[int, ...]) -> tuple[list[int], list[Any]]:
    """The operands of a row's body as sources and immediates of a form."""
    rest = list(case)
    imms = []
    if form.op.kind in (Kind.LOAD, Kind.STORE):
        imms.append(rest.pop(1))
    n = len(form.params)
    imms += rest[n:]
    return rest[:n], [*imms, 0] if form.mode != Mode.GUARD else imms


def is_encodable(form: Form, sources: list[int]) -> bool:
    """Can immediate sources hold the values?"""
    return all(
        src != Src.IMM or ty != I64 or (value + (1 << 31) & MASK) < 1 << 32
        for src, ty, value in zip(form.srcs, form.params, sources, strict=True)
    )


def write(form: Form, sources: list[int], imms: list[Any]) -> tuple[Assembler, dict[int, int]]:
    """Code that runs a form and leaves its result, or 1 for a branch, in the slot ``RESULT``."""
    code, slots = Assembler(), {ACC_AT + 16: 0}
    operands = []
    for i, (src, value) in enumerate(zip(form.srcs, sources, strict=True)):
        at = FIRST_OPERAND + 16 * i
        constant = src in (Src.IMM, Src.IMM64)
        operands.append(value if constant else at)
        slots[at] = value
        if src == Src.ACC:
            slots[ACC_AT] = value & MASK
    begin(code)
    emit(code, form, operands, imms, taken(form) if form.dst.is_branch else RESULT)
    if form.dst == Dst.ACC:
        ty = form.op.results[0]
        copy = f"copy_{ty.text}" if ty in FLOATS else "copy"
        code.emit(f"{copy} A->SLOT", RESULT)
    elif form.dst.is_branch:
        code.emit("i32.const K->SLOT", 0, RESULT)
    end(code)
    code.emit("exit")
    return code, slots


def begin(code: Assembler) -> None:
    """A target for backward branches, and the state to start from."""
    code.emit("br ->JUMP", "start")
    code.label("taken backward")
    code.emit("i32.const K->SLOT", 1, RESULT)
    code.emit("br ->JUMP", "end")
    code.label("start")
    load_accumulators(code)


def end(code: Assembler) -> None:
    """A target for forward branches, and the end."""
    code.emit("br ->JUMP", "end")
    code.label("taken forward")
    code.emit("i32.const K->SLOT", 1, RESULT)
    code.label("end")


def taken(form: Form) -> str:
    """Where a branch goes."""
    return "taken backward" if form.dst.is_backward else "taken forward"


def outcomes(index: int, cases: list[tuple[int, ...]], memory: bytes) -> list[Any]:
    """Of each case: trap code, result, end of the memory; None if the form cannot encode it."""
    form = FORMS[index]
    assert isinstance(form, Form)
    bench = Bench()
    found: list[Any] = []
    for case in cases:
        sources, imms = split(form, case)
        if not is_encodable(form, sources):
            found.append(None)
            continue
        code, slots = write(form, sources, imms)
        through_acc = [v for v, s in zip(sources, form.srcs, strict=True) if s == Src.ACC]
        bench.scratch(through_acc[0] if through_acc else 0)
        trap = bench.run(code, slots, memory)
        found.append((trap, bench.slot(RESULT), bench.memory(len(memory))))
    return found


def reference(form: Form, case: tuple[int, ...], memory: bytes) -> tuple[int, int, bytes]:
    """What the evaluator says of a case, with ``memory`` at the end of a page."""
    row = form.op.row
    assert row is not None
    room = bytearray(PAGE - len(memory)) + memory
    inputs = list(row.inputs or ())
    if form.mode == Mode.CHECKED64:
        inputs[:2] = [I64, I64]
    try:
        result = evaluate(row, case, room, tuple(inputs)) or 0
    except Trap as trap:
        return int(trap.code), 0, bytes(room[-len(memory) :])
    if form.dst in (Dst.UNLESS, Dst.LOOP_UNLESS):
        result ^= 1
    return 0, result, bytes(room[-len(memory) :])


def fused_outcomes(index: int, seed: int, count: int) -> list[Any]:
    """For a fused form: what it leaves behind, and what its parts do, from the same state."""
    import random

    form = FORMS[index]
    assert isinstance(form, FusedForm)
    rng = random.Random(f"{form.name} {seed}")
    bench = Bench()
    found = []
    for _ in range(count):
        operands = [_draw_operands(rng, part, i) for i, part in enumerate(form.parts)]
        values = [_draw_value(rng) for _ in range(16)]
        float_acc, memory = rng.getrandbits(128), rng.randbytes(256)
        both = []
        for names in ([form.name], [part.name for part in form.parts]):
            code = Assembler()
            begin(code)
            words = iter([list(chain(*operands))] if len(names) == 1 else operands)
            for name in names:
                code.emit(name, *next(words))
            end(code)
            code.emit("copy A->SLOT", INT)
            code.emit("copy_f64 A->SLOT", FLOAT)
            code.emit("exit")
            bench.scratch(float_acc)
            slots = {16 * i: value for i, value in enumerate(values, FIRST_OPERAND // 16)}
            slots |= {RESULT: 0, INT: 0, FLOAT: 0, ACC_AT: values[0], ACC_AT + 16: 0}
            trap = bench.run(code, slots, memory)
            both.append((trap, _state(bench, form), bench.memory(256)))
        found.append(both)
    return found


def _draw_value(rng: Any) -> int:
    small = rng.choice((rng.randrange(256), PAGE - rng.randrange(1, 256), rng.getrandbits(32)))
    return rng.choice((small, small, rng.getrandbits(64)))


def _draw_operands(rng: Any, form: Form, number: int) -> list[Any]:
    words: list[Any] = []
    for src in form.srcs:
        if src == Src.SLOT:
            words.append(FIRST_OPERAND + 16 * rng.randrange(16))
        elif src == Src.REF:
            words.append(8 * rng.randrange(8))
        elif src != Src.ACC:
            words.append(rng.choice((rng.randrange(64), rng.getrandbits(32))))
    words += [_IMMEDIATES[kind](rng) for kind in form.imms]
    if form.dst.is_branch:
        words.append(taken(form))
    elif form.dst == Dst.REF:
        words.append(8 * rng.randrange(8))
    elif form.dst == Dst.SLOT:
        words.append(FIRST_OPERAND + 16 * (16 + number))
    return words


_IMMEDIATES = {
    Word.OFFSET: lambda rng: rng.randrange(64),
    Word.SLOT: lambda rng: FIRST_OPERAND + 16 * rng.randrange(16),
    Word.COUNT: lambda rng: 16,
    Word.GLOBAL: lambda rng: 128,
}


def can_be_drawn(form: FusedForm) -> bool:
    """Do its parts need nothing but slots, constants, memory 0 and globals?"""
    return all(
        part.op.kind != Kind.LEAVE and set(part.imms) <= set(_IMMEDIATES) for part in form.parts
    )


def _state(bench: Bench, form: FusedForm) -> list[int]:
    """Slots and accumulators; of 32-bit numbers the low half, the rest is undefined."""
    widths = {INT: MASK, FLOAT: MASK}
    slots = [RESULT]
    for number, part in enumerate(form.parts):
        if not part.op.results or part.dst not in (Dst.SLOT, Dst.ACC):
            continue
        ty = part.op.results[0]
        mask = 0xFFFF_FFFF if ty in (I32, F32) else MASK
        widths[FLOAT if ty in FLOATS else INT] = mask
        if part.dst == Dst.SLOT:
            at = FIRST_OPERAND + 16 * (16 + number)
            slots.append(at)
            widths[at] = mask
    return [bench.slot(at) & widths.get(at, MASK) for at in (INT, FLOAT, *slots)]


__all__ = ["BY_NAME", "can_be_drawn", "fused_outcomes", "outcomes", "reference"]
