"""Relocation types of x86-64 and AArch64: what each computes and where it puts the result.

One row a type: an ``Expression`` over the usual letters of the psABIs (S symbol, A addend, P place,
G the symbol's GOT entry, GOT the table, L its PLT entry or else the symbol) and a ``Field``, which
says how many bytes it needs and writes a value or refuses one out of range.  Linker and loader
share the rows.  Thread-local and indirect-function types are absent: such code is refused.

Source: x86-64 psABI 1.0, table 4.9; ELF for the Arm 64-bit architecture (2024Q3), section 5.7.
"""

from struct import Struct

from runwell.base.light import Callable, Final, IntEnum, NamedTuple
from runwell.elf import format as elf
from runwell.elf.format import ElfError


class Expression(IntEnum):
    """What a relocation computes, in the letters of the psABIs."""

    NONE = 0  # nothing
    ABS = 1  # S + A
    PC = 2  # S + A - P
    PLT = 3  # L + A - P
    GOT_PC = 4  # G + A - P
    GOT_OFFSET = 5  # G + A - GOT
    FROM_GOT = 6  # S + A - GOT
    PLT_FROM_GOT = 7  # L + A - GOT
    GOT_BASE_PC = 8  # GOT + A - P
    PAGE = 9  # page(S + A) - page(P)
    LOW = 10  # S + A, low bits
    GOT_PAGE = 11  # page(G + A) - page(P)
    GOT_LOW = 12  # G + A, low bits


NEEDS_GOT: Final = frozenset(
    {Expression.GOT_PC, Expression.GOT_OFFSET, Expression.GOT_PAGE, Expression.GOT_LOW}
)
NEEDS_PLT: Final = frozenset({Expression.PLT, Expression.PLT_FROM_GOT})
NEEDS_NO_SYMBOL: Final = frozenset({Expression.NONE, Expression.GOT_BASE_PC})


class OutOfRange(ElfError):
    """A value does not fit its field; the caller knows the symbol and the section."""


class Field(NamedTuple):
    """Where a value goes.

    Attributes:
        width: bytes touched at the place.
        write: puts a value there, or raises ``OutOfRange``.
    """

    width: int
    write: Callable[[bytearray | memoryview, int, int], None]


class Rule(NamedTuple):
    """One relocation type.

    Attributes:
        name: the psABI's name, without the ``R_X86_64_`` or ``R_AARCH64_``.
        expression: what is computed.
        field: where it goes.
        relaxable: a load from the GOT that may become an address computation.
    """

    name: str
    expression: Expression
    field: Field
    relaxable: bool = False


class Machine(NamedTuple):
    """What the linker must know of a processor.

    Attributes:
        number: ``EM_*``.
        name: as in messages.
        rules: relocation type to row.
        absolute: dynamic relocation type: 64-bit address of a symbol.
        glob_dat: dynamic relocation type: GOT entry of a symbol.
        relative: dynamic relocation type: load address plus addend.
        page_size: largest page the kernel may use.
        plt_entry: the bytes of a PLT entry, from its address and that of its GOT entry.
        plt_entry_size: their number.
        code_fill: what lies between functions; executing it traps.
    """

    number: int
    name: str
    rules: dict[int, Rule]
    absolute: int
    glob_dat: int
    relative: int
    page_size: int
    plt_entry: Callable[[int, int], bytes]
    plt_entry_size: int
    code_fill: bytes


def _integer(format_: str, low: int, high: int) -> Field:
    packer = Struct(format_)
    mask = (1 << packer.size * 8) - 1

    def write(data: bytearray | memoryview, offset: int, value: int) -> None:
        if not low <= value <= high:
            raise OutOfRange(f"{value:#x} does not fit in {packer.size * 8} bits")
        packer.pack_into(data, offset, value & mask)

    return Field(packer.size, write)


def _instruction(bits: int, shift: int, position: int) -> Field:
    """A signed, scaled immediate in a 32-bit instruction."""
    limit = 1 << (bits + shift - 1)
    mask = (1 << bits) - 1

    def write(data: bytearray | memoryview, offset: int, value: int) -> None:
        if not -limit <= value < limit:
            raise OutOfRange(f"{value:#x} does not fit in {bits + shift} bits")
        if value & ((1 << shift) - 1):
            raise OutOfRange(f"{value:#x} is not a multiple of {1 << shift}")
        (word,) = elf.WORD.unpack_from(data, offset)
        word = word & ~(mask << position) | (value >> shift & mask) << position
        elf.WORD.pack_into(data, offset, word)

    return Field(4, write)


def _adr(shift: int) -> Field:
    """The 21-bit immediate of ADR and ADRP: two low bits at 29, the rest at 5."""
    limit = 1 << (20 + shift)

    def write(data: bytearray | memoryview, offset: int, value: int) -> None:
        if not -limit <= value < limit:
            raise OutOfRange(f"{value:#x} does not fit in {21 + shift} bits")
        immediate = value >> shift
        (word,) = elf.WORD.unpack_from(data, offset)
        word = word & ~0x60FFFFE0 | (immediate & 3) << 29 | (immediate >> 2 & 0x7FFFF) << 5
        elf.WORD.pack_into(data, offset, word)

    return Field(4, write)


def _low12(scale: int) -> Field:
    """The low 12 bits of an address, scaled, in the immediate of ADD, LDR or STR."""

    def write(data: bytearray | memoryview, offset: int, value: int) -> None:
        low = value & 0xFFF
        if low & ((1 << scale) - 1):
            raise OutOfRange(f"{value:#x} is not a multiple of {1 << scale}")
        (word,) = elf.WORD.unpack_from(data, offset)
        elf.WORD.pack_into(data, offset, word & ~(0xFFF << 10) | low >> scale << 10)

    return Field(4, write)


def _nothing(data: bytearray | memoryview, offset: int, value: int) -> None:
    del data, offset, value


_NONE = Rule("NONE", Expression.NONE, Field(0, _nothing))
_WORD64 = _integer("<Q", -(1 << 63), (1 << 64) - 1)
_UNSIGNED32 = _integer("<I", 0, (1 << 32) - 1)
_SIGNED32 = _integer("<I", -(1 << 31), (1 << 31) - 1)
_EITHER32 = _integer("<I", -(1 << 31), (1 << 32) - 1)
_EITHER16 = _integer("<H", -(1 << 15), (1 << 16) - 1)
_EITHER8 = _integer("<B", -(1 << 7), (1 << 8) - 1)

X86_64_RULES: Final = {
    0: _NONE,
    1: Rule("64", Expression.ABS, _WORD64),
    2: Rule("PC32", Expression.PC, _SIGNED32),
    4: Rule("PLT32", Expression.PLT, _SIGNED32),
    9: Rule("GOTPCREL", Expression.GOT_PC, _SIGNED32),
    10: Rule("32", Expression.ABS, _UNSIGNED32),
    11: Rule("32S", Expression.ABS, _SIGNED32),
    12: Rule("16", Expression.ABS, _EITHER16),
    13: Rule("PC16", Expression.PC, _EITHER16),
    14: Rule("8", Expression.ABS, _EITHER8),
    15: Rule("PC8", Expression.PC, _EITHER8),
    24: Rule("PC64", Expression.PC, _WORD64),
    25: Rule("GOTOFF64", Expression.FROM_GOT, _WORD64),
    26: Rule("GOTPC32", Expression.GOT_BASE_PC, _SIGNED32),
    27: Rule("GOT64", Expression.GOT_OFFSET, _WORD64),
    28: Rule("GOTPCREL64", Expression.GOT_PC, _WORD64),
    29: Rule("GOTPC64", Expression.GOT_BASE_PC, _WORD64),
    31: Rule("PLTOFF64", Expression.PLT_FROM_GOT, _WORD64),
    41: Rule("GOTPCRELX", Expression.GOT_PC, _SIGNED32, relaxable=True),
    42: Rule("REX_GOTPCRELX", Expression.GOT_PC, _SIGNED32, relaxable=True),
}
PC32: Final = X86_64_RULES[2]

AARCH64_RULES: Final = {
    0: _NONE,
    256: _NONE,
    257: Rule("ABS64", Expression.ABS, _WORD64),
    258: Rule("ABS32", Expression.ABS, _EITHER32),
    259: Rule("ABS16", Expression.ABS, _EITHER16),
    260: Rule("PREL64", Expression.PC, _WORD64),
    261: Rule("PREL32", Expression.PC, _EITHER32),
    262: Rule("PREL16", Expression.PC, _EITHER16),
    273: Rule("LD_PREL_LO19", Expression.PC, _instruction(19, 2, 5)),
    274: Rule("ADR_PREL_LO21", Expression.PC, _adr(0)),
    275: Rule("ADR_PREL_PG_HI21", Expression.PAGE, _adr(12)),
    277: Rule("ADD_ABS_LO12_NC", Expression.LOW, _low12(0)),
    278: Rule("LDST8_ABS_LO12_NC", Expression.LOW, _low12(0)),
    279: Rule("TSTBR14", Expression.PC, _instruction(14, 2, 5)),
    280: Rule("CONDBR19", Expression.PC, _instruction(19, 2, 5)),
    282: Rule("JUMP26", Expression.PLT, _instruction(26, 2, 0)),
    283: Rule("CALL26", Expression.PLT, _instruction(26, 2, 0)),
    284: Rule("LDST16_ABS_LO12_NC", Expression.LOW, _low12(1)),
    285: Rule("LDST32_ABS_LO12_NC", Expression.LOW, _low12(2)),
    286: Rule("LDST64_ABS_LO12_NC", Expression.LOW, _low12(3)),
    299: Rule("LDST128_ABS_LO12_NC", Expression.LOW, _low12(4)),
    311: Rule("ADR_GOT_PAGE", Expression.GOT_PAGE, _adr(12)),
    312: Rule("LD64_GOT_LO12_NC", Expression.GOT_LOW, _low12(3)),
    314: Rule("PLT32", Expression.PLT, _SIGNED32),
}


def _plt_entry_x86_64(address: int, got_entry: int) -> bytes:
    """``jmp *entry(%rip)``, then a trap."""
    data = bytearray(b"\xff\x25\0\0\0\0\xcc\xcc")
    _SIGNED32.write(data, 2, got_entry - (address + 6))
    return bytes(data)


def _plt_entry_aarch64(address: int, got_entry: int) -> bytes:
    """``adrp x16, page; ldr x17, [x16, low]; br x17; udf``."""
    data = bytearray(b"\x10\0\0\x90\x11\x02\x40\xf9\x20\x02\x1f\xd6\0\0\0\0")
    AARCH64_RULES[275].field.write(data, 0, (got_entry & ~0xFFF) - (address & ~0xFFF))
    AARCH64_RULES[286].field.write(data, 4, got_entry)
    return bytes(data)


X86_64: Final = Machine(
    elf.EM_X86_64, "x86-64", X86_64_RULES, absolute=1, glob_dat=6, relative=8, page_size=0x1000,
    plt_entry=_plt_entry_x86_64, plt_entry_size=8, code_fill=b"\xcc",
)  # fmt: skip
AARCH64: Final = Machine(
    elf.EM_AARCH64, "AArch64", AARCH64_RULES, absolute=257, glob_dat=1025, relative=1027,
    page_size=0x10000, plt_entry=_plt_entry_aarch64, plt_entry_size=16, code_fill=b"\0",
)  # fmt: skip
MACHINES: Final = {machine.number: machine for machine in (X86_64, AARCH64)}


def relax_x86_64(data: bytearray, offset: int) -> bool:
    """Turn a load from the GOT into an address computation, for a symbol known to be near.

    ``mov foo@GOTPCREL(%rip), %r`` becomes ``lea foo(%rip), %r``; ``call *`` and ``jmp *`` become
    direct, with an address-size prefix that means nothing there.  The relocation is then a ``PC32``
    with the same place and addend.

    Args:
        data: the code.
        offset: of the 32-bit displacement.

    Returns:
        Whether the instruction was rewritten.

    Source:
        x86-64 psABI, B.2 "Optimize GOTPCRELX Relocations" (which moves the displacement of ``jmp``;
        the prefix makes that unnecessary).
    """
    if offset < 2:
        return False
    opcode, modrm = data[offset - 2], data[offset - 1]
    if opcode == 0x8B and modrm & 0xC7 == 0x05:
        data[offset - 2] = 0x8D
        return True
    if opcode == 0xFF and modrm in (0x15, 0x25):
        data[offset - 2 : offset] = b"\x67\xe8" if modrm == 0x15 else b"\x67\xe9"
        return True
    return False
