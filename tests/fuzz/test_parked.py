"""Guests that stop wherever there is no fuel do what they do at one go, whatever is compiled."""

import json
import os
import subprocess
import sys

import pytest

# Seeds of a test; ``RUNWELL_FUZZ_SEEDS`` hunts for longer.
SEEDS = int(os.environ.get("RUNWELL_FUZZ_SEEDS", "3"))
PARTS = 3

_RUN = """
import json, random, sys
from tests.fuzz.parked import run
first, last = json.load(sys.stdin)
print(json.dumps([run(seed) for seed in range(first, last)]))
"""


@pytest.mark.parametrize("part", range(PARTS))
def test_guests_stop_everywhere(part: int) -> None:
    first = int(os.environ.get("RUNWELL_FUZZ_FIRST", "0")) + part * SEEDS
    done = subprocess.run(
        [sys.executable, "-c", _RUN],
        input=json.dumps([first, first + SEEDS]),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:] or f"{done.returncode} in {first}.."
    found = json.loads(done.stdout)
    assert sum(stops for _, stops in found) > 500 * SEEDS
    # They do something.
    assert len({kind for kinds, _ in found for kind in kinds}) >= 2
