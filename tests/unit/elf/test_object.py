"""The reader of relocatable objects: what it finds, and what it refuses."""

import struct

import pytest

from runwell.elf import format as elf
from runwell.elf.format import ElfError
from runwell.elf.object import ABSOLUTE, COMMON, Object

IR = """
@data = global i32 7
@zero = global [100 x i8] zeroinitializer
@weak = weak global i32 1
@hidden = hidden global i32 2
declare void @outside()
define void @f() {
  call void @outside()
  ret void
}
"""


@pytest.fixture
def item(compile_ir) -> bytes:
    return compile_ir(IR)


def test_what_is_found(item):
    found = Object(item, "mine.o")
    sections = {s.name: s for s in found.sections}
    symbols = {s.name: s for s in found.symbols}
    assert found.machine in (elf.EM_X86_64, elf.EM_AARCH64)
    assert symbols["data"].size == 4
    assert symbols["data"].type == elf.STT_OBJECT
    assert symbols["f"].type == elf.STT_FUNC
    assert found.sections[symbols["f"].section].name == ".text"
    assert symbols["outside"].section == elf.SHN_UNDEF
    assert symbols["weak"].binding == elf.STB_WEAK
    assert symbols["hidden"].visibility == elf.STV_HIDDEN
    assert len(sections[".text"].relocations) == elf.RELA.size
    zero = found.sections[symbols["zero"].section]
    assert (zero.type, len(zero.data)) == (elf.SHT_NOBITS, 0)
    assert zero.size >= 100
    assert found.where(sections[".text"]) == "mine.o, section .text"


def test_groups(compile_ir):
    text = "$f = comdat any\ndefine linkonce_odr i32 @f() comdat { ret i32 1 }"
    found = Object(compile_ir(text))
    (group,) = found.groups
    assert group.signature == "f"
    assert {found.sections[i].name for i in group.members} == {".text.f"}


def test_special_sections(compile_c):
    found = Object(compile_c('int shared[4]; __asm__(".globl fixed\\nfixed = 5");', "-fcommon"))
    symbols = {s.name: s for s in found.symbols}
    assert symbols["shared"].section == COMMON
    assert (symbols["fixed"].section, symbols["fixed"].value) == (ABSOLUTE, 5)


def test_more_sections_than_sixteen_bits_can_number(compile_c):
    source = '.altmacro\n.macro one n\n.section .text.f\\n,"ax"\n.globl f\\n\nf\\n: ret\n.endm\n'
    source += ".set i, 0\n.rept 33000\none %i\n.set i, i + 1\n.endr\n"
    source += '.section .text.last,"ax"\n.globl last\nlast: call f32999@PLT\n'
    source += '.macro two n\n.section .data.d\\n,"aw"\n.byte 1\n.endm\n'
    source += ".set i, 0\n.rept 33000\ntwo %i\n.set i, i + 1\n.endr\n"
    source += '.section .text.end,"ax"\n.globl end\nend: ret\n'
    found = Object(compile_c(source, language="s"))
    symbols = {s.name: s for s in found.symbols}
    assert len(found.sections) > 0x10000
    assert found.sections[symbols["end"].section].name == ".text.end"
    assert symbols["end"].section > 0xFF00


def patch(data: bytes, at: int, format_: str, value: int) -> bytes:
    patched = bytearray(data)
    struct.pack_into(format_, patched, at, value)
    return bytes(patched)


def header_of(data: bytes, kind: int) -> int:
    """File offset of the first section header of a type."""
    (table,) = struct.unpack_from("<Q", data, 40)
    (count,) = struct.unpack_from("<H", data, 60)
    for i in range(count):
        if struct.unpack_from("<I", data, table + i * 64 + 4)[0] == kind:
            return table + i * 64
    raise AssertionError(kind)


@pytest.mark.parametrize(
    ("at", "format_", "value", "message"),
    [
        (0, "<I", 0, "no ELF magic"),
        (4, "<B", 1, "not a 64-bit"),
        (5, "<B", 2, "not a 64-bit little-endian"),
        (16, "<H", 3, "not a relocatable object"),
        (18, "<H", 40, "unsupported machine 40"),
        (40, "<Q", 0, "no section table"),
        (40, "<Q", 1 << 60, "section table outside"),
        (58, "<H", 40, "section table outside"),
        (60, "<H", 0xFFFE, "sections do not fit"),
        (62, "<H", 0, "section names"),
    ],
)
def test_damaged_header(item, at, format_, value, message):
    with pytest.raises(ElfError, match=message) as caught:
        Object(patch(item, at, format_, value), "bad.o")
    assert str(caught.value).startswith("bad.o: ")


@pytest.mark.parametrize(
    ("kind", "field", "format_", "value", "message"),
    [
        (elf.SHT_PROGBITS, 0, "<I", 1 << 30, "name of section"),
        (elf.SHT_PROGBITS, 24, "<Q", 1 << 50, "ends outside of the file"),
        (elf.SHT_PROGBITS, 32, "<Q", 1 << 50, "ends outside of the file"),
        (elf.SHT_PROGBITS, 48, "<Q", 3, "alignment 3 is not a power of two"),
        (elf.SHT_NOBITS, 32, "<Q", 1 << 40, "too many"),
        (elf.SHT_SYMTAB, 32, "<Q", 25, "no multiple of a symbol's"),
        (elf.SHT_SYMTAB, 40, "<I", 999, "sh_link 999"),
        (elf.SHT_RELA, 32, "<Q", 23, "no multiple of a relocation's"),
        (elf.SHT_RELA, 40, "<I", 0, "does not refer to the symbol table"),
        (elf.SHT_RELA, 44, "<I", 999, "applies to section 999"),
        (elf.SHT_RELA, 4, "<I", elf.SHT_REL, "must be of type RELA"),
        (elf.SHT_RELA, 4, "<I", elf.SHT_SYMTAB, "more than one symbol table"),
    ],
)
def test_damaged_sections(item, kind, field, format_, value, message):
    with pytest.raises(ElfError, match=message):
        Object(patch(item, header_of(item, kind) + field, format_, value))


@pytest.mark.parametrize(
    ("field", "format_", "value", "message"),
    [
        (0, "<I", 1 << 30, "name of symbol"),
        (4, "<B", 0x50, "unknown binding 5"),
        (6, "<H", 0xFEFF, "defined in section"),
        (6, "<H", 0xFF50, "special section 0xff50"),
        (6, "<H", 0xFFFF, "extended section index"),
        (8, "<Q", 1 << 40, "outside of its section"),
    ],
)
def test_damaged_symbols(item, field, format_, value, message):
    (table,) = struct.unpack_from("<Q", item, header_of(item, elf.SHT_SYMTAB) + 24)
    index = next(i for i, s in enumerate(Object(item).symbols) if s.name == "f")
    with pytest.raises(ElfError, match=message):
        Object(patch(item, table + index * 24 + field, format_, value))


def test_every_truncation_is_refused(item):
    for size in range(len(item)):
        with pytest.raises(ElfError):
            Object(item[:size])
