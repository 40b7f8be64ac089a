"""Which forms the interpreter executes most, and which pairs are worth a fused form.

Builds a core whose handlers count how often each instruction is executed, runs the C programs in
it, and prints shares of all instructions executed, each program weighing the same.  With
``--suggest`` it prints pairs for ``runwell.isa.fusion``, the best choice first.

A module given with ``--module`` is not run: what is in loops is taken to be executed more often.
"""

from __future__ import annotations

import argparse
import ctypes
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import programs
import runwell
from runwell.codegen.testing import load_library
from runwell.codegen.unit import Unit, compile_units
from runwell.elf.linker import link
from runwell.interp import handlers
from runwell.interp import unit as interp_unit
from runwell.interp.registers import handler
from runwell.isa.form import FORMS, Form, FusedForm
from runwell.isa.register import Kind
from runwell.kernel.text import FunctionText, ModuleText
from runwell.kernel.types import ctype_of
from runwell.runtime import layout, signals
from runwell.runtime.context import current_context
from runwell.runtime.native import native
from runwell.translate import tables
from runwell.translate.code import Instruction, decode_code

COUNT = len(FORMS)
# One counter a word of code; which word is told by the low bits of its address.
WORDS = 1 << 24
# Functions of a module that is not run, and how much more often a loop's body is executed.
FUNCTIONS, LOOP = 3000, 8
# Pairs added before the gains are worked out anew.
BATCH = 10


class Step(NamedTuple):
    """An unfused instruction, and how often it is executed, as a share of all of a program."""

    form: Form
    share: float


Block = list[Step]  # instructions that nothing branches to, but for the first
Chain = tuple[str, ...]


def counting(module: ModuleText, form: Form | FusedForm) -> FunctionText:
    """The beginning of a handler that counts how often the instruction is executed."""
    module.declare("profile_counts", "@profile_counts = external global i32")
    f = handler(handlers.symbol_of(form))
    word = f.ins(f"lshr i64 {f.ins('ptrtoint ptr %ip to i64')}, 2")
    index = f.ins(f"and i64 {word}, {WORDS - 1}")
    cell = f.ins(f"getelementptr i32, ptr @profile_counts, i64 {index}")
    count = f.ins(f"add i32 {f.ins(f'load i32, ptr {cell}')}, 1")
    f.do(f"store i32 {count}, ptr {cell}")
    return f


def counters(module: ModuleText) -> None:
    module.add_global(f"@profile_counts = global [{WORDS} x i32] zeroinitializer")


def load_counting_core(*, fuses: bool) -> ctypes.Array[ctypes.c_uint32]:
    """Build and install the core; its counters."""
    handlers.begin_handler = counting
    if not fuses:
        tables.FUSION_ROW._values = (0,) * COUNT
    units = [*interp_unit.core_units(), Unit("counters", [], counters)]
    exports = [*interp_unit.core_exports(units), "profile_counts"]
    library = load_library(link(compile_units(units, 2, level=1), exports=exports))
    native.install(lambda name: ctypes.addressof(ctypes.c_char.in_dll(library, name)))
    at = native.address
    signals.install(at("handlers_low"), at("handlers_high"), at("fault_exit"))
    return (ctypes.c_uint32 * WORDS).from_address(at("profile_counts"))


def run(name: str) -> runwell.Module:
    module = runwell.Module(programs.wasm(name))
    exports = runwell.Instance(module).exports
    exports._initialize()
    exports.run(max(programs.SIZES[name] // 4, min(programs.SIZES[name], 22)))
    return module


class Code(NamedTuple):
    """An instruction in place, how often it is executed, and whether it is a target."""

    instruction: Instruction
    count: int
    is_target: bool


def functions(module: runwell.Module) -> list[ctypes.Structure]:
    """The native descriptions of a module's functions."""
    m = ctype_of(layout.ModuleCode).from_address(module.code.address)
    return list((ctype_of(layout.FuncCode) * module.code.n_functions).from_address(m.codes))


def translated(module: runwell.Module) -> Iterator[tuple[int, list[Instruction]]]:
    """Address and instructions of each function that was translated."""
    table = (ctypes.c_uint64 * len(FORMS)).from_address(native.address("handler_table"))
    form_at = {at: n for n, at in enumerate(table)}
    m = ctype_of(layout.ModuleCode).from_address(module.code.address)
    starts = sorted({c.entry for c in functions(module) if m.code <= c.entry < m.code_out})
    for start, end in zip(starts, [*starts[1:], m.code_out], strict=True):
        words = (ctypes.c_uint32 * ((end - start) // 4)).from_address(start)
        yield start, decode_code(words, form_at)


def executed(
    module: runwell.Module, counts: ctypes.Array[ctypes.c_uint32] | None
) -> Iterator[Code]:
    """All code of a module, in order; without counters the counts are guessed."""
    for start, found in translated(module):
        targets = {target for i in found for target in i.targets} | {0}
        loops = [(t, i.at) for i in found for t in i.targets if t <= i.at]
        for i in found:
            if counts is None:
                count = LOOP ** min(3, sum(t <= i.at <= end for t, end in loops))
            else:
                count = counts[(start + i.at) >> 2 & WORDS - 1]
            yield Code(i, count, i.at in targets)


def blocks_of(listed: list[Code], weight: float) -> Iterator[Block]:
    """The code that was executed, cut at targets."""
    total = sum(code.count * len(code.instruction.parts) for code in listed)
    block: Block = []
    for code in listed:
        if code.is_target and block:
            yield block
            block = []
        share = code.count * weight / total
        block += [Step(part.form, share) for part in code.instruction.parts]
    yield block


def may_go_on(form: Form) -> bool:
    """May another form follow in the same handler?"""
    return form.op.kind != Kind.LEAVE and (not form.dst.is_branch or form.dst.is_conditional)


def dispatches(block: Block, fused: set[Chain], gains: Counter[Chain]) -> float:
    """Share of dispatches in a block with these chains; adds to what longer ones would save."""
    total = 0.0
    chain: Chain = ()
    last: Form | None = None
    for form, share in block:
        longer = (*chain, form.name)
        # What stops for want of fuel must be first.
        if last is not None and may_go_on(last) and not form.op.name.startswith("fuel"):
            if longer in fused:
                chain, last = longer, form
                continue
            gains[longer] += share
        total += share
        chain, last = (form.name,), form
    return total


def suggest(blocks: list[Block], wanted: int, longest: int) -> list[Chain]:
    """Chains that save most dispatches, chosen in turn."""
    chosen: dict[Chain, None] = {}
    while True:
        gains: Counter[Chain] = Counter()
        share = sum(dispatches(block, set(chosen), gains) for block in blocks)
        print(f"# {len(chosen)} chains: {share:.3f} dispatches an instruction", flush=True)
        if len(chosen) >= wanted or not gains:
            return list(chosen)
        short = Counter({chain: g for chain, g in gains.items() if len(chain) <= longest and g})
        if not short:
            return list(chosen)
        chosen |= dict.fromkeys(chain for chain, _ in short.most_common(BATCH))


def translate(path: str) -> runwell.Module:
    """A module of which some functions are translated, evenly picked."""
    module = runwell.Module(path, validation="lazy")
    defined = [i for i, c in enumerate(functions(module)) if c.body]
    context = current_context().address
    call = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_uint64, ctypes.c_uint64)
    demand = call(native.address("translate_on_demand"))
    for i in defined[:: max(1, len(defined) // FUNCTIONS)]:
        demand(context, module.code.code_address(i))
    return module


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("programs", nargs="*", metavar="PROGRAM", help="default: all")
    parser.add_argument("--module", action="append", default=[], metavar="FILE")
    parser.add_argument("--weight", type=float, default=4, help="of a module, in programs")
    parser.add_argument("--top", type=int, default=40)
    parser.add_argument("--suggest", type=int, default=0, metavar="N")
    parser.add_argument("--longest", type=int, default=3, metavar="N", help="forms in one")
    args = parser.parse_args()
    counts = load_counting_core(fuses=not args.suggest)
    names = args.programs or list(programs.SIZES)
    found: list[tuple[str, float, list[Code]]] = []
    for name in names:
        ctypes.memset(counts, 0, ctypes.sizeof(counts))
        module = run(name)
        found.append((name, 1, list(executed(module, counts))))
    found += [(path, args.weight, list(executed(translate(path), None))) for path in args.module]
    weights = sum(weight for _, weight, _ in found)
    blocks: list[Block] = []
    forms: Counter[str] = Counter()
    for name, weight, listed in found:
        total = sum(code.count for code in listed)
        fused = sum(c.count for c in listed if isinstance(c.instruction.form, FusedForm))
        print(f"# {name:12} {total:12} dispatches, {fused / total:4.0%} of them fused")
        for code in listed:
            forms[code.instruction.form.name] += code.count / total * weight / weights
        blocks += blocks_of(listed, weight / weights)
    if args.suggest:
        for chain in suggest(blocks, args.suggest, args.longest):
            print(" + ".join(chain))
        return
    for form_name, share in forms.most_common(args.top):
        print(f"{share:7.2%}  {form_name}")


if __name__ == "__main__":
    main()
