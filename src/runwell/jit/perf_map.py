"""The file in which ``perf`` looks up compiled code: ``/tmp/perf-PID.map``.

It is written if ``RUNWELL_PERF_MAP`` is set, and stays when the process ends, because it is read
after that.  A forked child writes one of its own.

Source: Linux, tools/perf/Documentation/jit-interface.txt.
"""

from __future__ import annotations

import os
import stat

from runwell.base.light import final

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

DIRECTORY = "/tmp"


@final
class PerfMap:
    """The map of this process."""

    __slots__ = ("_file", "_lines", "_pid")

    def __init__(self) -> None:
        """Nothing is written yet."""
        self._file, self._pid = -1, 0
        self._lines: list[bytes] = []

    def add(self, functions: Iterable[tuple[int, int, str]]) -> None:
        """Add functions; what goes wrong with the file is nobody's trouble.

        Args:
            functions: address, bytes and name of each.
        """
        lines = [
            b"%x %x %s\n" % (address, size, name.replace("\n", " ").encode(errors="replace"))
            for address, size, name in functions
        ]
        self._lines += lines
        try:
            if self._pid != os.getpid():
                self._open()
                lines = self._lines
            os.write(self._file, b"".join(lines))
        except OSError:
            return

    def _open(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file, self._pid = -1, os.getpid()
        path = f"{DIRECTORY}/perf-{self._pid}.map"
        # Others may write to the directory: no link is followed, and no file of theirs used.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        file = os.open(path, flags | os.O_NONBLOCK, 0o644)
        info = os.fstat(file)
        if not stat.S_ISREG(info.st_mode) or info.st_uid != os.geteuid():
            os.close(file)
            return
        self._file = file
