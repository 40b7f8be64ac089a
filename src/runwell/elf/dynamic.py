"""What the dynamic linker reads: string tables, ``.dynsym`` and its hash, ``.rela.dyn``."""

from collections.abc import Sequence
from typing import Final, final

from runwell.elf import format as elf
from runwell.elf.output import Cell, Target
from runwell.elf.relocation import Machine


@final
class Strings:
    """A string table that stores each string once."""

    def __init__(self) -> None:
        self.data = bytearray(1)
        self._offsets: dict[str, int] = {"": 0}

    def add(self, text: str) -> int:
        """Offset of ``text`` in the table."""
        offset = self._offsets.get(text)
        if offset is None:
            offset = self._offsets[text] = len(self.data)
            self.data += text.encode("utf-8", "surrogateescape") + b"\0"
        return offset


def encode_symbol(target: Target, name: int, binding: int, *, value: int | None = None) -> bytes:
    """One symbol table entry.

    Args:
        target: the symbol.
        name: offset of its name.
        binding: ``STB_*``.
        value: instead of its address.
    """
    if target.is_import:
        section, address = elf.SHN_UNDEF, 0
    elif target.output is None:
        section, address = elf.SHN_ABS, target.value
    else:
        section, address = target.output.index, target.address
    visibility = elf.STV_DEFAULT if binding == elf.STB_LOCAL else target.visibility
    return elf.SYMBOL.pack(
        name,
        binding << 4 | target.type,
        visibility,
        section,
        address if value is None else value,
        target.size,
    )


def binding_of(target: Target) -> int:
    """Binding of a global symbol in the output."""
    if target.is_import:
        return elf.STB_WEAK if target.weak else elf.STB_GLOBAL
    return elf.STB_WEAK if target.rank == Target.WEAK else elf.STB_GLOBAL


def gnu_hash(name: str) -> int:
    """The hash function of ``.gnu.hash`` (Bernstein's, times 33)."""
    value = 5381
    for byte in name.encode("utf-8", "surrogateescape"):
        value = (value * 33 + byte) & 0xFFFFFFFF
    return value


_BLOOM_SHIFT: Final = 26


@final
class DynamicSymbols:
    """The symbols that the dynamic linker sees: imports first, then exports in hash order.

    Attributes:
        strings: ``.dynstr``.
        order: the symbols; entry ``i`` is number ``i + 1``.
        hash: ``.gnu.hash``.
    """

    def __init__(self, imports: Sequence[Target], exports: Sequence[Target]) -> None:
        self.strings = Strings()
        buckets = max(1, len(exports) // 2)
        hashed = sorted(
            ((gnu_hash(e.name), e) for e in exports), key=lambda pair: pair[0] % buckets
        )
        self.order = [*imports, *(e for _, e in hashed)]
        self._names = [self.strings.add(t.name) for t in self.order]
        self.numbers = {id(t): i for i, t in enumerate(self.order, 1)}
        first = 1 + len(imports)
        self.hash = _encode_hash([h for h, _ in hashed], first, buckets)

    @property
    def size(self) -> int:
        """Bytes of ``.dynsym``."""
        return elf.SYMBOL.size * (1 + len(self.order))

    def encode(self) -> bytes:
        """``.dynsym``, once the sections have addresses."""
        data = bytearray(elf.SYMBOL.size)
        for target, name in zip(self.order, self._names, strict=True):
            data += encode_symbol(target, name, binding_of(target))
        return bytes(data)

    def encode_cells(self, cells: Sequence[Cell], machine: Machine) -> tuple[bytes, int]:
        """``.rela.dyn`` and how many relative entries it begins with."""
        relative, symbolic = [], []
        for output, offset, target, addend, rule in cells:
            place = output.address + offset
            if target.is_import:
                kind = machine.glob_dat if rule is None else machine.absolute
                symbolic.append((self.numbers[id(target)], place, kind, addend))
            else:
                relative.append((place, target.address + addend))
        data = bytearray()
        for place, value in sorted(relative):
            data += elf.RELA.pack(place, machine.relative, _signed(value))
        for number, place, kind, addend in sorted(symbolic):
            data += elf.RELA.pack(place, number << 32 | kind, addend)
        return bytes(data), len(relative)


def _signed(value: int) -> int:
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value


def _encode_hash(hashes: Sequence[int], first: int, buckets: int) -> bytes:
    """``.gnu.hash`` for symbols sorted by bucket, the first of which has number ``first``."""
    words = 1
    while words * 8 < len(hashes):
        words *= 2
    bloom = [0] * words
    heads = [0] * buckets
    chain = []
    for i, value in enumerate(hashes):
        bloom[value // 64 % words] |= 1 << value % 64 | 1 << (value >> _BLOOM_SHIFT) % 64
        bucket = value % buckets
        heads[bucket] = heads[bucket] or first + i
        last = i + 1 == len(hashes) or hashes[i + 1] % buckets != bucket
        chain.append(value & ~1 | last)
    data = bytearray()
    for word in (buckets, first, words, _BLOOM_SHIFT):
        data += elf.WORD.pack(word)
    for mask in bloom:
        data += elf.XWORD.pack(mask)
    for word in (*heads, *chain):
        data += elf.WORD.pack(word)
    return bytes(data)
