"""``runwell run --stats``: each place is given the time that was spent there."""

import re
import time

import pytest

import runwell
from runwell.cli.stats import Stats

TEXT = """(module
  (import "env" "wait" (func $wait))
  (func (export "wait") (call $wait))
  (func (export "spin") (loop (br 0)))
  (func (export "unused")))
"""


def number(pattern, lines):
    found = re.search(pattern, "\n".join(lines))
    assert found is not None, lines
    return float(found[1].replace(",", ""))


@pytest.fixture
def make():
    def do(engine, wait=lambda: None):
        config = runwell.Config(engine=engine, deadline_s=0.1)
        module = runwell.Module(TEXT, engine=runwell.Engine(config))
        stats = Stats(module)
        return stats, runwell.Instance(module, {"env": {"wait": wait}}).exports

    return do


@pytest.mark.parametrize(("engine", "other"), [("interpreter", "compiled"), ("jit", "interpreter")])
def test_a_guest_that_loops(make, engine, other):
    stats, exports = make(engine)
    with pytest.raises(runwell.DeadlineExceeded):
        exports.spin()
    lines = stats.lines()
    here = {"interpreter": "interpreter", "jit": "compiled"}[engine]
    assert getattr(stats.times, here) > 0
    assert getattr(stats.times, other) == 0
    assert number(rf"{here}(?: code)? ([\d.]+)", lines) > 0


@pytest.mark.parametrize("engine", ["interpreter", "jit"])
def test_a_host_that_works(make, engine):
    def work():
        # With the interpreter lock, and without.
        before = stats.times.host
        while stats.times.host == before:
            pass
        time.sleep(0.01)

    stats, exports = make(engine, work)
    exports.wait()
    times = stats.times
    stats.lines()
    assert times.host > times.interpreter + times.compiled


def test_counts_in_the_interpreter(make):
    stats, exports = make("interpreter")
    exports.wait()
    lines = stats.lines()
    assert lines[0].endswith("3 defined, 1 translated, 0 compiled")
    assert number(r"code +([\d,]+) bytes of register", lines) > 0
    assert number(r", ([\d,]+) of machine", lines) == 0


def test_counts_of_compiled_code(make):
    stats, _ = make("jit")
    lines = stats.lines()
    assert lines[0].endswith("3 defined, 3 translated, 3 compiled")
    code = stats.module.code
    assert number(r", ([\d,]+) of machine", lines) == sum(piece.size for piece in code.compiled)
    assert number(r"pieces: ([\d,]+) in use", lines) == len(code.compiled)


def test_what_was_compiled_by_earlier_runs(make):
    first, _ = make("jit")
    again, _ = make("jit")
    lines = again.lines()
    assert number(r"([\d,]+) from earlier runs", lines) == len(again.module.code.compiled)
    assert number(r"compiling +([\d.]+)", lines) == 0
    first.lines()


def test_the_report_is_no_output_of_the_guest(make, capsys):
    stats, _ = make("interpreter")
    stats.report()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines()[0].startswith("functions")
    assert len(captured.err.splitlines()) == 4
