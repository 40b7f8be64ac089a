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
import tempfile
import threading
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.mutate import mutate, read

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
    own = Path(__file__).parent.glob("*.wat")
    return sorted([*ROOT.glob("examples/*.wasm"), *built.glob("*.wasm"), *own])


def run_batch(first: int, last: int, paths: list[Path]) -> tuple[dict[str, int], list[Victim]]:
    """Try mutants ``first``..``last``; counts by outcome, and the victims."""
    counts: collections.Counter[str] = collections.Counter()
    victims: list[Victim] = []
    while first < last:
        got, victim = run_worker(first, last, paths)
        counts.update(got)
        if victim is None:
            break
        victims.append(victim)
        first = victim.seed + 1
    return dict(counts), victims


def run_worker(first: int, last: int, paths: list[Path]) -> tuple[dict[str, int], Victim | None]:
    """Try mutants in one process until the last or the first that is not survived."""
    command = [sys.executable, "-m", "tests.fuzz.worker", str(first), str(last)]
    seed, status, counts = first, "", {}
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            [*command, *map(str, paths)], cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        lines: queue.Queue[str] = queue.Queue()

        def read() -> None:
            for line in process.stdout or ():
                lines.put(line)
            lines.put("")

        reader = threading.Thread(target=read)
        reader.start()
        try:
            while line := lines.get(timeout=SILENCE_S):
                if line.startswith("done "):
                    counts = ast.literal_eval(line[5:])
                else:
                    seed = int(line)
        except queue.Empty:
            status = "hang"
            process.kill()
        reader.join()
        process.wait()
        errors.seek(0)
        status = status or f"exit {process.returncode}: {errors.read()[-2000:]}"
    return counts, None if counts else Victim(seed, status)


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
    data = [read(path) for path in corpus()]
    for seed, how in victims:
        args.keep.mkdir(exist_ok=True)
        (args.keep / f"{seed}.wasm").write_bytes(mutate(data, seed))
        sys.stdout.write(f"mutant {seed}: {how}\n")
    sys.stdout.write(f"{args.count} mutants, {len(victims)} not survived\n")
    return 1 if victims else 0


if __name__ == "__main__":
    sys.exit(main())
