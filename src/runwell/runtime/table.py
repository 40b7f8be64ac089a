"""Tables as Python owns them (what native code does to them: ``table_kernels``)."""

from __future__ import annotations

from runwell.base.errors import LinkError
from runwell.base.light import final, lru_cache
from runwell.base.light_ctypes import addressof
from runwell.base.limits import TABLE_ELEMENTS
from runwell.kernel.types import ctype_of
from runwell.module.types import TableType
from runwell.runtime import layout
from runwell.runtime.func import encode_ref, read_ref
from runwell.runtime.heap_layout import ROOT_TABLE
from runwell.runtime.mapping import round_up
from runwell.runtime.native import Native, native
from runwell.runtime.store import Store
from runwell.runtime.types import may_be_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


@final
class _Lease(int):
    """The address of a native table, freed with its last owner (why an int: see ``Mapping``)."""

    __slots__ = ()

    def __del__(self, native: Native = native) -> None:
        native.table_free(self)


@lru_cache(256)
def _template(type_: TableType, limit: int | None) -> Any:
    """The native struct that new tables of a type are copies of."""
    most = TABLE_ELEMENTS if type_.maximum is None else min(type_.maximum, TABLE_ELEMENTS)
    if limit is not None:
        most = min(most, limit)
    if type_.minimum > most:
        raise LinkError(f"{type_} exceeds the limit of {most} elements")
    return ctype_of(layout.Table)(
        size=type_.minimum,
        max_size=most,
        type=type_.element,
        is_64=type_.is_64,
        reserved=round_up(8 * most) if most > type_.minimum else 0,
    )


@final
class Table:
    """A table of references, in a store.

    Attributes:
        address: of the native ``Table``.
        type: as declared; the minimum is that at creation.
        store: what lives as long as the table.
        lent: has another instance imported it?
    """

    __slots__ = ("__weakref__", "_native", "address", "lent", "store", "type")

    def __init__(
        self,
        type_: TableType,
        value: object = None,
        *,
        limit: int | None = None,
        store: Store | None = None,
    ) -> None:
        """Make a table.

        Args:
            type_: its type.
            value: of every element: None, a ``Func``, or a host object.
            limit: it never grows beyond, whatever its type says.
            store: where it belongs; None for a store of its own.

        Raises:
            LinkError: the type's minimum exceeds the limit.
            MemoryError: the system has no room.
            TypeError: the value is not of the element type.
        """
        self.store = Store() if store is None else store
        bits = encode_ref(self.store, type_.element, value)
        address = native.table_new(addressof(_template(type_, limit)), bits)
        if not address:
            raise MemoryError(f"no room for {type_}")
        self.address: int = _Lease(address)
        native.untrack(self.address)
        self.store.keep(self.address)
        self._native = ctype_of(layout.Table).from_address(address)
        self.type = type_
        self.lent = False
        if may_be_object(type_.element):
            self.store.add_root(ROOT_TABLE, address)

    @classmethod
    def of(cls, address: int, type_: TableType, store: Store) -> Table:
        """A table of a store, by its address.

        Args:
            address: which frees the table with its last owner.
            type_: as declared.
            store: where it belongs.
        """
        self = cls.__new__(cls)
        self.address, self.type, self.store, self.lent = address, type_, store, True
        self._native = ctype_of(layout.Table).from_address(address)
        return self

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(self._native.size)

    @property
    def maximum(self) -> int:
        """Elements that it can grow to."""
        return int(self._native.max_size)

    def get(self, index: int) -> object:
        """An element: None, a ``Func``, or a host object.

        Raises:
            IndexError: there is no such element.
        """
        self._elements(index)
        return read_ref(self.type.element, self._native.elements + 8 * index)

    def set(self, index: int, value: object) -> None:
        """Replace an element.

        Raises:
            IndexError: there is no such element.
            TypeError: the value is not of the element type.
        """
        elements = self._elements(index)
        bits = encode_ref(self.store, self.type.element, value)
        if self.type.element.is_exception:
            native.exception_put(self._native.elements + 8 * index, bits)
        else:
            elements[index] = bits

    def _elements(self, index: int) -> Any:
        from ctypes import POINTER, c_uint64, cast

        if not 0 <= index < self._native.size:
            raise IndexError(f"{index} is out of bounds of the table")
        return cast(self._native.elements, POINTER(c_uint64))

    def grow(self, delta: int, value: object = None) -> int:
        """Grow the table by copies of a value.

        Returns:
            The previous size, or -1 if a limit or the host refuses.

        Raises:
            TypeError: the value is not of the element type.

        Source:
            Core spec 3.0, execution of table.grow.
        """
        bits = encode_ref(self.store, self.type.element, value)
        if not 0 <= delta < 1 << 64:
            return -1
        old = native.table_grow_by(self.address, bits, delta)
        return -1 if old == (1 << 64) - 1 else old
