"""Which function the code at an address comes from, inlined ones included: DWARF 2 to 4.

Only subprograms and inlined subroutines are kept of ``.debug_info``; everything else is stepped
over, and scopes inside of what is stepped over belong to the nearest one around.

Source: DWARF 4, sections 3.3 (subroutines), 2.17 (ranges) and 7.5 (encoding).
"""

from bisect import bisect_right
from collections.abc import Mapping
from typing import Final, final

from runwell.elf.cursor import ADDRESS_BYTES, Cursor, string_at

_COMPILE_UNIT, _INLINED, _SUBPROGRAM = 0x11, 0x1D, 0x2E
_NAME, _LOW_PC, _HIGH_PC = 0x03, 0x11, 0x12
_ORIGIN, _SPECIFICATION, _RANGES, _CALL_LINE = 0x31, 0x47, 0x55, 0x59
_ADDR, _STRING, _SDATA, _STRP, _UDATA, _INDIRECT = 0x01, 0x08, 0x0D, 0x0E, 0x0F, 0x16
_REF_ADDR, _REF_UDATA, _SEC_OFFSET, _EXPRLOC, _PRESENT = 0x10, 0x15, 0x17, 0x18, 0x19
_FIXED: Final = {
    0x05: 2, 0x06: 4, 0x07: 8, 0x0B: 1, 0x0C: 1, _STRP: 4, _REF_ADDR: 4, 0x11: 1, 0x12: 2, 0x13: 4,
    0x14: 8, _SEC_OFFSET: 4, 0x20: 8, _ADDR: ADDRESS_BYTES,
}  # fmt: skip
_BLOCKS: Final = {0x03: 2, 0x04: 4, 0x0A: 1}
_MAX_ORIGINS: Final = 8
_MASK64: Final = (1 << 64) - 1


@final
class Scope:
    """A function, or a function that was inlined into another scope.

    Attributes:
        offset: of its entry in ``.debug_info``.
        name: its own name, or "".
        origin: offset of the entry that has more about it, or -1.
        call_line: line in the scope around from which it was called, or 0.
        ranges: of addresses, each with the one behind.
        children: what was inlined into it.
    """

    __slots__ = ("call_line", "children", "name", "offset", "origin", "ranges")

    def __init__(self, offset: int) -> None:
        self.offset, self.name, self.origin, self.call_line = offset, "", -1, 0
        self.ranges: list[tuple[int, int]] = []
        self.children: list[Scope] = []

    def holds(self, pc: int) -> bool:
        """Is an address in it?"""
        return any(low <= pc < high for low, high in self.ranges)


_Abbreviation = tuple[int, bool, tuple[tuple[int, int], ...]]


@final
class Scopes:
    """The scopes of ``.debug_info``.

    Attributes:
        tops: functions, also those that have no code of their own.
    """

    __slots__ = ("_by_offset", "_extents", "_owners", "_sections", "tops")

    def __init__(self, sections: Mapping[str, bytes | bytearray]) -> None:
        """Read them.

        Args:
            sections: contents by name, relocated.

        Raises:
            ElfError: a section is damaged, or of another version.
        """
        self._sections = sections
        self.tops: list[Scope] = []
        self._by_offset: dict[int, Scope] = {}
        cursor = Cursor(sections.get(".debug_info", b""), ".debug_info")
        while cursor.at < cursor.end:
            start = cursor.at
            self._read_unit(cursor.unit(), start)
        owners = sorted(
            ((low, high, at) for at, top in enumerate(self.tops) for low, high in top.ranges)
        )
        self._extents = [(low, high) for low, high, _ in owners]
        self._owners = [self.tops[at] for _, _, at in owners]

    def name_of(self, scope: Scope) -> str:
        """What a scope is called, or ""."""
        for _ in range(_MAX_ORIGINS):
            if scope.name or scope.origin not in self._by_offset:
                break
            scope = self._by_offset[scope.origin]
        return scope.name

    def chain(self, pc: int) -> list[Scope]:
        """The scopes that an address is in, outermost first."""
        found: list[Scope] = []
        at = bisect_right(self._extents, (pc, _MASK64)) - 1
        scopes = [self._owners[at]] if at >= 0 else []
        while True:
            inner = next((scope for scope in scopes if scope.holds(pc)), None)
            if inner is None:
                return found
            found.append(inner)
            scopes = inner.children

    def _read_unit(self, cursor: Cursor, start: int) -> None:
        version = cursor.number(2)
        if not 2 <= version <= 4:
            raise cursor.fail(f"debugging information of version {version}")
        abbreviations = self._read_abbreviations(cursor.number(4))
        if cursor.u8() != ADDRESS_BYTES:
            raise cursor.fail("addresses of another size")
        base = 0
        # For each level of nesting, the scope that entries there belong to.
        stack: list[Scope | None] = [None]
        while cursor.at < cursor.end:
            offset = cursor.at
            code = cursor.uleb()
            if code == 0:
                if len(stack) > 1:
                    stack.pop()
                continue
            if code not in abbreviations:
                raise cursor.fail(f"abbreviation {code} is not defined")
            tag, has_children, attributes = abbreviations[code]
            scope = Scope(offset)
            low, high, high_is_size, ranges = -1, -1, False, -1
            for attribute, form in attributes:
                value, form = self._read_form(cursor, form, version, start)  # noqa: PLW2901
                if attribute == _NAME and isinstance(value, str):
                    scope.name = value
                if isinstance(value, str):
                    continue
                if attribute == _LOW_PC:
                    low = value
                elif attribute == _HIGH_PC:
                    high, high_is_size = value, form != _ADDR
                elif attribute == _RANGES:
                    ranges = value
                elif attribute == _CALL_LINE:
                    scope.call_line = value
                elif attribute in (_ORIGIN, _SPECIFICATION):
                    scope.origin = value
            if low >= 0 and high >= 0:
                scope.ranges.append((low, low + high if high_is_size else high))
            if tag == _COMPILE_UNIT:
                base = max(low, 0)
            elif ranges >= 0:
                scope.ranges = self._read_ranges(ranges, base)
            parent = stack[-1]
            if tag in (_SUBPROGRAM, _INLINED):
                self._by_offset[offset] = scope
                (self.tops if parent is None else parent.children).append(scope)
                parent = scope
            if has_children:
                stack.append(parent)

    def _read_abbreviations(self, offset: int) -> dict[int, _Abbreviation]:
        section = self._sections.get(".debug_abbrev", b"")
        cursor = Cursor(section, ".debug_abbrev", min(offset, len(section)))
        found: dict[int, _Abbreviation] = {}
        while code := cursor.uleb():
            tag, has_children = cursor.uleb(), cursor.u8() != 0
            attributes = []
            while True:
                pair = cursor.uleb(), cursor.uleb()
                if pair == (0, 0):
                    break
                attributes.append(pair)
            found[code] = tag, has_children, tuple(attributes)
        return found

    def _read_form(
        self, cursor: Cursor, form: int, version: int, start: int
    ) -> tuple[int | str, int]:
        """The value of an attribute, 0 if it is of no interest, and its form."""
        while form == _INDIRECT:
            form = cursor.uleb()
        if form == _REF_ADDR and version == 2:
            return cursor.number(ADDRESS_BYTES), form
        if form in _FIXED:
            value = cursor.number(_FIXED[form])
            if form == _STRP:
                return string_at(self._sections.get(".debug_str", b""), value, ".debug_str"), form
            return value + start if 0x11 <= form <= 0x14 else value, form
        if form in (_UDATA, _REF_UDATA):
            return cursor.uleb() + (start if form == _REF_UDATA else 0), form
        if form == _SDATA:
            return cursor.sleb(), form
        if form == _STRING:
            return cursor.string(), form
        if form == _PRESENT:
            return 1, form
        if form in _BLOCKS:
            cursor.skip(cursor.number(_BLOCKS[form]))
            return 0, form
        if form in (_EXPRLOC, 0x09):
            cursor.skip(cursor.uleb())
            return 0, form
        raise cursor.fail(f"unknown form {form:#x}")

    def _read_ranges(self, offset: int, base: int) -> list[tuple[int, int]]:
        section = self._sections.get(".debug_ranges", b"")
        cursor = Cursor(section, ".debug_ranges", min(offset, len(section)))
        found: list[tuple[int, int]] = []
        while True:
            low, high = cursor.number(ADDRESS_BYTES), cursor.number(ADDRESS_BYTES)
            if low == _MASK64:
                base = high
            elif low == high == 0:
                return found
            elif low < high:
                found.append((base + low, base + high))
