"""Stores: what keeps alive the things that guests refer to.

Native code copies references freely and counts none of them.  So whatever can obtain a reference to
a thing must keep it alive by other means: things between which references can flow form a store,
and live and die together.  Every instance starts a store of its own.  Two stores become one when an
import lets references flow between them: a table, a global of reference type, a function with
references in its signature; or when the host hands a function of one to the other.  An import
through which only numbers flow leaves them apart, and the importer keeps what it imports.

The host's objects (instances, functions, tables) hold their store; a store holds native things and
other stores, never the host's objects, so that dropping those frees it at once.
"""

from __future__ import annotations

from _thread import allocate_lock
from _weakref import ref

from runwell.base.light import final
from runwell.base.types import FuncType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol, TypeGuard

    from runwell.runtime.turn import Turn

    class Member(Protocol):
        """A thing in a store that finds its way back to it."""

        store: ref[Store]

    class Instance(Member, Protocol):
        """A member that guests run in."""

        address: int
        turn: Turn | None


_lock = allocate_lock()


def carries_refs(type_: FuncType) -> bool:
    """Can references flow through calls of a function of this type?"""
    return any(t.is_ref for t in type_.params) or any(t.is_ref for t in type_.results)


@final
class Store:
    """Things that live as long as any of them is in use.

    Attributes:
        held: host objects that guests of the store may refer to, by the address that they know
            them by.  Native code adds to it too; it stays the right place when stores join.
        is_kept: was it ever kept by another store?
    """

    __slots__ = (
        "__weakref__",
        "_absorbed",
        "_heir",
        "_kept",
        "_members",
        "_runs",
        "_turn",
        "held",
        "is_kept",
    )

    def __init__(self) -> None:
        self.held: dict[int, object] = {}
        self.is_kept = False
        self._heir: Store | None = None
        self._kept: dict[int, object] = {}
        self._members: list[Member] = []
        self._absorbed: list[int] = []
        self._runs = False  # is there an instance in it?
        self._turn: Turn | None = None  # once it is connected with another

    @property
    def root(self) -> Store:
        """The store that this one has become part of, or itself."""
        at = self
        while at._heir is not None:
            at = at._heir
        return at

    def keep(self, thing: object) -> None:
        """Keep a thing alive as long as this store.

        Stores that are the same by now need no keeping.
        """
        with _lock:
            root = self.root
            if isinstance(thing, Store):
                thing = thing.root
                thing.is_kept = True
            if thing is not root:
                root._kept[id(thing)] = thing

    def add(self, member: Member) -> None:
        """Keep a thing that must find its store."""
        with _lock:
            root = self.root
            root._members.append(member)
            member.store = ref(root)
            if _is_instance(member):
                if root._turn is not None:
                    root._turn.root.adopt(member)
                elif root._runs:
                    _turn_of(root)
                root._runs = True

    def join(self, other: Store) -> None:
        """Make both one store."""
        with _lock:
            heir, rest = self.root, other.root
            if heir is rest:
                return
            if (heir._runs or heir._turn) and (rest._runs or rest._turn):
                _connect(heir, rest)
            turn, runs = heir._turn or rest._turn, heir._runs or rest._runs
            # The smaller joins the larger, so that a long series of joins stays cheap.
            if len(heir._members) + len(heir._kept) < len(rest._members) + len(rest._kept):
                heir, rest = rest, heir
            rest._heir = heir
            heir._turn, heir._runs = turn, runs
            for member in rest._members:
                member.store = ref(heir)
            heir._members += rest._members
            heir._kept[id(rest.held)] = rest.held
            # What kept the other one would now keep itself.
            for key, thing in rest._kept.items():
                if not (isinstance(thing, Store) and thing.root is heir):
                    heir._kept[key] = thing
            absorbed = [id(rest), *rest._absorbed]
            for key in absorbed:
                kept = heir._kept.get(key)
                if isinstance(kept, Store) and kept.root is heir:
                    del heir._kept[key]
            heir._absorbed += absorbed
            rest._members, rest._kept, rest._absorbed = [], {}, []

    def connect(self, other: Store) -> None:
        """Let only one thread at a time run in the instances of both.

        Raises:
            ThreadError: different threads do.
        """
        with _lock:
            _connect(self.root, other.root)

    @property
    def turn(self) -> Turn:
        """The turn of all instances in the store."""
        with _lock:
            return _turn_of(self.root)

    def hold(self, value: object) -> int:
        """The address by which the guest knows a host object, kept from now on; 0 for None."""
        if value is None:
            return 0
        self.held[id(value)] = value
        return id(value)


def _connect(a: Store, b: Store) -> None:
    """Let both have one turn."""
    if a is not b:
        share(_turn_of(a), _turn_of(b))


def share(one: Turn, other: Turn) -> None:
    """Make both one turn.

    Raises:
        ThreadError: different threads have them.
    """
    one, other = one.root, other.root
    if one is not other:
        one.absorb(other)


def _turn_of(store: Store) -> Turn:
    """The turn of all instances in a store."""
    if store._turn is None:
        from runwell.runtime.turn import Turn

        turn = Turn()
        for member in store._members:
            if _is_instance(member):
                turn.adopt(member)
        store._turn = turn
    return store._turn.root


def _is_instance(member: Member) -> TypeGuard[Instance]:
    """Do guests run in it?"""
    return hasattr(member, "turn")
