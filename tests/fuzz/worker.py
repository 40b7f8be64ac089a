"""Loads and runs mutants in a process of its own: ``worker.py FIRST LAST CORPUS...``.

Writes the number of each mutant before it is touched, so that whoever watches knows which one
killed or hung the process, and at the end one line of counts.
"""

import collections
import random
import sys
import threading
import time
from pathlib import Path

import runwell
from runwell.base.traps import TrapCode
from runwell.runtime.context import current_context
from tests.fuzz.mutate import mutate, read

LIMITS = {
    "max_memory_bytes": 64 << 20,
    "max_table_elements": 1 << 20,
    "max_heap_bytes": 16 << 20,
}
PATIENCE_S = 0.05
VALUES = (0, 1, 2, -1, 7, 255, 65_536, 2**31 - 1, -(2**31))


class Watchdog:
    """Stops a guest that runs for too long."""

    def __init__(self) -> None:
        self.context = current_context()
        self.until = float("inf")
        threading.Thread(target=self._watch, daemon=True).start()

    def start(self) -> None:
        """A guest begins now."""
        self.context.native.interrupt = 0
        self.until = time.monotonic() + PATIENCE_S

    def _watch(self) -> None:
        while True:
            time.sleep(PATIENCE_S / 2)
            if time.monotonic() > self.until:
                self.context.interrupt(TrapCode.DEADLINE)


def stub(kind: object) -> object:
    """Something to import, of the type that is wanted."""
    if isinstance(kind, runwell.FuncType):
        zeros = tuple(0.0 if t.is_float else None if t.is_ref else 0 for t in kind.results)
        answer = None if not zeros else zeros[0] if len(zeros) == 1 else zeros
        return lambda *_: answer
    for make in (runwell.Memory, runwell.Table):
        try:
            return make(kind)
        except TypeError:
            pass
    return runwell.Global(kind, None if kind.type.is_ref else 0)


def try_mutant(data: bytes, engine: runwell.Engine, rng: random.Random, watchdog: Watchdog) -> str:
    """Load and run; the name of what came of it."""
    watchdog.start()
    try:
        module = runwell.Module(data, engine=engine)
        imports: dict[str, dict[str, object]] = {}
        for wanted in module.imports:
            imports.setdefault(wanted.module, {})[wanted.name] = stub(wanted.type)
        instance = runwell.Instance(module, imports)
    except (runwell.RunwellError, TypeError) as e:
        # What must not be null cannot be given.
        return type(e).__name__
    outcome = "ran"
    for name in list(instance.exports):
        function = instance.exports[name]
        if not isinstance(function, runwell.Func):
            continue
        args = [None if t.is_ref else rng.choice(VALUES) for t in function.type.params]
        watchdog.start()
        try:
            function(*args)
        except (runwell.RunwellError, TypeError) as e:
            outcome = "ran: " + type(e).__name__
    return outcome


def main() -> None:
    """Try a range of mutants."""
    first, last = int(sys.argv[1]), int(sys.argv[2])
    corpus = [read(Path(p)) for p in sys.argv[3:]]
    engine = runwell.Engine(runwell.Config(**LIMITS))
    counts: collections.Counter[str] = collections.Counter()
    runwell.Module(b"\0asm\1\0\0\0")  # loads the native core
    watchdog = Watchdog()
    for seed in range(first, last):
        sys.stdout.write(f"{seed}\n")
        sys.stdout.flush()
        counts[try_mutant(mutate(corpus, seed), engine, random.Random(seed), watchdog)] += 1
    sys.stdout.write("done " + repr(dict(counts)) + "\n")


if __name__ == "__main__":
    main()
