"""Compiled code between compiler and memory: bound as far as it can be without addresses.

The linker's part of the work is done where there is time for it, in the process that compiled.
What comes out is one block, constants, code and GOT together, that may be put at any page, with a
list of the few words that depend on where that is or on what it imports.  Placing it copies the
block and fills these in.  It has no writable data: all of it becomes read-execute.

The object goes along, compressed and without the code, for what its debugging information tells.

Its bytes are an exchange format between processes of one version of Runwell, not a file format:
whoever reads them from elsewhere checks that they are whole.
"""

from __future__ import annotations

import os
import zlib
from struct import Struct
from struct import error as struct_error

from runwell.base.light import NamedTuple, final
from runwell.elf import format as elf
from runwell.elf.format import ElfError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from runwell.elf.region import Block, CodeRegion

MAGIC: Final = b"RWMOVE\x01\0"
HEAD: Final = Struct("<8sHxxIIIIIII")
SYMBOL: Final = Struct("<II")
# Offset in the block; relocation type, 0 for all of 64 bits; number of the import whose address
# counts, or ``ITSELF`` for the block's own; what is added.
WORD: Final = Struct("<IIIxxxxq")
PLACE: Final = Struct("<II")
ITSELF: Final = 0xFFFFFFFF
_MACHINES: Final = {elf.EM_X86_64: "x86_64", elf.EM_AARCH64: "aarch64"}
_UNSIGNED_32: Final = elf.EM_X86_64, 10  # R_X86_64_32
_MASK64: Final = (1 << 64) - 1
WEAK: Final = "?"


class Symbol(NamedTuple):
    """A function.

    Attributes:
        name: its name.
        offset: in the block.
        size: bytes of its code.
    """

    name: str
    offset: int
    size: int


@final
class Movable:
    """Movable code, read.

    Attributes:
        code: the block.
        debug: what ``read_debug`` reads.
        imports: names of what it wants, with a ``?`` before those it can do without.
        symbols: its functions, by offset.
        places: offset in the block of each loaded section, by section index.
    """

    __slots__ = ("_machine", "_words", "code", "debug", "imports", "places", "symbols")

    def __init__(self, data: bytes | memoryview) -> None:
        """Read what ``make_movable`` made; it is copied.

        Raises:
            ElfError: it is something else, or for another processor.
        """
        view = memoryview(data)
        try:
            magic, machine, *sizes = HEAD.unpack_from(view)
        except struct_error:
            magic, machine, sizes = b"", 0, [0] * 7
        size, n_words, n_imports, n_symbols, n_places, n_names, n_debug = sizes
        parts = (
            HEAD.size, size, n_words * WORD.size, n_symbols * SYMBOL.size,
            n_places * PLACE.size, n_names, n_debug,
        )  # fmt: skip
        if magic != MAGIC or sum(parts) != len(view) or machine not in _MACHINES:
            raise ElfError("not movable code")
        self._machine = machine
        if _MACHINES[machine] != os.uname().machine:
            raise ElfError(f"code for {_MACHINES[machine]} on {os.uname().machine}")
        cut = []
        at = 0
        for part in parts:
            cut.append(view[at : at + part])
            at += part
        _, code, words, extents, places, names, debug = cut
        self.code = bytes(code)
        self._words = list(WORD.iter_unpack(words))
        every = bytes(names).decode().split("\0") if n_names else []
        if len(every) != n_imports + n_symbols:
            raise ElfError("damaged names of movable code")
        self.imports = every[:n_imports]
        self.symbols = [
            Symbol(name, *extent)
            for name, extent in zip(every[n_imports:], SYMBOL.iter_unpack(extents), strict=True)
        ]
        self.places: dict[int, int] = dict(PLACE.iter_unpack(places))
        self.debug = bytes(debug)

    def place(self, region: CodeRegion, address_of: Callable[[str], int | None]) -> Block:
        """Put the code in memory, ready to run.

        Args:
            region: where.
            address_of: address, or value, of an import; None if there is none.

        Returns:
            The block, whose address the offsets count from; the code goes with it.

        Raises:
            ElfError: an import is missing, or out of reach.
            MemoryError: there is no room.
        """
        values = [self._value(name, address_of) for name in self.imports]
        block = region.allocate(len(self.code))
        code = bytearray(self.code)
        base = int(block)
        for offset, kind, name, addend in self._words:
            value = addend + (base if name == ITSELF else values[name])
            if kind == 0:
                elf.XWORD.pack_into(code, offset, value & _MASK64)
                continue
            try:
                self._write(code, offset, kind, value)
            except ElfError as error:
                culprit = "the block" if name == ITSELF else self.imports[name]
                raise ElfError(f"{culprit}: {error.message}") from None
        block.fill(code)
        return block

    def _write(self, code: bytearray, offset: int, kind: int, value: int) -> None:
        if (self._machine, kind) == _UNSIGNED_32 and 0 <= value < 1 << 32:
            elf.WORD.pack_into(code, offset, value)  # as almost all are
            return
        from runwell.elf.relocation import MACHINES

        rule = MACHINES[self._machine].rules[kind]
        try:
            rule.field.write(code, offset, value)
        except ElfError as error:
            raise ElfError(f"R_{rule.name}: {error.message}") from None

    def _value(self, name: str, address_of: Callable[[str], int | None]) -> int:
        value = address_of(name.removeprefix(WEAK))
        if value is None:
            if not name.startswith(WEAK):
                raise ElfError(f"symbol {name} is not defined")
            value = 0
        return value


def read_debug(data: bytes) -> bytes:
    """The relocatable object of ``Movable.debug``, its code and constants zeroed.

    Raises:
        ElfError: it is damaged.
    """
    try:
        return zlib.decompress(data)
    except zlib.error as error:
        raise ElfError(f"damaged debugging information: {error}") from None
