"""Compiled code in memory: installed for a module, found again by address, gone with the module.

All of it is in one region of address space, which the fault handler knows.  A module keeps its
code, also what was replaced by better code, because frames may still be in it; the memory is given
back when nothing refers to the module any more.

What debugging information says is read when a backtrace asks for it.
"""

from __future__ import annotations

import ctypes
import os
from _thread import allocate_lock
from bisect import bisect_right
from time import perf_counter
from weakref import ref

from runwell.base.light import NamedTuple, final
from runwell.elf.format import ElfError
from runwell.elf.movable import Movable, read_debug
from runwell.elf.region import CodeRegion
from runwell.jit.places import add_places
from runwell.kernel.types import ctype_of
from runwell.runtime.layout import FuncCode
from runwell.runtime.native import hooks, native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from runwell.elf.dwarf import LineMap
    from runwell.elf.movable import Symbol
    from runwell.elf.region import Block
    from runwell.jit.debugger import Announced
    from runwell.jit.perf_map import PerfMap
    from runwell.runtime.code import ModuleCode

# In compiled code, line n stands for byte (n - FIRST_LINE) * LINE_BYTES of register code; what is
# before is code that runs before the function has begun.
FIRST_LINE: Final = 2
LINE_BYTES: Final = 4


def read_name(name: str) -> tuple[int, int | None] | None:
    """The function that a symbol is of, and the place in it that is entered; None if of none.

    ``f3`` is function 3, ``f3_at_16`` its place at byte 16 of its register code.  Copies of a
    function, such as ``f3_copy_1``, are for others of their unit only.
    """
    function, at, place = name.removeprefix("f").partition("_at_")
    if name[:1] != "f" or not function.isdecimal() or (at and not place.isdecimal()):
        return None
    return int(function), int(place) if at else None


class Totals(NamedTuple):
    """What is installed in this process now.

    Attributes:
        blocks: units of compilation.
        functions: functions that have compiled code; one in two blocks counts twice.
        code_bytes: of code and constants.
        mapped_bytes: of memory for them.
        debug_bytes: of compressed debugging information.
    """

    blocks: int
    functions: int
    code_bytes: int
    mapped_bytes: int
    debug_bytes: int


@final
class Code:
    """A block of compiled code.

    Attributes:
        block: where it is.
        size: its bytes.
        symbols: its functions, by offset.
        functions: indices of the module's functions that it compiles.
        installed_s: when it was put in place, by ``time.perf_counter``.
    """

    __slots__ = (
        "__weakref__", "_announced", "_debug", "_lines", "_module", "_places", "_tables", "block",
        "functions", "installed_s", "size", "symbols",
    )  # fmt: skip

    def __init__(self, movable: Movable, block: Block, module: ModuleCode) -> None:
        self.block, self.symbols, self.size = block, movable.symbols, len(movable.code)
        self.installed_s = perf_counter()
        self._debug = movable.debug
        self._places = movable.places
        self._module = ref(module)
        self._lines: LineMap | None = None
        self._announced: Announced | None = None
        self._tables: list[bytearray] = []
        self.functions = _functions(movable)

    @property
    def module(self) -> ModuleCode | None:
        """The module it belongs to, while that lives."""
        return self._module()

    @property
    def debug_bytes(self) -> int:
        """Bytes of compressed debugging information."""
        return len(self._debug)

    @property
    def entries(self) -> dict[int, dict[int | None, int]]:
        """Addresses by function: of its beginning, None, and of offsets in its register code."""
        found: dict[int, dict[int | None, int]] = {}
        for symbol in self.symbols:
            named = read_name(symbol.name)
            if named is not None:
                found.setdefault(named[0], {})[named[1]] = self.block + symbol.offset
        return found

    def address_of(self, name: str) -> int:
        """Address of one of its functions.

        Raises:
            KeyError: there is none of this name.
        """
        for symbol in self.symbols:
            if symbol.name == name:
                return self.block + symbol.offset
        raise KeyError(name)

    def frames(self, pc: int) -> list[tuple[int, int]]:
        """Which instructions the one at an address stands for, innermost first.

        Args:
            pc: address inside of an instruction.

        Returns:
            Function index and byte offset in its register code, several if functions were inlined;
            without those that have not begun.

        Raises:
            ElfError: the debugging information is damaged.
        """
        if self._lines is None:
            from runwell.elf.dwarf import LineMap

            self._lines = LineMap(read_debug(self._debug), self._addresses())
        found = []
        for name, line in self._lines.frames(pc):
            function = read_name(name.partition("_copy_")[0])
            if function is not None and (line == 0 or line >= FIRST_LINE):
                found.append((function[0], max(line - FIRST_LINE, 0) * LINE_BYTES))
        return found

    def _addresses(self) -> dict[int, int]:
        return {index: self.block + offset for index, offset in self._places.items()}

    def bind(self, module: ModuleCode) -> None:
        """Have everybody use it, from their next call on.

        What was in its place stays whole: frames may be in it, and others may read the table of
        places at which it can be entered.
        """
        entries: dict[int, int] = {}
        places: dict[int, dict[int, int]] = {}
        for name, offset, _ in self.symbols:
            found = read_name(name)
            if found is None:
                continue
            index, place = found
            if place is None:
                entries[index] = self.block + offset
            else:
                places.setdefault(index, {})[place] = self.block + offset
        stub = native.address("stub_native")
        kind = ctype_of(FuncCode)
        for index in self.functions:
            address = module.code_address(index)
            # Translated now, if it was not: that would put register code in this one's place, and
            # backtraces need it.
            native.export_code(address, 0)
            function = kind.from_address(address)
            if index in places:
                self._tables.append(add_places(address, places[index]))
            if index in entries:
                function.native = entries[index]
                function.entry = stub

    def announce(self) -> None:
        """Let debuggers know of it."""
        from runwell.elf.movable_maker import fill_in
        from runwell.jit.debugger import Announced

        data = fill_in(read_debug(self._debug), ctypes.string_at, self._addresses())
        self._announced = Announced(data)

    def __del__(self) -> None:
        if self._announced is not None:
            self._announced.close()


_lock = allocate_lock()
_region: list[CodeRegion] = []
# Live code by address, and the addresses in order.
_codes: dict[int, ref[Code]] = {}
_starts: list[int] = []
_perf_map: list[PerfMap] = []


def _functions(movable: Movable) -> list[int]:
    """Indices of the functions that code is of."""
    named = [read_name(symbol.name) for symbol in movable.symbols]
    return sorted({found[0] for found in named if found is not None})


def install(data: bytes | memoryview, module: ModuleCode) -> Code:
    """Put compiled code of a module in memory, and in the place of what its functions were.

    Args:
        data: movable code that defines ``f{index}`` and ``f{index}_at_{offset}``.
        module: whose it is, and who keeps it.

    Raises:
        ElfError: the code is damaged, or wants something that does not exist.
        MemoryError: there is no room.
    """
    movable = Movable(data)
    functions, first = _functions(movable), module.module.n_imported_functions
    if functions and not first <= functions[0] <= functions[-1] < module.n_functions:
        raise ElfError("compiled code of functions that the module does not have")
    with _lock:
        if not _region:
            _region.append(_reserve())
        code = Code(movable, movable.place(_region[0], _resolver(module)), module)
        start = int(code.block)
        _codes[start] = ref(code)
        live = [at for at, known in _codes.items() if known() is not None]
        _starts[:] = sorted(live)
        for gone in _codes.keys() - live:
            del _codes[gone]
        module.compiled.append(code)
        code.bind(module)
    _publish_names(code, module)
    return code


def find(pc: int) -> Code | None:
    """The code that an address is in."""
    with _lock:
        at = bisect_right(_starts, pc) - 1
        code = _codes[_starts[at]]() if at >= 0 else None
    return code if code is not None and pc < code.block + code.size else None


def totals() -> Totals:
    """What is installed now."""
    with _lock:
        codes = [code for known in _codes.values() if (code := known()) is not None]
        mapped = _region[0].used if _region else 0
    return Totals(
        len(codes),
        sum(len(code.functions) for code in codes),
        sum(code.size for code in codes),
        mapped,
        sum(code.debug_bytes for code in codes),
    )


def _in_child() -> None:
    # Whoever held it is not in this process; what it guards changes in single steps.
    global _lock  # noqa: PLW0603
    _lock = allocate_lock()


os.register_at_fork(after_in_child=_in_child)


def _reserve() -> CodeRegion:
    region = CodeRegion(near=native.address("handlers_low"))
    native.set_code_region(region.low, region.high)
    hooks.native_code = find
    return region


def _resolver(module: ModuleCode) -> Callable[[str], int | None]:
    """What compiled code may import: the core's symbols, and numbers of the module's types."""

    def address_of(name: str) -> int | None:
        if name.startswith("type_") and name[5:].isdecimal():
            index = int(name[5:])
            return int(module.numbers[index]) if index < len(module.numbers) else None
        try:
            return native.address(name)
        except OSError:
            return None

    return address_of


def _publish_names(code: Code, module: ModuleCode) -> None:
    """Tell profilers and debuggers, if that is wanted."""
    if os.environ.get("RUNWELL_PERF_MAP"):
        from runwell.jit.perf_map import PerfMap

        if not _perf_map:
            _perf_map.append(PerfMap())
        names = module.module.names.functions
        _perf_map[0].add(
            (code.block + symbol.offset, symbol.size, _print_name(symbol, names.get))
            for symbol in code.symbols
        )
    if os.environ.get("RUNWELL_GDB"):
        code.announce()


def _print_name(symbol: Symbol, name_of: Callable[[int], str | None]) -> str:
    found = read_name(symbol.name.partition("_copy_")[0])
    name = name_of(found[0]) if found is not None else None
    return f"{symbol.name} {name}" if name else symbol.name
