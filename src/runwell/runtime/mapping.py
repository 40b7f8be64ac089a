"""Address space: reserved at once, made accessible page by page, given back promptly.

Nothing that native code points to ever moves, so whatever can grow reserves its largest size
beforehand.  Reserved pages cost nothing until they are written.
"""

from __future__ import annotations

from sys import maxsize, platform

from runwell.base.light import final, lru_cache
from runwell.base.light_ctypes import (
    CFUNCTYPE,
    addressof,
    c_char,
    c_int,
    c_int64,
    c_size_t,
    c_void_p,
    symbol,
)
from runwell.runtime.native import native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Self

PAGE = 4096
# What a 32-bit address and a 32-bit offset can reach, and the widest access behind it.
GUARDED_BYTES = (8 << 30) + 65536

_PROT_NONE, _PROT_RW = 0, 3
# Private, anonymous and, where the system knows it, not counted against swap space.
_FLAGS = 0x4022 if platform == "linux" else 0x1042
_sizes: dict[int, int] = {}


@final
class _Library:
    """The mapping functions of the C library."""

    def __init__(self) -> None:
        address, number = c_void_p, c_int
        self.mmap = CFUNCTYPE(c_size_t, address, c_size_t, number, number, number, c_int64)(
            symbol("mmap")
        )
        self.munmap = CFUNCTYPE(number, address, c_size_t)(symbol("munmap"))
        self.mprotect = CFUNCTYPE(number, address, c_size_t, number)(symbol("mprotect"))


@lru_cache(None)
def _library() -> _Library:
    return _Library()


def round_up(size: int) -> int:
    """``size`` in whole pages."""
    return (size + PAGE - 1) & -PAGE


@final
class Mapping(int):
    """A range of address space, unmapped when its last owner goes; the number is its address.

    The cycle collector does not know of it: it refers to nothing, and is untracked.  So if the
    owners are a cycle, the range outlives all finalizers in it, and a finalizer may still use what
    the range holds.  Everything that frees native memory in this package is made this way.
    """

    __slots__ = ()

    def __new__(cls, size: int, *, writable: bool = True) -> Self:
        """Reserve ``size`` bytes, rounded up to pages.

        Raises:
            MemoryError: the system has no such range.
        """
        size = round_up(size)
        rights = _PROT_RW if writable else _PROT_NONE
        address = _library().mmap(None, size, rights, _FLAGS, -1, 0)
        if address == (1 << 64) - 1:
            raise MemoryError(f"cannot reserve {size} bytes of address space")
        _sizes[address] = size
        self = super().__new__(cls, address)
        native.untrack(self)
        return self

    @property
    def size(self) -> int:
        """Bytes, in whole pages."""
        return _sizes[self]

    def guard(self, offset: int, size: int = PAGE) -> None:
        """Forbid access to some pages.

        Raises:
            MemoryError: the system refuses.
        """
        if _library().mprotect(self + offset, size, _PROT_NONE) != 0:
            raise MemoryError("cannot protect guard pages")

    def __del__(
        self, sizes: dict[int, int] = _sizes, library: Callable[[], Any] = _library
    ) -> None:
        library().munmap(self, sizes.pop(self))


@final
class Block:
    """Zeroed bytes at a fixed address, aligned to 16.

    Attributes:
        bytes: the bytes as Python sees them.
        address: where native code finds them.
    """

    __slots__ = ("address", "bytes")

    def __init__(self, size: int) -> None:
        self.bytes = bytearray(size or 1)
        self.address = addressof(c_char.from_buffer(self.bytes))


@lru_cache(None)
def guard_pages_available() -> bool:
    """Can memories be bounded by guard pages, or must accesses be checked one by one?

    It takes a fault handler for this system, 64-bit addresses, and a process that may reserve
    8 GiB for each memory.
    """
    from os import uname

    if platform != "linux" or uname().machine not in ("x86_64", "aarch64") or maxsize < 1 << 32:
        return False
    try:
        # Several at once: a limit that leaves room for one memory only is no use.
        Mapping(8 * GUARDED_BYTES, writable=False)
    except MemoryError:
        return False
    return True
