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

    from runwell.runtime.heap import HeapBody

    Root = tuple[int, int, int]  # as in ``heap_layout.Root``: kind, address, plan


_lock = allocate_lock()


def carries_refs(type_: FuncType) -> bool:
    """Can references flow through calls of a function of this type?"""
    return any(t.is_ref for t in type_.params) or any(t.is_ref for t in type_.results)


@final
class Store:
    """Things that live as long as any of them is in use.

    Attributes:
        is_kept: was it ever kept by another store?
    """

    __slots__ = (
        "__weakref__",
        "_absorbed",
        "_heap",
        "_heir",
        "_kept",
        "_members",
        "_roots",
        "_runs",
        "_turn",
        "is_kept",
    )

    def __init__(self) -> None:
        self.is_kept = False
        self._heir: Store | None = None
        self._kept: dict[int, object] = {}
        self._members: list[Member] = []
        self._absorbed: list[int] = []
        self._runs = False  # is there an instance in it?
        self._turn: Turn | None = None  # once it is connected with another
        self._heap: HeapBody | None = None
        self._roots: list[Root] | None = None  # those that no heap knows yet

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

    def begin(self, member: Member) -> None:
        """As ``add``, of an instance, which nearly always is the first thing in its store."""
        if self._members or self._absorbed or self._heir is not None or self._turn is not None:
            self.add(member)
        else:
            # Nobody else knows the store yet.
            self._members.append(member)
            member.store = ref(self)
            self._runs = True

    def add_root(self, kind: int, address: int, plan: int = 0) -> None:
        """Let the heap know of something in the store that may refer to its objects."""
        with _lock:
            root = self.root
            if root._heap is not None:
                root._heap.add_root((kind, address, plan))
            elif root._roots is None:
                root._roots = [(kind, address, plan)]
            else:
                root._roots.append((kind, address, plan))

    def use_heap(self, limit: int | None) -> HeapBody:
        """The heap for the store's objects, made at the first use.

        Args:
            limit: bytes that it may have, at least; None for the usual limit.

        Raises:
            MemoryError: the system has no room.
        """
        # The latter now, and not when a guest gives out its first object: a signal handler in the
        # middle of that import would find half a module.
        import runwell.runtime.reference  # noqa: F401
        from runwell.runtime.heap import HeapBody

        with _lock:
            root = self.root
            heap = root._heap
            if heap is None:
                heap = HeapBody(limit)
                root._give_roots(heap)
                root._members.append(heap)
                heap.store = ref(root)
                root._heap = heap
            else:
                heap.allow(limit)
            return heap

    @property
    def heap(self) -> HeapBody | None:
        """The heap, if anybody has needed one."""
        return self.root._heap

    def _give_roots(self, heap: HeapBody) -> None:
        for root in self._roots or ():
            heap.add_root(root)
        self._roots = None

    def _join_heap(self, rest: Store) -> None:
        """Make one heap of two, when two stores become one."""
        if rest._heap is None and self._heap is None:
            if rest._roots:
                self._roots = [*(self._roots or ()), *rest._roots]
        elif rest._heap is None:
            assert self._heap is not None
            rest._give_roots(self._heap)
        elif self._heap is None:
            self._give_roots(rest._heap)
            self._heap = rest._heap
        else:
            self._heap.absorb(rest._heap)
        # The other heap stays a member: threads may still be on their way out of it.
        rest._heap = rest._roots = None

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
            heir._join_heap(rest)
            rest._heir = heir
            heir._turn, heir._runs = turn, runs
            for member in rest._members:
                member.store = ref(heir)
            heir._members += rest._members
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
        """The reference by which guests know a host object; 0 for None.

        The object is kept as long as the result is, and as long as guests can get at it.

        Raises:
            MemoryError: the system has no room.
        """
        if value is None:
            return 0
        # The limit is that of the instances in the store.
        heap = self.use_heap(0)
        from runwell.runtime.reference import hold

        return hold(heap.address, value)


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
