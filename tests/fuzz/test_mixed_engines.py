"""Functions compiled at random among interpreted ones: all is as if none were compiled."""

import json
import os
import subprocess
import sys

import pytest

# Seeds of a test; ``RUNWELL_FUZZ_SEEDS`` hunts for longer.
SEEDS = int(os.environ.get("RUNWELL_FUZZ_SEEDS", "6"))
PARTS = 4

_RUN = """
import json, random, sys
from tests.fuzz.mixed_engines import run
first, last = json.load(sys.stdin)
print(json.dumps([run(seed) for seed in range(first, last)]))
"""


@pytest.mark.parametrize("part", range(PARTS))
def test_some_functions_are_compiled(part):
    first = int(os.environ.get("RUNWELL_FUZZ_FIRST", "0")) + part * SEEDS
    done = subprocess.run(
        [sys.executable, "-c", _RUN],
        input=json.dumps([first, first + SEEDS]),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:] or f"{done.returncode} in {first}.."
    kinds = set().union(*json.loads(done.stdout))
    # They do something.
    assert len(kinds) >= 3, kinds
