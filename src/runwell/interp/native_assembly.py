"""What LLVM has no words for: changing stacks, and landing.  A naked function is its assembly.

Here is also the calling convention, whose registers it relies on; what it means: ``interp.native``.

    x86-64    ctx r12, inst r13, fp r14, left r15, code rdi, a0.. rsi rdx rcx r8 r9 r11
    AArch64   ctx x20, inst x21, fp x22, left x23, code x24, a0.. x25 x26 x27 x28 x0 x1

The stack pointer and the frame pointer are all that a callee preserves.
"""

from runwell.interp.registers import CC
from runwell.interp.registers import PARAMS as HANDLER_PARAMS
from runwell.kernel.text import FunctionText
from runwell.kernel.types import as_struct
from runwell.runtime.layout import Context, FuncCode

# Parameters that come in registers: so many pairs of an integer and a vector register.
PAIRS = 6
PARAMS = [
    ("ptr", "ctx"),
    ("ptr", "inst"),
    ("ptr", "fp"),
    ("i32", "left"),
    ("ptr", "code"),
    *(("i64", f"a{i}") for i in range(PAIRS)),
    *(("<4 x float>", f"d{i}") for i in range(PAIRS)),
]
NATIVE_TYPES = ", ".join(ty for ty, _ in PARAMS)
RESULT = "{ i64, <4 x float> }"
# The chain of frame pointers is how backtraces find the callers.
ATTRIBUTES = 'nounwind "frame-pointer"="all"'

_X86 = {
    # Calls the native code of the `FuncCode` in `code`, on the guest's native stack.  Its frame is
    # there, too, where backtraces find it after a trap: caller, return address, segment, and the
    # stack pointer to return with.
    "call_native": """
        movq {code.native}(%rdi), %rax
    3:  pushq %rbp
        movq %rsp, %rbx
        movq {segment}(%r12), %r10
        cmpq $$0, {host_sp}(%r12)
        jne 1f
        movq %rsp, {host_sp}(%r12)
        movq %r10, %rsp
    1:  pushq %rbx
        pushq %r10
        pushq 8(%rbx)
        pushq %rbp
        movq %rsp, %rbp
        callq *%rax
        .globl native_returned
        .hidden native_returned
    native_returned:
        movq 24(%rbp), %rsp
        popq %rbp
        retq
        .globl call_osr
        .hidden call_osr
    call_osr:
        movq {land_entry}(%r12), %rax
        jmp 3b
    """,
    "call_interpreter": """
        pushq %rbp
        movq %rsp, %rbp
        callq *(%r12)
        popq %rbp
        retq
    """,
    # The same, from the host: notes how to leave whatever is below.
    "call_entry": """
        pushq %rbp
        movq %rsp, %rbp
        leaq -8(%rsp), %rax
        movq %rax, {native_sp}(%rdi)
        callq *(%r12)
        popq %rbp
        retq
    """,
    # entry(ctx, host, fp, rp), on the thread's own stack.
    "call_host": """
        movq {host_sp}(%rdi), %rax
        testq %rax, %rax
        je 1f
        pushq %rbp
        movq %rsp, %rbp
        pushq %rbx
        pushq %r12
        movq %rdi, %rbx
        movq %rax, %r12
        movq %rsp, {native_top}(%rdi)
        movq $$0, {host_sp}(%rdi)
        movq %rax, %rsp
        callq *%r8
        movq %r12, {host_sp}(%rbx)
        leaq -16(%rbp), %rsp
        popq %r12
        popq %rbx
        popq %rbp
        retq
    1:  jmpq *%r8
    """,
    "native_leave": """
        pushq %rdi
        callq leave_segments
        popq %rdi
        movq {native_sp}(%rdi), %rsp
        retq
    """,
    # Leaves with a trap code, as that does; returns when the guest goes on.
    "native_park": """
        pushq %rbp
        pushq %rbx
        pushq %r12
        pushq %r13
        pushq %r14
        pushq %r15
        movl %esi, {trap}(%rdi)
        movq %rsp, {parked_sp}(%rdi)
        pushq %rdi
        callq park_native
        popq %rdi
        movq {native_sp}(%rdi), %rsp
        retq
    """,
    # In the frame of ``call_native`` that is at the bottom, as if it had been called from here.
    "enter_parked": """
        pushq %rbp
        movq %rsp, %rbx
        movq {parked_outer}(%r12), %r10
        movq 8(%rbx), %rax
        movq %rbx, -8(%r10)
        movq %rax, -24(%r10)
        movq %rbp, -32(%r10)
        movq %rbx, {host_sp}(%r12)
        movq {parked_sp}(%r12), %rsp
        movq $$0, {parked_sp}(%r12)
        movl {parked_code}(%r12), %eax
        popq %r15
        popq %r14
        popq %r13
        popq %r12
        popq %rbx
        popq %rbp
        retq
    """,
    "native_land": """
        movq {land_sp}(%rdi), %rsp
        movq {land_fp}(%rdi), %rbp
        movq {land_entry}(%rdi), %rax
        testq %rax, %rax
        je 1f
        movq %rdi, %r12
        movq {instance}(%rdi), %r13
        movq {fp}(%rdi), %r14
        movl {frames_left}(%rdi), %r15d
        movq {land_code}(%rdi), %rdi
        jmpq *%rax
    1:  jmp resume_interpreter
    """,
    # After a fault the stack is as it was at the entry.
    "native_return": "retq",
}
_ARM = {
    "call_native": """
        ldr x16, [x24, #{code.native}]
    3:  stp x29, x30, [sp, #-16]!
        mov x19, sp
        ldr x17, [x20, #{segment}]
        ldr x10, [x20, #{host_sp}]
        cbnz x10, 1f
        str x19, [x20, #{host_sp}]
        mov sp, x17
    1:  stp x17, x19, [sp, #-16]!
        stp x29, x30, [sp, #-16]!
        mov x29, sp
        blr x16
        .globl native_returned
        .hidden native_returned
    native_returned:
        ldr x19, [x29, #24]
        mov sp, x19
        ldp x29, x30, [sp], #16
        ret
        .globl call_osr
        .hidden call_osr
    call_osr:
        ldr x16, [x20, #{land_entry}]
        b 3b
    """,
    "call_interpreter": """
        stp x29, x30, [sp, #-16]!
        mov x29, sp
        ldr x16, [x20]
        blr x16
        ldp x29, x30, [sp], #16
        ret
    """,
    "call_entry": """
        stp x29, x30, [sp, #-16]!
        mov x29, sp
        str x29, [x24, #{native_sp}]
        adr x16, 1f
        str x16, [x24, #{native_lr}]
        ldr x16, [x20]
        blr x16
    1:  ldp x29, x30, [sp], #16
        ret
    """,
    "call_host": """
        ldr x9, [x0, #{host_sp}]
        cbz x9, 1f
        stp x29, x30, [sp, #-32]!
        mov x29, sp
        stp x19, x20, [sp, #16]
        mov x19, x0
        mov x20, x9
        mov x10, sp
        str x10, [x0, #{native_top}]
        str xzr, [x0, #{host_sp}]
        mov sp, x9
        blr x4
        mov sp, x29
        str x20, [x19, #{host_sp}]
        ldp x19, x20, [sp, #16]
        ldp x29, x30, [sp], #32
        ret
    1:  br x4
    """,
    "native_leave": """
        str x0, [sp, #-16]!
        bl leave_segments
        ldr x0, [sp], #16
        ldr x9, [x0, #{native_sp}]
        ldr x30, [x0, #{native_lr}]
        mov sp, x9
        ret
    """,
    "native_park": """
        stp x29, x30, [sp, #-160]!
        stp x19, x20, [sp, #16]
        stp x21, x22, [sp, #32]
        stp x23, x24, [sp, #48]
        stp x25, x26, [sp, #64]
        stp x27, x28, [sp, #80]
        stp d8, d9, [sp, #96]
        stp d10, d11, [sp, #112]
        stp d12, d13, [sp, #128]
        stp d14, d15, [sp, #144]
        str w1, [x0, #{trap}]
        mov x9, sp
        str x9, [x0, #{parked_sp}]
        str x0, [sp, #-16]!
        bl park_native
        ldr x0, [sp], #16
        ldr x9, [x0, #{native_sp}]
        ldr x30, [x0, #{native_lr}]
        mov sp, x9
        ret
    """,
    "enter_parked": """
        stp x29, x30, [sp, #-16]!
        mov x9, sp
        ldr x10, [x20, #{parked_outer}]
        stp x29, x30, [x10, #-32]
        str x9, [x10, #-8]
        str x9, [x20, #{host_sp}]
        ldr x9, [x20, #{parked_sp}]
        str xzr, [x20, #{parked_sp}]
        ldr w0, [x20, #{parked_code}]
        mov sp, x9
        ldp x19, x20, [sp, #16]
        ldp x21, x22, [sp, #32]
        ldp x23, x24, [sp, #48]
        ldp x25, x26, [sp, #64]
        ldp x27, x28, [sp, #80]
        ldp d8, d9, [sp, #96]
        ldp d10, d11, [sp, #112]
        ldp d12, d13, [sp, #128]
        ldp d14, d15, [sp, #144]
        ldp x29, x30, [sp], #160
        ret
    """,
    "native_land": """
        ldr x9, [x0, #{land_sp}]
        mov sp, x9
        ldr x29, [x0, #{land_fp}]
        ldr x30, [x0, #{land_lr}]
        ldr x16, [x0, #{land_entry}]
        cbz x16, 1f
        mov x20, x0
        ldr x21, [x0, #{instance}]
        ldr x22, [x0, #{fp}]
        ldr w23, [x0, #{frames_left}]
        ldr x24, [x0, #{land_code}]
        br x16
    1:  mov x24, x0
        b resume_interpreter
    """,
    "native_return": "ret",
}


def _naked(name: str, arch: str) -> FunctionText:
    """A naked function."""
    words = {f"{{{field}}}": str(of.offset) for field, of in as_struct(Context).fields.items()}
    words["{code.native}"] = str(as_struct(FuncCode).offset("native"))
    text = (_X86 if arch == "x86_64" else _ARM)[name]
    for word, number in words.items():
        text = text.replace(word, number)
    lines = "\\0A".join(line.strip() for line in text.strip().splitlines())
    params, result, cc = _PROTOTYPES[name]
    linkage = "" if name in ("native_return", "call_host") else "hidden"
    attrs = "naked noinline nounwind"
    f = FunctionText(name, params, result, linkage=linkage, cc=cc, attrs=attrs)
    f.do(f'call void asm sideeffect "{lines}", ""()')
    f.end("unreachable")
    return f


_PROTOTYPES: dict[str, tuple[list[tuple[str, str]], str, str]] = {
    "call_native": (PARAMS, RESULT, CC),
    "call_interpreter": (HANDLER_PARAMS, "void", CC),
    "call_entry": (HANDLER_PARAMS, "void", CC),
    "call_host": ([("ptr", name) for name in ("ctx", "host", "fp", "rp", "target")], "i32", ""),
    "native_leave": ([("ptr", "ctx")], "void", ""),
    "native_park": ([("ptr", "ctx"), ("i32", "trap")], "i32", ""),
    "enter_parked": (PARAMS, RESULT, CC),
    "native_land": ([("ptr", "ctx")], "void", ""),
    "native_return": ([], "void", ""),
}


def assembly(arch: str) -> list[FunctionText]:
    """All of it."""
    return [_naked(name, arch) for name in _PROTOTYPES]
