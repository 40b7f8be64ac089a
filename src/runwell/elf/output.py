"""The parts of an image: output sections, what symbols stand for, places to relocate."""

from runwell.base.light import Final, IntEnum, NamedTuple, final
from runwell.elf import format as elf
from runwell.elf.format import ElfError, align_up
from runwell.elf.object import MAX_BYTES, Symbol
from runwell.elf.relocation import Rule


class Kind(IntEnum):
    """What an output section holds, in the order of the image."""

    RODATA = 0
    EH_FRAME = 1
    TEXT = 2
    PLT = 3
    INIT_ARRAY = 4
    FINI_ARRAY = 5
    RELRO = 6
    GOT = 7
    DATA = 8
    BSS = 9
    DEBUG = 10


NAMES: Final = {
    Kind.RODATA: ".rodata",
    Kind.EH_FRAME: ".eh_frame",
    Kind.TEXT: ".text",
    Kind.PLT: ".plt",
    Kind.INIT_ARRAY: ".init_array",
    Kind.FINI_ARRAY: ".fini_array",
    Kind.RELRO: ".data.rel.ro",
    Kind.GOT: ".got",
    Kind.DATA: ".data",
    Kind.BSS: ".bss",
}
WRITABLE: Final = frozenset(
    {Kind.INIT_ARRAY, Kind.FINI_ARRAY, Kind.RELRO, Kind.GOT, Kind.DATA, Kind.BSS}
)
CODE: Final = frozenset({Kind.TEXT, Kind.PLT})
_TYPES: Final = {
    Kind.INIT_ARRAY: elf.SHT_INIT_ARRAY,
    Kind.FINI_ARRAY: elf.SHT_FINI_ARRAY,
    Kind.BSS: elf.SHT_NOBITS,
}


@final
class Output:
    """One section of the image.

    Attributes:
        name: its name.
        kind: what it holds.
        type: ``SHT_*``.
        flags: ``SHF_*``.
        align: alignment in bytes.
        size: bytes in memory.
        data: contents; empty for ``.bss``.
        address: set by the owner of the image.
        index: in the section table, set by the owner.
        fixups: what ``relocate`` will write.
        dropped: places that refer to discarded code and keep a zero.
    """

    __slots__ = (
        "address", "align", "data", "dropped", "fixups", "flags", "index", "kind", "name", "size",
        "type",
    )  # fmt: skip

    def __init__(self, name: str, kind: Kind) -> None:
        self.name, self.kind = name, kind
        self.type = _TYPES.get(kind, elf.SHT_PROGBITS)
        self.flags = 0 if kind == Kind.DEBUG else elf.SHF_ALLOC
        if kind in WRITABLE:
            self.flags |= elf.SHF_WRITE
        if kind in CODE:
            self.flags |= elf.SHF_EXECINSTR
        self.align, self.size, self.address, self.index = 1, 0, 0, 0
        self.data = bytearray()
        self.fixups: list[Fixup] = []
        self.dropped: set[int] = set()

    def append(self, data: bytes | memoryview, size: int, align: int, fill: bytes) -> int:
        """Add contents (for ``.bss``, only their size) and return their offset."""
        offset = align_up(self.size, align)
        if offset + size > MAX_BYTES:
            raise ElfError(f"section {self.name} would exceed {MAX_BYTES} bytes")
        self.align = max(self.align, align)
        if self.kind != Kind.BSS:
            self.data += fill * (offset - self.size)
            self.data += data
        self.size = offset + size
        return offset


@final
class Target:
    """What a symbol stands for.

    Attributes:
        name: its name, or "".
        output: the section that holds it, or None.
        value: offset in ``output``, or the address of an absolute or, in a static image, of an
            imported symbol.
        size: bytes.
        type: ``STT_*``.
        rank: how strongly it is defined.
        weak: an import that may be missing.
        visibility: ``STV_*``.
        discarded: defined in a COMDAT copy that was not kept.
        used: some relocation refers to it.
        got: offset of its GOT entry, or -1.
        plt: offset of its PLT entry, or -1.
        origin: name of the defining object.
    """

    __slots__ = (
        "discarded", "got", "name", "origin", "output", "plt", "rank", "size", "type", "used",
        "value", "visibility", "weak",
    )  # fmt: skip

    UNDEFINED: Final = 0
    WEAK: Final = 1
    COMMON: Final = 2
    STRONG: Final = 3

    def __init__(self, name: str, type_: int) -> None:
        self.name, self.type, self.origin = name, type_, ""
        self.output: Output | None = None
        self.value, self.size, self.rank = 0, 0, Target.UNDEFINED
        self.weak, self.discarded, self.used = True, False, False
        self.visibility, self.got, self.plt = elf.STV_DEFAULT, -1, -1

    @property
    def is_import(self) -> bool:
        """Whether it is defined elsewhere."""
        return self.rank == Target.UNDEFINED and not self.discarded

    @property
    def is_hidden(self) -> bool:
        """Whether it cannot be seen from outside of the image."""
        return self.visibility in (elf.STV_HIDDEN, elf.STV_INTERNAL)

    @property
    def address(self) -> int:
        """Address in the image, once the sections have theirs."""
        return self.value if self.output is None else self.output.address + self.value

    def define(self, symbol: Symbol, output: Output | None, value: int, origin: str) -> None:
        """Give it a place."""
        self.output, self.value, self.origin = output, value, origin
        self.size, self.type = symbol.size, symbol.type


class Fixup(NamedTuple):
    """A place to be relocated.

    Attributes:
        offset: in the output section.
        rule: the relocation type.
        target: the symbol.
        addend: the constant to add.
    """

    offset: int
    rule: Rule
    target: Target
    addend: int


class Cell(NamedTuple):
    """A word that is filled with an address in the end, of 64 bits for a dynamic linker.

    Attributes:
        output: the section.
        offset: in the section.
        target: the symbol.
        addend: the constant to add.
        rule: the relocation type; None for a GOT entry.
    """

    output: Output
    offset: int
    target: Target
    addend: int
    rule: Rule | None
