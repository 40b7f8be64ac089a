"""Relocatable objects merged into one image: what the linker and the loader have in common.

Building an ``Image`` merges sections by kind, drops duplicate COMDAT groups, resolves symbols and
decides which need a GOT or a PLT entry.  The owner then gives every output section an address and
calls ``relocate``.  References among the objects are always bound inside the image: an exported
symbol cannot be pre-empted.  Order is that of the input, so the same input gives the same image.

With ``static`` the addresses are final (a loader); without, the image may go anywhere, and 64-bit
addresses in data are left to the dynamic linker as ``cells``.  With ``movable`` that goes for every
word that depends on an address, also of 32 bits and also in what will not be writable: somebody
puts the image in its place later, before it is protected.
"""

from runwell.base.light import Final, Mapping, Sequence, final
from runwell.elf import format as elf
from runwell.elf.format import ElfError
from runwell.elf.object import ABSOLUTE, COMMON, MAX_BYTES, Object, Section, Symbol
from runwell.elf.output import NAMES, WRITABLE, Cell, Fixup, Kind, Output, Target
from runwell.elf.relocation import (
    MACHINES,
    NEEDS_GOT,
    NEEDS_NO_SYMBOL,
    NEEDS_PLT,
    PC32,
    X86_64,
    Expression,
    Machine,
    OutOfRange,
    Rule,
    relax_x86_64,
)

GOT_ENTRY: Final = 8


@final
class Image:
    """Merged objects.

    Attributes:
        machine: of all objects.
        symbols: global symbols by name, in order of appearance.
        locals: named local symbols, in order.
        outputs: non-empty sections in the order of the image, debug sections last.
        cells: words for the dynamic linker.
        plt: symbols with a PLT entry.
        places: for each object, the output section and the offset in it by section index.
    """

    def __init__(
        self,
        objects: Sequence[bytes],
        *,
        static: bool = False,
        movable: bool = False,
        values: Mapping[str, int] | None = None,
    ) -> None:
        """Merge and resolve.

        Args:
            objects: relocatable objects of one machine.
            static: addresses are final.
            movable: addresses are not final, and every word may become a cell.
            values: addresses of imported symbols, for a static image.

        Raises:
            ElfError: damaged input, duplicate or (in a static image) missing symbol, or a
                relocation that cannot be done.
        """
        if not objects:
            raise ElfError("nothing to link")
        self._static, self._movable, self._values = static, movable, values or {}
        self._inputs = [Object(data, f"object {i}") for i, data in enumerate(objects)]
        self.machine = self._common_machine()
        self.symbols: dict[str, Target] = {}
        self.locals: list[Target] = []
        self.cells: list[Cell] = []
        self.plt: list[Target] = []
        self._got: list[Target] = []
        self._sections: dict[str, Output] = {}
        self._null = Target("", elf.STT_NOTYPE)
        self._null.rank = Target.STRONG
        self._discard_duplicates()
        self.places = self._merge()
        targets = [self._resolve(*pair) for pair in zip(self._inputs, self.places, strict=True)]
        self._allocate_commons()
        for item, places, table in zip(self._inputs, self.places, targets, strict=True):
            for section in item.sections:
                if section.index in places and len(section.relocations):
                    self._scan(item, section, *places[section.index], table)
        self.outputs = sorted(
            (o for o in self._sections.values() if o.size), key=lambda o: int(o.kind)
        )

    def output(self, kind: Kind) -> Output:
        """The one section of a kind (not ``DEBUG``); made when it does not exist."""
        return self._output(NAMES[kind], kind)

    def _output(self, name: str, kind: Kind) -> Output:
        output = self._sections.get(name)
        if output is None:
            output = self._sections[name] = Output(name, kind)
        return output

    def _common_machine(self) -> Machine:
        first = self._inputs[0]
        for item in self._inputs:
            if item.machine != first.machine:
                raise ElfError(f"is for another machine than {first.name}", item.name)
        return MACHINES[first.machine]

    def _discard_duplicates(self) -> None:
        seen: set[str] = set()
        for item in self._inputs:
            for group in item.groups:
                if group.signature in seen:
                    for index in group.members:
                        item.sections[index].discarded = True
                seen.add(group.signature)

    def _merge(self) -> list[dict[int, tuple[Output, int]]]:
        """Append sections to the output ones; for each object, section index to place."""
        merged: list[dict[int, tuple[Output, int]]] = [{} for _ in self._inputs]
        kept = [
            (item, section, kind, places)
            for item, places in zip(self._inputs, merged, strict=True)
            for section in item.sections
            if (kind := self._kind(item, section)) is not None
        ]
        kept.sort(key=lambda entry: _priority(entry[1].name) if entry[2] in _ARRAYS else 0)
        for item, section, kind, places in kept:
            name = section.name if kind == Kind.DEBUG else NAMES[kind]
            # Padding in .eh_frame would read as its end; its records are made of 4-byte words.
            align = 4 if kind == Kind.EH_FRAME else section.align
            if align > self.machine.page_size:
                raise ElfError(f"alignment {align} exceeds a page", item.where(section))
            fill = self.machine.code_fill if kind == Kind.TEXT else b"\0"
            output = self._output(name, kind)
            places[section.index] = output, output.append(section.data, section.size, align, fill)
        return merged

    def _kind(self, item: Object, section: Section) -> Kind | None:
        """What a section becomes; None if it is left out."""
        if section.discarded or section.flags & elf.SHF_EXCLUDE or section.type == elf.SHT_NULL:
            return None
        if not section.flags & elf.SHF_ALLOC:
            wanted = section.name.startswith(".debug_") and section.type == elf.SHT_PROGBITS
            loaded = self._static or self._movable
            if loaded or not wanted or section.flags & elf.SHF_COMPRESSED:
                return None
            return Kind.DEBUG
        if section.name == ".note.gnu.property":
            return None
        if section.flags & elf.SHF_TLS:
            raise ElfError("thread-local storage is not supported", item.where(section))
        nobits = section.type == elf.SHT_NOBITS
        if section.flags & elf.SHF_EXECINSTR:
            if section.flags & elf.SHF_WRITE or nobits:
                raise ElfError("code must not be writable", item.where(section))
            return Kind.TEXT
        if section.flags & elf.SHF_WRITE:
            if nobits:
                return Kind.BSS
            if section.type in (elf.SHT_INIT_ARRAY, elf.SHT_FINI_ARRAY):
                init = section.type == elf.SHT_INIT_ARRAY
                return Kind.INIT_ARRAY if init else Kind.FINI_ARRAY
            if section.type == elf.SHT_PREINIT_ARRAY or section.name.startswith(_OLD_ARRAYS):
                raise ElfError("constructors must be in .init_array", item.where(section))
            return Kind.RELRO if section.name.startswith(".data.rel.ro") else Kind.DATA
        if nobits:
            raise ElfError("read-only section without contents", item.where(section))
        return Kind.EH_FRAME if section.name == ".eh_frame" else Kind.RODATA

    def _resolve(self, item: Object, places: dict[int, tuple[Output, int]]) -> list[Target]:
        """Targets of an object's symbols, by symbol index."""
        targets = []
        for symbol in item.symbols:
            if symbol.type in (elf.STT_TLS, elf.STT_GNU_IFUNC) and symbol.section:
                raise ElfError(
                    "thread-local and indirect symbols are not supported",
                    f"{item.name}, symbol {symbol.name}",
                )
            place = places.get(symbol.section)
            if symbol.binding == elf.STB_LOCAL:
                target = Target(symbol.name, symbol.type)
                target.rank = Target.STRONG
                if place is not None:
                    target.define(symbol, place[0], place[1] + symbol.value, item.name)
                    if symbol.name and symbol.type not in (elf.STT_SECTION, elf.STT_FILE):
                        self.locals.append(target)
                elif symbol.section == ABSOLUTE:
                    target.define(symbol, None, symbol.value, item.name)
                else:
                    target.discarded = True
            else:
                target = self._resolve_global(item, symbol, place)
            targets.append(target)
        return targets

    def _resolve_global(
        self, item: Object, symbol: Symbol, place: tuple[Output, int] | None
    ) -> Target:
        if not symbol.name:
            raise ElfError("global symbol without a name", item.name)
        target = self.symbols.get(symbol.name)
        if target is None:
            target = self.symbols[symbol.name] = Target(symbol.name, symbol.type)
        target.visibility = _stricter(target.visibility, symbol.visibility)
        weak = symbol.binding == elf.STB_WEAK
        if symbol.section == 0 or (symbol.section > 0 and place is None):
            target.weak &= weak
            return target
        rank = Target.WEAK if weak else Target.STRONG
        align = symbol.value or 1
        if symbol.section == COMMON:
            rank = Target.COMMON
            if align & (align - 1) or align > self.machine.page_size or symbol.size > MAX_BYTES:
                raise ElfError("damaged common symbol", f"{item.name}, symbol {symbol.name}")
            if target.rank == Target.COMMON:
                # ``value`` of a common symbol is its alignment until it gets a place.
                size = max(symbol.size, target.size)
                target.value = max(align, target.value)
                target.size = size
                return target
        if rank == target.rank == Target.STRONG:
            raise ElfError(f"symbol {symbol.name} is defined in {target.origin} and in {item.name}")
        if rank > target.rank:
            target.rank = rank
            if place is not None:
                target.define(symbol, place[0], place[1] + symbol.value, item.name)
            elif rank == Target.COMMON:
                target.define(symbol, None, align, item.name)
            else:
                target.define(symbol, None, symbol.value, item.name)
        return target

    def _allocate_commons(self) -> None:
        for target in self.symbols.values():
            if target.rank == Target.COMMON:
                bss = self.output(Kind.BSS)
                target.value = bss.append(b"", target.size, target.value, b"\0")
                target.output = bss
                target.type = elf.STT_OBJECT

    def _scan(
        self, item: Object, section: Section, output: Output, start: int, targets: list[Target]
    ) -> None:
        """Turn a section's relocations into fixups, GOT and PLT entries, and cells."""
        rules = self.machine.rules
        for offset, info, addend in elf.RELA.iter_unpack(section.relocations):
            rule = rules.get(info & 0xFFFFFFFF)
            index = info >> 32
            if rule is None:
                raise ElfError(
                    f"unsupported relocation type {info & 0xFFFFFFFF} of {self.machine.name}",
                    item.where(section),
                )
            if index >= len(targets):
                raise ElfError(f"relocation of symbol {index}: no such", item.where(section))
            if offset + rule.field.width > section.size or output.kind == Kind.BSS:
                raise ElfError(f"relocation at {offset:#x} is outside", item.where(section))
            target = targets[index] if index else self._null
            place = start + offset
            if output.kind == Kind.DEBUG:
                simple = rule.expression in (Expression.ABS, Expression.PC)
                if target.discarded or target.is_import or not simple:
                    continue
            elif target.discarded:
                if output.kind != Kind.EH_FRAME:
                    raise ElfError(
                        f"refers to {target.name or 'a section'}, which is not in the output",
                        item.where(section),
                    )
                output.dropped.add(place)
                continue
            else:
                needed = self._classify(output, place, rule, target, addend)
                if needed is None:
                    continue
                if isinstance(needed, str):
                    raise ElfError(
                        f"R_{rule.name} of {target.name or 'a local symbol'} {needed}",
                        item.where(section),
                    )
                rule = needed
            output.fixups.append(Fixup(place, rule, target, addend))

    def _classify(
        self, output: Output, place: int, rule: Rule, target: Target, addend: int
    ) -> Rule | str | None:
        """The rule to apply in the end, None if nothing is left to do, or what is wrong."""
        expression = rule.expression
        if expression in NEEDS_NO_SYMBOL:
            if expression is Expression.NONE:
                return None
            self._ensure_got()
            return rule
        target.used = True
        if target.is_import:
            if self._static:
                self._look_up(target)
            elif target.is_hidden and not self._movable:
                if not target.weak:
                    return "is hidden and defined nowhere"
                target.rank = Target.STRONG
        if expression in NEEDS_GOT:
            # An addend of -4 belongs to an instruction that ends with its displacement.
            near = target.output is not None and rule.relaxable and addend == -4
            if near and self.machine is X86_64 and relax_x86_64(output.data, place):
                return PC32
            self._add_got_entry(target)
            return rule
        if expression is Expression.FROM_GOT:
            self._ensure_got()
        if expression in NEEDS_PLT:
            if expression is Expression.PLT_FROM_GOT:
                self._ensure_got()
            if target.is_import:
                self._add_plt_entry(target)
                return rule
        if self._static:
            return rule
        if expression is Expression.ABS:
            if target.output is None and not target.is_import:
                return rule
            if self._movable:
                self.cells.append(Cell(output, place, target, addend, rule))
                return None
            if rule.field.width != 8:
                return "needs a fixed address: compile with relocation model pic"
            if output.kind not in WRITABLE:
                return "needs a dynamic relocation in a read-only section: compile as pic"
            self.cells.append(Cell(output, place, target, addend, rule))
            return None
        if target.is_import:
            return "is defined elsewhere and may be far: compile with relocation model pic"
        if target.output is None and target.value:
            return "is relative to an absolute symbol"
        return rule

    def _look_up(self, target: Target) -> None:
        value = self._values.get(target.name)
        if value is None and not target.weak:
            raise ElfError(f"symbol {target.name} is not defined")
        target.value = value or 0

    def _ensure_got(self) -> Output:
        got = self.output(Kind.GOT)
        if not got.size:
            # The first word is reserved, so that the table has an address even if it is empty.
            got.append(bytes(GOT_ENTRY), GOT_ENTRY, GOT_ENTRY, b"\0")
        return got

    def _add_got_entry(self, target: Target) -> None:
        if target.got >= 0:
            return
        got = self._ensure_got()
        target.got = got.append(bytes(GOT_ENTRY), GOT_ENTRY, GOT_ENTRY, b"\0")
        self._got.append(target)
        if not self._static and (target.is_import or target.output is not None):
            self.cells.append(Cell(got, target.got, target, 0, None))

    def _add_plt_entry(self, target: Target) -> None:
        if target.plt >= 0:
            return
        self._add_got_entry(target)
        size = self.machine.plt_entry_size
        target.plt = self.output(Kind.PLT).append(bytes(size), size, 16, b"\xcc")
        self.plt.append(target)

    def relocate(self) -> None:
        """Write every address into the sections, which must have theirs.

        Raises:
            ElfError: a value does not fit; the message names symbol and section.
        """
        got = self._sections.get(NAMES[Kind.GOT])
        plt = self._sections.get(NAMES[Kind.PLT])
        got_address = got.address if got is not None else 0
        plt_address = plt.address if plt is not None else 0
        for target in self.plt:
            assert plt is not None
            entry = self.machine.plt_entry(plt_address + target.plt, got_address + target.got)
            plt.data[target.plt : target.plt + len(entry)] = entry
        if got is not None and self._got:
            for target in self._got:
                if self._static or (target.output is None and not target.is_import):
                    elf.XWORD.pack_into(got.data, target.got, target.address & _MASK64)
        for output in self.outputs:
            data, base = output.data, output.address
            for offset, rule, target, addend in output.fixups:
                try:
                    value = _evaluate(
                        rule.expression, target, addend, base + offset, got_address, plt_address
                    )
                    rule.field.write(data, offset, value)
                except OutOfRange as error:
                    raise ElfError(
                        f"R_{rule.name} of {target.name or 'a local symbol'}: {error.message}",
                        f"section {output.name} at {offset:#x}",
                    ) from None


_OLD_ARRAYS: Final = (".ctors", ".dtors")
_ARRAYS: Final = frozenset({Kind.INIT_ARRAY, Kind.FINI_ARRAY})
_MASK64: Final = (1 << 64) - 1
_PAGE: Final = ~0xFFF


def _evaluate(
    expression: Expression, target: Target, addend: int, place: int, got: int, plt: int
) -> int:
    if expression is Expression.PLT:
        return (plt + target.plt if target.plt >= 0 else target.address) + addend - place
    if expression is Expression.PC:
        return target.address + addend - place
    if expression is Expression.ABS or expression is Expression.LOW:
        return target.address + addend
    if expression is Expression.GOT_PC:
        return got + target.got + addend - place
    if expression is Expression.PAGE:
        return ((target.address + addend) & _PAGE) - (place & _PAGE)
    if expression is Expression.GOT_PAGE:
        return ((got + target.got + addend) & _PAGE) - (place & _PAGE)
    if expression is Expression.GOT_LOW:
        return got + target.got + addend
    if expression is Expression.GOT_OFFSET:
        return target.got + addend
    if expression is Expression.FROM_GOT:
        return target.address + addend - got
    if expression is Expression.PLT_FROM_GOT:
        return (plt + target.plt if target.plt >= 0 else target.address) + addend - got
    assert expression is Expression.GOT_BASE_PC
    return got + addend - place


def _priority(name: str) -> int:
    """Constructors with a priority run first, lowest first; those without come last."""
    digits = name.rpartition(".")[2]
    return int(digits) if digits.isdecimal() and len(digits) < 8 else 1 << 30


def _stricter(a: int, b: int) -> int:
    order = (elf.STV_DEFAULT, elf.STV_PROTECTED, elf.STV_HIDDEN, elf.STV_INTERNAL)
    return max(a, b, key=order.index)
