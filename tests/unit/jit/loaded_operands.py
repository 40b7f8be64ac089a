"""Where guests trap whose instructions have operands in memory: interpreted and compiled.

A program of its own, because compiled code may crash: it prints what is not the same.
"""

import json
import random
import sys

import runwell
from runwell.base.types import F32, F64, I32, I64, V128
from runwell.elf.movable_maker import make_movable
from runwell.isa.op import Rule
from runwell.isa.table import TABLE
from runwell.jit.compile import compile_job
from runwell.jit.installed import install
from runwell.jit.prepare import make_job

NUMBERS = {I32, I64, F32, F64, V128}
LOCALS = {"i32": 0, "i64": 1, "f32": 2, "f64": 3, "v128": 4}
SHUFFLE = " 3 17 5 22 9 30 1 0 16 8 24 12 4 20 28 31"
USES = 8  # of what each instruction loads


def functions():
    """Functions that use what cannot be loaded, and one that calls each."""
    rng = random.Random(0)
    found = []
    for load in TABLE:
        if load.rule != Rule.LOAD:
            continue
        users = [
            op
            for op in TABLE
            if op.rule in (Rule.PLAIN, Rule.LANE, Rule.SHUFFLE)
            and load.results[0] in op.params
            and op.results
            and NUMBERS.issuperset({*op.params, *op.results})
            and op.feature != "relaxed-simd"
        ]
        for op in rng.sample(users, USES):
            operands = [f"(local.get {LOCALS[t.text]})" for t in op.params]
            operands[op.params.index(load.results[0])] = (
                f"({load.keyword} offset=65530 (local.get 0))"
            )
            more = {Rule.LANE: " 1", Rule.SHUFFLE: SHUFFLE}.get(op.rule, "")
            results = " ".join(t.text for t in op.results)
            n = len(found)
            found.append(f"""(func $x{n} (param i32 i64 f32 f64 v128) (result {results}) (nop)
                ({op.keyword}{more} {" ".join(operands)}))
              (func (export "{load.mnemonic} {op.mnemonic}")
                (call $x{n} (i32.const 16) (i64.const 3) (f32.const 1.5) (f64.const 2.5)
                  (v128.const i64x2 1 2)) {"(drop)" * len(op.results)} (unreachable))""")
    return found


def outcomes(text, level=None):
    """Traps and their frames, by export."""
    module = runwell.Module(text, engine=runwell.Engine(runwell.Config(engine="interpreter")))
    instance = runwell.Instance(module)
    if level is not None:
        # Those that are called are inlined.
        job = make_job(module.code, range(module.code.n_functions), level)
        install(make_movable(compile_job(job)), module.code)
    found = {}
    for name in instance.exports:
        try:
            instance.exports[name]()
        except runwell.Trap as trap:
            found[name] = trap.code.name, [(f.function, f.offset) for f in trap.backtrace]
    return found


def main():
    """Print the differences, and how many were looked at."""
    text = f"(module (memory 1) {' '.join(functions())})"
    expected = outcomes(text)
    wrong = [
        (level, name, was, expected[name])
        for level in (0, 2)
        for name, was in outcomes(text, level).items()
        if was != expected[name]
    ]
    json.dump([len(expected), wrong], sys.stdout)


if __name__ == "__main__":
    main()
