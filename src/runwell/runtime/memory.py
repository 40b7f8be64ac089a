"""Linear memories as Python owns them (what native code does to them: ``memory_kernels``)."""

from __future__ import annotations

from runwell.base.errors import LinkError
from runwell.base.light import final, lru_cache
from runwell.base.light_ctypes import addressof, c_char
from runwell.base.limits import MEMORY64_PAGES, MEMORY_PAGES, PAGE_BYTES
from runwell.kernel.types import ctype_of
from runwell.module.types import MemoryType
from runwell.runtime import layout
from runwell.runtime.mapping import GUARDED_BYTES, guard_pages_available, round_up
from runwell.runtime.native import native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _weakref import ref
    from typing import Any

    from runwell.runtime.store import Store
    from runwell.runtime.turn import Turn


def is_guarded(type_: MemoryType, explicit: bool) -> bool:
    """Are accesses to a memory of this type bounded by guard pages?

    Args:
        type_: the memory's type.
        explicit: the configuration wants every access checked.
    """
    return not (explicit or type_.is_64 or type_.page_bits != 16) and guard_pages_available()


@lru_cache(256)
def _template(type_: MemoryType, limit_bytes: int | None, explicit: bool) -> Any:
    """The native struct that new memories of a type are copies of."""
    shift = type_.page_bits
    most = ((MEMORY64_PAGES if type_.is_64 else MEMORY_PAGES) * PAGE_BYTES) >> shift
    if type_.maximum is not None:
        most = min(most, type_.maximum)
    if limit_bytes is not None:
        most = min(most, limit_bytes >> shift)
    if type_.minimum > most:
        raise LinkError(f"{type_} exceeds the limit of {most} pages")
    guarded = is_guarded(type_, explicit)
    reserved = GUARDED_BYTES if guarded else round_up(max(most << shift, 1))
    return ctype_of(layout.Memory)(
        bytes=type_.minimum << shift,
        pages=type_.minimum,
        max_pages=most,
        page_shift=shift,
        is_64=type_.is_64,
        shared=type_.shared,
        guarded=guarded,
        reserved=reserved,
        capacity=most << shift,
    )


@final
class Memory:
    """A linear memory.

    Attributes:
        address: of the native ``Memory``.
        type: as declared; the minimum is that at creation.
        lent: has another instance imported it?
        maker: a weak reference to the store of the instance that made it; or None.
        turn: whose it is to run in the instances that have it; None until that concerns several.
    """

    __slots__ = ("__weakref__", "_lease", "address", "lent", "maker", "turn", "type")

    def __init__(
        self, type_: MemoryType, *, limit_bytes: int | None = None, explicit: bool = False
    ) -> None:
        """Make a memory of zeros.

        Args:
            type_: its type.
            limit_bytes: it never grows beyond, whatever its type says.
            explicit: do without guard pages.

        Raises:
            LinkError: the type's minimum exceeds the limit.
            MemoryError: the system has no room.
        """
        template = _template(type_, limit_bytes, explicit)
        address = native.memory_new(addressof(template))
        if not address and not template.guarded:
            address = self._reserve_less(template)
        if not address:
            raise MemoryError(f"no room for {type_}")
        self._lease = native.lease_memory(address)
        self.address = address
        self.type = type_
        self.lent = False
        self.maker: ref[Store] | None = None
        self.turn: Turn | None = None

    @property
    def _native(self) -> Any:
        return ctype_of(layout.Memory).from_address(self.address)

    @property
    def base(self) -> int:
        """Address of the first byte, which never changes."""
        return int(self._native.base)

    def find_turn(self) -> Turn:
        """Whose turn it is to run in the instances that have this memory."""
        if self.turn is None:
            store = self.maker() if self.maker is not None else None
            if store is not None:
                self.turn = store.turn
            else:
                from runwell.runtime.turn import Turn

                self.turn = Turn()
        return self.turn

    @staticmethod
    def _reserve_less(template: Any) -> int:
        """Make do with less room to grow, where address space is limited."""
        smaller = type(template).from_buffer_copy(template)
        least = round_up(max(template.bytes, 1))
        while smaller.reserved > least:
            smaller.reserved = max(round_up(smaller.reserved // 2), least)
            smaller.capacity = smaller.reserved
            address = native.memory_new(addressof(smaller))
            if address:
                return address
        return 0

    @property
    def pages(self) -> int:
        """Current size in pages."""
        return int(self._native.pages)

    @property
    def size(self) -> int:
        """Current size in bytes."""
        return int(self._native.bytes)

    @property
    def maximum(self) -> int:
        """Pages that it can grow to."""
        return int(self._native.max_pages)

    @property
    def guarded(self) -> bool:
        """Is it bounded by guard pages?"""
        return bool(self._native.guarded)

    def grow(self, delta_pages: int) -> int:
        """Grow the memory.

        Args:
            delta_pages: pages to add, >= 0.

        Returns:
            The previous size in pages, or -1 if a limit or the host refuses.

        Source:
            Core spec 3.0, execution of memory.grow.
        """
        if not 0 <= delta_pages < 1 << 64:
            return -1
        old = native.memory_grow_by(self.address, delta_pages)
        return -1 if old == (1 << 64) - 1 else old

    def read(self, start: int, size: int) -> bytes:
        """Copy bytes out.

        Raises:
            IndexError: they do not lie within the memory.
        """
        from ctypes import string_at

        self._check(start, size)
        return string_at(self.base + start, size)

    def write(self, start: int, data: bytes | bytearray | memoryview) -> None:
        """Copy bytes in.

        Raises:
            IndexError: they do not fit within the memory.
        """
        from ctypes import memmove

        content = data if isinstance(data, bytes) else bytes(data)
        self._check(start, len(content))
        memmove(self.base + start, content, len(content))

    def _check(self, start: int, size: int) -> None:
        if start < 0 or size < 0 or start + size > self._native.bytes:
            raise IndexError(f"{size} bytes at {start} are out of bounds of memory")

    def view(self) -> memoryview:
        """The bytes as they are now, for reading and writing; keeps the memory alive.

        The view stays valid when the memory grows, and shows only the bytes that it had.
        """
        window: Any = (c_char * self.size).from_address(self.base)
        window.owner = self
        return memoryview(window).cast("B")
