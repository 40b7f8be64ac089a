"""The line that tells people how far a preparation is."""

import io
import sys

import pytest

from runwell.base.progress import Line


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def now(monkeypatch):
    """The time, which stands still until it is set."""
    times = [100.0]
    monkeypatch.setattr("runwell.base.progress.monotonic", lambda: times[0])
    return times


def test_a_line_is_written_over_and_removed(monkeypatch, now):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    line = Line()
    line("core", 0, 0)
    now[0] += 1
    line("core", 1, 4)
    line("core", 2, 4)  # too soon
    now[0] += 1
    line("core", 1, 4)  # as it was
    line.clear()
    line.clear()
    start = "\r\x1b[Krunwell: building the native core (once)"
    assert terminal.getvalue() == f"{start}{start}: 25 %\r\x1b[K"


def test_what_is_soon_over_leaves_nothing(monkeypatch, now):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    line = Line(0.5)
    line("validate", 1, 2)
    line.clear()
    assert not terminal.getvalue()
    now[0] += 0.6
    line("validate", 1, 2)
    assert terminal.getvalue().endswith("validating: 50 %")


def test_others_than_terminals_see_nothing(monkeypatch):
    monkeypatch.delenv("RUNWELL_PROGRESS", raising=False)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    line = Line()
    line("compile", 1, 2)
    line.clear()
    assert not sys.stderr.getvalue()


def test_a_log_has_a_line_for_each_step(monkeypatch):
    monkeypatch.setenv("RUNWELL_PROGRESS", "1")
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    line = Line(10)
    for done in 0, 0, 1:
        line("compile", done, 2)
    line.clear()
    text = "runwell: compiling (0 of 2)\nrunwell: compiling (1 of 2)\n"
    assert sys.stderr.getvalue() == text


def test_a_terminal_that_is_gone(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    line = Line()
    terminal.close()
    line("compile", 0, 2)
    line("compile", 2, 2)
    line.clear()
    monkeypatch.setattr(sys, "stderr", None)
    Line()("compile", 0, 2)
