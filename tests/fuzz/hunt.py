"""Hunt for modules that crash or hang: ``python -m tests.fuzz.hunt --count 100000``.

Mutants are loaded and run in worker processes under limits.  Every one must end in a clean error
or a clean run; one that kills or hangs its process is written to a file and reported.
"""

import argparse
import ast
import collections
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.mutate import mutate

ROOT = Path(__file__).parents[2]
BATCH = 500
SILENCE_S = 60  # a worker that says nothing for so long hangs


class Victim(NamedTuple):
    """A mutant that was not survived."""

    seed: int
    how: str


def corpus() -> list[Path]:
    """Good modules: the examples, and what tests have built."""
    built = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "runwell-bench"
    return sorted([*ROOT.glob("examples/*.wasm"), *built.glob("*.wasm")])


def run_batch(first: int, last: int, paths: list[Path]) -> tuple[dict[str, int], list[Victim]]:
    """Try mutants ``first``..``last``; counts by outcome, and the victims."""
    counts: collections.Counter[str] = collections.Counter()
    victims: list[Victim] = []
    while first < last:
        command = [
            sys.executable,
            "-m",
            "tests.fuzz.worker",
            str(first),
            str(last),
            *map(str, paths),
        ]
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        lines: queue.Queue[str | None] = queue.Queue()

        def read(process: subprocess.Popen[str] = process, lines=lines) -> None:
            for line in process.stdout:
                lines.put(line)
            lines.put(None)

        threading.Thread(target=read, daemon=True).start()
        seed, hung = first, False
        while True:
            try:
                line = lines.get(timeout=SILENCE_S)
            except queue.Empty:
                hung = True
                process.kill()
                break
            if line is None:
                break
            if line.startswith("done "):
                counts.update(ast.literal_eval(line[5:]))
                seed = last
            else:
                seed = int(line)
        errors = process.stderr.read() if process.stderr else ""
        status = process.wait()
        if seed < last:
            how = "hang" if hung else f"exit {status}: {errors[-2000:]}"
            victims.append(Victim(seed, how))
            seed += 1
        first = seed
    return dict(counts), victims


def hunt(count: int, jobs: int, start: int = 0) -> tuple[dict[str, int], list[Victim]]:
    """Try ``count`` mutants in ``jobs`` processes at a time."""
    paths = corpus()
    batches: queue.Queue[tuple[int, int]] = queue.Queue()
    for first in range(start, start + count, BATCH):
        batches.put((first, min(first + BATCH, start + count)))
    counts: collections.Counter[str] = collections.Counter()
    victims: list[Victim] = []
    lock = threading.Lock()

    def work() -> None:
        while True:
            try:
                first, last = batches.get_nowait()
            except queue.Empty:
                return
            got, bad = run_batch(first, last, paths)
            with lock:
                counts.update(got)
                victims.extend(bad)

    threads = [threading.Thread(target=work) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return dict(counts), victims


def main() -> int:
    """The command."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=100_000)
    options.add_argument("--start", type=int, default=0)
    options.add_argument("--jobs", type=int, default=os.cpu_count())
    options.add_argument("--keep", type=Path, default=Path("victims"))
    args = options.parse_args()
    counts, victims = hunt(args.count, args.jobs, args.start)
    for outcome, n in sorted(counts.items(), key=lambda item: -item[1]):
        sys.stdout.write(f"{n:8} {outcome}\n")
    data = [p.read_bytes() for p in corpus()]
    for seed, how in victims:
        args.keep.mkdir(exist_ok=True)
        (args.keep / f"{seed}.wasm").write_bytes(mutate(data, seed))
        sys.stdout.write(f"mutant {seed}: {how}\n")
    sys.stdout.write(f"{args.count} mutants, {len(victims)} not survived\n")
    return 1 if victims else 0


if __name__ == "__main__":
    sys.exit(main())
