"""Tables of the dynamic linker."""

import struct

import pytest

from runwell.elf import format as elf
from runwell.elf.dynamic import DynamicSymbols, Strings, encode_symbol, gnu_hash
from runwell.elf.output import Cell, Kind, Output, Target
from runwell.elf.relocation import AARCH64, X86_64, X86_64_RULES

ABS64 = X86_64_RULES[1]


def exported(name: str, value: int = 0) -> Target:
    target = Target(name, elf.STT_FUNC)
    target.rank, target.output, target.value = Target.STRONG, Output(".text", Kind.TEXT), value
    return target


@pytest.mark.parametrize(
    ("name", "value"),
    [("", 0x1505), ("printf", 0x156B2BB8), ("exit", 0x7C967E3F), ("syscall", 0xBAC212A0)],
)
def test_hash_function(name, value):
    assert gnu_hash(name) == value


def test_strings_are_stored_once():
    strings = Strings()
    assert [strings.add(s) for s in ("a", "", "bc", "a")] == [1, 0, 3, 1]
    assert bytes(strings.data) == b"\0a\0bc\0"


def test_symbols_come_in_bucket_order_after_imports():
    imports = [Target("memmove", elf.STT_NOTYPE)]
    exports = [exported(f"name{i}") for i in range(40)]
    symbols = DynamicSymbols(imports, exports)
    buckets, first, _, _ = struct.unpack_from("<4I", symbols.hash)
    assert symbols.order[0] is imports[0]
    assert first == 2
    numbers = [gnu_hash(t.name) % buckets for t in symbols.order[1:]]
    assert numbers == sorted(numbers)
    assert len(symbols.encode()) == symbols.size == 42 * elf.SYMBOL.size


def lookup(table: bytes, order: list[Target], name: str) -> Target | None:
    """Find a symbol as the dynamic linker does."""
    buckets, first, words, shift = struct.unpack_from("<4I", table)
    bloom = struct.unpack_from(f"<{words}Q", table, 16)
    heads = struct.unpack_from(f"<{buckets}I", table, 16 + 8 * words)
    chain_at = 16 + 8 * words + 4 * buckets
    value = gnu_hash(name)
    mask = 1 << value % 64 | 1 << (value >> shift) % 64
    if bloom[value // 64 % words] & mask != mask:
        return None
    number = heads[value % buckets]
    while number:
        (link,) = struct.unpack_from("<I", table, chain_at + 4 * (number - first))
        if link | 1 == value | 1 and order[number - 1].name == name:
            return order[number - 1]
        if link & 1:
            return None
        number += 1
    return None


@pytest.mark.parametrize("count", [0, 1, 2, 3, 64, 1000])
def test_hash_table_finds_all_and_nothing_else(count):
    exports = [exported(f"symbol_{i * i}") for i in range(count)]
    symbols = DynamicSymbols([Target("imported", elf.STT_NOTYPE)], exports)
    for target in exports:
        assert lookup(symbols.hash, symbols.order, target.name) is target
    for name in ("imported", "other", "", "symbol_2"):
        assert lookup(symbols.hash, symbols.order, name) is None


@pytest.mark.parametrize("machine", [X86_64, AARCH64])
def test_relative_cells_come_first(machine):
    data = Output(".data", Kind.DATA)
    data.address = 0x3000
    imported, own = Target("outside", elf.STT_NOTYPE), exported("inside", 0x40)
    symbols = DynamicSymbols([imported], [own])
    cells = [
        Cell(data, 24, own, -8, ABS64),
        Cell(data, 16, imported, 5, ABS64),
        Cell(data, 8, imported, 0, None),
        Cell(data, 0, own, 0, None),
    ]
    encoded, relative = symbols.encode_cells(cells, machine)
    assert relative == 2
    assert list(elf.RELA.iter_unpack(encoded)) == [
        (0x3000, machine.relative, 0x40),
        (0x3018, machine.relative, 0x38),
        (0x3008, 1 << 32 | machine.glob_dat, 0),
        (0x3010, 1 << 32 | machine.absolute, 5),
    ]


def test_symbol_entries():
    own = exported("inside", 0x40)
    assert own.output is not None
    own.output.address, own.output.index, own.visibility = 0x1000, 9, elf.STV_PROTECTED
    entry = encode_symbol(own, 7, elf.STB_GLOBAL)
    assert elf.SYMBOL.unpack(entry) == (7, 0x12, elf.STV_PROTECTED, 9, 0x1040, 0)
    missing = encode_symbol(Target("outside", elf.STT_NOTYPE), 3, elf.STB_WEAK)
    assert elf.SYMBOL.unpack(missing) == (3, 0x20, 0, elf.SHN_UNDEF, 0, 0)
    absolute = Target("fixed", elf.STT_NOTYPE)
    absolute.rank, absolute.value = Target.STRONG, 5
    assert elf.SYMBOL.unpack(encode_symbol(absolute, 1, elf.STB_LOCAL))[3:5] == (elf.SHN_ABS, 5)
