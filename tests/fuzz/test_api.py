"""The public API used at random, in a process of its own, where a crash is seen for what it is."""

import os
import subprocess
import sys

import pytest

# Examples of a test; ``RUNWELL_FUZZ_SEEDS`` hunts for longer.
SEEDS = int(os.environ.get("RUNWELL_FUZZ_SEEDS", "6"))


def run(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.api", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60 + 60 * SEEDS,
    )
    assert done.returncode == 0, done.stderr[-5000:] or done.stdout[-3000:]
    return done.stdout.split()


@pytest.mark.parametrize("seed", [1, 2])
def test_one_thread(seed):
    run("--examples", SEEDS, "--steps", 40, "--seed", seed)


@pytest.mark.parametrize("seed", [1, 2])
def test_threads(seed):
    done, refused = map(int, run("--threads", 4, "--seconds", SEEDS / 3, "--seed", seed))
    # They do something.
    assert done > 100
    assert refused > 10
