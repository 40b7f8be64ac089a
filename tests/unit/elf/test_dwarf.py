"""Positions of compiled code, inlined functions included, beside those of other readers."""

import random
import re
import shutil
import subprocess

import pytest

from runwell.codegen.object import compile_text
from runwell.elf.cursor import Cursor
from runwell.elf.dwarf import LineMap
from runwell.elf.format import RELA, SHF_ALLOC, ElfError
from runwell.elf.object import Object

BASE = 0x7F00_0000_0000

# f1 calls f0 at line 11, f0 calls f2 at line 22; both are inlined. f3 calls at line 40.
BODY = """
define i64 @f1(i64 %x) nounwind !dbg !10 {
  %a = mul i64 %x, 7, !dbg !20
  %b = call i64 @f0(i64 %a), !dbg !21
  %c = add i64 %b, %x, !dbg !22
  ret i64 %c, !dbg !22
}
define internal i64 @f0(i64 %x) alwaysinline nounwind !dbg !11 {
  %a = call i64 @first(i64 %x), !dbg !23
  %b = add i64 %a, 1, !dbg !24
  %c = call i64 @f2(i64 %b), !dbg !25
  ret i64 %c, !dbg !25
}
define internal i64 @f2(i64 %x) alwaysinline nounwind !dbg !12 {
  %a = udiv i64 100, %x, !dbg !26
  %b = call i64 @second(i64 %a), !dbg !27
  ret i64 %b, !dbg !27
}
define i64 @f3(i64 %x) noinline nounwind !dbg !13 {
  %b = call i64 @third(i64 %x), !dbg !28
  %c = add i64 %b, %x, !dbg !29
  ret i64 %c, !dbg !29
}
declare i64 @first(i64)
declare i64 @second(i64)
declare i64 @third(i64)
"""
METADATA = """
!llvm.dbg.cu = !{!1}
!llvm.module.flags = !{!2, !3}
!1 = distinct !DICompileUnit(language: DW_LANG_C, file: !4, emissionKind: LineTablesOnly)
!2 = !{i32 2, !"Dwarf Version", i32 4}
!3 = !{i32 2, !"Debug Info Version", i32 3}
!4 = !DIFile(filename: "m", directory: "")
!5 = !DISubroutineType(types: !6)
!6 = !{}
!10 = distinct !DISubprogram(name: "one", file: !4, type: !5, unit: !1, DEFINED)
!11 = distinct !DISubprogram(name: "zero", file: !4, type: !5, unit: !1, DEFINED)
!12 = distinct !DISubprogram(name: "two", file: !4, type: !5, unit: !1, DEFINED)
!13 = distinct !DISubprogram(name: "three", file: !4, type: !5, unit: !1, DEFINED)
!20 = !DILocation(line: 100010, scope: !10)
!21 = !DILocation(line: 11, scope: !10)
!22 = !DILocation(line: 12, scope: !10)
!23 = !DILocation(line: 20, scope: !11)
!24 = !DILocation(line: 21, scope: !11)
!25 = !DILocation(line: 22, scope: !11)
!26 = !DILocation(line: 30, scope: !12)
!27 = !DILocation(line: 31, scope: !12)
!28 = !DILocation(line: 40, scope: !13)
!29 = !DILocation(line: 41, scope: !13)
""".replace("DEFINED", "spFlags: DISPFlagDefinition")


def places(data: bytes) -> dict[int, int]:
    """Addresses for what would be loaded, far apart."""
    return {
        s.index: BASE + s.index * 0x100000 for s in Object(data).sections if s.flags & SHF_ALLOC
    }


def text_of(item: Object):
    return next(s for s in item.sections if s.name == ".text")


def calls(data: bytes) -> dict[str, int]:
    """Address of the call of each imported function."""
    item = Object(data)
    text = text_of(item)
    return {
        item.symbols[info >> 32].name: places(data)[text.index] + offset
        for offset, info, _ in RELA.iter_unpack(text.relocations)
    }


@pytest.fixture(scope="module")
def compiled() -> bytes:
    return compile_text(BODY + METADATA, 2)


def test_inlined_frames(compiled):
    lines = LineMap(compiled, places(compiled))
    at = calls(compiled)
    assert lines.frames(at["first"]) == [("zero", 20), ("one", 11)]
    assert lines.frames(at["second"]) == [("two", 31), ("zero", 22), ("one", 11)]
    assert lines.frames(at["third"])[0][1] == 40
    assert lines.symbol(at["second"]) == "f1"


def test_lines_that_need_large_steps(compiled):
    lines = LineMap(compiled, places(compiled))
    start = places(compiled)[text_of(Object(compiled)).index]
    assert lines.frames(start)[-1] == ("one", 100010)


def test_functions_without_debugging_entries_have_their_symbols_name():
    """LLVM describes functions only if something was inlined somewhere."""
    data = compile_text(BODY.replace("alwaysinline", "noinline") + METADATA, 2)
    lines, at = LineMap(data, places(data)), calls(data)
    assert lines.frames(at["third"]) == [("f3", 40)]
    assert [name for name, _ in lines.frames(at["first"])] == ["f0"]


def test_code_without_a_line_has_its_neighbours(compiled):
    lines = LineMap(compiled, places(compiled))
    text = text_of(Object(compiled))
    start = places(compiled)[text.index]
    found = [lines.frames(start + at) for at in range(text.size)]
    assert all(line for frames in found for _, line in frames)
    wanted = {"one": {100010, 11, 12}, "zero": {20, 21, 22}, "two": {30, 31}, "three": {40, 41}}
    for frames in found:
        for name, line in frames:
            assert line in wanted[name.replace("f3", "three")]


def test_addresses_outside(compiled):
    lines = LineMap(compiled, places(compiled))
    for pc in (0, BASE - 1, BASE + 0x90_0000, (1 << 64) - 1):
        assert lines.frames(pc) == []
        assert lines.symbol(pc) == ""


def test_an_object_without_debugging_information():
    data = compile_text("define void @f() { ret void }", 2)
    where = places(data)
    lines = LineMap(data, where)
    assert lines.frames(where[text_of(Object(data)).index]) == [("f", 0)]


C = """
__attribute__((noinline, cold)) void fail(int);
extern int state;
static inline int low(int x) {
  if (x == 3) { fail(x); x += state; }
  return x * 3;
}
static inline int middle(int x) {
  int s = 0;
  for (int i = 0; i < x; i++) { s += low(i); if (s == 77) fail(s); }
  return s;
}
int high(int x) { state = 1;
  return middle(x) + low(x); }
int other(int x) {
  return high(x)
    + middle(x + 1); }
"""


@pytest.mark.parametrize("options", [[], ["-ffunction-sections"], ["-fno-inline"]])
def test_as_other_readers(compile_c, tmp_path, options):
    """With full debugging information of another compiler, ranges and cold parts included."""
    if shutil.which("addr2line") is None or shutil.which("ld") is None:
        pytest.skip("there is no addr2line to compare with")
    data = compile_c(C, "-g", "-gdwarf-4", *options)
    path, linked = tmp_path / "c.o", tmp_path / "c"
    path.write_bytes(data)
    # Linked at fixed addresses, which the map of the linker tells.
    command = ["ld", "-e0", "--unresolved-symbols=ignore-all", "-o", linked, path, "-Map=-"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    item = Object(data)
    where = {}
    for section in item.sections:
        pattern = rf"^ {re.escape(section.name)}\s+0x([0-9a-f]+)\s+0x[0-9a-f]+ \S*c\.o$"
        found = re.search(pattern, done.stdout, re.MULTILINE)
        if section.flags & SHF_ALLOC and found:
            where[section.index] = int(found[1], 16)
    lines = LineMap(data, where)
    code = [s for s in item.sections if s.name.startswith(".text") and s.size]
    asked = [where[s.index] + at for s in code for at in range(0, s.size, 3)]
    done = subprocess.run(
        ["addr2line", "-a", "-i", "-f", "-e", linked, *map(hex, asked)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    theirs: dict[int, list[tuple[str, str]]] = {}
    answer = iter(done.stdout.splitlines())
    frames = theirs[0] = []
    for line in answer:
        if line.startswith("0x"):
            frames = theirs[int(line, 16)] = []
        else:
            frames.append((line, re.sub(r" .*", "", next(answer).rpartition(":")[2])))
    compared = 0
    for pc in asked:
        ours = lines.frames(pc)
        if not ours:  # padding: others give it to the function before
            continue
        if "?" in [line for _, line in theirs[pc]]:
            continue
        assert [(name, str(line)) for name, line in ours] == theirs[pc], hex(pc)
        compared += 1
    assert compared > 50


def test_damage_is_an_elf_error(compiled):
    """Whatever is wrong, nothing else is raised, and nothing hangs."""
    item = Object(compiled)
    chance = random.Random(1)
    starts = [
        (compiled.index(bytes(s.data)), s.size)
        for s in item.sections
        if s.name.startswith((".debug", ".rela.debug")) and s.size
    ]
    where = places(compiled)
    errors = 0
    for _ in range(600):
        damaged = bytearray(compiled)
        for _ in range(chance.randrange(1, 4)):
            start, size = chance.choice(starts)
            damaged[start + chance.randrange(size)] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
        lines = LineMap(bytes(damaged), where)
        try:
            for pc in calls(compiled).values():
                lines.frames(pc)
        except ElfError:
            errors += 1
    assert errors > 100


def test_damaged_object():
    with pytest.raises(ElfError):
        LineMap(b"nonsense", {}).frames(0)


def test_numbers():
    cursor = Cursor(b"\x7f\x80\x7f\xe5\x8e\x26\x01\x02abc\0", ".x")
    assert [cursor.sleb(), cursor.sleb(), cursor.uleb()] == [-1, -128, 624485]
    assert [cursor.number(2), cursor.string()] == [0x201, "abc"]
    with pytest.raises(ElfError, match=r"section \.x: 1 bytes are not there at 0xc"):
        cursor.u8()
    with pytest.raises(ElfError, match="damaged LEB128"):
        Cursor(b"\xff" * 20, ".x").uleb()
    with pytest.raises(ElfError, match="without an end"):
        Cursor(b"abc", ".x").string()
