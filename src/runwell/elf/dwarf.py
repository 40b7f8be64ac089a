"""From addresses in loaded code back to functions and lines, inlined functions included.

A ``LineMap`` reads the DWARF (versions 2 to 4) of one relocatable object when it is first asked.
It relocates the debug sections for the addresses at which the loader put the others.

Compilers that are told to make line tables only leave out the functions into which nothing was
inlined; those are named by the symbol table.
"""

from bisect import bisect_right
from collections.abc import Mapping
from typing import Final, final

from runwell.elf import format as elf
from runwell.elf.dwarf_lines import Sequence, read_lines
from runwell.elf.dwarf_scopes import Scope, Scopes
from runwell.elf.format import ElfError
from runwell.elf.object import ABSOLUTE, Object, Section
from runwell.elf.relocation import MACHINES, Expression, OutOfRange

_WANTED: Final = frozenset(
    {".debug_line", ".debug_info", ".debug_abbrev", ".debug_str", ".debug_ranges"}
)


@final
class LineMap:
    """Positions of the code of one object."""

    __slots__ = ("_data", "_places", "_scopes", "_sequences", "_starts", "_symbols")

    def __init__(self, data: bytes, places: Mapping[int, int]) -> None:
        """Nothing is read yet.

        Args:
            data: the relocatable object.
            places: address of each loaded section, by section index.
        """
        self._data, self._places = data, places
        self._sequences: list[Sequence] | None = None
        self._starts: list[int] = []
        self._symbols: list[tuple[int, int, str]] = []
        self._scopes: Scopes | None = None

    def frames(self, pc: int) -> list[tuple[str, int]]:
        """Where code comes from: name and line, first of the innermost inlined function.

        A name is a subprogram's or, where debugging information has none, the symbol of the code.
        A line of 0 is not known; code that belongs to no line has that of its nearest neighbour
        before it, else behind it, in the same function.

        Args:
            pc: address of an instruction; of a call, one before its return address.

        Returns:
            The frames; none if the address is not in this object's code.

        Raises:
            ElfError: the object or its debugging information is damaged.
        """
        if self._sequences is None:
            self._read()
        assert self._scopes is not None
        symbol = self._symbol(pc)
        chain = self._scopes.chain(pc)
        if symbol is None and not chain:
            return []
        line = self._line(pc, chain, symbol)
        found: list[tuple[str, int]] = []
        for scope in reversed(chain):
            found.append((self._scopes.name_of(scope), line))
            line = scope.call_line
        if not found:
            assert symbol is not None
            return [(symbol[2], line)]
        if not found[-1][0] and symbol is not None:
            found[-1] = symbol[2], found[-1][1]
        return found

    def symbol(self, pc: int) -> str:
        """Name of the symbol whose code an address is in, or "".

        Raises:
            ElfError: the object is damaged.
        """
        if self._sequences is None:
            self._read()
        found = self._symbol(pc)
        return "" if found is None else found[2]

    def _symbol(self, pc: int) -> tuple[int, int, str] | None:
        at = bisect_right(self._symbols, pc, key=lambda symbol: symbol[0]) - 1
        return self._symbols[at] if at >= 0 and pc < self._symbols[at][1] else None

    def _line(self, pc: int, chain: list[Scope], symbol: tuple[int, int, str] | None) -> int:
        at = bisect_right(self._starts, pc) - 1
        assert self._sequences is not None
        if at < 0 or pc >= self._sequences[at].end:
            return 0
        sequence = self._sequences[at]
        row = sequence.row_of(pc)
        # A line of another function, or of another inlined one, would be wrong, not near.
        for rows in (range(row, -1, -1), range(row + 1, len(sequence.lines))):
            for near in rows:
                address = sequence.addresses[near]
                # The row that holds ``pc`` may have begun in another function.
                if near != row and self._symbol(address) != symbol:
                    break
                if sequence.lines[near] and (near == row or self._chain(address) == chain):
                    return sequence.lines[near]
        return 0

    def _chain(self, pc: int) -> list[Scope]:
        assert self._scopes is not None
        return self._scopes.chain(pc)

    def _read(self) -> None:
        item = Object(self._data)
        addresses = [
            self._places.get(s.section, 0) + s.value if s.section > 0
            else s.value if s.section == ABSOLUTE else 0
            for s in item.symbols
        ]  # fmt: skip
        self._symbols = sorted(
            (address, address + symbol.size, symbol.name)
            for symbol, address in zip(item.symbols, addresses, strict=True)
            if symbol.type == elf.STT_FUNC and symbol.section in self._places
        )
        sections = {
            section.name: _relocated(item, section, addresses)
            for section in item.sections
            if section.name in _WANTED
        }
        self._scopes = Scopes(sections)
        sequences = read_lines(sections.get(".debug_line", b""))
        self._starts = [sequence.start for sequence in sequences]
        self._sequences = sequences


def _relocated(item: Object, section: Section, addresses: list[int]) -> bytearray:
    """A debug section's contents with its relocations applied."""
    if section.flags & elf.SHF_COMPRESSED:
        raise ElfError("compressed debug sections are not supported", item.where(section))
    data = bytearray(section.data)
    rules = MACHINES[item.machine].rules
    for offset, info, addend in elf.RELA.iter_unpack(section.relocations):
        rule = rules.get(info & 0xFFFFFFFF)
        index = info >> 32
        if rule is None or rule.expression not in (Expression.ABS, Expression.NONE):
            raise ElfError(f"relocation type {info & 0xFFFFFFFF}", item.where(section))
        if index >= len(addresses) or offset + rule.field.width > len(data):
            raise ElfError(f"relocation at {offset:#x} is outside", item.where(section))
        try:
            rule.field.write(data, offset, addresses[index] + addend)
        except OutOfRange as error:
            raise ElfError(error.message, item.where(section)) from None
    return data
