"""``runwell wast``: one line a script, and one for each failure."""

from __future__ import annotations

import sys
from pathlib import Path

import runwell
from runwell.cli.script import Report, run_script

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import SimpleNamespace


# Suites of proposals are older than features that came after them.
FEATURES = {"proposals/threads/": "-memory64,-multi-memory,-reference-types"}


def features_of(name: str) -> str:
    """The features that a script of the official suite wants, by its path."""
    path = Path(name).as_posix()
    return next((words for part, words in FEATURES.items() if part in path), "")


def run(args: SimpleNamespace) -> int:
    """Run the scripts ``args.files``.

    Returns:
        0 if all pass, 1 if something fails, 64 for an unknown feature, 66 without a file.
    """
    worst = assertions = failed = 0
    for name in args.files:
        features = (
            features_of(str(Path(name).resolve())) if args.features is None else args.features
        )
        try:
            config = runwell.Config(engine=args.engine, features=features)
        except ValueError as e:
            print(f"runwell wast: {e}", file=sys.stderr)
            return 64
        try:
            report = run_script(Path(name).read_bytes(), config)
        except OSError as e:
            print(f"{name}: {e.strerror}", file=sys.stderr)
            worst = 66
            continue
        except runwell.MalformedError as e:
            print(f"{name}: {e}", file=sys.stderr)
            worst = max(worst, 1)
            continue
        print_report(name, report)
        assertions += report.assertions
        failed += len(report.failures)
    if len(args.files) > 1:
        print(f"{len(args.files)} scripts, {assertions} assertions, {failed} failures")
    return max(worst, failed > 0)


def print_report(name: str, report: Report) -> None:
    """Print what became of a script."""
    if report.failures:
        print(f"{name}: {report.assertions} assertions, {len(report.failures)} failures")
    else:
        print(f"{name}: {report.assertions} assertions passed")
    for line, message in report.failures:
        print(f"{name}:{line}: {message}")
