"""Relocatable objects straight into memory, for code made while the program runs.

A ``Loaded`` owns one mapping: code read-execute, constants read-only, data read-write, nothing
writable and executable at any time.  Imports are looked up in a dictionary and reached through the
object's own GOT and PLT, so they may be anywhere.  Unwind tables are mapped, not registered;
objects with static constructors are refused.  Linux makes the caches coherent when ``mprotect``
turns written pages executable, so nothing is flushed here.
"""

import ctypes
import mmap
import os
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Final, Self, final

from runwell.elf.format import ElfError, align_up
from runwell.elf.image import Image
from runwell.elf.output import Kind

_CONSTANT, _CODE, _RELRO, _DATA = range(4)
_PROTECTION: Final = {
    _CONSTANT: mmap.PROT_READ,
    _CODE: mmap.PROT_READ | mmap.PROT_EXEC,
    _RELRO: mmap.PROT_READ,
}
_MAP_FAILED: Final = ctypes.c_void_p(-1).value

_libc = ctypes.CDLL(None, use_errno=True)
_mmap = _libc.mmap
_mmap.restype = ctypes.c_void_p
_mmap.argtypes = (
    ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long,
)  # fmt: skip
_mprotect = _libc.mprotect
_mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
_munmap = _libc.munmap
_munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)


@final
class Loaded:
    """Objects in memory.

    Nothing may run in it, or point into it, when it is closed.

    Attributes:
        base: address of the mapping, 0 when closed.
        size: its bytes.
    """

    __slots__ = ("_addresses", "base", "size")

    def __init__(self, base: int, size: int, addresses: dict[str, int]) -> None:
        self.base, self.size, self._addresses = base, size, addresses

    def __getitem__(self, name: str) -> int:
        """Address of a global symbol.

        Raises:
            KeyError: not defined here, or closed.
        """
        return self._addresses[name]

    def __contains__(self, name: str) -> bool:
        return name in self._addresses

    def close(self) -> None:
        """Unmap; may be called again."""
        base, self.base = self.base, 0
        self._addresses = {}
        if base:
            _munmap(base, self.size)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def load(objects: Sequence[bytes], symbols: Mapping[str, int] | None = None) -> Loaded:
    """Map objects and bind them.

    Args:
        objects: relocatable objects for this processor, compiled as position-independent code.
        symbols: addresses of what they import.

    Returns:
        The mapping, which the caller closes.

    Raises:
        ElfError: damaged input, an import that ``symbols`` lacks, or a relocation out of reach.
        OSError: the system refuses the memory.
    """
    image = Image(objects, static=True, values=symbols)
    if image.machine.name.lower().replace("-", "_") != os.uname().machine:
        raise ElfError(f"code for {image.machine.name} on {os.uname().machine}")
    if any(o.kind in (Kind.INIT_ARRAY, Kind.FINI_ARRAY) for o in image.outputs):
        raise ElfError("static constructors are not supported here")
    page = max(mmap.PAGESIZE, image.machine.page_size)
    at, group = 0, -1
    extents: dict[int, tuple[int, int]] = {}
    for output in image.outputs:
        if _group(output.kind) != group:
            at = align_up(at, page)
            group = _group(output.kind)
            extents[group] = at, at
        output.address = align_up(at, output.align)
        at = output.address + output.size
        extents[group] = extents[group][0], at
    size = max(align_up(at, page), page)
    base = _mmap(
        None, size, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0
    )
    if base is None or base == _MAP_FAILED:
        raise OSError(ctypes.get_errno(), f"cannot map {size} bytes for code")
    loaded = Loaded(base, size, {})
    try:
        for output in image.outputs:
            output.address += base
        image.relocate()
        for output in image.outputs:
            if output.data:
                ctypes.memmove(output.address, bytes(output.data), len(output.data))
        for group, (start, end) in extents.items():
            if group == _DATA:
                continue
            if _mprotect(base + start, align_up(end - start, page), _PROTECTION[group]):
                raise OSError(ctypes.get_errno(), "cannot protect code")
    except BaseException:
        loaded.close()
        raise
    loaded._addresses = {
        name: target.address for name, target in image.symbols.items() if not target.is_import
    }
    return loaded


def _group(kind: Kind) -> int:
    """Neighbours with equal protection."""
    if kind in (Kind.RODATA, Kind.EH_FRAME):
        return _CONSTANT
    if kind in (Kind.TEXT, Kind.PLT):
        return _CODE
    return _DATA if kind in (Kind.DATA, Kind.BSS) else _RELRO
