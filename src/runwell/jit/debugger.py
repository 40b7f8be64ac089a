"""Compiled code for debuggers: GDB and LLDB see functions, lines and frames of it.

Every block is announced with the object that it was made from, in which loaded sections have their
addresses.  It is off unless ``RUNWELL_GDB`` is set, because the objects take memory.

Source: GDB manual, "JIT Compilation Interface".
"""

from __future__ import annotations

import ctypes
from threading import Lock
from typing import TYPE_CHECKING, Final, final

from runwell.interp.debugger import DESCRIPTOR, REGISTER
from runwell.kernel.types import ctype_of, struct, u32, u64
from runwell.runtime.native import native

if TYPE_CHECKING:
    from typing import Any

_REGISTERED: Final = 1
_UNREGISTERED: Final = 2


@struct
class JitCodeEntry:
    """struct jit_code_entry."""

    next: u64
    previous: u64
    object: u64
    size: u64


@struct
class JitDescriptor:
    """struct jit_descriptor."""

    version: u32
    action: u32
    relevant: u64
    first: u64


# Entries that are linked, and the bytes of their objects, by address; those to be taken out, which
# may be said at any moment, also while the list is being changed.
_entries: dict[int, tuple[Any, Any]] = {}
_gone: list[int] = []
_lock = Lock()


@final
class Announced:
    """An object that debuggers know of, as long as this lives."""

    __slots__ = ("_address",)

    def __init__(self, data: bytes) -> None:
        """Announce it.

        Args:
            data: an ELF object whose loaded sections have addresses.
        """
        copy = ctypes.create_string_buffer(data, len(data))
        entry = ctype_of(JitCodeEntry)(0, 0, ctypes.addressof(copy), len(data))
        self._address = ctypes.addressof(entry)
        with _lock:
            descriptor = _descriptor()
            entry.next = descriptor.first
            if entry.next:
                _entries[entry.next][0].previous = self._address
            _entries[self._address] = entry, copy
            descriptor.first = self._address
            _tell(descriptor, _REGISTERED, self._address)
        _take_back()

    def close(self) -> None:
        """Take it back; may be called again."""
        _gone.append(self._address)
        _take_back()


def _take_back() -> None:
    # Whoever holds the lock looks again after letting go of it, so nothing is left over.
    while _gone and _lock.acquire(blocking=False):
        try:
            while _gone:
                _unlink(_gone.pop())
        finally:
            _lock.release()


def _unlink(address: int) -> None:
    if address not in _entries:
        return
    entry, _ = _entries[address]
    descriptor = _descriptor()
    if entry.previous:
        _entries[entry.previous][0].next = entry.next
    else:
        descriptor.first = entry.next
    if entry.next:
        _entries[entry.next][0].previous = entry.previous
    _tell(descriptor, _UNREGISTERED, address)
    del _entries[address]


def _descriptor() -> Any:
    return ctype_of(JitDescriptor).from_address(native.address(DESCRIPTOR))


def _tell(descriptor: Any, action: int, entry: int) -> None:
    descriptor.action, descriptor.relevant = action, entry
    ctypes.CFUNCTYPE(None)(native.address(REGISTER))()
    descriptor.action = 0
