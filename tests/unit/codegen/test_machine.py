"""The text that the machine writes; that it means the right thing is tested with the rows."""

import pytest

from runwell.base.traps import TrapCode
from runwell.base.types import EXTERNREF, F32, F64, I32, I64, V128
from runwell.codegen.machine import LlvmMachine, Value, constant, ir_type
from runwell.isa.machine import F32X4, I8, I8X8, I16X8
from runwell.kernel.text import FunctionText, ModuleText


class Machine(LlvmMachine):
    accesses = 0

    def on_trap(self, code):
        self.f.end(f"ret void ; {code.name}")

    def memory_base(self):
        return "%mem"

    def memory_bytes(self):
        return "%size"

    def accessed(self):
        self.accesses += 1


@pytest.fixture
def m():
    f = FunctionText("test", [("ptr", "mem"), ("i64", "size"), ("i32", "a")])
    return Machine(f, ModuleText())


def text(m):
    m.f.end("ret void")
    return m.f.text()


@pytest.mark.parametrize(
    ("ty", "ir"),
    [
        (I32, "i32"),
        (F64, "double"),
        (V128, "<4 x i32>"),
        (EXTERNREF, "i64"),
        (I8, "i8"),
        (I8X8, "<8 x i8>"),
        (F32X4, "<4 x float>"),
    ],
)
def test_types(ty, ir):
    assert ir_type(ty) == ir


@pytest.mark.parametrize(
    ("ty", "value", "expected"),
    [
        (I32, 0xFFFFFFFF, "i32 -1"),
        (I64, 1 << 63, "i64 -9223372036854775808"),
        (F64, 0x3FF0000000000000, "double 0x3FF0000000000000"),
        (F32, 0x7F800001, "float bitcast (i32 2139095041 to float)"),
        (I16X8, 7, "<8 x i16> splat (i16 7)"),
        (V128, 1 << 96, "<4 x i32> <i32 0, i32 0, i32 0, i32 1>"),
    ],
)
def test_constants(ty, value, expected):
    assert str(constant(ty, value)) == expected


def test_guarded_access_does_not_check(m):
    m.load(I32, Value("%a", "i32"), constant(I32, 4))
    assert m.accesses == 1
    assert "icmp" not in text(m)


def test_checked_access_compares_with_the_size(m):
    m.checked = True
    m.load(I32, Value("%a", "i32"), constant(I32, 4))
    assert m.accesses == 0
    written = text(m)
    assert "icmp ugt i64" in written
    assert "OUT_OF_BOUNDS_MEMORY" in written


def test_wide_address_is_always_checked(m):
    m.store(I32, constant(I64, 1), constant(I64, 4), Value("%a", "i32"))
    assert m.accesses == 0
    assert text(m).count("OUT_OF_BOUNDS_MEMORY") == 2


def test_trap_is_unlikely_and_leaves(m):
    m.trap_if(m.eq(Value("%a", "i32"), constant(I32, 0)), TrapCode.UNREACHABLE)
    written = text(m)
    assert "!prof" in written
    assert written.index("UNREACHABLE") < written.index("ok1:")


def test_equal_types_need_no_conversion(m):
    value = Value("%a", "i32")
    assert m.bitcast(I32, value) is value
    assert m.trunc(I32, value) is value


def test_intrinsics_are_declared_once(m):
    for _ in range(2):
        m.clz(Value("%a", "i32"))
    assert m.module.text().count("declare i32 @llvm.ctlz.i32(i32, i1)") == 1


@pytest.mark.parametrize(("arch", "intrinsic"), [("x86_64", "pshuf"), ("aarch64", "tbl1")])
def test_swizzle_suits_the_processor(m, arch, intrinsic):
    m.arch = arch
    zeros = Value("zeroinitializer", "<16 x i8>")
    m.swizzle(zeros, zeros)
    assert intrinsic in text(m)
