"""Code mapped by the loader runs, is protected, and goes away."""

import ctypes
import platform
import sys
from pathlib import Path

import pytest

from runwell.elf.format import ElfError
from runwell.elf.loader import load

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="maps memory as Linux does")

IR = """
@table = constant [2 x ptr] [ptr @inside, ptr @outside]
@state = global i32 40
@zero = global [5000 x i32] zeroinitializer
@hello = internal constant [6 x i8] c"hello\\00"
declare i32 @outside(i32)
declare extern_weak i32 @maybe()
define i32 @inside(i32 %x) {
  %s = load i32, ptr @state
  %r = add i32 %s, %x
  store i32 %r, ptr @state
  ret i32 %r
}
define i32 @call(i64 %i, i32 %x) {
  %p = getelementptr ptr, ptr @table, i64 %i
  %f = load ptr, ptr %p
  %r = call i32 %f(i32 %x)
  ret i32 %r
}
define i32 @direct(i32 %x) {
  %r = call i32 @outside(i32 %x)
  ret i32 %r
}
define ptr @text() { ret ptr @hello }
define i32 @has_maybe() {
  %c = icmp ne ptr @maybe, null
  %r = zext i1 %c to i32
  ret i32 %r
}
"""
UNARY = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_int32)


@UNARY
def outside(x: int) -> int:
    return x * 2


def address_of(function) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value


def protection(address: int) -> str:
    for line in Path("/proc/self/maps").read_text().splitlines():
        extent, flags = line.split()[:2]
        start, end = (int(part, 16) for part in extent.split("-"))
        if start <= address < end:
            return flags[:3]
    return ""


@pytest.mark.parametrize("model", ["small", "large"])
def test_loaded_code_runs(compile_ir, model):
    if model == "large" and platform.machine() != "x86_64":
        pytest.skip("LLVM makes no large position-independent code here")
    with load([compile_ir(IR, model=model)], {"outside": address_of(outside)}) as loaded:
        call = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_int64, ctypes.c_int32)(loaded["call"])
        assert [call(0, 2), call(0, 3), call(1, 21)] == [42, 45, 42]
        assert UNARY(loaded["direct"])(50) == 100
        assert ctypes.CFUNCTYPE(ctypes.c_char_p)(loaded["text"])() == b"hello"
        assert ctypes.CFUNCTYPE(ctypes.c_int32)(loaded["has_maybe"])() == 0
        assert ctypes.c_int32.from_address(loaded["state"]).value == 45


def test_nothing_is_writable_and_executable(compile_ir):
    with load([compile_ir(IR)], {"outside": address_of(outside)}) as loaded:
        assert protection(loaded["inside"]) == "r-x"
        assert protection(loaded["table"]) == "r--"
        assert protection(loaded["state"]) == "rw-"
        assert protection(loaded["zero"] + 19999) == "rw-"
        assert loaded.base % 4096 == 0


def test_closing_unmaps(compile_ir):
    loaded = load([compile_ir(IR)], {"outside": address_of(outside)})
    base, size = loaded.base, loaded.size
    assert protection(base)
    loaded.close()
    loaded.close()
    assert not any(protection(base + at) for at in range(0, size, 4096))
    assert "inside" not in loaded
    with pytest.raises(KeyError):
        loaded["inside"]


def test_objects_see_each_other(compile_ir):
    definition = compile_ir("define i32 @outside(i32 %x) { ret i32 11 }")
    with load([compile_ir(IR), definition]) as loaded:
        assert UNARY(loaded["direct"])(50) == 11
        assert "outside" in loaded


def test_missing_symbol(compile_ir):
    with pytest.raises(ElfError, match="symbol outside is not defined"):
        load([compile_ir(IR)])


def test_constructors_are_refused(compile_c):
    source = "int x; __attribute__((constructor)) static void f(void) { x = 1; }"
    with pytest.raises(ElfError, match="static constructors"):
        load([compile_c(source)])


def test_another_machine_is_refused(compile_ir):
    other = "x86_64" if platform.machine() == "aarch64" else "aarch64"
    item = compile_ir("define void @f() { ret void }", f"{other}-unknown-linux-gnu")
    with pytest.raises(ElfError, match="code for"):
        load([item])


def test_failure_leaves_no_mapping(compile_ir):
    """A near reference to something far is found only after mapping."""
    item = compile_ir("@far = external dso_local global i32\ndefine ptr @f() { ret ptr @far }")
    before = len(Path("/proc/self/maps").read_text().splitlines())
    for _ in range(20):
        with pytest.raises(ElfError, match="does not fit"):
            load([item], {"far": 0x10})
    assert len(Path("/proc/self/maps").read_text().splitlines()) < before + 10
