"""Telling people how far a long preparation is."""

from __future__ import annotations

import os
import sys
from time import monotonic

from runwell.base.light import final

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final, TypeAlias

    # The phase, how much of it is done, and of how much: 0 if that is not known.
    Progress: TypeAlias = Callable[[str, int, int], object]

# Who waits for others tells so again after this time, with nothing new: the callback may give up.
TICK_S: Final = 0.1

_PHASES: Final = {
    "core": "building the native core (once)",
    "wait": "waiting for another process that builds the native core",
    "parse": "parsing",
    "validate": "validating",
    "measure": "translating",
    "compile": "compiling",
}
_ERASE: Final = "\r\x1b[K"
_SHORTEST_S: Final = 0.05


@final
class Line:
    """A line on a terminal's standard error that is written over again and again.

    If standard error is no terminal there is none; if ``RUNWELL_PROGRESS`` is set, a line then says
    each step.
    """

    def __init__(self, delay_s: float = 0.0) -> None:
        """Nothing is written yet.

        Args:
            delay_s: seconds to wait before anything is.
        """
        self._next_s = monotonic() + delay_s
        self._written = self._last = ""
        self._is_terminal = sys.stderr is not None and sys.stderr.isatty()
        self._is_log = not self._is_terminal and bool(os.environ.get("RUNWELL_PROGRESS"))

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Say how far it is; see ``Progress``."""
        what = _PHASES[phase]
        if self._is_log:
            text = f"runwell: {what}{f' ({done} of {total})' if total else ''}\n"
            if text != self._last:
                self._last = text
                self._write(text)
        elif self._is_terminal and (now := monotonic()) >= self._next_s:
            share = f": {100 * done // total} %" if total else ""
            text = f"runwell: {what}{share}"
            if text != self._written:
                self._next_s, self._written = now + _SHORTEST_S, text
                self._write(_ERASE + text)

    def clear(self) -> None:
        """Leave no trace on the terminal."""
        if self._written:
            self._written = ""
            self._write(_ERASE)

    def _write(self, text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except (OSError, ValueError):  # it is gone, which is no reason to fail
            self._is_terminal = self._is_log = False
