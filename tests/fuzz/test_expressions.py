"""Random expressions have the values that the reference evaluator gives them, in all engines."""

import json
import os
import subprocess
import sys

FIRST = int(os.environ.get("RUNWELL_FUZZ_FIRST", "0"))
SEEDS = int(os.environ.get("RUNWELL_FUZZ_SEEDS", "6"))


def test_engines_agree_with_the_evaluator():
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.expressions", str(FIRST), str(FIRST + SEEDS)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout) == []
