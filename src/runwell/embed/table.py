"""``runwell.Table``: tables of references."""

from __future__ import annotations

from runwell.base.light import final
from runwell.base.types import ValType
from runwell.embed.core import load
from runwell.embed.value import from_reference, to_reference, value_type
from runwell.host.closed import CLOSED
from runwell.host.weak import WeakValues
from runwell.module.types import TableType
from runwell.runtime.store import Store
from runwell.runtime.table import Table as NativeTable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


@final
class Table:
    """A table of references to functions or objects.

    Elements are read and written by index; an element is a ``Func``, any object in a table of
    ``externref``, or None.

    Args:
        element: type of the elements, ``"funcref"`` or ``"externref"``, or a ``TableType``.
        minimum: number of elements.
        maximum: elements that it may grow to; None for no limit but the engine's.
        init: what the elements are at first.

    Raises:
        LinkError: the minimum exceeds the maximum or the engine's limit.
        MemoryError: the system has no room.
        TypeError: ``init`` is not of the element type.
        ValueError: ``element`` is no reference type, or a size is negative.
    """

    __slots__ = ("__weakref__", "native")
    native: NativeTable

    def __init__(
        self,
        element: str | ValType | TableType,
        minimum: int = 0,
        maximum: int | None = None,
        *,
        init: object = None,
    ) -> None:
        if isinstance(element, TableType):
            type_ = element
        else:
            kind = value_type(element)
            if not kind.is_ref:
                raise ValueError(f"a table has references, not {kind.text}")
            if minimum < 0 or (maximum is not None and maximum < 0):
                raise ValueError("the size of a table cannot be negative")
            type_ = TableType(kind, minimum, maximum)
        load()
        store = Store()
        value = to_reference(type_.element, init, store, "init")
        self.native = NativeTable(type_, value, store=store)
        _tables.add(int(self.native.address), self)

    @property
    def type(self) -> TableType:
        """Its type, with the current size as the minimum."""
        return self.native.type._replace(minimum=self.native.size)

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.native.size

    def grow(self, elements: int, init: object = None) -> int:
        """Add elements.

        Args:
            elements: how many, >= 0.
            init: what they are.

        Returns:
            The previous size.

        Raises:
            MemoryError: a limit or the system refuses.
            TypeError: ``init`` is not of the element type.
            ValueError: ``elements`` is negative.
        """
        if elements < 0:
            raise ValueError("a table cannot shrink")
        value = to_reference(self.native.type.element, init, self.native.store, "init")
        previous = self.native.grow(elements, value)
        if previous < 0:
            raise MemoryError(f"cannot grow {self.type} by {elements} elements")
        return previous

    def __len__(self) -> int:
        return self.native.size

    def __getitem__(self, index: int) -> Any:
        return from_reference(self.native.get(self._index(index)))

    def __setitem__(self, index: int, value: object) -> None:
        at = self._index(index)
        what = f"element {index}"
        reference = to_reference(self.native.type.element, value, self.native.store, what)
        self.native.set(at, reference)

    def __iter__(self) -> Iterator[Any]:
        at = 0
        while at < self.native.size:
            yield self[at]
            at += 1

    def _index(self, index: int) -> int:
        if not isinstance(index, int):
            raise TypeError(f"an index of a table must be an int, not {type(index).__name__}")
        size = self.native.size
        at = index + size if index < 0 else index
        if not 0 <= at < size:
            raise IndexError(f"{index} is out of bounds of a table of {size} elements")
        return at

    def __repr__(self) -> str:
        if self.native is CLOSED:
            return "<runwell.Table: closed>"
        return f"<runwell.Table: {self.type}>"

    def __reduce__(self) -> str:
        raise TypeError("a runwell.Table cannot be pickled: it belongs to instances")


_tables: WeakValues[int, Table] = WeakValues()  # by address of the native table


def face(native: NativeTable) -> Table:
    """The one ``Table`` of a native table."""
    found = _tables.get(int(native.address))
    # A closed one may have left its address to another.
    if found is None or found.native is CLOSED:
        made = Table.__new__(Table)
        made.native = native
        found = _tables.add(int(native.address), made, over=found)
    return found


def close(address: int) -> None:
    """Close the face of the table at an address, unless another instance has imported it."""
    found = _tables.get(address)
    if found is not None and found.native is not CLOSED and not found.native.lent:
        found.native = CLOSED
