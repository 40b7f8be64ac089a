"""Functions that have been running for a while: who they are, for whoever compiles them."""

from __future__ import annotations

import os
from contextlib import suppress

from runwell.base.light import NamedTuple, final
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
    """

    code: int
    module: int
    loop: int | None


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
        # It may be full: then it returns anyway.
        with suppress(BlockingIOError):
            os.write(self._writer, b"\0")

    def wait(self) -> list[Hot]:
        """Wait until something is hot, or somebody calls ``wake``; what is hot."""
        os.read(self._reader, 4096)
        from ctypes import addressof

        count = native.take_hot(addressof(self._entries))
        return [Hot(e.code, e.module, e.at - 1 if e.at else None) for e in self._entries[:count]]

    def close(self) -> None:
        """Stop listening; nobody may be waiting."""
        native.set_hot_pipe(0xFFFF_FFFF)
        os.close(self._reader)
        os.close(self._writer)


assert sizeof(layout.HotFunction) == 24
