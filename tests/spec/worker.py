"""Runs scripts in a process of its own: a crash of the machine is then one failed test.

Each line of standard input names a script and its configuration; each line of the answer is a
report.  With the argument ``eager``, scripts run as ``eager`` says.
"""

import json
import sys
from pathlib import Path

from tests.spec import eager

import runwell
from runwell.cli.script import run_script


def main():
    # What guests print must not get between the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    is_eager = sys.argv[1:] == ["eager"]
    if is_eager:
        eager.lower_thresholds()
    for line in sys.stdin:
        path, options = json.loads(line)
        source, config = Path(path).read_bytes(), runwell.Config(**options)
        try:
            if is_eager:
                report, compiled = eager.run_eagerly(source, config)
                answer = [report.assertions, report.failures, compiled]
            else:
                report = run_script(source, config)
                answer = [report.assertions, report.failures]
        except runwell.RunwellError as error:
            answer = [0, [[0, str(error)]]]
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
