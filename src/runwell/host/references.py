"""Python values where a guest wants a reference to an object of its heap, or of any kind.

An ``int`` is an ``i31``, a ``Ref`` the object that it stands for, and where any reference will do,
every other object of Python is an object of the host.  Where an external reference is wanted, a
``Ref`` is what it stands for, too, and all else, an ``int`` as well, is an object of the host.
"""

from __future__ import annotations

from runwell.base.types import ValType
from runwell.runtime.func import Word
from runwell.runtime.types import type_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from runwell.runtime.store import Store

_I31_BITS = 31
# Types that an `i31` is of.
_OF_NUMBERS = (ValType.ANYREF, ValType.EQREF, ValType.I31REF)


# The module of ``Ref`` once it is imported; before, there is no such object.  Nothing is imported
# here: a signal handler in the middle of that could convert nothing.
known: list[Any] = []


def to_external(value: object, store: Store) -> object:
    """What the kernels take for an external reference."""
    if known and isinstance(value, known[0].Ref):
        return known[0].admit_ref(store, value)
    return value


def to_internal(type_: ValType, value: object, store: Store, what: Callable[[], str]) -> object:
    """What the kernels take for a reference of another kind, which is not null.

    Args:
        type_: what it must be of.
        value: what Python code gave.
        store: whose guests will refer to it.
        what: names the value in errors.

    Raises:
        TypeError: ``value`` cannot be of the type.
        OverflowError: a number does not fit ``i31``.
    """
    abstract = type_ & 0xFF
    if type(value) is int and abstract in _OF_NUMBERS:
        return Word(_i31(value, what))
    if known and isinstance(value, known[0].Ref):
        if known[0].is_of(value, type_):
            word: Word = known[0].admit_ref(store, value)
            return word
        raise TypeError(f"{what()} must be of type {type_text(type_)}, not {value!r}")
    if abstract == ValType.ANYREF:
        return value
    wanted = "an int or a runwell.Ref" if abstract in _OF_NUMBERS else "a runwell.Ref"
    null = " or None" if type_.is_nullable else ""
    raise TypeError(
        f"{what()} must be {wanted}{null} for {type_text(type_)}, not {type(value).__name__}"
    )


def _i31(number: int, what: Callable[[], str]) -> int:
    if not -(1 << (_I31_BITS - 1)) <= number < 1 << _I31_BITS:
        shown = str(number) if number.bit_length() < 256 else "a long int"
        raise OverflowError(f"{what()} does not fit i31: {shown}")
    return (number & ((1 << _I31_BITS) - 1)) << 1 | 1
