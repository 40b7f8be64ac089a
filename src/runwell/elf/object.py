"""Reader of relocatable objects (``ET_REL``) for x86-64 and AArch64.

Every offset, index and size is checked here, so that the linker and the loader may use the result
without looking again; a damaged file is an ``ElfError`` that says what and where.  Section contents
are views of the file, not copies.  What relocation types mean is not checked here.
"""

from runwell.base.light import Final, NamedTuple, final
from runwell.elf import format as elf
from runwell.elf.format import ElfError

ABSOLUTE: Final = -1
COMMON: Final = -2
MAX_BYTES: Final = 1 << 31

_SPECIAL = {
    elf.SHN_ABS: ABSOLUTE,
    elf.SHN_COMMON: COMMON,
    elf.SHN_X86_64_LCOMMON: COMMON,
}
_BINDINGS = (elf.STB_LOCAL, elf.STB_GLOBAL, elf.STB_WEAK, elf.STB_GNU_UNIQUE)


class Symbol(NamedTuple):
    """One entry of the symbol table.

    Attributes:
        name: the name, or "".
        binding: ``STB_*``.
        type: ``STT_*``.
        visibility: ``STV_*``.
        section: index of the defining section, 0 if undefined, ``ABSOLUTE`` or ``COMMON``.
        value: offset in the section; the alignment of a common symbol.
        size: bytes.
    """

    name: str
    binding: int
    type: int
    visibility: int
    section: int
    value: int
    size: int


@final
class Section:
    """One section.

    Attributes:
        index: position in the section table.
        name: its name.
        type: ``SHT_*``.
        flags: ``SHF_*`` bits.
        align: alignment in bytes, a power of two.
        size: bytes in memory.
        data: contents; empty for ``SHT_NOBITS``.
        link: the section it refers to.
        info: see the gABI.
        relocations: the ``RELA`` records that apply to it; empty if none.
        discarded: part of a COMDAT group of which another copy was kept.
    """

    __slots__ = (
        "align", "data", "discarded", "flags", "index", "info", "link", "name", "relocations",
        "size", "type",
    )  # fmt: skip

    def __init__(self, index: int, name: str, header: tuple[int, ...], data: memoryview) -> None:
        self.index, self.name, self.data = index, name, data
        _, self.type, self.flags, _, _, self.size, self.link, self.info, align, _ = header
        self.align = align or 1
        self.relocations = data[:0]
        self.discarded = False


@final
class Group:
    """A COMDAT group: of all groups with one signature, one is kept.

    Attributes:
        signature: the name that identifies it.
        members: section indexes.
    """

    __slots__ = ("members", "signature")

    def __init__(self, signature: str, members: tuple[int, ...]) -> None:
        self.signature, self.members = signature, members


@final
class Object:
    """A parsed relocatable object.

    Attributes:
        name: how messages call it.
        machine: ``EM_X86_64`` or ``EM_AARCH64``.
        sections: the section table; entry 0 is the null section.
        symbols: the symbol table; entry 0 is the null symbol, empty if there is no table.
        groups: its COMDAT groups.
    """

    __slots__ = ("groups", "machine", "name", "sections", "symbols")

    def __init__(self, data: bytes, name: str = "object") -> None:
        """Parse.

        Args:
            data: the whole file.
            name: how messages call it.

        Raises:
            ElfError: not a relocatable object of a known machine, or damaged.
        """
        self.name = name
        view = memoryview(data)
        self.machine, headers, names = self._read_header(view)
        self.sections = [self._section(view, names, i, h) for i, h in enumerate(headers)]
        self.symbols: list[Symbol] = []
        self.groups: list[Group] = []
        tables = [s for s in self.sections if s.type == elf.SHT_SYMTAB]
        if len(tables) > 1:
            raise ElfError("more than one symbol table", name)
        if tables:
            self._read_symbols(tables[0])
        self._attach_relocations(tables[0].index if tables else 0)
        self._read_groups()

    def where(self, section: Section) -> str:
        """Name a section in a message."""
        return f"{self.name}, section {section.name or section.index}"

    def _read_header(self, view: memoryview) -> tuple[int, list[tuple[int, ...]], bytes]:
        if len(view) < elf.HEADER.size:
            raise ElfError(f"only {len(view)} bytes: not an ELF object", self.name)
        (
            magic, klass, order, _, _, _, kind, machine, _, _, _, table, _, _, _, _,
            entry_size, count, names_index,
        ) = elf.HEADER.unpack_from(view)  # fmt: skip
        if magic != elf.MAGIC:
            raise ElfError("no ELF magic: not an ELF object", self.name)
        if klass != elf.ELFCLASS64 or order != elf.ELFDATA2LSB:
            raise ElfError("not a 64-bit little-endian object", self.name)
        if kind != elf.ET_REL:
            raise ElfError(f"not a relocatable object (e_type {kind})", self.name)
        if machine not in (elf.EM_X86_64, elf.EM_AARCH64):
            raise ElfError(f"unsupported machine {machine}", self.name)
        size = elf.SECTION.size
        if table == 0:
            raise ElfError("no section table", self.name)
        if entry_size != size or table > len(view) - size:
            raise ElfError("section table outside of the file", self.name)
        first = elf.SECTION.unpack_from(view, table)
        if count == 0:
            count = first[5]
        if names_index == elf.SHN_XINDEX:
            names_index = first[6]
        if count < 1 or count > (len(view) - table) // size:
            raise ElfError(f"{count} sections do not fit in the file", self.name)
        headers = list(elf.SECTION.iter_unpack(view[table : table + count * size]))
        if names_index >= count or headers[names_index][1] != elf.SHT_STRTAB:
            raise ElfError(f"section names are not in section {names_index}", self.name)
        names = headers[names_index]
        self._check_extent(view, names_index, names)
        return machine, headers, bytes(view[names[4] : names[4] + names[5]])

    def _check_extent(self, view: memoryview, index: int, header: tuple[int, ...]) -> None:
        offset, size = header[4], header[5]
        if offset > len(view) or size > len(view) - offset:
            raise ElfError(
                f"section {index} ({size} bytes at {offset:#x}) ends outside of the file", self.name
            )

    def _section(
        self, view: memoryview, names: bytes, index: int, header: tuple[int, ...]
    ) -> Section:
        kind, offset, size = header[1], header[4], header[5]
        if index == 0 or kind == elf.SHT_NULL:
            return Section(index, "", (0,) * 10, view[:0])
        end = names.find(b"\0", header[0])
        if end < 0:
            raise ElfError(f"name of section {index} outside of the name table", self.name)
        name = names[header[0] : end].decode("utf-8", "surrogateescape")
        align = header[8]
        if align & (align - 1):
            raise ElfError(f"alignment {align} is not a power of two", f"{self.name}, {name}")
        if kind == elf.SHT_NOBITS:
            if size >= MAX_BYTES:
                raise ElfError(f"{size} bytes are too many", f"{self.name}, section {name}")
            return Section(index, name, header, view[:0])
        self._check_extent(view, index, header)
        return Section(index, name, header, view[offset : offset + size])

    def _linked(self, section: Section, kind: int) -> Section:
        if section.link >= len(self.sections) or self.sections[section.link].type != kind:
            raise ElfError(f"sh_link {section.link} is not what it should be", self.where(section))
        return self.sections[section.link]

    def _read_symbols(self, table: Section) -> None:
        if len(table.data) % elf.SYMBOL.size:
            raise ElfError("size is no multiple of a symbol's", self.where(table))
        strings = bytes(self._linked(table, elf.SHT_STRTAB).data)
        extended = self._extended_indexes(table)
        count = len(self.sections)
        for i, (name_at, info, other, section, value, size) in enumerate(
            elf.SYMBOL.iter_unpack(table.data)
        ):
            end = strings.find(b"\0", name_at)
            if end < 0:
                raise ElfError(f"name of symbol {i} outside of the string table", self.name)
            name = strings[name_at:end].decode("utf-8", "surrogateescape")
            if section == elf.SHN_XINDEX:
                if i >= len(extended):
                    raise ElfError(f"symbol {i} has no extended section index", self.name)
                section = extended[i]  # noqa: PLW2901
            elif section >= elf.SHN_LORESERVE:
                if section not in _SPECIAL:
                    raise ElfError(f"special section {section:#x}", f"{self.name}, symbol {name}")
                section = _SPECIAL[section]  # noqa: PLW2901
            if section >= count:
                raise ElfError(
                    f"defined in section {section} of {count}", f"{self.name}, symbol {name}"
                )
            binding = info >> 4
            if binding not in _BINDINGS:
                raise ElfError(f"unknown binding {binding}", f"{self.name}, symbol {name}")
            if section > 0 and value > self.sections[section].size:
                raise ElfError(
                    f"value {value:#x} is outside of its section", f"{self.name}, symbol {name}"
                )
            self.symbols.append(Symbol(name, binding, info & 15, other & 3, section, value, size))

    def _extended_indexes(self, table: Section) -> tuple[int, ...]:
        for section in self.sections:
            if section.type == elf.SHT_SYMTAB_SHNDX and section.link == table.index:
                if len(section.data) % 4:
                    raise ElfError("size is no multiple of 4", self.where(section))
                return tuple(i for (i,) in elf.WORD.iter_unpack(section.data))
        return ()

    def _attach_relocations(self, table: int) -> None:
        for section in self.sections:
            if section.type in (elf.SHT_REL, elf.SHT_CREL):
                raise ElfError("relocations must be of type RELA", self.where(section))
            if section.type != elf.SHT_RELA:
                continue
            if section.info >= len(self.sections) or section.info == 0:
                raise ElfError(f"applies to section {section.info}", self.where(section))
            if table == 0 or section.link != table:
                raise ElfError("does not refer to the symbol table", self.where(section))
            if len(section.data) % elf.RELA.size:
                raise ElfError("size is no multiple of a relocation's", self.where(section))
            target = self.sections[section.info]
            if len(target.relocations):
                raise ElfError("has two relocation sections", self.where(target))
            target.relocations = section.data

    def _read_groups(self) -> None:
        for section in self.sections:
            if section.type != elf.SHT_GROUP:
                continue
            data = section.data
            if len(data) < 4 or len(data) % 4:
                raise ElfError("damaged group", self.where(section))
            flags, *members = (i for (i,) in elf.WORD.iter_unpack(data))
            if not flags & elf.GRP_COMDAT:
                continue
            if section.info >= len(self.symbols):
                raise ElfError("group without a signature symbol", self.where(section))
            if any(i == 0 or i >= len(self.sections) for i in members):
                raise ElfError("group member outside of the section table", self.where(section))
            symbol = self.symbols[section.info]
            name = symbol.name
            if symbol.type == elf.STT_SECTION and symbol.section > 0:
                name = self.sections[symbol.section].name
            self.groups.append(Group(name, tuple(members)))
