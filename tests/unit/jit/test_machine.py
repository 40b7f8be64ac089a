"""What the machine writes for verbs that need no function around."""

from runwell.base.traps import TrapCode
from runwell.base.types import F64, I32, I64
from runwell.codegen.machine import Value, constant
from runwell.jit import notes
from runwell.jit.convention import Signature
from runwell.jit.frame import FrameMachine
from runwell.jit.machine import Fragment
from runwell.jit.variables import Variables
from runwell.kernel.text import ModuleText

NOTHING = Signature((), 0, (), 0)


def machine(arch="x86_64"):
    module = ModuleText()
    notes.prepare(module)
    f = Fragment("7")
    return FrameMachine(f, module, Variables(NOTHING, ()), NOTHING, arch=arch, position=", !dbg !9")


def text(m):
    return "\n".join(m.f.lines)


def test_names_have_the_suffix():
    m = machine()
    assert m.add(constant(I32, 1), constant(I32, 2)).text == "%t7.1"


def test_traps_have_positions_and_stay_apart():
    m = machine()
    m.trap_if(Value("%c", "i1"), TrapCode.UNREACHABLE)
    call = next(line for line in m.f.lines if "native_trap" in line)
    assert call.endswith(f"i32 1) {notes.STOP}, !dbg !9")
    assert m.f.live


def test_kernels_that_may_trap():
    m = machine()
    m.invoke("data_drop", constant(I32, 3))
    assert "call i32 @data_drop(ptr %inst, i32 3), !dbg !9" in text(m)
    assert "icmp ne i32" in text(m)


def test_kernels_that_take_long_are_told_where_the_frames_end():
    m = machine()
    m.invoke_blocking("memory_fill", constant(I64, 0))
    assert "@native_memory_fill(ptr %ctx, ptr %inst, i64 0)" in text(m)
    assert "store ptr %top" in text(m)
    assert m.uses_top


def test_opaque_floats():
    m = machine()
    assert 'asm "", "=x,0"' in f"{m.opaque(constant(F64, 0))} {text(m)}"
    arm = machine("aarch64")
    arm.opaque(constant(F64, 0))
    assert '"=w,0"' in text(arm)
    assert m.opaque(Value("%x", "i32")).text == "%x"
