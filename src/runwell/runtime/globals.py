"""Global variables: cells of 16 bytes, in their instance or of their own."""

from runwell.base.light import final
from runwell.kernel.types import ctype_of, u64
from runwell.module.types import GlobalType
from runwell.runtime.func import encode_ref, read_ref
from runwell.runtime.heap_layout import ROOT_CELL
from runwell.runtime.mapping import Block
from runwell.runtime.native import Native, native
from runwell.runtime.store import Store
from runwell.runtime.types import may_be_object

CELL_BYTES = 16
_MASK = (1 << 64) - 1


@final
class Global:
    """A global variable, in a store.

    Attributes:
        address: of the native cell.
        type: value type and mutability.
        store: what lives as long as the cell.
        lent: has an instance imported it?
    """

    __slots__ = ("__weakref__", "address", "lent", "store", "type")

    def __init__(self, type_: GlobalType, store: Store, address: int) -> None:
        self.type, self.store, self.address, self.lent = type_, store, address, False

    @property
    def bits(self) -> int:
        """The value's bits; a narrow value's are the low ones, the others are undefined."""
        low = ctype_of(u64).from_address(self.address).value
        if self.type.type.bits <= 64:
            return int(low)
        return int(low | ctype_of(u64).from_address(self.address + 8).value << 64)

    @bits.setter
    def bits(self, value: int) -> None:
        ctype_of(u64).from_address(self.address).value = value & _MASK
        if self.type.type.bits > 64:
            ctype_of(u64).from_address(self.address + 8).value = value >> 64 & _MASK

    @property
    def reference(self) -> object:
        """The value of a global of reference type: None, a ``Func``, or a host object."""
        return read_ref(self.type.type, self.address)

    @reference.setter
    def reference(self, value: object) -> None:
        bits = encode_ref(self.store, self.type.type, value)
        if self.type.type.is_exception:
            native.exception_put(self.address, bits)
        else:
            self.bits = bits


@final
class _ExceptionCell:
    """The cell of a global that refers to exceptions."""

    __slots__ = ("_block", "address")

    def __init__(self) -> None:
        self._block = Block(CELL_BYTES)
        self.address = self._block.address

    def __del__(self, native: Native = native) -> None:
        native.exception_put(self.address, 0)


def new_global(type_: GlobalType, bits: int = 0) -> Global:
    """Make a global of its own store."""
    store = Store()
    cell = _ExceptionCell() if type_.type.is_exception else Block(CELL_BYTES)
    store.keep(cell)
    result = Global(type_, store, cell.address)
    result.bits = bits
    if type_.type.is_ref and may_be_object(type_.type):
        store.add_root(ROOT_CELL, cell.address)
    return result
