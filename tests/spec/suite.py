"""Where the official test suite is, and how its parts are run."""

import os
from pathlib import Path

from runwell.cli.wast import features_of

ROOT = Path(__file__).parents[2]
SUITE = Path(os.environ.get("RUNWELL_SPEC_TESTS", ROOT.parent / "shared" / "spec-tests"))
# What the functions count as that were compiled while a script ran.
COMPILED = "functions compiled meanwhile"
MANIFEST = Path(__file__).with_name("expected_failures.txt")


def scripts():
    """All scripts, relative to the suite."""
    return sorted(path.relative_to(SUITE).as_posix() for path in SUITE.rglob("*.wast"))


def features(name):
    """What a script is run with."""
    return features_of(name)


def expected_failures():
    """Why a script is expected to fail, by name."""
    expected = {}
    for line in MANIFEST.read_text().splitlines():
        name, _, reason = line.partition(":")
        if name and not name.startswith("#"):
            expected[name.strip()] = reason.strip()
    return expected
