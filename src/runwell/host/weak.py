"""Weak dictionaries: one Python object for each native thing, as long as anybody has it.

``weakref.WeakValueDictionary`` does the same and takes longer to import than all of this package.
"""

from __future__ import annotations

from _thread import RLock
from _weakref import ref as weak_ref

from runwell.base.light import Generic, TypeVar, final

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

K = TypeVar("K", bound="Hashable")
V = TypeVar("V")


class _Known(weak_ref[V]):
    """A weak reference that knows its key."""

    __slots__ = ("key",)
    key: Hashable


@final
class WeakValues(Generic[K, V]):
    """Values by key; an entry goes with its value."""

    __slots__ = ("_known", "_lock")

    def __init__(self) -> None:
        self._known: dict[Hashable, _Known[V]] = {}
        # A value may go at any time, also while this thread has the lock.
        self._lock = RLock()

    def get(self, key: K) -> V | None:
        """The value of a key, if it is still there."""
        known = self._known.get(key)
        return known() if known is not None else None

    def add(self, key: K, value: V, *, over: V | None = None) -> V:
        """Remember a value, unless another thread has been faster.

        Args:
            key: its key.
            value: the value.
            over: a value that it may replace.

        Returns:
            The value that the key has now.
        """
        known = _Known(value, self._forget)
        known.key = key
        while True:
            first = self._known.setdefault(key, known)
            if first is known:
                return value
            other = first()
            if other is not None and other is not over:
                return other
            self._forget(first)

    def _forget(self, dead: _Known[V]) -> None:
        with self._lock:
            if self._known.get(dead.key) is dead:
                self._known.pop(dead.key, None)

    def __len__(self) -> int:
        return len(self._known)
