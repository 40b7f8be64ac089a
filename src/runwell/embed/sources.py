"""Which line of the source an instruction comes from, for modules with debugging information.

Compilers put DWARF into custom sections; ``pyelftools`` reads it, if that is installed
(``pip install runwell[debug]``).  Addresses are offsets in the contents of the code section.

Source: "DWARF for WebAssembly", a convention of the tools.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from runwell.base.leb128 import decode_unsigned

if TYPE_CHECKING:
    from runwell.module.module import Module

_CODE_ID = 10
_PREAMBLE = 8  # bytes before the first section


def source_of(module: Module, offset: int) -> str:
    """File and line of an instruction.

    Args:
        module: the module.
        offset: of the instruction, in bytes from the start of the binary.

    Returns:
        E.g. ``src/filter.c:12``, or ``""`` if it is not known.
    """
    if module.custom(".debug_line") is None:
        return ""
    addresses, places = _lines(module)
    at = bisect_right(addresses, offset) - 1
    return places[at] if at >= 0 else ""


@lru_cache(16)
def _lines(module: Module) -> tuple[list[int], list[str]]:
    """Where rows of the line table begin, in the binary, ascending, and what they are."""
    info = debug_info(module)
    if info is None:
        return [], []
    try:
        rows = sorted(_rows(info, code_start(module.data)))
    except Exception:  # noqa: BLE001 - the guest's, and only a help: any damage means none
        return [], []
    return [address for address, _ in rows], [place for _, place in rows]


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


def _rows(info: Any, start: int) -> list[tuple[int, str]]:
    rows = []
    for unit in info.iter_CUs():
        program = info.line_program_for_CU(unit)
        if program is None:
            continue
        header = program.header
        first = 0 if header["version"] >= 5 else 1
        files = [_path(program, entry, first) for entry in header["file_entry"]]
        for entry in program.get_entries():
            state = entry.state
            if state is None:
                continue
            if state.end_sequence or not state.line:
                place = ""
            else:
                at = state.file - first
                place = f"{files[at] if 0 <= at < len(files) else '?'}:{state.line}"
            rows.append((start + state.address, place))
    return rows


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
