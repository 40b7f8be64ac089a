"""Entering the guest from native code, and what stops it from running on: kernels.

``run_code`` and the code of the stubs are written in ``runwell.interp.entry``.
"""

# mypy: disable-error-code="empty-body"

from runwell.base.traps import TrapCode
from runwell.kernel import (
    Ptr,
    addr,
    atomic_swap,
    extern,
    extern_data,
    kernel,
    null,
    u8,
    u32,
    u64,
)
from runwell.runtime.layout import Context, FuncCode, FuncRef, Instance
from runwell.runtime.native_stack_kernels import close_guard

# Backward branches between two looks at ``interrupt``: some tens of microseconds.
BUDGET = 4096

stub_exit = extern_data("stub_exit", u64)


@extern
def run_code(  # noqa: D103
    ctx: Context,
    code: Ptr[u8],
    frame: Ptr[u8],
    instance: Ptr[Instance],
    memory: Ptr[u8],
    func: Ptr[FuncCode],
) -> None: ...


@kernel(inline=True)
def take_interrupt(ctx: Context) -> u32:
    """The trap code that somebody asked for, once."""
    return atomic_swap(addr(ctx.interrupt), u32(0))


@kernel(export=True)
def on_stack_limit(ctx: Context, frame: Ptr[u8]) -> u32:
    """A frame is beyond ``stack_limit``: a trap code, or 0 to go on.

    The limit may be lower than it was, so that the guest comes here soon.
    """
    ctx.stack_limit = ctx.stack_end
    if frame > ctx.stack_end or ctx.native_open != 0:
        return u32(TrapCode.STACK_EXHAUSTED)
    return take_interrupt(ctx)


@kernel(export=True)
def on_budget(ctx: Context, ip: Ptr[u8]) -> u32:
    """The budget of backward branches is spent: a trap code, or 0 to go on."""
    ctx.budget = BUDGET
    return take_interrupt(ctx)


@kernel(inline=True)
def keep_caller(
    ctx: Context, ip: Ptr[u8], fp: Ptr[u8], rp: Ptr[u8], instance: Ptr[Instance]
) -> None:
    """Note where the host function was called that called the guest that trapped."""
    ctx.caller_ip = ip
    ctx.caller_fp = fp
    ctx.caller_rp = rp
    ctx.caller_instance = instance


@kernel(export=True)
def enter_guest(ctx: Context, ref: FuncRef, frame: Ptr[u64]) -> u32:
    """Call a function whose arguments are at ``frame``, and at ``ctx.ref_top`` if references.

    The results take their places.  Returns a trap code; if it is not 0, the context says where.
    """
    base = Ptr[u8](frame)
    left = ctx.frames_left
    trap: u32 = 0
    if left <= 0:
        trap = u32(TrapCode.STACK_EXHAUSTED)
    elif base > ctx.stack_limit:
        trap = on_stack_limit(ctx, base)
    if trap != 0:
        keep_caller(ctx, ctx.ip, ctx.fp, ctx.rp, ctx.instance)
        return trap
    code = ref.code
    top = ctx.top
    ref_top = ctx.ref_top
    native_sp = ctx.native_sp
    native_lr = ctx.native_lr
    ip = ctx.ip
    fp = ctx.fp
    rp = ctx.rp
    caller = ctx.instance
    ctx.frames_left = left - 1
    link = Ptr[u64](base + code.param_bytes)
    link[0] = u64(stub_exit)
    link[1] = u64(base)
    instance = Ptr[Instance](ref.instance)
    memory: Ptr[u8] = null
    if instance != null:
        memory = instance.memory_base
    run_code(ctx, code.entry, base, instance, memory, code)
    ctx.top = top
    ctx.ref_top = ref_top
    ctx.native_sp = native_sp
    ctx.native_lr = native_lr
    ctx.frames_left = left
    trap = ctx.trap
    # The guest behind the host function that called this one has not trapped.
    ctx.trap = 0
    if trap == 0:
        ctx.ip = ip
        ctx.fp = fp
        ctx.rp = rp
        ctx.instance = caller
    else:
        keep_caller(ctx, ip, fp, rp, caller)
        close_guard(ctx)
    return trap
