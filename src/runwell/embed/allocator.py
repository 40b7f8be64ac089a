"""``runwell.Allocator``: strings and bytes, for guests that export an allocator."""

from __future__ import annotations

from contextlib import contextmanager

from runwell.base.errors import RunwellError
from runwell.base.light import final
from runwell.module.types import ExternKind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from runwell.embed.instance import Instance
    from runwell.embed.module import Module
    from runwell.host.memory import Memory

# Pairs that toolchains export, to allocate and to free, and what those take.
_PAIRS = (
    ("malloc", "free"),
    ("allocate", "deallocate"),
    ("alloc", "dealloc"),
    ("__wbindgen_malloc", "__wbindgen_free"),
)
_REALLOC = "cabi_realloc"
# Strings that a zero byte ends are searched by and by, as most are short.
_STEP = 256


@final
class Allocator:
    """Passes strings and bytes to a guest, by the allocator that it exports.

        texts = runwell.Allocator(instance)
        with texts.lend("hello") as (address, size):
            instance.exports.greet(address, size)

    Args:
        instance: the guest; it exports a memory named ``memory``.
        allocate: name of the export that allocates; None to look for the usual pairs
            (``malloc`` and ``free``, ``alloc`` and ``dealloc``…) and ``cabi_realloc``.
        free: name of the export that frees; None if there is none.

    Raises:
        RunwellError: the guest exports no allocator, or no memory.
    """

    __slots__ = ("_allocate", "_free", "_memory")

    def __init__(
        self, instance: Instance, allocate: str | None = None, free: str | None = None
    ) -> None:
        exports = instance.exports
        if "memory" not in exports:
            raise RunwellError("the guest exports no memory named 'memory'")
        self._memory: Memory = exports["memory"]
        if allocate is None:
            allocate, free = _find(exports)
        for name in (allocate, free):
            if name is not None and name not in exports:
                raise RunwellError(f"the guest does not export {name!r}")
        self._allocate = _allocating(exports[allocate])
        self._free = None if free is None else _freeing(exports[free])

    def new(self, content: str | bytes | bytearray | memoryview) -> tuple[int, int]:
        """Copy a string, as UTF-8, or bytes into memory that the guest allocates.

        Args:
            content: what to copy.

        Returns:
            Address and size in bytes; the memory is the guest's, to be freed by it or ``free``.

        Raises:
            MemoryError: the guest has no memory left.
        """
        data = content.encode() if isinstance(content, str) else content
        size = len(data)
        address = self._allocate(size) & 0xFFFF_FFFF_FFFF_FFFF
        if address == 0 and size:
            raise MemoryError(f"the guest cannot allocate {size} bytes")
        self._memory.write(address, data)
        return address, size

    def free(self, address: int, size: int) -> None:
        """Give memory back; does nothing if the guest exports nothing to do so.

        Args:
            address: of its first byte.
            size: in bytes.
        """
        if self._free is not None:
            self._free(address, size)

    @contextmanager
    def lend(
        self, content: str | bytes | bytearray | memoryview, *, terminated: bool = False
    ) -> Iterator[tuple[int, int]]:
        """A string or bytes in the guest's memory, for as long as the ``with`` block runs.

        Args:
            content: as for ``new``.
            terminated: does a zero byte follow?  The size does not count it.

        Returns:
            What gives address and size to the ``with`` block.
        """
        data = content.encode() if isinstance(content, str) else bytes(content)
        address, size = self.new(data + b"\0" if terminated else data)
        try:
            yield address, len(data)
        finally:
            self.free(address, size)

    def text(self, address: int, size: int | None = None) -> str:
        """A string of the guest's.

        Args:
            address: of its first byte.
            size: in bytes; None if a zero byte ends it.

        Returns:
            The string.

        Raises:
            IndexError: it does not lie in the memory.
            UnicodeDecodeError: it is not UTF-8.
        """
        return self.data(address, size).decode()

    def data(self, address: int, size: int | None = None) -> bytes:
        """Bytes of the guest's.

        Args:
            address: of the first.
            size: how many; None if a zero byte ends them, which does not count.

        Returns:
            The bytes.

        Raises:
            IndexError: they do not lie in the memory.
        """
        if size is not None:
            return self._memory.read(address, size)
        view = memoryview(self._memory)
        at = address
        while 0 <= at < len(view):
            zero = bytes(view[at : at + _STEP]).find(0)
            if zero >= 0:
                return self._memory.read(address, at + zero - address)
            at += _STEP
        raise IndexError(f"no zero byte ends the string at {address}")


def exports_allocator(module: Module) -> bool:
    """Can ``Allocator`` be made for the instances of a module, without names?

    Args:
        module: the module.
    """
    kinds = {export.name: export.kind for export in module.exports}
    names = [allocate for allocate, _ in _PAIRS] + [_REALLOC]
    has_functions = any(kinds.get(name) == ExternKind.FUNC for name in names)
    return has_functions and kinds.get("memory") == ExternKind.MEMORY


def _find(exports: Any) -> tuple[str, str | None]:
    for allocate, free in _PAIRS:
        if allocate in exports:
            return allocate, free if free in exports else None
    if _REALLOC in exports:
        return _REALLOC, _REALLOC
    names = ", ".join(allocate for allocate, _ in _PAIRS)
    raise RunwellError(f"the guest exports no allocator: none of {names} or {_REALLOC}")


def _allocating(function: Any) -> Callable[[int], int]:
    arity = len(function.type.params)
    if arity == 1:
        return function  # type: ignore[no-any-return]
    if arity == 2:  # size, alignment
        return lambda size: function(size, 1)
    return lambda size: function(0, 0, 1, size)


def _freeing(function: Any) -> Callable[[int, int], object]:
    arity = len(function.type.params)
    if arity == 1:
        return lambda address, size: function(address)
    if arity == 2:
        return function  # type: ignore[no-any-return]
    if arity == 3:
        return lambda address, size: function(address, size, 1)
    return lambda address, size: function(address, size, 1, 0)
