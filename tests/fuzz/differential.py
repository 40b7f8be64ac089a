"""Programs of ``everything`` in all engines, for as long as one likes.

python -m tests.fuzz.differential --seconds 7200 [--first SEED] [--jobs N] [--keep DIRECTORY]

Each program runs interpreted; with some of its functions compiled, more of them while it runs;
with all compiled; and in wasmtime, if that is installed and has what the program needs.  Compared
are results, traps and where they happened, exceptions, memories, globals, tables, fuel, and how
many calls fitted onto the stack.

Programs run in processes of their own: one that dies or hangs has failed, too.  What fails is made
smaller and written to a file.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PATIENCE_S = 180.0
START_S = 300.0  # the native core may have to be built


class Failure(NamedTuple):
    """A program that does not do the same everywhere."""

    seed: int
    problem: str


class Worker:
    """A process that compares; another takes its place if it dies."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def ask(self, seed: int, text: str = "") -> str:
        """What is wrong with a program, or "".

        Args:
            seed: which program.
            text: another to run with the options of this seed.
        """
        patience_s = PATIENCE_S
        if self._process is None:
            patience_s += START_S
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.fuzz.differential", "--serve"],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps([seed, text]) + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            pass
        ready, _, _ = select.select([process.stdout], [], [], patience_s)
        line = process.stdout.readline() if ready else ""
        if line:
            return str(json.loads(line))
        self.close()
        if not ready:
            return "hang: no answer"
        return f"crash: exit code {process.returncode}"

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()


def serve() -> None:
    """Compare what standard input asks for."""
    from runwell.base.errors import InvalidError, MalformedError
    from runwell.base.features import ALL
    from runwell.text.parser import parse
    from tests.fuzz.engines import compare, program

    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        seed, text = json.loads(line)
        try:
            problem = compare(seed, parse(text or program(seed), ALL))
        except (InvalidError, MalformedError) as error:
            problem = "" if text else f"invalid: {error}"
        except Exception as error:  # noqa: BLE001 (it is the finding)
            problem = f"error: {type(error).__name__}: {error}"
        print(json.dumps(problem), file=answers, flush=True)


def hunt(
    seconds: float, first: int = 0, jobs: int = 1, most: int | None = None
) -> tuple[int, list[Failure]]:
    """Compare programs until the time is over; how many, and which failed.

    Args:
        seconds: how long.
        first: seed of the first program.
        jobs: processes at a time.
        most: programs at most.
    """
    until = time.monotonic() + seconds
    lock = threading.Lock()
    seeds = iter(range(first, sys.maxsize if most is None else first + most))
    done: list[int] = []
    failures: list[Failure] = []

    def work() -> None:
        worker = Worker()
        try:
            while time.monotonic() < until:
                with lock:
                    seed = next(seeds, None)
                if seed is None:
                    break
                problem = worker.ask(seed)
                with lock:
                    done.append(seed)
                    if problem:
                        failures.append(Failure(seed, problem))
                        if sys.stderr.isatty() or os.environ.get("RUNWELL_FUZZ_TALK"):
                            sys.stderr.write(f"{seed}: {problem[:300]}\n")
        finally:
            worker.close()

    threads = [threading.Thread(target=work) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(done), failures


def smaller(failure: Failure, tries: int = 2000) -> str:
    """A smaller program that fails in the same way."""
    from tests.fuzz.engines import program
    from tests.fuzz.shrink import shrink

    worker = Worker()
    # Which engine, or which error.
    kind = failure.problem.split(": ")[: 2 if failure.problem.startswith("error") else 1]

    def fails(text: str) -> bool:
        return worker.ask(failure.seed, text).split(": ")[: len(kind)] == kind

    try:
        return shrink(program(failure.seed), fails, tries)
    finally:
        worker.close()


def main() -> int:
    """The command."""
    if sys.argv[1:] == ["--serve"]:
        serve()
        return 0
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--seconds", type=float, default=600)
    options.add_argument("--first", type=int, default=0)
    options.add_argument("--jobs", type=int, default=1)
    options.add_argument("--keep", type=Path, default=Path("failures"))
    options.add_argument("--shrink", type=int, help="only make this seed's program smaller")
    args = options.parse_args()
    if args.shrink is None:
        count, failures = hunt(args.seconds, args.first, args.jobs)
    else:
        count, problem = 1, Worker().ask(args.shrink)
        failures = [Failure(args.shrink, problem)] if problem else []
    for failure in failures:
        args.keep.mkdir(exist_ok=True)
        path = args.keep / f"{failure.seed}.wat"
        path.write_text(f";; {failure.problem}\n{smaller(failure)}\n")
        sys.stdout.write(f"{failure.seed}: {failure.problem}\n  {path}\n")
    sys.stdout.write(f"{count} programs, {len(failures)} differ\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
