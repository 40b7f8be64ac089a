"""Calls of guests through tables, references and imports, compiled, beside wasmtime.

Each guest loops over one kind of call; times are of the processor, for one round of the loop, the
best of several runs of both in turn.  What is called adds two numbers, or, where it says "work",
does some arithmetic more, so that there is something to keep in registers.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable

Run = Callable[[int], int]
ADD = "(i32.add (local.get 0) (local.get 1))"
WORK = f"""(i32.rotl (i32.mul (i32.xor {ADD} (i32.const 0x5bd1e995)) (i32.const 0x9e3779b1))
  (i32.and (local.get 0) (i32.const 15)))"""
LOOP = """(func (export "run") (param $n i32) (result i32) (local $h i32) (local $i i32)
  (loop $l
    (local.set $h {call})
    (br_if $l (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
  (local.get $h))"""
TYPE = "(type $t (func (param i32 i32) (result i32)))"
# A second module has the functions that are elsewhere.
OTHER = f'(module {TYPE} (func (export "f") (type $t) {WORK}))'
IMPORT = '(import "other" "f" (func $f (type $t)))'


def _functions(body: str, n: int = 4) -> str:
    numbered = [body if k == 0 else f"(i32.sub {body} (i32.const {k}))" for k in range(n)]
    return "".join(f"(func $f{k} (type $t) {text})" for k, text in enumerate(numbered))


def _table(names: str, *, exported: bool) -> str:
    export = '(export "table")' if exported else ""
    return f"(table {export} funcref (elem {names}))"


def _indirect(index: str) -> str:
    return LOOP.format(call=f"(call_indirect (type $t) (local.get $h) (local.get $i) {index})")


ONE, FOUR = "(i32.const 0)", "(i32.and (local.get $i) (i32.const 3))"
FOURTH = "(i32.and (i32.mul (local.get $h) (i32.const 0x9e3779b1)) (i32.const 3))"
_ALL = "$f0 $f1 $f2 $f3"
GUESTS: dict[str, str] = {
    "table, one function": _table(_ALL, exported=True) + _functions(ADD) + _indirect(ONE),
    "the same, work": _table(_ALL, exported=True) + _functions(WORK) + _indirect(ONE),
    "table, four in turn": _table(_ALL, exported=True) + _functions(WORK) + _indirect(FOUR),
    "table, four at random": _table(_ALL, exported=True) + _functions(WORK) + _indirect(FOURTH),
    "own table, one function": _table(_ALL, exported=False) + _functions(WORK) + _indirect(ONE),
    "own table, four in turn": _table(_ALL, exported=False) + _functions(WORK) + _indirect(FOUR),
    "reference": _functions(WORK)
    + "(global $g (mut (ref $t)) (ref.func $f1))"
    + LOOP.format(call="(call_ref $t (local.get $h) (local.get $i) (global.get $g))"),
    "import of an instance": IMPORT + LOOP.format(call="(call $f (local.get $h) (local.get $i))"),
    "table, another instance's": IMPORT + _table("$f", exported=True) + _indirect(ONE),
}


def ours(text: str, other: str) -> Run:
    import runwell

    engine = runwell.Engine(runwell.Config(engine="jit"))
    given = runwell.Instance(runwell.Module(other, engine=engine)).exports
    module = runwell.Module(text, engine=engine)
    instance = runwell.Instance(module, {"other": given} if module.imports else {})
    return lambda n: int(instance.exports.run(n))


def wasmtime(text: str, other: str) -> Run:
    import wasmtime as peer

    config = peer.Config()
    config.wasm_function_references = True
    store = peer.Store(peer.Engine(config))
    linker = peer.Linker(store.engine)
    given = linker.instantiate(store, peer.Module(store.engine, other))
    linker.define_instance(store, "other", given)
    run = linker.instantiate(store, peer.Module(store.engine, text)).exports(store)["run"]
    return lambda n: int(run(store, n))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20_000_000)
    parser.add_argument("--repeat", type=int, default=5)
    args = parser.parse_args()
    print(f"{'ns a round':28}{'runwell':>10}{'wasmtime':>10}{'/ wasmtime':>12}")
    ratios = []
    for name, body in GUESTS.items():
        # Imports come before everything else.
        imported, rest = (IMPORT, body[len(IMPORT) :]) if body.startswith(IMPORT) else ("", body)
        text = f"(module {TYPE} {imported} {rest})"
        runs = [ours(text, OTHER), wasmtime(text, OTHER)]
        best = [math.inf, math.inf]
        for _ in range(args.repeat):
            results = []
            for which, run in enumerate(runs):
                start = time.process_time()
                results.append(run(args.rounds))
                best[which] = min(best[which], time.process_time() - start)
            if results[0] != results[1]:
                raise SystemExit(f"{name}: results differ: {results}")
        ratios.append(best[0] / best[1])
        line = "".join(f"{seconds / args.rounds * 1e9:10.2f}" for seconds in best)
        print(f"{name:28}{line}{ratios[-1]:12.2f}", flush=True)
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
    print(f"{'geometric mean':48}{mean:12.3f}")


if __name__ == "__main__":
    main()
