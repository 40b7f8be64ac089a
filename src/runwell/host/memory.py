"""``runwell.Memory``: linear memories as Python sees them.

A native object, because before Python 3.12 only those can export a buffer.
"""

from __future__ import annotations

from runwell.base.light import final
from runwell.host.builtin import make_builtin
from runwell.host.closed import CLOSED
from runwell.host.layout import MemoryObject
from runwell.host.native_type import (
    DEALLOC,
    GETBUFFER,
    OBJECT,
    RELEASEBUFFER,
    WORD,
    make_type,
    types,
)
from runwell.host.weak import WeakValues
from runwell.module.types import MemoryType
from runwell.runtime.memory import Memory as NativeMemory
from runwell.runtime.native import native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from typing_extensions import Buffer


@final
class Memory:
    """A linear memory.

    It is a buffer: ``memoryview(memory)`` and NumPy see its bytes without copying.  Such a view
    stays valid whatever happens, and shows the bytes that there were when it was made; one made
    after the memory grew shows the new ones too.

    Args:
        minimum: size in pages of 65 536 bytes, or a ``MemoryType``.
        maximum: pages that it may grow to; None for no limit but the engine's.
        is_64: addressed by ``i64``.
        shared: between threads; needs a maximum.

    Raises:
        LinkError: the minimum exceeds the maximum or the engine's limit.
        MemoryError: the system has no room.
    """

    if TYPE_CHECKING:
        _owner: NativeMemory
        _views: int

        def __buffer__(self, flags: int, /) -> memoryview: ...

    def __new__(  # noqa: D102
        cls,
        minimum: int | MemoryType,
        maximum: int | None = None,
        *,
        is_64: bool = False,
        shared: bool = False,
    ) -> Memory:
        if isinstance(minimum, MemoryType):
            return face(NativeMemory(minimum))
        for name, pages in ("minimum", minimum), ("maximum", maximum):
            if pages is not None and not isinstance(pages, int):
                raise TypeError(f"{name} must be a number of pages, not {type(pages).__name__}")
            if pages is not None and not 0 <= pages < 1 << 48:
                raise ValueError(f"{name} must be a number of pages, not {pages}")
        if shared and maximum is None:
            raise ValueError("a shared memory needs a maximum")
        return face(NativeMemory(MemoryType(minimum, maximum, is_64, shared)))

    @property
    def type(self) -> MemoryType:
        """Its type, with the current size as the minimum."""
        return self._owner.type._replace(minimum=self._owner.pages)

    @property
    def size(self) -> int:
        """Current size in pages."""
        return self._owner.pages

    def grow(self, pages: int) -> int:
        """Add pages of zeros.

        Args:
            pages: how many, >= 0.

        Returns:
            The previous size in pages.

        Raises:
            MemoryError: a limit or the system refuses.
            ValueError: ``pages`` is negative.
        """
        if pages < 0:
            raise ValueError("a memory cannot shrink")
        previous = self._owner.grow(pages)
        if previous < 0:
            raise MemoryError(f"cannot grow {self._owner.type} from {self.size} by {pages} pages")
        return previous

    def read(self, address: int, size: int) -> bytes:
        """Copy bytes out of the memory.

        Args:
            address: of the first byte.
            size: number of bytes.

        Returns:
            The bytes.

        Raises:
            IndexError: they do not all lie in the memory.
            TypeError: ``address`` or ``size`` is no int.
        """
        try:
            return self._owner.read(address, size)
        except TypeError:
            raise _not_an_int(address=address, size=size) from None

    def write(self, address: int, data: Buffer) -> None:
        """Copy bytes into the memory.

        Args:
            address: where the first byte goes.
            data: bytes, or any other contiguous buffer.

        Raises:
            IndexError: they do not fit; nothing was written.
            TypeError: ``data`` is no buffer, or ``address`` no int.
        """
        try:
            source = memoryview(data).cast("B")
        except TypeError:
            what = "encode it first" if isinstance(data, str) else "a contiguous buffer is wanted"
            raise TypeError(f"data must be bytes, not {type(data).__name__}: {what}") from None
        if not isinstance(address, int):
            raise _not_an_int(address=address)
        size = self._owner.size
        if not 0 <= address <= size - len(source):
            raise IndexError(
                f"{len(source)} bytes at {address:#x} are outside of a memory of {size:#x} bytes"
            )
        memoryview(self)[address : address + len(source)] = source

    def __len__(self) -> int:
        return self._owner.size

    def __getitem__(self, index: int | slice) -> Any:
        found = memoryview(self)[index]
        return bytes(found) if isinstance(found, memoryview) else found

    def __setitem__(self, index: int | slice, value: Any) -> None:
        memoryview(self)[index] = value

    def __repr__(self) -> str:
        if self._owner is CLOSED:
            return "<runwell.Memory: closed>"
        return f"<runwell.Memory: {self.type}>"

    def __reduce__(self) -> str:
        raise TypeError("a runwell.Memory cannot be pickled: copy its bytes")


_memories: WeakValues[int, Memory] = WeakValues()  # by address of the native memory


def _not_an_int(**values: object) -> TypeError:
    """What to raise where one of these numbers is none."""
    for name, value in values.items():
        if not isinstance(value, int):
            return TypeError(f"{name} must be an int, not {type(value).__name__}")
    return TypeError(f"{', '.join(values)} must be ints")


def face(native: NativeMemory) -> Memory:
    """The one ``Memory`` of a native memory."""
    found = _memories.get(int(native.address))
    # A closed one may have left its address to another.
    if found is None or found._owner is CLOSED:
        made: Memory = types.new_memory(types.memory, native.address, native)
        found = _memories.add(int(native.address), made, over=found)
    return found


def make_memory_type(template: type[Memory]) -> None:
    """Make the native type."""
    slots = {
        GETBUFFER: "memory_buffer",
        RELEASEBUFFER: "memory_release",
        DEALLOC: "memory_dealloc",
    }
    members = {
        "__weaklistoffset__": ("weak_references", WORD),
        "_owner": ("owner", OBJECT),
        "_views": ("views", WORD),
    }
    types.memory = make_type(template, MemoryObject, slots, members)
    types.new_memory = make_builtin("new_memory", "object object u64 object", native.address)
    types.close_memory = make_builtin("close_memory", "None object object", native.address)


def known(address: int) -> Memory | None:
    """The ``Memory`` of the memory at an address, if there is one that is not closed."""
    found = _memories.get(address)
    return None if found is None or found._owner is CLOSED else found


def close(address: int) -> None:
    """Close the face of the memory at an address, if there is one."""
    found = _memories.get(address)
    if found is not None and found._owner is not CLOSED:
        types.close_memory(found, CLOSED)


if not TYPE_CHECKING:
    # As in ``func``: the class above is the template of the native type.
    _TEMPLATE = globals().pop("Memory")

    def __getattr__(name):  # noqa: ANN001, ANN202
        if name == "Memory":
            if not hasattr(types, "memory"):
                make_memory_type(_TEMPLATE)
            return types.memory
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
