"""Relocatable objects in, one shared object (``ET_DYN``) out.

The result needs nothing but a dynamic linker: no mapping is writable and executable, addresses in
constant data are read-only after loading, all imports are bound at load time, and exported symbols
are bound inside the object.  The same input gives the same bytes.  File offsets equal addresses,
which costs at most a page a segment and keeps every table readable by eye.

Imports carry no version: glibc then takes a symbol's oldest version.

Source: System V ABI (gABI) chapter 5, "Program Loading and Dynamic Linking".
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, final

from runwell.elf import format as elf
from runwell.elf.dynamic import DynamicSymbols, Strings, binding_of, encode_symbol
from runwell.elf.format import ElfError, align_up
from runwell.elf.image import Image
from runwell.elf.object import MAX_BYTES
from runwell.elf.output import Kind, Target
from runwell.elf.unwind import FrameEntry, build_header, header_size, scan_frames

_BUILD_ID_BYTES: Final = 20
_READ, _CODE, _RELRO, _WRITE = range(4)


class _Row(NamedTuple):
    """A section of the file, in the order of the section table."""

    name: str
    type: int
    flags: int
    address: int
    offset: int
    size: int
    align: int
    link: str = ""
    info: int = 0
    entry_size: int = 0


def link(
    objects: Sequence[bytes],
    *,
    exports: Iterable[str] | None = None,
    soname: str = "",
    needed: Iterable[str] = (),
) -> bytes:
    """Link objects into a shared object.

    Args:
        objects: relocatable objects of one machine, compiled as position-independent code.
        exports: names to be visible from outside; all global default-visible symbols if None.
        soname: the name by which other objects refer to it.
        needed: sonames of shared objects that must be loaded with it.

    Returns:
        The file.

    Raises:
        ElfError: damaged input, a symbol defined twice, a name in ``exports`` that is not defined,
            code that is not position-independent, or thread-local storage.
    """
    return _Linker(Image(objects), exports, soname, tuple(needed)).link()


@final
class _Linker:
    def __init__(
        self, image: Image, exports: Iterable[str] | None, soname: str, needed: tuple[str, ...]
    ) -> None:
        self._image, self._page = image, image.machine.page_size
        self._exported = _select_exports(image, exports)
        imports = [t for t in image.symbols.values() if t.is_import and t.used]
        self._symbols = DynamicSymbols(imports, self._exported)
        self._soname = self._symbols.strings.add(soname) if soname else 0
        self._needed = [self._symbols.strings.add(name) for name in needed]
        self._rows: list[_Row] = []
        self._contents: list[tuple[int, bytes | bytearray]] = []
        self._at = 0
        frames = next((o for o in image.outputs if o.kind == Kind.EH_FRAME), None)
        self._frames = frames
        self._entries: list[FrameEntry] | None = scan_frames(frames) if frames else None

    def link(self) -> bytes:
        image, symbols = self._image, self._symbols
        has = {o.kind for o in image.outputs}
        segments = 5 + (Kind.TEXT in has or Kind.PLT in has) + (self._entries is not None)
        segments += 1
        self._at = elf.HEADER.size + segments * elf.SEGMENT.size
        rela_size = len(image.cells) * elf.RELA.size

        note = self._place(".note.gnu.build-id", elf.SHT_NOTE, 16 + _BUILD_ID_BYTES, 4)
        hash_ = self._place(".gnu.hash", elf.SHT_GNU_HASH, len(symbols.hash), 8, link=".dynsym")
        dynsym = self._place(
            ".dynsym", elf.SHT_DYNSYM, symbols.size, 8, link=".dynstr", info=1,
            entry_size=elf.SYMBOL.size,
        )  # fmt: skip
        dynstr = self._place(".dynstr", elf.SHT_STRTAB, len(symbols.strings.data), 1)
        rela = self._place(
            ".rela.dyn", elf.SHT_RELA, rela_size, 8, link=".dynsym", entry_size=elf.RELA.size
        )
        self._place_outputs(Kind.RODATA, Kind.RODATA)
        unwind = None
        if self._entries is not None:
            size = header_size(self._entries)
            unwind = self._place(".eh_frame_hdr", elf.SHT_PROGBITS, size, 4)
        self._place_outputs(Kind.EH_FRAME, Kind.EH_FRAME)
        read_end = self._at

        code_start = self._at = align_up(self._at, self._page)
        self._place_outputs(Kind.TEXT, Kind.PLT)
        code_end = self._at

        relro_start = self._at = align_up(self._at, self._page)
        self._place_outputs(Kind.INIT_ARRAY, Kind.RELRO)
        tags = self._dynamic_tags(hash_, dynsym, dynstr, rela)
        dynamic = self._place(
            ".dynamic", elf.SHT_DYNAMIC, len(tags) * elf.DYNAMIC.size, 8, link=".dynstr",
            flags=elf.SHF_ALLOC | elf.SHF_WRITE, entry_size=elf.DYNAMIC.size,
        )  # fmt: skip
        self._place_outputs(Kind.GOT, Kind.GOT)
        relro_end = self._at = align_up(self._at, self._page)
        self._place_outputs(Kind.DATA, Kind.DATA)
        file_end = self._at
        self._place_outputs(Kind.BSS, Kind.BSS)
        memory_end = self._at
        if memory_end >= MAX_BYTES:
            raise ElfError(f"the result would take {memory_end} bytes")

        image.relocate()
        encoded, relative = symbols.encode_cells(image.cells, image.machine)
        tags[-2] = (elf.DT_RELACOUNT, relative)
        self._put(hash_, symbols.hash)
        self._put(dynsym, symbols.encode())
        self._put(dynstr, symbols.strings.data)
        self._put(rela, encoded)
        self._put(dynamic, b"".join(elf.DYNAMIC.pack(*tag) for tag in tags))
        if unwind is not None and self._frames is not None:
            header = build_header(unwind.address, self._frames, self._entries or [])
            self._put(unwind, header)
        note_head = elf.WORD.pack(4) + elf.WORD.pack(_BUILD_ID_BYTES)
        self._put(note, note_head + elf.WORD.pack(elf.NT_GNU_BUILD_ID) + b"GNU\0")

        program = [(elf.PT_LOAD, elf.PF_R, 0, read_end, read_end, self._page)]
        if code_end > code_start:
            size = code_end - code_start
            flags = elf.PF_R | elf.PF_X
            program.append((elf.PT_LOAD, flags, code_start, size, size, self._page))
        read_write = elf.PF_R | elf.PF_W
        program += [
            (elf.PT_LOAD, read_write, relro_start, file_end - relro_start,
             memory_end - relro_start, self._page),
            (elf.PT_DYNAMIC, read_write, dynamic.address, dynamic.size, dynamic.size, 8),
            (elf.PT_NOTE, elf.PF_R, note.address, note.size, note.size, 4),
        ]  # fmt: skip
        if unwind is not None:
            program.append(
                (elf.PT_GNU_EH_FRAME, elf.PF_R, unwind.address, unwind.size, unwind.size, 4)
            )
        size = relro_end - relro_start
        program += [
            (elf.PT_GNU_STACK, read_write, 0, 0, 0, 16),
            (elf.PT_GNU_RELRO, elf.PF_R, relro_start, size, size, 1),
        ]
        assert len(program) == segments
        return self._write(program, file_end, note)

    def _place(
        self, name: str, type_: int, size: int, align: int, *, flags: int = elf.SHF_ALLOC,
        link: str = "", info: int = 0, entry_size: int = 0,
    ) -> _Row:  # fmt: skip
        address = self._at = align_up(self._at, align)
        row = _Row(name, type_, flags, address, address, size, align, link, info, entry_size)
        self._at += size
        if size:
            self._rows.append(row)
        return row

    def _place_outputs(self, first: Kind, last: Kind) -> None:
        for output in self._image.outputs:
            if first <= output.kind <= last:
                row = self._place(
                    output.name, output.type, output.size, output.align, flags=output.flags,
                    entry_size=8 if output.kind in (Kind.INIT_ARRAY, Kind.FINI_ARRAY) else 0,
                )  # fmt: skip
                output.address, output.index = row.address, len(self._rows)
                self._put(row, output.data)

    def _put(self, row: _Row, data: bytes | bytearray) -> None:
        self._contents.append((row.offset, data))

    def _dynamic_tags(
        self, hash_: _Row, dynsym: _Row, dynstr: _Row, rela: _Row
    ) -> list[tuple[int, int]]:
        """The dynamic section; the last but one tag is filled in later."""
        tags = [(elf.DT_NEEDED, name) for name in self._needed]
        if self._soname:
            tags.append((elf.DT_SONAME, self._soname))
        for output in self._image.outputs:
            if output.kind == Kind.INIT_ARRAY:
                tags.append((elf.DT_INIT_ARRAY, output.address))
                tags.append((elf.DT_INIT_ARRAYSZ, output.size))
            elif output.kind == Kind.FINI_ARRAY:
                tags.append((elf.DT_FINI_ARRAY, output.address))
                tags.append((elf.DT_FINI_ARRAYSZ, output.size))
        tags += [
            (elf.DT_GNU_HASH, hash_.address),
            (elf.DT_STRTAB, dynstr.address),
            (elf.DT_SYMTAB, dynsym.address),
            (elf.DT_STRSZ, dynstr.size),
            (elf.DT_SYMENT, elf.SYMBOL.size),
            (elf.DT_FLAGS, elf.DF_BIND_NOW),
            (elf.DT_FLAGS_1, elf.DF_1_NOW),
        ]
        if rela.size:
            tags += [
                (elf.DT_RELA, rela.address),
                (elf.DT_RELASZ, rela.size),
                (elf.DT_RELAENT, elf.RELA.size),
            ]
        return [*tags, (elf.DT_RELACOUNT, 0), (elf.DT_NULL, 0)]

    def _encode_symtab(self) -> tuple[bytes, Strings, int]:
        """``.symtab``, its strings and the number of local symbols."""
        strings = Strings()
        image = self._image
        exported = {id(t) for t in self._exported}
        local = bytearray(elf.SYMBOL.size)
        visible = bytearray()
        for target in image.locals:
            if target.output is not None:
                local += encode_symbol(target, strings.add(target.name), elf.STB_LOCAL)
        for target in image.symbols.values():
            name = strings.add(target.name)
            if id(target) in exported or (target.is_import and target.used):
                visible += encode_symbol(target, name, binding_of(target))
            elif not target.is_import:
                local += encode_symbol(target, name, elf.STB_LOCAL)
        for imported in image.plt:
            plt = image.output(Kind.PLT)
            stub = Target(imported.name + "@plt", elf.STT_FUNC)
            stub.rank, stub.output, stub.value = Target.STRONG, plt, imported.plt
            stub.size = image.machine.plt_entry_size
            local += encode_symbol(stub, strings.add(stub.name), elf.STB_LOCAL)
        return bytes(local + visible), strings, len(local) // elf.SYMBOL.size

    def _write(
        self, program: Sequence[tuple[int, int, int, int, int, int]], file_end: int, note: _Row
    ) -> bytes:
        self._at = file_end
        for output in self._image.outputs:
            if output.kind == Kind.DEBUG:
                self._append(output.name, elf.SHT_PROGBITS, output.data, 1)
        symtab, strings, local = self._encode_symtab()
        self._append(
            ".symtab", elf.SHT_SYMTAB, symtab, 8, link=".strtab", info=local,
            entry_size=elf.SYMBOL.size,
        )  # fmt: skip
        self._append(".strtab", elf.SHT_STRTAB, strings.data, 1)
        names = Strings()
        for name in (*(row.name for row in self._rows), ".shstrtab"):
            names.add(name)
        self._append(".shstrtab", elf.SHT_STRTAB, names.data, 1)
        table_at = align_up(self._at, 8)
        indexes = {row.name: i for i, row in enumerate(self._rows, 1)}
        table = bytearray(elf.SECTION.size)
        for row in self._rows:
            table += elf.SECTION.pack(
                names.add(row.name), row.type, row.flags, row.address, row.offset, row.size,
                indexes.get(row.link, 0), row.info, row.align, row.entry_size,
            )  # fmt: skip
        data = bytearray(table_at)
        header = elf.HEADER.pack(
            elf.MAGIC, elf.ELFCLASS64, elf.ELFDATA2LSB, elf.EV_CURRENT, 0, 0, elf.ET_DYN,
            self._image.machine.number, elf.EV_CURRENT, 0, elf.HEADER.size, table_at, 0,
            elf.HEADER.size, elf.SEGMENT.size, len(program), elf.SECTION.size,
            len(self._rows) + 1, len(self._rows),
        )  # fmt: skip
        for kind, flags, start, size, memory, align in program:
            header += elf.SEGMENT.pack(kind, flags, start, start, start, size, memory, align)
        data[: len(header)] = header
        for offset, content in self._contents:
            data[offset : offset + len(content)] = content
        data += table
        id_at = note.offset + note.size - _BUILD_ID_BYTES
        data[id_at : id_at + _BUILD_ID_BYTES] = _build_id(data)
        return bytes(data)

    def _append(
        self, name: str, type_: int, data: bytes | bytearray, align: int, *, link: str = "",
        info: int = 0, entry_size: int = 0,
    ) -> None:  # fmt: skip
        """Add a section that is in the file only."""
        offset = self._at = align_up(self._at, align)
        self._at += len(data)
        self._rows.append(_Row(name, type_, 0, 0, offset, len(data), align, link, info, entry_size))
        self._contents.append((offset, data))


def _select_exports(image: Image, names: Iterable[str] | None) -> list[Target]:
    defined = {n: t for n, t in image.symbols.items() if not t.is_import}
    if names is None:
        return [t for t in defined.values() if not t.is_hidden]
    selected = []
    for name in dict.fromkeys(names):
        target = defined.get(name)
        if target is None or target.is_hidden:
            problem = "hidden" if target else "not defined"
            raise ElfError(f"symbol {name} is to be exported but {problem}")
        selected.append(target)
    return selected


def _build_id(data: bytearray) -> bytes:
    from hashlib import blake2b

    return blake2b(data, digest_size=_BUILD_ID_BYTES).digest()
