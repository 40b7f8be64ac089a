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
from typing import TYPE_CHECKING, Final, NamedTuple, final

from runwell.elf import format as elf
from runwell.elf.format import ElfError, align_up
from runwell.elf.image import Image
from runwell.elf.object import Object
from runwell.elf.output import Kind
from runwell.elf.relocation import MACHINES, OutOfRange

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runwell.elf.region import Block, CodeRegion

_MAGIC: Final = b"RWMOVE\x01\0"
_HEAD: Final = Struct("<8sHxxIIIIIII")
_SYMBOL: Final = Struct("<II")
# Offset in the block; relocation type, 0 for all of 64 bits; number of the import whose address
# counts, or ``_ITSELF`` for the block's own; what is added.
_WORD: Final = Struct("<IIIxxxxq")
_PLACE: Final = Struct("<II")
_ITSELF: Final = 0xFFFFFFFF
_KINDS: Final = frozenset({Kind.RODATA, Kind.EH_FRAME, Kind.TEXT, Kind.PLT, Kind.RELRO, Kind.GOT})
_MASK64: Final = (1 << 64) - 1
_WEAK: Final = "?"
_ADDRESS, _OFFSET = 3, 4  # in a section's header


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


def make_movable(data: bytes) -> bytes:
    """Link an object into movable code.

    Args:
        data: a relocatable object, compiled as position-independent code.

    Returns:
        What ``Movable`` reads.

    Raises:
        ElfError: the object is damaged, has writable data or constructors, or refers to imports in
            a way that depends on where they are from here.
    """
    image = Image([data], movable=True)
    at = 0
    for output in image.outputs:
        if output.kind not in _KINDS:
            raise ElfError(f"section {output.name}: only code and constants can be moved")
        output.address = at = align_up(at, output.align)
        at += output.size
    image.relocate()
    code = bytearray(at)
    for output in image.outputs:
        code[output.address : output.address + len(output.data)] = output.data
    imports: dict[str, int] = {}
    words = []
    for output, offset, target, addend, rule in image.cells:
        kind = 0 if rule is None or rule.field.width == 8 else _number(image, rule)
        number, value = _ITSELF, addend
        if target.is_import:
            name = f"{_WEAK}{target.name}" if target.weak else target.name
            number = imports.setdefault(name, len(imports))
        else:
            value += target.address
        words.append(_WORD.pack(output.address + offset, kind, number, value))
    found = {
        target.name: (target.address, target.size)
        for target in (*image.symbols.values(), *image.locals)
        if target.type == elf.STT_FUNC and target.output is not None
    }
    symbols = sorted(found.items(), key=lambda item: item[1])
    places = [
        _PLACE.pack(index, output.address + offset)
        for index, (output, offset) in image.places[0].items()
    ]
    names = "\0".join([*imports, *(name for name, _ in symbols)]).encode()
    debug = zlib.compress(_without_code(data), 1)
    head = _HEAD.pack(
        _MAGIC, image.machine.number, len(code), len(words), len(imports), len(symbols),
        len(places), len(names), len(debug),
    )  # fmt: skip
    extents = [_SYMBOL.pack(*extent) for _, extent in symbols]
    return b"".join([head, code, *words, *extents, *places, names, debug])


def _number(image: Image, rule: object) -> int:
    return next(number for number, r in image.machine.rules.items() if r is rule)


def _without_code(data: bytes) -> bytes:
    """An object with zeros for what is loaded of it: the memory has that already."""
    item = Object(data)
    stripped = bytearray(data)
    for section in item.sections:
        if section.flags & elf.SHF_ALLOC and len(section.data):
            at = elf.SECTION.unpack_from(data, _header_at(data, section.index))[_OFFSET]
            stripped[at : at + section.size] = bytes(section.size)
    return bytes(stripped)


def _header_at(data: bytes, index: int) -> int:
    """Where a section's header is in the file, which has been checked."""
    table = elf.HEADER.unpack_from(data)[11]
    return int(table + index * elf.SECTION.size)


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
            magic, machine, *sizes = _HEAD.unpack_from(view)
        except struct_error:
            magic, machine, sizes = b"", 0, [0] * 7
        size, n_words, n_imports, n_symbols, n_places, n_names, n_debug = sizes
        parts = (
            _HEAD.size, size, n_words * _WORD.size, n_symbols * _SYMBOL.size,
            n_places * _PLACE.size, n_names, n_debug,
        )  # fmt: skip
        if magic != _MAGIC or sum(parts) != len(view) or machine not in MACHINES:
            raise ElfError("not movable code")
        self._machine = MACHINES[machine]
        if self._machine.name.lower().replace("-", "_") != os.uname().machine:
            raise ElfError(f"code for {self._machine.name} on {os.uname().machine}")
        cut = []
        at = 0
        for part in parts:
            cut.append(view[at : at + part])
            at += part
        _, code, words, extents, places, names, debug = cut
        self.code = bytes(code)
        self._words = list(_WORD.iter_unpack(words))
        every = bytes(names).decode().split("\0") if n_names else []
        if len(every) != n_imports + n_symbols:
            raise ElfError("damaged names of movable code")
        self.imports = every[:n_imports]
        self.symbols = [
            Symbol(name, *extent)
            for name, extent in zip(every[n_imports:], _SYMBOL.iter_unpack(extents), strict=True)
        ]
        self.places: dict[int, int] = dict(_PLACE.iter_unpack(places))
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
        rules = self._machine.rules
        for offset, kind, name, addend in self._words:
            value = addend + (base if name == _ITSELF else values[name])
            if kind == 0:
                elf.XWORD.pack_into(code, offset, value & _MASK64)
                continue
            try:
                rules[kind].field.write(code, offset, value)
            except OutOfRange as error:
                culprit = "the block" if name == _ITSELF else self.imports[name]
                raise ElfError(f"R_{rules[kind].name} of {culprit}: {error.message}") from None
        block.fill(code)
        return block

    def _value(self, name: str, address_of: Callable[[str], int | None]) -> int:
        value = address_of(name.removeprefix(_WEAK))
        if value is None:
            if not name.startswith(_WEAK):
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


def fill_in(data: bytes, contents: Callable[[int, int], bytes], places: Mapping[int, int]) -> bytes:
    """An object as a debugger wants to see it: loaded sections know where they are.

    Args:
        data: the object that ``read_debug`` gave.
        contents: address and size to the bytes in memory there.
        places: address of each loaded section, by section index.

    Raises:
        ElfError: the object is damaged.
    """
    item = Object(data)
    filled = bytearray(data)
    for section in item.sections:
        if section.index in places:
            header = _header_at(data, section.index)
            fields = list(elf.SECTION.unpack_from(data, header))
            fields[_ADDRESS] = places[section.index]
            elf.SECTION.pack_into(filled, header, *fields)
            if len(section.data):
                at = fields[_OFFSET]
                filled[at : at + section.size] = contents(places[section.index], section.size)
    return bytes(filled)
