"""Canonical numbers of function types: equal types of all modules have equal numbers.

A number belongs to its type as long as somebody holds it and is never given to another, so a
process that loads modules without end keeps only the types that are in use.
"""

from __future__ import annotations

from _thread import allocate_lock
from itertools import count

from runwell.base.light import final
from runwell.base.types import FuncType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

_lock = allocate_lock()
_numbers: dict[FuncType, int] = {}
_types: dict[int, FuncType] = {}
_holders: dict[int, int] = {}
# Numbers that a holder gave up.  The collector may do so in the middle of anything, even with the
# lock held, so they are only counted when the lock is free.
_given_up: list[int] = []
_fresh = count(1)


@final
class TypeNumber(int):
    """The canonical number of a function type, valid while any object of that number lives.

    Why it is an int: see ``Mapping``.
    """

    __slots__ = ()

    def __new__(cls, type_: FuncType) -> Self:
        """Hold the number of a type."""
        with _lock:
            number = _numbers.get(type_)
            if number is None:
                number = next(_fresh)
                _numbers[type_], _types[number], _holders[number] = number, type_, 0
            _holders[number] += 1
        return super().__new__(cls, number)

    @property
    def type(self) -> FuncType:
        """The type that it stands for."""
        return _types[self]

    def __del__(self) -> None:
        _given_up.append(int(self))
        if _lock.acquire(blocking=False):
            try:
                while _given_up:
                    _give_up(_given_up.pop())
            finally:
                _lock.release()


def _give_up(number: int) -> None:
    _holders[number] -= 1
    if _holders[number] == 0:
        del _numbers[_types.pop(number)], _holders[number]


def type_of_number(number: int) -> FuncType:
    """The function type of a canonical number that is held."""
    return _types[number]
