"""What it costs to compile elsewhere: processes beside the same compiler in this process.

    python bench/compiling.py

The job is LLVM text of functions with line tables.  Figures are medians; the first process includes
starting Python and importing LLVM, which a guest does not wait for.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from queue import SimpleQueue

import runwell
from runwell.codegen.object import compile_text
from runwell.elf.movable_maker import make_movable
from runwell.jit.cache import CodeCache, Record
from runwell.jit.compiler import Outcome
from runwell.jit.installed import install, totals
from runwell.jit.workers import Workers

FUNCTION = "bench.compiling:compile_bytes"
SIZES = (1, 20, 200)
RUNS = 15


def compile_bytes(data: bytes) -> bytes:
    """What a process does."""
    return compile_text(data.decode())


def functions(count: int) -> bytes:
    """LLVM text of functions of some length."""
    texts = []
    for n in range(count):
        steps = "".join(
            f"  %v{i + 1} = mul i64 %v{i}, %w{i}\n  %w{i + 1} = xor i64 %v{i + 1}, {n * 7 + i}\n"
            for i in range(30)
        )
        texts.append(
            f"define i64 @f{n}(i64 %v0, i64 %w0) nounwind {{\n{steps}"
            "  %r = call i64 @memory_grow(i64 %v30, i64 %w30)\n  ret i64 %r\n}\n"
        )
    return "".join([*texts, "declare i64 @memory_grow(i64, i64)\n"]).encode()


def median_ms(work: Callable[[], object], runs: int = RUNS) -> float:
    """Median time of several runs."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


def main() -> None:
    """Measure and print."""
    done: SimpleQueue[Outcome] = SimpleQueue()

    def ask(workers: Workers, text: bytes) -> Outcome:
        workers.submit(text, 100, done.put)
        return done.get()

    def start() -> None:
        workers = Workers(FUNCTION, 1)
        ask(workers, functions(1))
        workers.end()

    print(f"a process, from its start to its first object   {median_ms(start, 5):8.1f} ms")
    workers = Workers(FUNCTION, 1)
    code = runwell.Module("(module " + "(func)" * max(SIZES) + ")").code
    ask(workers, functions(1))
    print("functions   here   process          install   kept code, from disk, installed")
    for size in SIZES:
        text = functions(size)
        here = median_ms(lambda text=text: make_movable(compile_bytes(text)))
        there = median_ms(lambda text=text: ask(workers, text))
        movable = ask(workers, text).code
        placing = median_ms(lambda movable=movable: install(movable, code))
        with tempfile.TemporaryDirectory() as directory:
            cache = CodeCache(directory)
            cache.add(code, Record(2, ("f0",), movable))
            cache.save()
            kept = median_ms(lambda cache=cache: [install(r.code, code) for r in cache.load(code)])
        print(
            f"{size:9} {here:6.1f} {there:9.1f} ms {there / here:5.2f} × "
            f"{placing:9.3f} ms {kept:9.3f} ms  {kept / here:6.4f} × compiling"
        )
    now = totals()
    print(f"{now.blocks} blocks, {now.code_bytes} bytes of code, {now.mapped_bytes} mapped")
    workers.close()


if __name__ == "__main__":
    main()
