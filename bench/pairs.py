"""Which forms, and which pairs of forms, the interpreter executes most: what fusion is tuned by.

Builds a core whose handlers count, runs the C programs in it, and prints shares of all instructions
executed, each program weighing the same.
"""

from __future__ import annotations

import argparse
import ctypes
from collections import Counter

import programs
import runwell
from runwell.codegen.testing import load_library
from runwell.codegen.unit import Unit, compile_units
from runwell.elf.linker import link
from runwell.interp import handlers
from runwell.interp import unit as interp_unit
from runwell.interp.registers import handler
from runwell.isa.form import FORMS, Form, FusedForm
from runwell.kernel.text import FunctionText, ModuleText
from runwell.runtime import signals
from runwell.runtime.native import native

COUNT = len(FORMS)


def counting(module: ModuleText, form: Form | FusedForm) -> FunctionText:
    """The beginning of a handler that counts the pair of the last form and this."""
    module.declare("profile_last", "@profile_last = external global i64")
    module.declare("profile_pairs", "@profile_pairs = external global i32")
    f = handler(handlers.symbol_of(form))
    row = f.ins(f"mul i64 {f.ins('load i64, ptr @profile_last')}, {COUNT}")
    place = f.ins(f"add i64 {row}, {form.index}")
    cell = f.ins(f"getelementptr i32, ptr @profile_pairs, i64 {place}")
    count = f.ins(f"add i32 {f.ins(f'load i32, ptr {cell}')}, 1")
    f.do(f"store i32 {count}, ptr {cell}")
    f.do(f"store i64 {form.index}, ptr @profile_last")
    return f


def counters(module: ModuleText) -> None:
    module.add_global("@profile_last = global i64 0")
    module.add_global(f"@profile_pairs = global [{COUNT * COUNT} x i32] zeroinitializer")


def load_counting_core() -> ctypes.Array[ctypes.c_uint32]:
    """Build and install the core; its counters."""
    handlers.begin_handler = counting
    units = [*interp_unit.core_units(), Unit("counters", [], counters)]
    exports = [*interp_unit.core_exports(units), "profile_pairs"]
    library = load_library(link(compile_units(units, 2, level=1), exports=exports))
    native.install(lambda name: ctypes.addressof(ctypes.c_char.in_dll(library, name)))
    at = native.address
    signals.install(at("handlers_low"), at("handlers_high"), at("fault_exit"))
    return (ctypes.c_uint32 * (COUNT * COUNT)).from_address(at("profile_pairs"))


def run(name: str) -> None:
    exports = runwell.Instance(runwell.Module(programs.wasm(name), validation="lazy")).exports
    exports._initialize()
    exports.run(max(programs.SIZES[name] // 4, min(programs.SIZES[name], 9)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("programs", nargs="*", metavar="PROGRAM", help="default: all")
    parser.add_argument("--top", type=int, default=40)
    args = parser.parse_args()
    cells = load_counting_core()
    forms: Counter[int] = Counter()
    pairs: Counter[int] = Counter()
    names = args.programs or list(programs.SIZES)
    for name in names:
        ctypes.memset(cells, 0, ctypes.sizeof(cells))
        run(name)
        counts = {i: n for i, n in enumerate(cells) if n}
        total = sum(counts.values())
        fused = sum(n for i, n in counts.items() if isinstance(FORMS[i % COUNT], FusedForm))
        print(f"{name:12} {total:12} instructions, {fused / total:4.0%} of them fused")
        for i, n in counts.items():
            forms[i % COUNT] += n / total / len(names)
            pairs[i] += n / total / len(names)
    print("\nforms")
    for i, share in forms.most_common(args.top):
        print(f"{share:7.2%}  {FORMS[i].name}")
    print("\npairs of unfused forms")
    singles = {i: n for i, n in pairs.items() if not any(map(is_fused, divmod(i, COUNT)))}
    for i, share in Counter(singles).most_common(args.top):
        print(f"{share:7.2%}  {FORMS[i // COUNT].name} + {FORMS[i % COUNT].name}")


def is_fused(index: int) -> bool:
    return isinstance(FORMS[index], FusedForm)


if __name__ == "__main__":
    main()
