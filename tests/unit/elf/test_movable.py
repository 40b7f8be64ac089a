"""Code linked in one process and placed in another."""

import ctypes
import platform
import sys

import pytest

from runwell.elf.format import ElfError
from runwell.elf.movable import Movable, read_debug
from runwell.elf.movable_maker import fill_in, make_movable
from runwell.elf.object import Object
from runwell.elf.region import CodeRegion

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="maps memory as Linux does")

IR = """
@table = internal constant [2 x ptr] [ptr @inside, ptr @outside]
@numbers = internal constant [4 x i32] [i32 5, i32 6, i32 7, i32 8]
@type_5 = external hidden global i8, !absolute_symbol !{i64 0, i64 4294967296}
@address = external global i8
declare i32 @outside(i32)
declare extern_weak i32 @maybe()
define i32 @inside(i32 %x) {
  %i = and i32 %x, 3
  %p = getelementptr i32, ptr @numbers, i32 %i
  %r = load i32, ptr %p
  ret i32 %r
}
define i32 @call(i64 %i, i32 %x) {
  %p = getelementptr ptr, ptr @table, i64 %i
  %f = load volatile ptr, ptr %p
  %r = call i32 %f(i32 %x)
  ret i32 %r
}
define i32 @direct(i32 %x) {
  %r = call i32 @outside(i32 %x)
  %s = add i32 %r, 1
  ret i32 %s
}
define i32 @is_type(i32 %x) {
  %c = icmp eq i32 %x, ptrtoint (ptr @type_5 to i32)
  %r = zext i1 %c to i32
  ret i32 %r
}
define ptr @import() { ret ptr @address }
define i32 @has_maybe() {
  %c = icmp ne ptr @maybe, null
  %r = zext i1 %c to i32
  ret i32 %r
}
"""
# LLVM takes a hidden symbol for near on AArch64; others it takes from the GOT.
VISIBLE_IR = IR.replace("hidden ", "")
if platform.machine() == "aarch64":
    IR = VISIBLE_IR
UNARY = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_uint32)
BINARY = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_uint64, ctypes.c_uint32)


@UNARY
def outside(x: int) -> int:
    return x * 2


@pytest.fixture
def region():
    region = CodeRegion((1 << 24,))
    yield region
    region.close()


@pytest.fixture
def values():
    address = ctypes.cast(outside, ctypes.c_void_p).value
    return {"outside": address, "type_5": 0x89ABCDEF, "address": 1 << 47}


def functions(movable: Movable, block: int) -> dict[str, int]:
    return {symbol.name: block + symbol.offset for symbol in movable.symbols}


@pytest.mark.parametrize("reloc", ["pic", "static"])
def test_placed_code_runs(compile_ir, region, values, reloc):
    if reloc == "static":
        # What asks for 32-bit addresses cannot be moved; only values that small can be imported.
        with pytest.raises(ElfError):
            Movable(make_movable(compile_ir(IR, reloc=reloc))).place(region, values.get)
        return
    movable = Movable(make_movable(compile_ir(IR)))
    filler = region.allocate(1)
    blocks = [movable.place(region, values.get) for _ in range(2)]
    assert blocks[0] != blocks[1]
    for block in blocks:
        at = functions(movable, block)
        call = BINARY(at["call"])
        assert [call(0, 2), call(0, 3), call(1, 21)] == [7, 8, 42]
        assert UNARY(at["direct"])(50) == 101
        assert [UNARY(at["is_type"])(x) for x in (0x89ABCDEF, 5)] == [1, 0]
        assert ctypes.CFUNCTYPE(ctypes.c_uint64)(at["import"])() == 1 << 47
        assert ctypes.CFUNCTYPE(ctypes.c_int32)(at["has_maybe"])() == 0
    del filler


def test_what_it_says_of_itself(compile_ir, values):
    data = compile_ir(IR)
    movable = Movable(make_movable(data))
    assert set(movable.imports) == {"outside", "type_5", "address", "?maybe"}
    names = [symbol.name for symbol in movable.symbols]
    assert names == ["inside", "call", "direct", "is_type", "import", "has_maybe"]
    item = Object(data)
    sizes = {symbol.name: symbol.size for symbol in item.symbols}
    assert all(symbol.size == sizes[symbol.name] for symbol in movable.symbols)
    # Where it says that sections are, they are.
    for index, offset in movable.places.items():
        section = item.sections[index]
        if not len(section.relocations):
            assert movable.code[offset : offset + section.size] == bytes(section.data)


def test_the_object_comes_along_without_its_code(compile_ir):
    data = compile_ir(IR)
    debug = read_debug(Movable(make_movable(data)).debug)
    assert len(debug) == len(data)
    before, after = Object(data), Object(debug)
    assert [s.name for s in after.symbols] == [s.name for s in before.symbols]
    text = next(s for s in after.sections if s.name == ".text")
    assert bytes(text.data) == bytes(text.size)


def test_the_object_as_debuggers_want_it(compile_ir, region, values):
    data = compile_ir(IR)
    movable = Movable(make_movable(data))
    block = movable.place(region, values.get)
    places = {index: block + offset for index, offset in movable.places.items()}
    filled = Object(fill_in(read_debug(movable.debug), ctypes.string_at, places))
    text = next(s for s in filled.sections if s.name == ".text")
    assert bytes(text.data) == ctypes.string_at(places[text.index], text.size)
    assert [s.name for s in filled.symbols] == [s.name for s in Object(data).symbols]


def test_missing_import(compile_ir, region, values):
    movable = Movable(make_movable(compile_ir(IR)))
    del values["outside"]
    with pytest.raises(ElfError, match="symbol outside is not defined"):
        movable.place(region, values.get)
    assert region.used == 0


def test_a_value_that_does_not_fit(compile_ir, region, values):
    if platform.machine() != "x86_64":
        pytest.skip("elsewhere values come from the GOT, where all fit")
    movable = Movable(make_movable(compile_ir(IR)))
    with pytest.raises(ElfError, match="type_5: R_32: 0x100000000 does not fit"):
        movable.place(region, values.__or__({"type_5": 1 << 32}).get)
    assert region.used == 0


def test_writable_data_is_refused(compile_ir):
    ir = "@x = global i32 3\ndefine i32 @f() {\n %a = load i32, ptr @x\n ret i32 %a\n}"
    with pytest.raises(ElfError, match=r"section \.data: only code and constants"):
        make_movable(compile_ir(ir))


def test_the_other_processor(compile_ir):
    """It can be linked anywhere, but not placed."""
    other = "x86_64" if platform.machine() == "aarch64" else "aarch64"
    linked = make_movable(compile_ir(VISIBLE_IR, f"{other}-unknown-linux-gnu"))
    with pytest.raises(ElfError, match="code for"):
        Movable(linked)


def test_damage(compile_ir):
    linked = make_movable(compile_ir(IR))
    for bad in (b"", linked[:20], linked[:-1], linked + b"\0", b"x" * 200):
        with pytest.raises(ElfError, match="not movable code"):
            Movable(bad)
    with pytest.raises(ElfError, match="damaged debugging"):
        read_debug(Movable(linked[:-8] + bytes(8)).debug)
