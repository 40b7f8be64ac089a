"""The line table of DWARF 2 to 4: which line the code at an address comes from.

Source: DWARF 4, section 6.2.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import Final, NamedTuple

from runwell.elf.cursor import ADDRESS_BYTES, Cursor

_COPY, _ADVANCE_PC, _ADVANCE_LINE, _FIXED_ADVANCE_PC, _CONST_ADD_PC = 1, 2, 3, 9, 8
_END_SEQUENCE, _SET_ADDRESS = 1, 2
_MASK64: Final = (1 << 64) - 1
_MAX_LINE: Final = (1 << 32) - 1


class Sequence(NamedTuple):
    """Code without gaps.

    Attributes:
        start: its first address.
        end: the address behind it.
        addresses: where rows begin, ascending.
        lines: of each row; 0 where there is none.
    """

    start: int
    end: int
    addresses: array[int]
    lines: array[int]

    def row_of(self, pc: int) -> int:
        """Number of the row that an address is in."""
        return max(bisect_right(self.addresses, pc) - 1, 0)


def read_lines(section: bytes | bytearray) -> list[Sequence]:
    """All sequences of ``.debug_line``, by address.

    Args:
        section: its contents, relocated.

    Raises:
        ElfError: it is damaged, or of another version.
    """
    cursor = Cursor(section, ".debug_line")
    found: list[Sequence] = []
    while cursor.at < cursor.end:
        _read_program(cursor.unit(), found)
    found.sort(key=lambda sequence: sequence.start)
    return found


def _read_program(cursor: Cursor, found: list[Sequence]) -> None:
    """Run one line number program."""
    version = cursor.number(2)
    if not 2 <= version <= 4:
        raise cursor.fail(f"line table of version {version}")
    size = cursor.number(4)
    program = cursor.at + size
    step = cursor.u8()
    if version == 4:
        cursor.skip(1)  # operations per instruction: not 1 for VLIW machines only
    cursor.skip(1)
    line_base = (cursor.u8() ^ 0x80) - 0x80
    line_range = cursor.u8()
    opcode_base = cursor.u8()
    if not line_range or not opcode_base:
        raise cursor.fail("damaged header")
    lengths = [0, *(cursor.u8() for _ in range(opcode_base - 1))]
    cursor.at = min(program, cursor.end)  # names of files are of no interest
    const_add = (255 - opcode_base) // line_range * step
    addresses, lines = array("Q"), array("I")
    address, line, clean = 0, 1, True

    def add_row() -> None:
        nonlocal clean
        # Of rows at one address the last counts; a step back ends the sequence's good part.
        if addresses and address <= addresses[-1]:
            if address == addresses[-1]:
                lines[-1] = line if 0 <= line <= _MAX_LINE else 0
            else:
                clean = False
            return
        addresses.append(address)
        lines.append(line if 0 <= line <= _MAX_LINE else 0)

    while cursor.at < cursor.end:
        opcode = cursor.u8()
        if opcode >= opcode_base:
            opcode -= opcode_base
            address = address + opcode // line_range * step & _MASK64
            line += line_base + opcode % line_range
            add_row()
        elif opcode == 0:
            size = cursor.uleb()
            behind = cursor.skip(size) + size
            cursor.at = behind - size
            extended = cursor.u8() if size else 0
            if extended == _SET_ADDRESS:
                address = cursor.number(ADDRESS_BYTES)
            elif extended == _END_SEQUENCE:
                if addresses and clean and address > addresses[0]:
                    found.append(Sequence(addresses[0], address, addresses, lines))
                addresses, lines = array("Q"), array("I")
                address, line, clean = 0, 1, True
            cursor.at = behind
        elif opcode == _COPY:
            add_row()
        elif opcode == _ADVANCE_PC:
            address = address + cursor.uleb() * step & _MASK64
        elif opcode == _ADVANCE_LINE:
            line += cursor.sleb()
        elif opcode == _FIXED_ADVANCE_PC:
            address = address + cursor.number(2) & _MASK64
        elif opcode == _CONST_ADD_PC:
            address = address + const_add & _MASK64
        else:  # what it sets is of no interest
            for _ in range(lengths[opcode]):
                cursor.uleb()
