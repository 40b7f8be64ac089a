import json
import os
import select
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from tests.spec.suite import COMPILED, SUITE, features

TIMEOUT_S = 120


class Worker:
    """A process that runs scripts, started again after it died."""

    def __init__(self, *arguments):
        self.process, self.arguments = None, arguments

    def run(self, name, **options):
        """Assertions and failures of a script; if it is eager, how many functions it compiled."""
        options["features"] = features(name)
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, Path(__file__).with_name("worker.py"), *self.arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        self.process.stdin.write(json.dumps([str(SUITE / name), options]) + "\n")
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], TIMEOUT_S)
        answer = self.process.stdout.readline() if ready else ""
        if answer:
            return json.loads(answer)
        self.stop()
        how = f"exit code {self.code}" if ready else f"no answer in {TIMEOUT_S} s"
        # What it printed before is in the captured standard error.
        pytest.fail(f"{name}: the process that ran it is gone: {how}")
        return None

    def stop(self):
        if self.process is not None:
            if self.process.poll() is None:
                self.process.kill()
            self.code = self.process.wait()
            self.process.stdin.close()
            self.process.stdout.close()
            self.process = None


@pytest.fixture(scope="session")
def worker():
    worker = Worker()
    yield worker
    worker.stop()


@pytest.fixture(scope="session")
def eager_worker():
    worker = Worker("eager")
    yield worker
    worker.stop()


@pytest.fixture
def count(request):
    """Adds to the number of assertions of a directory."""

    def add(directory, assertions):
        request.node.user_properties.append((directory, assertions))

    return add


def pytest_terminal_summary(terminalreporter):
    counts = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "call" and "spec" in report.nodeid:
                for directory, assertions in report.user_properties:
                    counts[directory] += assertions
    compiled = counts.pop(COMPILED, 0)
    if counts:
        terminalreporter.write_line(f"official suite: {counts.total()} assertions made")
        for directory, assertions in sorted(counts.items()):
            terminalreporter.write_line(f"  {directory}: {assertions}")
    if compiled:
        terminalreporter.write_line(f"  {COMPILED}: {compiled}")
