"""Python file objects for the guest's descriptors."""

from __future__ import annotations

import errno as system
import io
import os

from runwell.wasi import descriptors as d
from runwell.wasi.errno import Errno, plain
from runwell.wasi.protocol import error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer


class GuestFile(io.RawIOBase):
    """One of the guest's descriptors, with the guest's own position.

    Its rights bind the guest and not the host; what was opened to be read only can still not be
    written.
    """

    def __init__(self, descriptors: d.Descriptors, fd: int) -> None:
        """Use the descriptor ``fd``.

        Raises:
            OSError: EBADF if it is not open, EISDIR if it is a directory.
        """
        try:
            self._file = descriptors.get(fd)
        except Errno:
            raise error(system.EBADF) from None
        if self._file.is_directory:
            raise error(system.EISDIR)

    def readable(self) -> bool:
        """May the guest read it?"""
        return bool(self._file.rights & d.FD_READ)

    def writable(self) -> bool:
        """May the guest write it?"""
        return bool(self._file.rights & d.FD_WRITE)

    def seekable(self) -> bool:
        """Has it positions?"""
        return self._file.is_seekable

    def readinto(self, buffer: Buffer) -> int:
        """Read into ``buffer``."""
        if not self.readable():
            raise io.UnsupportedOperation("not readable")
        return _plainly(lambda: self._file.read([memoryview(buffer).cast("B")]))

    def write(self, data: Buffer) -> int:
        """Write ``data``; how much of it was written."""
        if not self.writable():
            raise io.UnsupportedOperation("not writable")
        return _plainly(lambda: self._file.write([memoryview(data).cast("B")]))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the guest's position."""
        return _plainly(lambda: self._file.seek(offset, whence))


def _plainly(act: Callable[[], int]) -> int:
    """What ``act`` returns; an error of WASI's as one of Python's."""
    try:
        return act()
    except Errno as e:
        raise plain(e) from None
