"""Functions that have been running for a while: who they are, for whoever compiles them."""

from __future__ import annotations

import os

from runwell.base.light import NamedTuple, final
from runwell.base.light_ctypes import addressof
from runwell.base.limits import HOT_FUNCTIONS
from runwell.kernel.types import ctype_of, sizeof
from runwell.runtime import layout
from runwell.runtime.native import native


class Hot(NamedTuple):
    """A function whose heat is spent.

    Attributes:
        code: address of its ``FuncCode``.
        module: address of its ``ModuleCode``, which may be gone by now.
        loop: byte offset in its register code of the loop that it is in, or None.
        heat: that is left of what it had.
    """

    code: int
    module: int
    loop: int | None
    heat: int


@final
class HotQueue:
    """Where guests put what is hot; there is one in a process, for one thread to wait at.

    Whoever wants the thread's attention for something else calls ``wake``.
    """

    __slots__ = ("_entries", "_reader", "_writer")

    def __init__(self) -> None:
        """Begin to listen, and forget what was put there before.

        Raises:
            OSError: the process has no file descriptors left.
        """
        self._reader, self._writer = os.pipe()
        # A guest must not wait because nobody reads.
        os.set_blocking(self._writer, False)
        self._entries = (ctype_of(layout.HotFunction) * HOT_FUNCTIONS)()
        native.set_hot_pipe(self._writer)

    def wake(self) -> None:
        """Let ``wait`` return."""
        try:
            os.write(self._writer, b"\0")
        except BlockingIOError:
            return  # it is full, and ``wait`` returns anyway; `contextlib` takes long to import

    def wait(self, timeout_s: float | None = None) -> list[Hot]:
        """Wait until something is hot, or somebody calls ``wake``, or it is time; what is hot."""
        if timeout_s is not None:
            from select import POLLIN, poll

            ready = poll()
            ready.register(self._reader, POLLIN)
            if not ready.poll(timeout_s * 1000 + 1):
                return []
        os.read(self._reader, 4096)
        count = native.take_hot(addressof(self._entries))
        return [
            Hot(e.code, e.module, e.at - 1 if e.at else None, e.heat) for e in self._entries[:count]
        ]

    def stop(self) -> None:
        """Have guests put nothing here any more; another queue may begin."""
        native.set_hot_pipe(NOBODY)

    def close(self) -> None:
        """Close the files of a queue that was stopped; nobody may be waiting."""
        os.close(self._reader)
        os.close(self._writer)


# In place of a file.
NOBODY = 0xFFFF_FFFF
assert sizeof(layout.HotFunction) == 24
