"""Places at which compiled code can be entered by who interprets the function; and scouts.

The interpreter goes to compiled code wherever it comes to such a place.  A *scout* is a place that
only counts how often the interpreter passes: so it shows which of the loops around a hot one are
reached soon.
"""

from __future__ import annotations

import ctypes
import os
from _thread import allocate_lock

from runwell.kernel.types import ctype_of, sizeof
from runwell.runtime.layout import FuncCode, NativePlace, NativePlaces
from runwell.runtime.native import native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_HEAD, _ITEM = sizeof(NativePlaces), sizeof(NativePlace)
_lock = allocate_lock()


def read_places(table: int) -> dict[int, int]:
    """The places in a function's table: where compiled code is entered, by offset.

    Args:
        table: its address, or 0.
    """
    return {r.offset: r.entry for r in _records(table) if r.entry} if table else {}


def _records(table: int) -> list[ctypes.Structure]:
    count = ctype_of(NativePlaces).from_address(table).count
    return [ctype_of(NativePlace).from_address(table + _HEAD + _ITEM * n) for n in range(count)]


def add_places(code: int, entries: Mapping[int, int], scouts: Iterable[int] = ()) -> bytearray:
    """Add places to those of a function; scouts that it had are gone.

    Args:
        code: address of its ``FuncCode``; it is translated.
        entries: addresses of compiled code, by offset in the register code.
        scouts: offsets where to count, if nothing can be entered there.

    Returns:
        The function's table, to be kept as long as the function.
    """
    with _lock:
        places = dict.fromkeys(scouts, 0)
        places |= read_places(ctype_of(FuncCode).from_address(code).places)
        places |= entries
        table = bytearray(_HEAD + _ITEM * len(places))
        ctype_of(NativePlaces).from_buffer(table).count = len(places)
        for n, place in enumerate(sorted(places.items())):
            record = ctype_of(NativePlace).from_buffer(table, _HEAD + _ITEM * n)
            record.offset, record.entry = place
        native.mark_places(code, ctypes.addressof(ctypes.c_char.from_buffer(table)))
    return table


def leave_at(code: int, offset: int) -> None:
    """Have whoever is in lesser code of a function, that was entered at a loop, leave it there.

    Args:
        code: address of its ``FuncCode``.
        offset: of a loop at which better code can be entered.
    """
    ctype_of(FuncCode).from_address(code).leave = offset + 1


def passed(table: bytearray) -> dict[int, int]:
    """How often the interpreter has come to each place of a table while it was the function's."""
    records = _records(ctypes.addressof(ctypes.c_char.from_buffer(table)))
    return {r.offset: r.passed for r in records}


def _in_child() -> None:
    # Whoever held it is not in this process.
    global _lock  # noqa: PLW0603
    _lock = allocate_lock()


os.register_at_fork(after_in_child=_in_child)
