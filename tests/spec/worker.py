"""Runs scripts in a process of its own: a crash of the machine is then one failed test.

Each line of standard input names a script and its configuration; each line of the answer is a
report.
"""

import json
import sys
from pathlib import Path

import runwell
from runwell.cli.script import run_script


def main():
    # What guests print must not get between the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        path, options = json.loads(line)
        try:
            report = run_script(Path(path).read_bytes(), runwell.Config(**options))
            answer = [report.assertions, report.failures]
        except runwell.RunwellError as error:
            answer = [0, [[0, str(error)]]]
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
