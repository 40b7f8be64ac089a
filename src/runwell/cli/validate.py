"""``runwell validate``: one line a file."""

from __future__ import annotations

import os
import sys

import runwell
from runwell.cli.run import load_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import SimpleNamespace


def run(args: SimpleNamespace) -> int:
    """Validate ``args.files``; 0 if all are valid, 65 otherwise, 66 if one cannot be read."""
    worst = 0
    for name in args.files:
        try:
            load_module(os.fspath(name))
        except runwell.RunwellError as e:
            print(f"{name}: {e}", file=sys.stderr)
            worst = max(worst, 65)
        except OSError as e:
            print(f"{name}: {e.strerror}", file=sys.stderr)
            worst = 66
        else:
            print(f"{name}: valid")
    return worst
