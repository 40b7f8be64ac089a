"""Compiled code installed for modules."""

import ctypes
import gc
import os
import weakref

import pytest
from tests.unit.interp.compiled import ATTRIBUTES, CC, HEAD, RESULT, give
from tests.unit.jit.jobs import debug_text

import runwell
from runwell.codegen.object import compile_text
from runwell.elf.format import ElfError
from runwell.elf.movable_maker import make_movable
from runwell.jit import debugger, installed
from runwell.jit import perf_map as perf_map_module
from runwell.jit.installed import find, install, read_name, totals
from runwell.jit.places import read_places
from runwell.kernel.types import ctype_of
from runwell.runtime.layout import FuncCode
from runwell.runtime.native import native

WAT = """(module
  (type (func)) (type (func (param i64) (result i64)))
  (func $zero (type 0)) (func $one (type 1) local.get 0) (func (type 1) local.get 0))"""
NUMBER = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_uint64)

# f0 is inlined into f1; f1 can be entered at 24 as well.
BODY = """
@type_1 = external global i8, !absolute_symbol !{i64 0, i64 4294967296}
declare i64 @outside(i64)
declare void @set_guest_code(i64, i64, i64)
define i64 @f1(i64 %x) nounwind !dbg !10 {
  %a = mul i64 %x, 7, !dbg !20
  %b = call i64 @f0(i64 %a), !dbg !21
  %c = add i64 %b, %x, !dbg !22
  ret i64 %c, !dbg !22
}
define i64 @f0(i64 %x) alwaysinline nounwind !dbg !11 {
  %d = udiv i64 1000, %x, !dbg !23
  %a = add i64 %d, ptrtoint (ptr @type_1 to i64), !dbg !24
  ret i64 %a, !dbg !24
}
define i64 @f1_at_24(i64 %x) nounwind !dbg !12 {
  %c = sub i64 %x, 1, !dbg !25
  ret i64 %c, !dbg !25
}
define i64 @f2(i64 %x) nounwind !dbg !13 {
  ret i64 ptrtoint (ptr @set_guest_code to i64), !dbg !26
}
"""
LINES = {
    "f1": {20: 102, 21: 103, 22: 104},
    "f0": {23: 12, 24: 13},
    "f1 ": {25: 1},
    "f2": {26: 2},
}


@pytest.fixture(scope="module")
def data() -> bytes:
    return make_movable(compile_text(debug_text(BODY, LINES)))


@pytest.fixture
def module():
    return runwell.Module(WAT)


def test_installed_code_runs(data, module):
    code = install(data, module.code)
    assert module.code.compiled == [code]
    assert code.functions == [0, 1, 2]
    assert code.module is module.code
    number = int(module.code.numbers[1])
    assert NUMBER(code.address_of("f0"))(10) == 100 + number
    assert NUMBER(code.address_of("f1"))(10) == 1000 // 70 + number + 10
    assert NUMBER(code.address_of("f1_at_24"))(10) == 9
    assert NUMBER(code.address_of("f2"))(0) == native.address("set_guest_code")
    with pytest.raises(KeyError):
        code.address_of("f3")


def test_where_an_address_is(data, module):
    codes = [install(data, module.code) for _ in range(3)]
    for code in codes:
        for name in ("f0", "f1", "f2"):
            assert find(code.address_of(name)) is code
        assert find(code.block + code.size) is not code
        assert find(code.block - 1) is not code
    assert find(0) is None


def test_frames(data, module):
    code = install(data, module.code)
    symbols = {s.name: s for s in code.symbols}
    start, size = code.address_of("f1"), symbols["f1"].size
    frames = [code.frames(start + at) for at in range(size)]
    assert [(0, 40), (1, 404)] in frames  # line 12 of f0, called from line 103 of f1
    assert [(1, 400)] in frames or [(1, 408)] in frames
    # An entry is named for its function; before the function begins there is nothing.
    assert code.frames(code.address_of("f1_at_24")) == []
    assert code.frames(code.address_of("f2")) == [(2, 0)]


# A function that adds to its parameter, and can be entered at two places; one that traps.
ADDING = f"""
define {CC} {RESULT} @f0({HEAD}) {ATTRIBUTES} !dbg !10 {{
  %x = add i64 %a0, NUMBER, !dbg !20
{give("%x")}
}}
define {CC} {RESULT} @f0_at_OFFSET({HEAD}) {ATTRIBUTES} !dbg !11 {{
{give("NUMBER")}
}}
define {CC} {RESULT} @f1({HEAD}) {ATTRIBUTES} !dbg !12 {{
  %y = call {CC} {RESULT} @inner(ptr %ctx, ptr %inst, ptr %fp), !dbg !22
  ret {RESULT} %y, !dbg !22
}}
define internal {CC} {RESULT} @inner(ptr %ctx, ptr %inst, ptr %fp) alwaysinline nounwind !dbg !13 {{
  call void @native_trap(ptr %ctx, ptr %inst, ptr %fp, i32 TRAP), !dbg !23
  unreachable, !dbg !23
}}
declare void @native_trap(ptr, ptr, ptr, i32) noreturn cold nomerge
"""


def adding(number: int, offset: int) -> bytes:
    lines = {"f0": {20: 2}, "f0 ": {21: 2}, "f1": {22: 2}, "f0  ": {23: 3}}
    body = ADDING.replace("NUMBER", str(number)).replace("OFFSET", str(offset))
    body = body.replace("TRAP", str(int(runwell.TrapCode.UNREACHABLE)))
    return make_movable(compile_text(debug_text(body, lines)))


def test_functions_are_replaced():
    wat = """(module
      (func (export "a") (param i64) (result i64) local.get 0)
      (func (export "b") unreachable)
      (func (export "c") (param i64) (result i64) local.get 0 call 0))"""
    instance = runwell.Instance(runwell.Module(wat))
    code = instance.module.code
    exports = instance.exports
    assert [exports.a(5), exports.c(5)] == [5, 5]
    install(adding(100, 24), code)
    assert [exports.a(5), exports.c(5)] == [105, 105]
    install(adding(200, 40), code)
    assert [exports.a(5), exports.c(5)] == [205, 205]
    # All places that ever were can still be entered.
    where = ctype_of(FuncCode).from_address(code.code_address(0))
    first, second = code.compiled
    assert read_places(where.places) == {
        24: first.address_of("f0_at_24"),
        40: second.address_of("f0_at_40"),
    }
    with pytest.raises(runwell.Trap) as caught:
        exports.b()
    assert caught.value.code is runwell.TrapCode.UNREACHABLE
    assert [frame.function for frame in caught.value.backtrace] == [0, 1]
    gc.collect()
    assert exports.a(7) == 207


def test_functions_of_somebody_else(module):
    for index in (3, 99):
        text = f"define void @f{index}() {{ ret void }}"
        with pytest.raises(ElfError, match="functions that the module does not have"):
            install(make_movable(compile_text(text)), module.code)
    other = runwell.Module('(module (import "a" "b" (func)) (func))')
    with pytest.raises(ElfError, match="functions that the module does not have"):
        install(make_movable(compile_text("define void @f0() { ret void }")), other.code)


def test_code_goes_with_the_module(data):
    gc.collect()
    before = totals()
    module = runwell.Module(WAT)
    code = install(data, module.code)
    during = totals()
    assert during.blocks == before.blocks + 1
    assert during.functions == before.functions + 3
    assert during.code_bytes == before.code_bytes + code.size
    assert during.mapped_bytes >= before.mapped_bytes + 4096
    address, gone = int(code.block), weakref.ref(code)
    del code, module
    gc.collect()
    assert gone() is None
    assert totals() == before
    assert find(address) is None


def test_names():
    assert read_name("f12") == (12, None)
    assert read_name("f12_at_340") == (12, 340)
    for name in ("", "f", "g1", "f1x", "f_at_3", "f1_at_", "f1_at_x", "f-1", "f1_at_2_at_3"):
        assert read_name(name) is None
    assert read_name("f1_copy_1") is None


def test_bad_code(data, module):
    before = totals()
    text = "declare void @nowhere()\ndefine void @f0() {\n call void @nowhere()\n ret void\n}"
    with pytest.raises(ElfError, match="symbol nowhere is not defined"):
        install(make_movable(compile_text(text)), module.code)
    text = "@type_77 = external global i8\ndefine ptr @f0() {\n ret ptr @type_77\n}"
    with pytest.raises(ElfError, match="symbol type_77 is not defined"):
        install(make_movable(compile_text(text)), module.code)
    with pytest.raises(ElfError, match="not movable code"):
        install(data[:-1], module.code)
    assert totals() == before
    assert module.code.compiled == []


def test_profilers_are_told(data, module, tmp_path, monkeypatch):
    monkeypatch.setattr(perf_map_module, "DIRECTORY", str(tmp_path))
    monkeypatch.setattr(installed, "_perf_map", [])
    install(data, module.code)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("RUNWELL_PERF_MAP", "1")
    code = install(data, module.code)
    lines = (tmp_path / f"perf-{os.getpid()}.map").read_text().splitlines()
    assert f"{code.address_of('f1'):x}" in [line.split()[0] for line in lines]
    assert {line.split(maxsplit=2)[2] for line in lines} == {
        "f0 zero", "f1 one", "f1_at_24 one", "f2",
    }  # fmt: skip


def test_debuggers_are_told(data, module, monkeypatch):
    def announced() -> list[int]:
        found, at = [], debugger._descriptor().first
        while at:
            entry = ctype_of(debugger.JitCodeEntry).from_address(at)
            assert ctypes.string_at(entry.object, 4) == b"\x7fELF"
            found.append(entry.object)
            at = entry.next
        return found

    install(data, module.code)
    assert announced() == []
    assert debugger._descriptor().version == 1
    monkeypatch.setenv("RUNWELL_GDB", "1")
    others = [runwell.Module(WAT) for _ in range(3)]
    for other in others:
        install(data, other.code)
    every = announced()
    assert len(every) == 3
    del others[1], other
    gc.collect()
    assert announced() == [every[0], every[2]]
    others.clear()
    gc.collect()
    assert announced() == []


def test_a_forked_child_installs_too(data, module):
    code = install(data, module.code)
    pid = os.fork()
    if pid == 0:
        mine = install(data, module.code)
        good = NUMBER(mine.address_of("f1_at_24"))(10) + NUMBER(code.address_of("f1_at_24"))(6)
        os._exit(good)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 14
