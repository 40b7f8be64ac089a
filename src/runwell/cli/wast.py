"""``runwell wast``: one line a script, and one for each failure."""

from __future__ import annotations

import sys
from pathlib import Path

import runwell
from runwell.cli.script import Report, run_script

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import SimpleNamespace


def run(args: SimpleNamespace) -> int:
    """Run the scripts ``args.files``; 0 if all pass, 1 if something fails, 66 without a file."""
    config = runwell.Config(engine=args.engine)
    worst = assertions = failed = 0
    for name in args.files:
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
