"""Globals, tables, memories and tags."""

import ctypes
from typing import Any, TypeAlias

from runwell.compat.wasmtime.engine import Engine
from runwell.compat.wasmtime.errors import WasmtimeError, translated
from runwell.compat.wasmtime.face import Extern
from runwell.compat.wasmtime.func import Func
from runwell.compat.wasmtime.managed import Closable
from runwell.compat.wasmtime.store import Storelike
from runwell.compat.wasmtime.types import (
    GlobalType,
    MemoryType,
    TableType,
    TagType,
)
from runwell.compat.wasmtime.value import from_native, to_native
from runwell.embed.globals import Global as NativeGlobal
from runwell.embed.table import Table as NativeTable
from runwell.host.memory import Memory as NativeMemory
from runwell.host.memory import face
from runwell.host.tag import Tag as NativeTag
from runwell.runtime.memory import Memory as MemoryOwner


class Global(Extern):
    """A global.

    Raises:
        TypeError: an argument is of a wrong type.
    """

    __slots__ = ()

    native: NativeGlobal

    def __init__(self, store: Storelike, ty: GlobalType, val: Any) -> None:
        store.store._check_open()
        if not isinstance(ty, GlobalType):
            raise TypeError("expected a GlobalType")
        self.native = NativeGlobal(ty.native, to_native(ty.native.type, val))

    def type(self, store: Storelike) -> GlobalType:
        """Its type."""
        return GlobalType.of(self.native.type)

    def value(self, store: Storelike) -> Any:
        """Its value."""
        return from_native(self.native.value)

    def set_value(self, store: Storelike, val: Any) -> None:
        """Give it another value.

        Raises:
            TypeError: the value is not of its type.
            WasmtimeError: it is immutable.
        """
        value = to_native(self.native.type.type, val)
        if not self.native.mutable:
            raise WasmtimeError("immutable global cannot be modified")
        self.native.value = value


class Table(Extern):
    """A table.

    Raises:
        TypeError: an argument is of a wrong type.
        WasmtimeError: it would be beyond a limit.
    """

    __slots__ = ()

    native: NativeTable

    def __init__(self, store: Storelike, ty: TableType, init: Any) -> None:
        owner = store.store
        type_ = ty.native
        limit = owner.limit("table_elements")
        if limit is not None and type_.minimum > limit:
            raise WasmtimeError(f"table minimum size of {type_.minimum} elements exceeds limits")
        owner.count("tables")
        with translated():
            self.native = NativeTable(type_, init=to_native(type_.element, init))

    def type(self, store: Storelike) -> TableType:
        """Its type."""
        return TableType.of(self.native.type)

    def size(self, store: Storelike) -> int:
        """Number of elements."""
        return self.native.size

    def grow(self, store: Storelike, amt: int, init: Any) -> int:
        """Add elements.

        Returns:
            The previous size.

        Raises:
            TypeError: an argument is of a wrong type.
            WasmtimeError: it would be beyond a limit.
        """
        if not isinstance(amt, int):
            raise TypeError("expected integer")
        value = to_native(self.native.type.element, init)
        limit = store.store.limit("table_elements")
        if limit is not None and self.native.size + amt > limit:
            raise WasmtimeError(f"failed to grow table by {amt}")
        with translated():
            return self.native.grow(amt, value)

    def get(self, store: Storelike, idx: int) -> Any:
        """An element, or None if it is null or there is none."""
        if not 0 <= idx < self.native.size:
            return None
        return from_native(self.native[idx])

    def set(self, store: Storelike, idx: int, val: Any) -> None:
        """Replace an element.

        Raises:
            TypeError: the value is not of the element type.
            WasmtimeError: there is no such element.
        """
        value = to_native(self.native.type.element, val)
        if not 0 <= idx < self.native.size:
            raise WasmtimeError("table element index out of bounds")
        self.native[idx] = value

    def __len__(self) -> int:
        return self.native.size


class _Bytes(Extern):
    """What memories and shared memories have in common."""

    __slots__ = ()

    def _grow(self, delta: int) -> int:
        if not isinstance(delta, int):
            raise TypeError("expected integer")
        if delta < 0:
            raise WasmtimeError("cannot grow by a negative amount")
        with translated():
            previous: int = self.native.grow(delta)
        return previous

    def _pointer(self) -> Any:
        at = ctypes.c_void_p(self.native._owner.base)
        pointer = ctypes.cast(at, ctypes.POINTER(ctypes.c_ubyte))
        pointer._memory = self.native  # type: ignore[attr-defined] # stays alive meanwhile
        return pointer

    @property
    def _size(self) -> int:
        return self.native._owner.size  # type: ignore[no-any-return]


class Memory(_Bytes):
    """A linear memory.

    Raises:
        WasmtimeError: it would be beyond a limit.
    """

    __slots__ = ()

    def __init__(self, store: Storelike, ty: MemoryType) -> None:
        owner = store.store
        type_ = ty.native
        limit = owner.limit("memory_size")
        if limit is not None and type_.minimum << type_.page_bits > limit:
            raise WasmtimeError(f"memory minimum size of {type_.minimum} pages exceeds limits")
        owner.count("memories")
        with translated():
            self.native = face(MemoryOwner(type_, limit_bytes=limit))

    def type(self, store: Storelike) -> MemoryType:
        """Its type."""
        return MemoryType.of(self.native.type)

    def grow(self, store: Storelike, delta: int) -> int:
        """Add pages.

        Returns:
            The previous size in pages.

        Raises:
            TypeError: ``delta`` is no integer.
            WasmtimeError: it is negative, or the memory would be beyond a limit.
        """
        return self._grow(delta)

    def size(self, store: Storelike) -> int:
        """Size in pages."""
        return self.native.size  # type: ignore[no-any-return]

    def data_ptr(self, store: Storelike) -> Any:
        """A ``ctypes`` pointer to its first byte; nothing checks what is read through it."""
        return self._pointer()

    def data_len(self, store: Storelike) -> int:
        """Size in bytes."""
        return self._size

    def get_buffer_ptr(self, store: Storelike, size: int | None = None, offset: int = 0) -> Any:
        """A ``ctypes`` array of ``size`` bytes from ``offset`` on, all of them if None."""
        length = self._size if size is None else size
        if not 0 <= offset <= offset + length <= self._size:
            raise IndexError("index out of range")
        array = (ctypes.c_ubyte * length).from_address(self.native._owner.base + offset)
        array._memory = self.native  # type: ignore[attr-defined] # stays alive meanwhile
        return array

    def read(
        self, store: Storelike, start: int | None = None, stop: int | None = None
    ) -> bytearray:
        """Copy bytes out, as slicing does."""
        first, last, _ = slice(start, stop).indices(self._size)
        return bytearray(self.native.read(first, max(0, last - first)))

    def write(self, store: Storelike, value: bytearray | bytes, start: int | None = None) -> int:
        """Copy bytes in; a negative ``start`` counts from the end.

        Returns:
            Number of bytes.

        Raises:
            IndexError: they do not all fit.
        """
        first = slice(start, None).indices(self._size)[0]
        if first >= self._size or first + len(value) > self._size:
            raise IndexError("index out of range")
        self.native.write(first, value)
        return len(value)

    def page_size(self, store: Storelike) -> int:
        """Bytes of a page."""
        return self.type(store).page_size

    def page_size_log2(self, store: Storelike) -> int:
        """The logarithm of that."""
        return self.type(store).page_size_log2


class SharedMemory(_Bytes, Closable):
    """A linear memory that instances on several threads share.

    Raises:
        WasmtimeError: its type is not that of a shared memory, or there is no room.
    """

    __slots__ = ()

    def __init__(self, engine: Engine, ty: MemoryType) -> None:
        engine._check_open()
        if not ty.is_shared:
            raise WasmtimeError("shared memory must have the `shared` flag enabled on its type")
        with translated():
            self.native = face(MemoryOwner(ty.native))

    def type(self) -> MemoryType:
        """Its type."""
        return MemoryType.of(self.native.type)

    def grow(self, delta: int) -> int:
        """Add pages; gives the previous size in pages.

        Raises:
            TypeError: ``delta`` is no integer.
            WasmtimeError: it is negative, or the memory would be beyond a limit.
        """
        return self._grow(delta)

    def size(self) -> int:
        """Size in pages."""
        return self.native.size  # type: ignore[no-any-return]

    def data_ptr(self) -> Any:
        """A ``ctypes`` pointer to its first byte; nothing checks what is read through it."""
        return self._pointer()

    def data_len(self) -> int:
        """Size in bytes."""
        return self._size


class Tag(Extern):
    """An exception tag.

    Raises:
        TypeError: ``ty`` is no ``TagType``.
    """

    __slots__ = ()

    native: NativeTag

    def __init__(self, store: Storelike, ty: TagType) -> None:
        store.store._check_open()
        if not isinstance(ty, TagType):
            raise TypeError("expected a TagType")
        self.native = NativeTag(ty.native)

    def type(self, store: Storelike) -> TagType:
        """Its type."""
        return TagType.of(self.native.type)

    def eq(self, store: Storelike, other: "Tag") -> bool:
        """Is it the same tag?"""
        return self == other


AsExtern: TypeAlias = Func | Global | Memory | SharedMemory | Table | Tag


def extern(native: Any) -> AsExtern:
    """What an export of Runwell's is here."""
    if isinstance(native, NativeMemory):
        return SharedMemory.of(native) if native.type.shared else Memory.of(native)
    if isinstance(native, NativeGlobal):
        return Global.of(native)
    if isinstance(native, NativeTable):
        return Table.of(native)
    if isinstance(native, NativeTag):
        return Tag.of(native)
    return Func.of(native)


def checked_extern(item: object) -> Any:
    """What Runwell knows an item as.

    Raises:
        TypeError: it can be no import.
    """
    if not isinstance(item, AsExtern):
        raise TypeError("expected a Func, Global, Memory, SharedMemory, Table or Tag")
    return item.native
