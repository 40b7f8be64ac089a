"""A core for tests of the runtime alone: its kernels, and an interpreter of one load.

Worker processes load the object that the tests built: ``load(path)``.
"""

import ctypes

from runwell.runtime.layout import Context
from runwell.runtime.native import native

_HEAD = "(ptr %ip, ptr %fp, ptr %mem, ptr %inst, ptr %ctx, ptr %rp, i64 %acc, <4 x float> %facc)"
_PASS = "(ptr %ip, ptr %fp, ptr %mem, ptr %inst, ptr %ctx, ptr %rp, i64 %acc, <4 x float> %facc)"
# Entered and left as the interpreter does it: the native stack is noted at the entry, and after a
# fault execution goes on in ``fault_exit`` as if that had been called in its place.
_TEXT = """
@stub_translate = constant i64 1
@stub_exit = constant i64 2
@stub_leave_instance = constant i64 3
@stub_leave_native = constant i64 4
@native_interpret = constant i64 5
@native_returned = constant i64 6

define preserve_nonecc void @guest_load HEAD noinline {
  %at = getelementptr i8, ptr %mem, i64 %acc
  %v = load volatile i32, ptr %at, align 1
  call void asm sideeffect "", "r,~{memory}"(ptr %ctx)
  store i32 %v, ptr %fp
  ret void
}

define i32 @call_host(ptr %ctx, ptr %host, ptr %fp, ptr %rp, ptr %target) {
  %code = call i32 %target(ptr %ctx, ptr %host, ptr %fp, ptr %rp)
  ret i32 %code
}

define preserve_nonecc void @fault_exit HEAD noinline {
  %p = getelementptr i8, ptr %ctx, i64 TRAP
  store i32 5, ptr %p
  ret void
}

define internal preserve_nonecc void @record_entry HEAD noinline {
  %sp = call ptr @llvm.RETURN.p0()
  %n = ptrtoint ptr %sp to i64
  %p = getelementptr i8, ptr %ctx, i64 NATIVE_SP
  store i64 %n, ptr %p
  %lr = call ptr @llvm.returnaddress(i32 0)
  %l = ptrtoint ptr %lr to i64
  %q = getelementptr i8, ptr %ctx, i64 NATIVE_LR
  store i64 %l, ptr %q
  musttail call preserve_nonecc void @guest_load PASS
  ret void
}

define void @run_load(ptr %ctx, ptr %mem, i64 %acc, ptr %fp) {
  call preserve_nonecc void @record_entry(ptr null, ptr %fp, ptr %mem, ptr null, ptr %ctx, ptr null,
    i64 %acc, <4 x float> zeroinitializer)
  %p = getelementptr i8, ptr %ctx, i64 NATIVE_SP
  store i64 0, ptr %p
  ret void
}

declare ptr @llvm.RETURN.p0()
declare ptr @llvm.returnaddress(i32)
"""


def kernels():
    """What the runtime exports."""
    from runwell.kernel.declare import Kernel
    from runwell.runtime import (
        aggregate_kernels,
        code_kernels,
        exception_kernels,
        handle_kernels,
        heap_kernels,
        memory_kernels,
        native_stack_kernels,
        pause_kernels,
        signal_kernels,
        snapshot_kernels,
        table_kernels,
        trap_kernels,
        wait_kernels,
    )

    modules = (
        memory_kernels,
        table_kernels,
        code_kernels,
        exception_kernels,
        native_stack_kernels,
        aggregate_kernels,
        handle_kernels,
        heap_kernels,
        pause_kernels,
        signal_kernels,
        snapshot_kernels,
        trap_kernels,
        wait_kernels,
    )
    found = {
        thing.name: thing
        for module in modules
        for thing in vars(module).values()
        if isinstance(thing, Kernel) and thing.export
    }
    return list(found.values())


def build() -> bytes:
    """The core as a shared object."""
    from platform import machine

    from runwell.codegen.object import compile_text
    from runwell.codegen.unit import Unit
    from runwell.elf.linker import link

    words = {
        "HEAD": _HEAD,
        "PASS": _PASS,
        "TRAP": str(Context.offset("trap")),
        "NATIVE_SP": str(Context.offset("native_sp")),
        "NATIVE_LR": str(Context.offset("native_lr")),
        "RETURN": "addressofreturnaddress" if machine() == "x86_64" else "sponentry",
    }
    text = _TEXT
    for word, value in words.items():
        text = text.replace(word, value)
    unit = Unit("runtime", kernels())
    own = ["stub_translate", "stub_exit", "stub_leave_instance", "native_interpret"]
    own += ["guest_load", "fault_exit", "run_load"]
    objects = [unit.object(1), compile_text(text, 1)]
    return link(objects, exports=[*unit.exports, *own], soname="test.so")


def load(path: str) -> ctypes.CDLL:
    """Load a built core and install it."""
    library = ctypes.CDLL(path)
    native.install(lambda name: ctypes.addressof(ctypes.c_char.in_dll(library, name)))
    return library


def install_faults(library: ctypes.CDLL) -> None:
    """Turn faults of ``guest_load`` into traps."""
    from runwell.runtime import signals

    low = native.address("guest_load")
    signals.install(low, low + 64, native.address("fault_exit"), 0)


def load_word(library: ctypes.CDLL, context, memory, offset: int) -> int | None:
    """What the guest loads at ``offset``; None if that trapped."""
    out = ctypes.c_uint32()
    run = library.run_load
    run.argtypes = (ctypes.c_uint64,) * 4
    context.native.trap = 0
    run(context.address, memory.base, offset, ctypes.addressof(out))
    return None if context.native.trap else out.value
