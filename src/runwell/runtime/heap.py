"""Heaps as Python owns them (what native code does to them: ``heap_kernels``)."""

from __future__ import annotations

from _weakref import ref

from runwell.base.light import final
from runwell.base.limits import HEAP_BYTES
from runwell.kernel.types import ctype_of
from runwell.runtime.context import current_context
from runwell.runtime.heap_layout import Heap
from runwell.runtime.native import Hooks, Native, hooks, native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runwell.runtime.store import Root, Store


# Those that are there, by address.
_bodies: dict[int, ref[HeapBody]] = {}


@final
class _Lease(int):
    """The address of a native heap, freed with its last owner (why an int: see ``Mapping``)."""

    __slots__ = ()

    def __del__(
        self,
        native: Native = native,
        hooks: Hooks = hooks,
        bodies: dict[int, ref[HeapBody]] = _bodies,
    ) -> None:
        bodies.pop(self, None)
        native.heap_free(self)
        if hooks.let_go is not None:
            hooks.let_go()


@final
class HeapBody:
    """What a store keeps of its heap; native code knows it as the heap's ``object``.

    Attributes:
        address: of the native ``Heap``.
        store: a weak reference to the store that it is in.
    """

    __slots__ = ("__weakref__", "_externs", "address", "store")

    def __init__(self, limit: int | None) -> None:
        """Make a heap.

        Args:
            limit: bytes that it may have; None for the usual limit.

        Raises:
            MemoryError: the system has no room.
        """
        address = native.heap_new(_limit(limit))
        if not address:
            raise MemoryError("no room for a heap")
        self.address = _Lease(address)
        native.untrack(self.address)
        self.store: ref[Store]
        self.native.object = id(self)
        _bodies[address] = ref(self)
        make = hooks.make_externs
        self._externs = make(address) if make is not None else None

    @property
    def native(self) -> Any:
        """Its fields."""
        return ctype_of(Heap).from_address(self.address)

    def allow(self, limit: int | None) -> None:
        """Let it have as many bytes, if that is more than it might have."""
        fields = self.native
        fields.limit = max(fields.limit, _limit(limit))

    def add_root(self, root: Root) -> None:
        """Let it know of something that refers to its objects, and lives as long as the store.

        Raises:
            MemoryError: the system has no room.
        """
        if not native.heap_add_root(self.address, *root):
            raise MemoryError("no room for a root of a heap")

    def absorb(self, other: HeapBody) -> None:
        """Take over all objects and roots of another heap.

        Raises:
            MemoryError: the system has no room.
        """
        if not native.heap_join(self.address, other.address):
            raise MemoryError("no room to join two heaps")

    def collect(self) -> None:
        """Free what nobody refers to, and let go of the objects of Python among it."""
        # What is in the store is looked at, and another thread may let go of it.
        store = self.store()
        if store is None:
            return
        # An exception that nobody has any more may have objects.
        native.exceptions_sweep(current_context().address)
        native.heap_collect(self.address)
        del store
        if hooks.let_go is not None:
            hooks.let_go()

    @property
    def used_bytes(self) -> int:
        """Bytes that it has for objects, in whole blocks."""
        return int(self.native.used)


def collect_all() -> None:
    """Free what nobody refers to in all heaps of the process."""
    for found in list(_bodies.values()):
        body = found()
        if body is not None:
            body.collect()


def _limit(limit: int | None) -> int:
    return HEAP_BYTES if limit is None else min(limit, HEAP_BYTES)
