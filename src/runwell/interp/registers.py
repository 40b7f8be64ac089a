"""The machine registers of the interpreter, and the text that every handler shares.

A handler is a function of eight parameters that never returns to its caller's code: it ends in a
guaranteed tail call to the handler of the next instruction, so that the parameters live in
registers all the time.  With the ``preserve_none`` convention they are

    name   x86-64  AArch64   meaning
    ip     r12     x20       current instruction
    fp     r13     x21       frame on the value stack
    mem    r14     x22       base of memory 0
    inst   r15     x23       instance
    ctx    rdi     x24       context
    rp     rsi     x25       frame on the reference stack
    acc    rdx     x26       result of the last integer instruction
    facc   xmm0    v0        result of the last float or vector instruction

The signal handler relies on ``ip``, ``fp``, ``inst``, ``ctx`` and ``rp`` being there at a fault.
"""

from typing import NamedTuple

from runwell.kernel.text import FunctionText, ModuleText
from runwell.kernel.types import StructType, as_struct
from runwell.runtime.layout import FuncCode

CC = "preserve_nonecc"
SECTION = ".text.runwell.handlers"
PARAMS = [
    ("ptr", "ip"),
    ("ptr", "fp"),
    ("ptr", "mem"),
    ("ptr", "inst"),
    ("ptr", "ctx"),
    ("ptr", "rp"),
    ("i64", "acc"),
    ("<4 x float>", "facc"),
]
TYPES = ", ".join(ty for ty, _ in PARAMS)


class Registers(NamedTuple):
    """The LLVM values that the registers hold at one place in a handler."""

    ip: str = "%ip"
    fp: str = "%fp"
    mem: str = "%mem"
    inst: str = "%inst"
    ctx: str = "%ctx"
    rp: str = "%rp"
    acc: str = "%acc"
    facc: str = "%facc"

    def arguments(self) -> str:
        """As the arguments of a call."""
        return ", ".join(f"{ty} {v}" for (ty, _), v in zip(PARAMS, self, strict=True))


def handler(name: str, *, section: str = SECTION) -> FunctionText:
    """Begin a handler."""
    where = f' section "{section}"' if section else ""
    return FunctionText(name, PARAMS, linkage="hidden", cc=CC, attrs=f"nounwind{where}")


def declaration(name: str) -> str:
    """The declaration of a handler that another module defines."""
    return f"declare hidden {CC} void @{name}({TYPES})"


def dispatch(f: FunctionText, registers: Registers) -> None:
    """End the block: go on with the instruction at ``ip``."""
    target = f.ins(f"load ptr, ptr {registers.ip}, align 4")
    tail_call(f, target, registers)


def tail_call(f: FunctionText, target: str, registers: Registers) -> None:
    """End the block: become another handler."""
    f.do(f"musttail call {CC} void {target}({registers.arguments()})")
    f.end("ret void")


def field(f: FunctionText, base: str, of: object, name: str) -> str:
    """The address of a struct's field."""
    offset = as_struct(of).offset(name)
    return f.ins(f"getelementptr i8, ptr {base}, i64 {offset}")


def load_field(f: FunctionText, base: str, of: object, name: str) -> str:
    """The value of a struct's field."""
    ty = as_struct(of).fields[name].type.memory_ir
    return f.ins(f"load {ty}, ptr {field(f, base, of, name)}, align {_align(of, name)}")


def store_field(f: FunctionText, base: str, of: object, name: str, value: str) -> None:
    """Assign to a struct's field."""
    ty = as_struct(of).fields[name].type.memory_ir
    f.do(f"store {ty} {value}, ptr {field(f, base, of, name)}, align {_align(of, name)}")


def _align(of: object, name: str) -> int:
    struct_type: StructType = as_struct(of)
    return struct_type.fields[name].type.align


def add_to_field(f: FunctionText, base: str, of: object, name: str, value: int) -> str:
    """Add to an ``i32`` field; the sum."""
    where = field(f, base, of, name)
    old = f.ins(f"load i32, ptr {where}, align 4")
    new = f.ins(f"add i32 {old}, {value}")
    f.do(f"store i32 {new}, ptr {where}, align 4")
    return new


def size_of(of: object) -> int:
    """Bytes of a struct."""
    return as_struct(of).size


def offset_by(f: FunctionText, base: str, offset: str) -> str:
    """``base`` plus an ``i64`` offset."""
    return f.ins(f"getelementptr i8, ptr {base}, i64 {offset}")


def clear(f: FunctionText, start: str, end: str) -> None:
    """Write zeros from one address to another, at least eight bytes.

    A plain loop: frames have a few locals, for which calling memset is slow.
    """
    loop, done = f.fresh("clear"), f.fresh("cleared")
    before = f.block
    f.label(loop)
    place, following = "%" + f.fresh("place"), "%" + f.fresh("following")
    f.do(f"{place} = phi ptr [ {start}, %{before} ], [ {following}, %{loop} ]")
    # Volatile, or else it would become memset.
    f.do(f"store volatile i64 0, ptr {place}, align 8")
    f.do(f"{following} = getelementptr i8, ptr {place}, i64 8")
    more = f.ins(f"icmp ult ptr {following}, {end}")
    f.end(f"br i1 {more}, label %{loop}, label %{done}")
    f.label(done)


def move(f: FunctionText, module: ModuleText, source: str, to: str, size: str) -> None:
    """Move ``size`` bytes of slots (``i64``), which may overlap."""
    name = "llvm.memmove.p0.p0.i64"
    module.declare(name, f"declare void @{name}(ptr, ptr, i64, i1)")
    f.do(f"call void @{name}(ptr align 8 {to}, ptr align 8 {source}, i64 {size}, i1 false)")


def count_call(f: FunctionText, module: ModuleText, code: str) -> None:
    """A function is called: its heat is less by one."""
    left = add_to_field(f, code, FuncCode, "heat", -1)
    hot, cool = f.fresh("hot"), f.fresh("cool")
    spent = f.ins(f"icmp slt i32 {left}, 0")
    f.end(f"br i1 {spent}, label %{hot}, label %{cool}{module.weights(1, 2000)}")
    f.label(hot)
    module.declare("on_hot", "declare void @on_hot(ptr, ptr)")
    f.do(f"call void @on_hot(ptr {code}, ptr null)")
    f.label(cool)
