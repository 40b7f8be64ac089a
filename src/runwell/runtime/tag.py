"""Exception tags as Python owns them.

Exceptions outlive the store of their tag: an instance may keep one that passed through it.  So a
native tag is freed when neither Python nor any exception has it; exceptions count themselves.
"""

from __future__ import annotations

from _thread import allocate_lock
from _weakref import ref

from runwell.base.light import final
from runwell.kernel.types import ctype_of, sizeof
from runwell.module.types import TagType
from runwell.runtime import layout
from runwell.runtime.mapping import Block
from runwell.runtime.store import Store, carries_refs
from runwell.runtime.types import TypeNumber, may_be_object


@final
class _Native:
    """A native tag with what it needs, and what is known of it.

    Attributes:
        number: canonical number of the function type.
        store: a weak reference to the store that it is in.
        struct: its fields.
    """

    __slots__ = ("_block", "number", "store", "struct")

    def __init__(self, number: TypeNumber) -> None:
        params = number.type.params
        refs = [t for t in params if t.is_ref]
        size = sizeof(layout.Tag)
        self._block = Block(size + len(refs))
        at = self._block.address
        kinds = bytes(t.is_exception for t in refs)
        self._block.bytes[size : size + len(refs)] = kinds
        self.number = number
        self.store: ref[Store]
        self.struct = ctype_of(layout.Tag).from_address(at)
        self.struct.holders = 1
        self.struct.value_bytes = sum(16 if t.bits > 64 else 8 for t in params if not t.is_ref)
        self.struct.ref_bytes = 8 * len(refs)
        self.struct.n_exceptions = sum(kinds)
        self.struct.is_exception = at + size
        self.struct.n_objects = sum(may_be_object(t) for t in refs)

    @property
    def address(self) -> int:
        """Of the native struct."""
        return self._block.address


_lock = allocate_lock()
_natives: dict[int, _Native] = {}
_leases: dict[int, ref[_Lease]] = {}
# Addresses of tags that Python let go of.
_dropped: list[int] = []


@final
class _Lease:
    """Python's share in a native tag."""

    __slots__ = ("__weakref__", "native")

    def __init__(self, native: _Native) -> None:
        self.native = native

    def __del__(self, dropped: list[int] = _dropped) -> None:
        # The collector may do this in the middle of anything.
        dropped.append(self.native.address)


def _sweep() -> None:
    """Forget the tags that nobody has any more; the lock is held."""
    for _ in range(len(_dropped)):
        address = _dropped.pop(0)
        lease = _leases.get(address)
        if lease is not None and lease() is not None:
            continue
        native = _natives.get(address)
        if native is None:
            continue
        if native.struct.holders == 1:
            del _natives[address]
            _leases.pop(address, None)
        else:
            _dropped.append(address)


@final
class Tag:
    """An exception tag, in a store.

    Attributes:
        address: of the native ``Tag``, which says which one it is.
        store: what the references that they carry belong to.
    """

    __slots__ = ("__weakref__", "_lease", "address", "store")

    def __init__(self, number: TypeNumber, store: Store | None = None) -> None:
        """Make a tag.

        Args:
            number: canonical number of its function type.
            store: where it belongs; None for a store of its own.
        """
        self.store = Store() if store is None else store
        native = _Native(number)
        lease = _Lease(native)
        with _lock:
            _sweep()
            _natives[native.address] = native
            _leases[native.address] = ref(lease)
        self._lease = lease
        self.address = native.address
        self.store.add(native)
        self.store.keep(lease)

    @property
    def type(self) -> TagType:
        """What its exceptions carry."""
        return TagType(self._lease.native.number.type)

    @property
    def number(self) -> TypeNumber:
        """Canonical number of its function type."""
        return self._lease.native.number

    def admit(self, store: Store) -> None:
        """Let guests of a store have exceptions of this tag."""
        if carries_refs(self.type.type):
            store.join(self.store)
        else:
            store.keep(self._lease)


def tag_at(address: int) -> Tag:
    """The tag of an exception that the caller has hold of."""
    with _lock:
        native = _natives[address]
        known = _leases.get(address)
        lease = known() if known is not None else None
        if lease is None:
            lease = _Lease(native)
            _leases[address] = ref(lease)
    tag = Tag.__new__(Tag)
    tag._lease, tag.address = lease, address
    store = native.store()
    tag.store = store.root if store is not None else Store()
    return tag
