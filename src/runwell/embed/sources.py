"""Which line of the source an instruction comes from, for modules with debugging information.

Compilers put DWARF into custom sections; ``pyelftools`` reads it, if that is installed
(``pip install runwell[debug]``).  Addresses are offsets in the contents of the code section.  Only
the compilation units that somebody asks for are read: reading all of a large program takes minutes.

The text of a line is not shown: the path is the guest's word, and what is in a file of that name is
none of its business, nor of those who read its errors.

Source: "DWARF for WebAssembly", a convention of the tools; DWARF 4 and 5.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, final

from runwell.base.leb128 import decode_unsigned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runwell.module.module import Module

_CODE_ID = 10
_PREAMBLE = 8  # bytes before the first section
_EVERYWHERE = ((0, 1 << 32),)
_SCOPES = ("DW_TAG_lexical_block", "DW_TAG_inlined_subroutine")
_NAMESPACES = (
    "DW_TAG_namespace", "DW_TAG_class_type", "DW_TAG_structure_type", "DW_TAG_module",
)  # fmt: skip


class Place(NamedTuple):
    """Where an instruction comes from.

    Attributes:
        source: file and line, e.g. ``src/filter.c:12``, or ``""`` if it is not known.
        inlined: the functions that were inlined there, innermost first, and where.
    """

    source: str
    inlined: tuple[tuple[str, str], ...] = ()


_NOWHERE = Place("")


def source_of(module: Module, offset: int) -> Place:
    """Where an instruction comes from.

    Args:
        module: the module.
        offset: of the instruction, in bytes from the start of the binary.
    """
    if module.custom(".debug_line") is None:
        return _NOWHERE
    try:
        known = _known(module)
        return _NOWHERE if known is None else known.place(offset)
    except Exception:  # noqa: BLE001 - the guest's, and only a help: any damage means none
        return _NOWHERE


def debug_info(module: Module) -> Any:
    """The debugging information of a module, or None if there is none, or nobody to read it.

    Args:
        module: the module.
    """
    if module.custom(".debug_info") is None:
        return None
    try:
        from elftools.dwarf.dwarfinfo import DebugSectionDescriptor, DwarfConfig, DWARFInfo
    except ImportError:
        return None
    from inspect import signature
    from io import BytesIO

    def section(name: str) -> Any:
        data = module.custom("." + name)
        if data is None:
            return None
        return DebugSectionDescriptor(BytesIO(data), name, 0, len(data), 0)

    config = DwarfConfig(little_endian=True, machine_arch="wasm", default_address_size=4)
    try:
        # Which sections there may be depends on the version of the library.
        wanted = [name for name in signature(DWARFInfo).parameters if name.endswith("_sec")]
        return DWARFInfo(config, **{name: section(name.removesuffix("_sec")) for name in wanted})
    except Exception:  # noqa: BLE001 - the guest's, and only a help: any damage means none
        return None


@lru_cache(16)
def _known(module: Module) -> _Known | None:
    info = debug_info(module)
    return None if info is None else _Known(info, code_start(module.data))


class _Lines(NamedTuple):
    """The line table of a unit: where rows begin, ascending, and what they are; and its files."""

    addresses: list[int]
    places: list[str]
    files: list[str]
    first: int

    def file(self, number: int) -> str:
        """A file, by its number in the table."""
        at = number - self.first
        return self.files[at] if 0 <= at < len(self.files) else "?"


@final
class _Known:
    """The debugging information of a module, as far as it was read."""

    def __init__(self, info: Any, start: int) -> None:
        self._info, self._start = info, start
        self._units = [
            (ranges, unit) for unit in info.iter_CUs() for ranges in [self._extent(unit)]
        ]
        self._lines: dict[int, _Lines | None] = {}

    def place(self, offset: int) -> Place:
        """Where the instruction at an offset in the binary comes from."""
        address = offset - self._start
        for ranges, unit in self._units:
            if not _contains(ranges, address):
                continue
            lines = self._lines_of(unit)
            if lines is None:
                continue
            at = bisect_right(lines.addresses, address) - 1
            if at >= 0 and lines.places[at]:
                return Place(lines.places[at], tuple(self._inlined(unit, lines, address)))
        return _NOWHERE

    def _extent(self, unit: Any) -> tuple[tuple[int, int], ...]:
        try:
            return self._ranges(unit.get_top_DIE(), unit) or _EVERYWHERE
        except Exception:  # noqa: BLE001 - the others may be whole
            return ()

    def _ranges(self, entry: Any, unit: Any) -> tuple[tuple[int, int], ...]:
        """The addresses that an entry is about."""
        low, high = (entry.attributes.get(f"DW_AT_{end}_pc") for end in ("low", "high"))
        if low is not None and high is not None:
            is_size = not high.form.startswith("DW_FORM_addr")
            return ((low.value, low.value + high.value if is_size else high.value),)
        listed = entry.attributes.get("DW_AT_ranges")
        if listed is None:
            return ()
        top = unit.get_top_DIE().attributes.get("DW_AT_low_pc")
        base = 0 if top is None else top.value
        ranges = []
        for part in self._info.range_lists().get_range_list_at_offset(listed.value, unit):
            if hasattr(part, "base_address"):
                base = part.base_address
            else:
                by = 0 if getattr(part, "is_absolute", False) else base
                ranges.append((by + part.begin_offset, by + part.end_offset))
        return tuple(ranges)

    def _lines_of(self, unit: Any) -> _Lines | None:
        if unit.cu_offset not in self._lines:
            program = self._info.line_program_for_CU(unit)
            self._lines[unit.cu_offset] = None if program is None else _read_lines(program)
        return self._lines[unit.cu_offset]

    def _inlined(self, unit: Any, lines: _Lines, address: int) -> Iterator[tuple[str, str]]:
        """Functions that were inlined at an address, innermost first, and from where."""
        found = []
        for function in _functions(unit.get_top_DIE()):
            if not _contains(self._ranges(function, unit), address):
                continue
            inner: Any = function
            while inner is not None:
                if inner.tag == "DW_TAG_inlined_subroutine":
                    file, line = (
                        inner.attributes[f"DW_AT_call_{what}"].value for what in ("file", "line")
                    )
                    found.append((_name(inner), f"{lines.file(file)}:{line}"))
                scopes = (child for child in inner.iter_children() if child.tag in _SCOPES)
                inner = next((s for s in scopes if _contains(self._ranges(s, unit), address)), None)
            break
        return reversed(found)


def _contains(ranges: tuple[tuple[int, int], ...], address: int) -> bool:
    return any(low <= address < high for low, high in ranges)


def _functions(entry: Any) -> Iterator[Any]:
    for child in entry.iter_children():
        if child.tag == "DW_TAG_subprogram":
            yield child
        elif child.tag in _NAMESPACES:
            yield from _functions(child)


def _name(entry: Any) -> str:
    """A function's name, which may be that of where it was inlined from, or declared."""
    for _ in range(8):
        found = entry.attributes.get("DW_AT_name")
        if found is not None:
            return str(found.value.decode(errors="replace"))
        link = next(
            (a for a in ("DW_AT_abstract_origin", "DW_AT_specification") if a in entry.attributes),
            None,
        )
        if link is None:
            break
        entry = entry.get_DIE_from_attribute(link)
    return "?"


def _read_lines(program: Any) -> _Lines:
    header = program.header
    first = 0 if header["version"] >= 5 else 1
    files = [_path(program, entry, first) for entry in header["file_entry"]]
    lines = _Lines([], [], files, first)
    rows = []
    for entry in program.get_entries():
        state = entry.state
        if state is not None:
            is_end = state.end_sequence or not state.line
            rows.append((state.address, "" if is_end else f"{lines.file(state.file)}:{state.line}"))
    # At the end of one sequence another may begin.
    for address, place in sorted(rows, key=lambda row: row[0]):
        if place or lines.addresses[-1:] != [address] or not lines.places[-1]:
            lines.addresses.append(address)
            lines.places.append(place)
    return lines


def _path(program: Any, entry: Any, first: int) -> str:
    name = entry.name.decode(errors="replace")
    directories = program["include_directory"]
    at = entry.dir_index - (0 if first == 0 else 1)
    if entry.dir_index == 0 or not 0 <= at < len(directories):
        return str(name)
    return f"{directories[at].decode(errors='replace')}/{name}"


def code_start(data: bytes) -> int:
    """Offset of the contents of the code section.

    Args:
        data: the binary of a module.
    """
    at = _PREAMBLE
    while at < len(data):
        kind = data[at]
        size, at = decode_unsigned(data, at + 1, len(data))
        if kind == _CODE_ID:
            return at
        at += size
    return len(data)
