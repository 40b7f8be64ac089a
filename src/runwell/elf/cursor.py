"""Reading of DWARF sections, byte by byte; leaving the section is an ``ElfError``."""

from typing import Final, final

from runwell.elf import format as elf
from runwell.elf.format import ElfError

_MAX_SHIFT: Final = 70  # more groups of 7 bits than an integer of 64 bits has


@final
class Cursor:
    """A position in a section.

    Attributes:
        data: the section.
        at: offset of what is read next.
        end: offset behind what may be read.
        name: of the section, for messages.
    """

    __slots__ = ("at", "data", "end", "name")

    def __init__(self, data: bytes | bytearray, name: str, at: int = 0) -> None:
        self.data, self.name, self.at, self.end = data, name, at, len(data)

    def fail(self, message: str) -> ElfError:
        """The error that something is wrong here."""
        return ElfError(f"{message} at {self.at:#x}", f"section {self.name}")

    def skip(self, size: int) -> int:
        """Go on ``size`` bytes; where they begin."""
        at = self.at
        if size > self.end - at:
            raise self.fail(f"{size} bytes are not there")
        self.at = at + size
        return at

    def u8(self) -> int:
        """One byte."""
        return self.data[self.skip(1)]

    def number(self, size: int) -> int:
        """An unsigned number of ``size`` bytes."""
        at = self.skip(size)
        return int.from_bytes(self.data[at : at + size], "little")

    def uleb(self) -> int:
        """An unsigned LEB128, its lowest 64 bits."""
        data, at, end = self.data, self.at, self.end
        value = shift = 0
        while at < end and shift < _MAX_SHIFT:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                self.at = at
                return value
            shift += 7
        raise self.fail("damaged LEB128")

    def sleb(self) -> int:
        """A signed LEB128."""
        start = self.at
        value = self.uleb()
        bits = 7 * (self.at - start)
        return value - (1 << bits) if value >> bits - 1 else value

    def string(self) -> str:
        """A string that ends with a zero."""
        end = self.data.find(b"\0", self.at, self.end)
        if end < 0:
            raise self.fail("string without an end")
        text = self.data[self.at : end].decode("utf-8", "surrogateescape")
        self.at = end + 1
        return text

    def unit(self) -> "Cursor":
        """The contribution that begins here, behind its length; this cursor goes on behind it."""
        size = self.number(4)
        if size >= 0xFFFFFFF0:
            raise self.fail("64-bit DWARF is not supported")
        inner = Cursor(self.data, self.name, self.skip(size))
        inner.end = self.at
        return inner


def string_at(section: bytes | bytearray, offset: int, name: str) -> str:
    """A string of a section of strings."""
    if offset >= len(section):
        raise ElfError(f"no string at {offset:#x}", f"section {name}")
    return Cursor(section, name, offset).string()


ADDRESS_BYTES: Final = elf.XWORD.size
