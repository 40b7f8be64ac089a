"""Makes movable code of an object: the linker's part of it (``movable`` is the loader's)."""

from __future__ import annotations

import zlib

from runwell.base.light import Final
from runwell.elf import format as elf
from runwell.elf.format import ElfError, align_up
from runwell.elf.image import Image
from runwell.elf.movable import HEAD, ITSELF, MAGIC, PLACE, SYMBOL, WEAK, WORD
from runwell.elf.object import Object
from runwell.elf.output import Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_KINDS: Final = frozenset({Kind.RODATA, Kind.EH_FRAME, Kind.TEXT, Kind.PLT, Kind.RELRO, Kind.GOT})
_ADDRESS, _OFFSET = 3, 4  # in a section's header


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
        number, value = ITSELF, addend
        if target.is_import:
            name = f"{WEAK}{target.name}" if target.weak else target.name
            number = imports.setdefault(name, len(imports))
        else:
            value += target.address
        words.append(WORD.pack(output.address + offset, kind, number, value))
    found = {
        target.name: (target.address, target.size)
        for target in (*image.symbols.values(), *image.locals)
        if target.type == elf.STT_FUNC and target.output is not None
    }
    symbols = sorted(found.items(), key=lambda item: item[1])
    places = [
        PLACE.pack(index, output.address + offset)
        for index, (output, offset) in image.places[0].items()
    ]
    names = "\0".join([*imports, *(name for name, _ in symbols)]).encode()
    debug = zlib.compress(_without_code(data), 1)
    head = HEAD.pack(
        MAGIC, image.machine.number, len(code), len(words), len(imports), len(symbols),
        len(places), len(names), len(debug),
    )  # fmt: skip
    extents = [SYMBOL.pack(*extent) for _, extent in symbols]
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
