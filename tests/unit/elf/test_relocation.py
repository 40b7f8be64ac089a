"""Relocated AArch64 instructions are decoded again; with qemu and a libc for it, they are run."""

import shutil
import struct
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from runwell.elf import format as elf
from runwell.elf.format import ElfError
from runwell.elf.linker import link
from runwell.elf.relocation import AARCH64_RULES, X86_64_RULES, OutOfRange, relax_x86_64

TRIPLE = "aarch64-unknown-linux-gnu"
LIBRARY_ROOT = "/usr/aarch64-linux-gnu"

PROGRAM = """
@bytes = internal global [8 x i8] zeroinitializer
@short = internal global i16 0
@word = internal global i32 0
@double = internal global i64 0
@quad = internal global <4 x i32> zeroinitializer, align 16
@outside = external global i64
@table = internal constant [2 x ptr] [ptr @near, ptr @far]
declare void @far()
define void @near(ptr %p) {
  %b = load volatile i8, ptr getelementptr (i8, ptr @bytes, i64 3)
  %s = load volatile i16, ptr @short
  %w = load volatile i32, ptr @word
  %d = load volatile i64, ptr @double
  %q = load volatile <4 x i32>, ptr @quad
  %o = load volatile i64, ptr @outside
  store volatile ptr @bytes, ptr %p
  call void @far()
  ret void
}
define void @tail() {
  tail call void @near(ptr @table)
  ret void
}
"""


class Linked(NamedTuple):
    """What the test reads back from a shared object."""

    data: bytes
    sections: dict[str, tuple[int, int]]
    symbols: dict[str, int]
    sizes: dict[str, int]
    dynamic: list[tuple[int, int, int]]

    def words(self, name: str) -> list[int]:
        at = self.symbols[name]
        return list(struct.unpack_from(f"<{self.sizes[name] // 4}I", self.data, at))


def read(data: bytes) -> Linked:
    """File offsets are addresses, so addresses index the file."""
    (table,) = struct.unpack_from("<Q", data, 40)
    count, names = struct.unpack_from("<HH", data, 60)
    headers = [elf.SECTION.unpack_from(data, table + i * 64) for i in range(count)]

    def text(at: int) -> str:
        return data[at : data.index(b"\0", at)].decode()

    sections, symbols, sizes, dynamic = {}, {}, {}, []
    for header in headers:
        sections[text(headers[names][4] + header[0])] = header[4], header[5]
        body = data[header[4] : header[4] + header[5]]
        if header[1] == elf.SHT_SYMTAB:
            for name_at, _, _, _, value, size in elf.SYMBOL.iter_unpack(body):
                name = text(headers[header[6]][4] + name_at)
                symbols[name], sizes[name] = value, size
        if header[1] == elf.SHT_RELA:
            dynamic = [(o, i & 0xFFFFFFFF, a) for o, i, a in elf.RELA.iter_unpack(body)]
    return Linked(data, sections, symbols, sizes, dynamic)


def decode_adrp(word: int, place: int) -> int | None:
    if word & 0x9F000000 != 0x90000000:
        return None
    immediate = (word >> 5 & 0x7FFFF) << 2 | word >> 29 & 3
    immediate -= (immediate & 1 << 20) << 1
    return (place & ~0xFFF) + (immediate << 12)


def decode_branch(word: int, place: int) -> int | None:
    if word & 0x7C000000 != 0x14000000:
        return None
    immediate = word & 0x3FFFFFF
    immediate -= (immediate & 1 << 25) << 1
    return place + immediate * 4


def decode_offset(word: int) -> tuple[int, int] | None:
    """(base register, byte offset) of ADD (immediate) or LDR/STR (unsigned immediate)."""
    immediate, base = word >> 10 & 0xFFF, word >> 5 & 31
    if word & 0xFFC00000 == 0x91000000:
        return base, immediate
    if word & 0x3B000000 == 0x39000000:
        size = word >> 30
        if word >> 26 & 1 and word >> 23 & 1:
            size = 4
        return base, immediate << size
    return None


def referenced(linked: Linked, name: str) -> set[int]:
    """Addresses that a function forms with ADRP and a low part, or branches to."""
    pages: dict[int, int] = {}
    found = set()
    for i, word in enumerate(linked.words(name)):
        place = linked.symbols[name] + 4 * i
        page, branch, low = (
            decode_adrp(word, place),
            decode_branch(word, place),
            decode_offset(word),
        )
        if page is not None:
            pages[word & 31] = page
        elif branch is not None:
            found.add(branch)
        elif low is not None and low[0] in pages:
            found.add(pages[low[0]] + low[1])
    return found


def test_aarch64_instructions_reach_what_they_name(compile_ir):
    linked = read(link([compile_ir(PROGRAM, TRIPLE)]))
    symbols = linked.symbols
    found = referenced(linked, "near")
    assert {symbols[n] for n in ("short", "word", "double", "quad", "far@plt")} <= found
    assert {symbols["bytes"], symbols["bytes"] + 3} & found
    imports = {place for place, kind, _ in linked.dynamic if kind == 1025}
    got, size = linked.sections[".got"]
    assert all(got <= place < got + size for place in imports)
    assert len(imports) == 2
    assert len(imports & found) == 1
    assert referenced(linked, "tail") >= {symbols["near"], symbols["table"]}


def test_aarch64_plt_entry_reads_its_got_entry(compile_ir):
    linked = read(link([compile_ir(PROGRAM, TRIPLE)]))
    imports = {place for place, kind, _ in linked.dynamic if kind == 1025}
    assert referenced(linked, "far@plt") & imports
    adrp, load, branch, trap = linked.words("far@plt")
    assert adrp & 31 == 16
    assert load & 0xFFC003FF == 0xF9400211
    assert (branch, trap) == (0xD61F0220, 0)


def test_aarch64_dynamic_relocations_of_data(compile_ir):
    linked = read(link([compile_ir(PROGRAM, TRIPLE)]))
    table = linked.symbols["table"]
    assert (table, 1027, linked.symbols["near"]) in linked.dynamic
    assert [kind for place, kind, _ in linked.dynamic if place == table + 8] == [257]


def test_aarch64_object_is_clean(compile_ir, check_readelf):
    text = check_readelf(link([compile_ir(PROGRAM, TRIPLE)], soname="a.so"))
    assert not text or "R_AARCH64_GLOB_DAT" in text


def test_aarch64_runs_under_qemu(compile_ir, tmp_path):
    """A dynamic linker takes an empty object as its program; the work is a constructor's."""
    qemu = shutil.which("qemu-aarch64")
    loader = Path(LIBRARY_ROOT, "lib/ld-linux-aarch64.so.1")
    if qemu is None or not loader.exists():
        pytest.skip("no qemu-aarch64 with a libc: AArch64 code is decoded, not run")
    main = """
    @constructor = internal global ptr @main, section ".init_array"
    @llvm.used = appending global [1 x ptr] [ptr @constructor], section "llvm.metadata"
    @numbers = internal global [5 x i32] [i32 5, i32 2, i32 9, i32 1, i32 3]
    @text = internal constant [15 x i8] c"%d%d%d%d%d %d\\0A\\00"
    @comparers = constant [1 x ptr] [ptr @compare]
    @base = external global i32
    declare void @qsort(ptr, i64, i64, ptr)
    declare i32 @printf(ptr, ...)
    declare i32 @fflush(ptr)
    declare void @_exit(i32)
    declare i32 @add_base(i32)
    define internal i32 @compare(ptr %a, ptr %b) {
      %x = load i32, ptr %a
      %y = load i32, ptr %b
      %d = sub i32 %x, %y
      ret i32 %d
    }
    define void @main() {
      %c = load volatile ptr, ptr @comparers
      call void @qsort(ptr @numbers, i64 5, i64 4, ptr %c)
      %s = call i32 @add_base(i32 30)
      """
    values = ""
    for i in range(5):
        main += f"%p{i} = getelementptr i32, ptr @numbers, i64 {i}\n"
        main += f"%v{i} = load i32, ptr %p{i}\n"
        values += f", i32 %v{i}"
    main += f"""
      call i32 (ptr, ...) @printf(ptr @text{values}, i32 %s)
      call i32 @fflush(ptr null)
      call void @_exit(i32 7)
      ret void
    }}
    """
    helper = """
    @base = global i32 12
    define i32 @add_base(i32 %x) {
      %b = load i32, ptr @base
      %r = add i32 %b, %x
      ret i32 %r
    }
    """
    objects = [compile_ir(text, TRIPLE) for text in (main, helper)]
    (tmp_path / "work.so").write_bytes(link(objects, soname="work.so", needed=["libc.so.6"]))
    program = tmp_path / "program.so"
    program.write_bytes(link([compile_ir("", TRIPLE)], needed=["work.so"]))
    places = f"{tmp_path}:{LIBRARY_ROOT}/lib"
    command = [qemu, "-L", LIBRARY_ROOT, str(loader), "--library-path", places, str(program)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (7, b"12359 42\n", b"")


@pytest.mark.parametrize(
    ("kind", "value", "before", "after"),
    [
        (275, -0x1000, 0x90000000, 0xF0FFFFE0),
        (275, 0x12345000, 0x9000001F, 0xB0091A3F),
        (277, 0x12345678, 0x91000000, 0x9119E000),
        (278, 0xFFF, 0x39400000, 0x397FFC00),
        (284, 0xFFE, 0x79400000, 0x795FFC00),
        (285, 0xFFC, 0xB9400000, 0xB94FFC00),
        (286, 0xFF8, 0xF9400000, 0xF947FC00),
        (299, 0xFF0, 0x3DC00000, 0x3DC3FC00),
        (283, -4, 0x94000000, 0x97FFFFFF),
        (282, 0x7FFFFFC, 0x14000000, 0x15FFFFFF),
        (280, -8, 0x54000001, 0x54FFFFC1),
        (279, 0x7FFC, 0x36000000, 0x3603FFE0),
        (274, 5, 0x10000000, 0x30000020),
        (273, -0x100000, 0x58000000, 0x58800000),
    ],
)
def test_aarch64_fields(kind, value, before, after):
    data = bytearray(struct.pack("<3I", 0xFFFFFFFF, before, 0xFFFFFFFF))
    AARCH64_RULES[kind].field.write(data, 4, value)
    assert struct.unpack("<3I", data) == (0xFFFFFFFF, after, 0xFFFFFFFF)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (275, 1 << 32),
        (275, -(1 << 32) - 0x1000),
        (283, 1 << 27),
        (283, -(1 << 27) - 4),
        (283, 2),
        (280, 1 << 20),
        (279, 1 << 15),
        (286, 4),
        (299, 8),
        (261, 1 << 32),
        (261, -(1 << 31) - 1),
    ],
)
def test_aarch64_range(kind, value):
    with pytest.raises(OutOfRange):
        AARCH64_RULES[kind].field.write(bytearray(8), 0, value)


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        (1, -(1 << 63), (1 << 64) - 1),
        (2, -(1 << 31), (1 << 31) - 1),
        (10, 0, (1 << 32) - 1),
        (11, -(1 << 31), (1 << 31) - 1),
        (12, -(1 << 15), (1 << 16) - 1),
        (14, -(1 << 7), (1 << 8) - 1),
    ],
)
def test_x86_64_range(kind, low, high):
    field = X86_64_RULES[kind].field
    for value in (low, high, 0):
        data = bytearray(b"\xaa" * 16)
        field.write(data, 4, value)
        mask = (1 << field.width * 8) - 1
        assert int.from_bytes(data[4 : 4 + field.width], "little") == value & mask
        assert data[:4] + data[4 + field.width :] == b"\xaa" * (16 - field.width)
    for value in (low - 1, high + 1):
        with pytest.raises(OutOfRange):
            field.write(bytearray(16), 4, value)


@pytest.mark.parametrize("triple", [TRIPLE, "x86_64-unknown-linux-gnu"])
def test_out_of_reach_names_symbol_and_section(compile_ir, triple):
    text = """
    @a = internal global [2000000000 x i8] zeroinitializer
    @b = internal global i8 0
    define ptr @f() { ret ptr @b }
    """
    item = bytearray(compile_ir(text, triple))
    (table,) = struct.unpack_from("<Q", item, 40)
    (count,) = struct.unpack_from("<H", item, 60)
    headers = [elf.SECTION.unpack_from(item, table + i * 64) for i in range(count)]
    at = next(header[4] for header in headers if header[1] == elf.SHT_RELA)
    struct.pack_into("<q", item, at + 16, 1 << 40)
    with pytest.raises(ElfError, match="does not fit") as caught:
        link([bytes(item)])
    assert caught.value.where.startswith("section .text at 0x")
    assert " of " in caught.value.message


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("488b05", "488d05"),  # mov -> lea
        ("4c8b3d", "4c8d3d"),
        ("8b05", "8d05"),
        ("ff15", "67e8"),  # call
        ("ff25", "67e9"),  # jmp
    ],
)
def test_relaxed_instructions(before, after):
    code = bytearray.fromhex(before + "00000000")
    assert relax_x86_64(code, len(code) - 4)
    assert code == bytes.fromhex(after + "00000000")


@pytest.mark.parametrize("code", ["483b05", "480305", "488b04", "ff10", "05"])
def test_instructions_left_alone(code):
    data = bytearray.fromhex(code + "00000000")
    assert not relax_x86_64(data, len(data) - 4)
    assert data == bytes.fromhex(code + "00000000")
