"""Address space for code made while the program runs: one reserved range, given out in pages.

All code in one range lets a signal handler tell by two comparisons whether a fault is the code's.
Pages are inaccessible until code is put there; they are writable while it is copied, and then
read-execute, never both.  What is given back is inaccessible again at once, its memory free.

A block is a number that the cycle collector does not know of, as ``Mapping`` of the runtime is, so
the code outlives everything in a cycle of owners that may still run it.  It may go in any thread,
also in the middle of an allocation; so it is only noted, and freed by whoever holds the lock, or
will next.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from _thread import allocate_lock
from bisect import bisect_left

from runwell.base.light import final
from runwell.elf.format import align_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

PAGE: Final = max(mmap.PAGESIZE, 4096)
SIZES: Final = tuple(1 << bits for bits in range(30, 23, -1))

_NONE, _RW, _RX = 0, mmap.PROT_READ | mmap.PROT_WRITE, mmap.PROT_READ | mmap.PROT_EXEC
_RESERVE: Final = 0x4022  # private, anonymous, not counted against swap space
_FIXED: Final = 0x10
_FAILED: Final = (1 << 64) - 1

_blocks: dict[int, tuple[CodeRegion, int]] = {}

_libc = ctypes.CDLL(None, use_errno=True)
_size, _int = ctypes.c_size_t, ctypes.c_int
_mmap = _libc.mmap
_mmap.restype = _size
_mmap.argtypes = (_size, _size, _int, _int, _int, ctypes.c_long)
_munmap = _libc.munmap
_munmap.argtypes = (_size, _size)
_mprotect = _libc.mprotect
_mprotect.argtypes = (_size, _size, _int)
_untrack = ctypes.PYFUNCTYPE(None, ctypes.py_object)(("PyObject_GC_UnTrack", ctypes.pythonapi))


@final
class CodeRegion:
    """A reserved range.

    Attributes:
        low: its first address.
        high: the address behind it.
        used: bytes that blocks take.
    """

    __slots__ = ("__weakref__", "_free", "_gone", "_lock", "high", "low", "used")

    def __init__(self, sizes: tuple[int, ...] = SIZES, near: int = 0) -> None:
        """Reserve.

        Args:
            sizes: bytes, the first that the system grants.
            near: an address below which the range had better be.

        Raises:
            MemoryError: the system grants none.
        """
        for size in sizes:
            hint = max(near - size, 0) & -PAGE
            address = _mmap(hint, size, _NONE, _RESERVE, -1, 0)
            if address != _FAILED:
                break
        else:
            raise MemoryError(f"cannot reserve {sizes[-1]} bytes of address space for code")
        self.low, self.high, self.used = address, address + size, 0
        self._free = [(address, size)]
        self._gone: list[tuple[int, int]] = []
        self._lock = allocate_lock()
        hold = self._lock
        # A child made in the middle of an allocation would find its bookkeeping broken.
        os.register_at_fork(
            before=hold.acquire, after_in_parent=hold.release, after_in_child=hold.release
        )

    def allocate(self, size: int) -> Block:
        """Take a block of whole pages, which is inaccessible until it is filled.

        Args:
            size: bytes.

        Raises:
            MemoryError: there is no room left.
        """
        size = align_up(max(size, 1), PAGE)
        self._free_gone()
        with self._lock:
            for at, (start, room) in enumerate(self._free):
                if room >= size:
                    if room == size:
                        del self._free[at]
                    else:
                        self._free[at] = start + size, room - size
                    break
            else:
                raise MemoryError(f"no {size} bytes are left in the region of code")
            self.used += size
            _blocks[start] = self, size
        block = Block(start)
        _untrack(block)
        return block

    def give_back(self, address: int, size: int) -> None:
        """Free a block; for ``Block`` only."""
        self._gone.append((address, size))
        self._free_gone()

    def _free_gone(self) -> None:
        # Whoever holds the lock looks again after letting go of it, so nothing is left over.
        while self._gone and self._lock.acquire(blocking=False):
            try:
                while self._gone:
                    self._free_one(*self._gone.pop())
            finally:
                self._lock.release()

    # The defaults are there even while Python shuts down.
    def _free_one(
        self,
        start: int,
        size: int,
        remap: Callable[..., int] = _mmap,
        how: tuple[int, int] = (_NONE, _RESERVE | _FIXED),
        failed: int = _FAILED,
        bisect_left: Callable[..., int] = bisect_left,
    ) -> None:
        if remap(start, size, *how, -1, 0) == failed:
            return  # what the system does not take back is not used again
        self.used -= size
        at = bisect_left(self._free, (start, 0))
        if at < len(self._free) and self._free[at][0] == start + size:
            size += self._free.pop(at)[1]
        if at and sum(self._free[at - 1]) == start:
            at -= 1
            start, before = self._free.pop(at)
            size += before
        self._free.insert(at, (start, size))

    def close(self) -> None:
        """Unmap everything, when no block is left, nor anything that points into one."""
        with self._lock:
            self._free = []
            _munmap(self.low, self.high - self.low)


@final
class Block(int):
    """Pages of a region; the number is the address of the first.  They go with the object."""

    __slots__ = ()

    @property
    def size(self) -> int:
        """Bytes, in whole pages."""
        return _blocks[self][1]

    def fill(self, code: bytes | bytearray) -> None:
        """Put code there and make it executable; only now may it run.

        Args:
            code: as it is to be, at most ``size`` bytes.

        Raises:
            MemoryError: the system has no memory for it.
        """
        size = self.size
        if len(code) > size:
            raise ValueError(f"{len(code)} bytes do not fit in {size}")
        source = code if isinstance(code, bytes) else bytes(code)
        if _mprotect(self, size, _RW):
            raise MemoryError("no memory for code")
        ctypes.memmove(int(self), source, len(source))
        if _mprotect(self, size, _RX):
            raise MemoryError("the system does not allow executable memory")

    def __del__(self, blocks: dict[int, tuple[CodeRegion, int]] = _blocks) -> None:
        region, size = blocks.pop(self)
        region.give_back(int(self), size)
