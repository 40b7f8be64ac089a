"""Turns: which thread may run guests of a group of instances.

Guests are not made for threads: two calls at the same time in one instance, or in instances that
call each other, would race.  So instances that can reach each other's code, or share what only one
thread may change (a table, a mutable global, a memory that is not shared), have one *turn*: the
context that runs in any of them, and how many calls deep.  A call from the host takes it, and fails
if it is another context's; the interpreter lock is held meanwhile, so that needs no atomic access.

An instance begins with a turn of its own, inside its struct; only those that are connected have a
``Turn``.
"""

from __future__ import annotations

from _weakref import ref

from runwell.base.errors import ThreadError
from runwell.base.light import final
from runwell.kernel.types import ctype_of, sizeof
from runwell.runtime import layout
from runwell.runtime.mapping import Block

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Body(Protocol):
        """An instance, as its store keeps it."""

        address: int
        turn: Turn | None


@final
class Turn:
    """The turn of several instances, each of which keeps it."""

    __slots__ = ("_block", "_bodies", "_heir")

    def __init__(self) -> None:
        self._block = Block(sizeof(layout.Turn))
        self._bodies: list[ref[Body]] = []
        self._heir: Turn | None = None

    @property
    def root(self) -> Turn:
        """The turn that this one has become part of, or itself."""
        at = self
        while at._heir is not None:
            at = at._heir
        return at

    @property
    def _state(self) -> Any:
        return ctype_of(layout.Turn).from_address(self._block.address)

    def adopt(self, body: Body) -> None:
        """Let an instance have this turn, from the one of its own.

        Raises:
            ThreadError: another thread runs in it.
        """
        instance = ctype_of(layout.Instance).from_address(body.address)
        self._take(instance.own_turn)
        self._point(body)

    def absorb(self, other: Turn) -> None:
        """Make both one turn.

        Raises:
            ThreadError: different threads have them.
        """
        self._take(other._state)
        for found in other._bodies:
            body = found()
            if body is not None:
                self._point(body)
        other._heir, other._bodies = self, []

    def _take(self, state: Any) -> None:
        mine = self._state
        if state.depth and mine.depth and state.holder != mine.holder:
            raise ThreadError("instances cannot be connected while different threads run in them")
        mine.holder = state.holder or mine.holder
        mine.depth += state.depth
        state.holder = state.depth = 0

    def _point(self, body: Body) -> None:
        ctype_of(layout.Instance).from_address(body.address).turn = self._block.address
        body.turn = self
        self._bodies.append(ref(body))
