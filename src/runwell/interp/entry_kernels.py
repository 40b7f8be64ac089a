"""Entering the guest from native code, and what stops it from running on: kernels.

``run_code`` and the code of the stubs are written in ``runwell.interp.entry``.
"""

# mypy: disable-error-code="empty-body"

from runwell.base.traps import TrapCode
from runwell.kernel import (
    Ptr,
    addr,
    atomic_load,
    atomic_store,
    extern,
    extern_data,
    i32,
    kernel,
    null,
    u8,
    u32,
    u64,
    unlikely,
)
from runwell.runtime.code_kernels import find_code, find_place, place_of
from runwell.runtime.heat_kernels import heat_loop
from runwell.runtime.interrupt_kernels import poll, take_interrupt
from runwell.runtime.layout import (
    REF_FRAME_UNIT,
    Context,
    FuncCode,
    FuncRef,
    Instance,
    ModuleCode,
    NativeHandler,
    NativeSegment,
)
from runwell.runtime.native_stack_kernels import close_guard
from runwell.runtime.pause_kernels import heap_enter, reference_end
from runwell.runtime.signal_kernels import leave_segments

# Backward branches between two looks at ``interrupt``: some tens of microseconds.
BUDGET = 4096

# Stack that is taken to be in use by code that is not register code.
UNKNOWN_FRAME, UNKNOWN_REFS = 1 << 19, 1 << 15

stub_exit = extern_data("stub_exit", u64)
stub_leave_native = extern_data("stub_leave_native", u64)
stub_resume_native = extern_data("stub_resume_native", u64)


@extern
def run_code(  # noqa: D103
    ctx: Context,
    code: Ptr[u8],
    frame: Ptr[u8],
    instance: Ptr[Instance],
    memory: Ptr[u8],
    func: Ptr[FuncCode],
) -> None: ...


@kernel(export=True)
def on_stack_limit(ctx: Context, frame: Ptr[u8]) -> u32:
    """A frame is beyond ``stack_limit``: a trap code, or 0 to go on.

    The limit may be lower than it was, so that the guest comes here soon.
    """
    ctx.stack_limit = ctx.stack_end
    if frame > ctx.stack_end or ctx.native_open != 0:
        return u32(TrapCode.STACK_EXHAUSTED)
    return poll(addr(ctx))


@kernel(export=True)
def on_budget(ctx: Context, ip: Ptr[u8]) -> u32:
    """The budget of backward branches is spent: a trap code, or 0 to go on.

    ``ip`` is the target of a branch.  If there is compiled code for it, ``ctx.land_entry`` says
    so, and ``ctx.land_code`` whose it is; else it is null.
    """
    ctx.budget = BUDGET
    trap = poll(addr(ctx))
    ctx.land_entry = null
    code = find_code(Ptr[ModuleCode](ctx.instance.module), ip)
    if code != null:
        ctx.land_entry = place_of(code, u32(ip - code.start))
        ctx.land_code = code
        if ctx.land_entry == null:
            heat_loop(code, ip, i32(BUDGET))
    return trap


@kernel(export=True)
def on_place(ctx: Context, ip: Ptr[u8]) -> u64:
    """The interpreter has come to a place: ``ctx.land_entry`` says where to go on, as above.

    If it is null, then the result is the handler to go on with, or 0 if the place is no more.
    """
    ctx.land_entry = null
    code = find_code(Ptr[ModuleCode](ctx.instance.module), ip)
    place = find_place(code, u32(ip - code.start))
    if place == null:
        return u64(0)
    ctx.land_entry = place.entry
    ctx.land_code = code
    place.passed += 1
    handler: u64 = place.handler
    return handler


@kernel
def on_entry_limit(ctx: Context, frame: Ptr[u8]) -> u32:
    """As ``on_stack_limit``, but the guest is not running yet: it sees to the rest when it is."""
    if frame > ctx.stack_end:
        return u32(TrapCode.STACK_EXHAUSTED)
    if atomic_load(addr(ctx.due)) == 0:
        ctx.stack_limit = ctx.stack_end
    return take_interrupt(addr(ctx))


@extern
def resume_code(ctx: Context) -> None: ...  # noqa: D103


@kernel(inline=True)
def keep_caller(
    ctx: Context, ip: Ptr[u8], fp: Ptr[u8], rp: Ptr[u8], instance: Ptr[Instance]
) -> None:
    """Note where the host function was called that called the guest that trapped."""
    ctx.caller_ip = ip
    ctx.caller_fp = fp
    ctx.caller_rp = rp
    ctx.caller_instance = instance


@kernel(inline=True)
def leave_heap(ctx: Context, end: Ptr[u8]) -> None:
    """The guest has returned or trapped; its results, if there are any, end at ``end``."""
    # They stay in use until the host has them; and the frames, if it may go on.
    ctx.ref_end = end
    if unlikely(ctx.trap != 0):
        ctx.parked_heap = ctx.heap
    if unlikely(ctx.heap != 0):
        if ctx.trap != 0:
            ctx.ref_end = reference_end(addr(ctx))
        atomic_store(addr(ctx.heap), u64(0))


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
        trap = on_entry_limit(ctx, base)
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
        if unlikely(instance.heap != null):
            heap_enter(addr(ctx), u64(instance.heap))
    run_code(ctx, code.entry, base, instance, memory, code)
    leave_heap(ctx, ref_top + u64(code.ref_bytes))
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


@kernel(export=True)
def protect_frame(ctx: Ptr[Context]) -> None:
    """Let calls from the host begin above the frame that the context says is the innermost."""
    if ctx.ip == Ptr[u8](stub_leave_native):
        # Compiled code has said so itself.
        return
    code = find_code(Ptr[ModuleCode](ctx.instance.module), ctx.ip)
    if code == null:
        ctx.top = ctx.fp + UNKNOWN_FRAME
        ctx.ref_top = ctx.rp + UNKNOWN_REFS
        return
    ctx.top = ctx.fp + code.frame_bytes
    ctx.ref_top = ctx.rp + u64(code.ref_frame) * u64(REF_FRAME_UNIT)


@kernel(export=True)
def park_guest(ctx: Ptr[Context]) -> None:
    """Note that the guest goes on later where the context says that it is."""
    ctx.parked_ip = ctx.ip
    ctx.parked_fp = ctx.fp
    ctx.parked_rp = ctx.rp
    ctx.parked_instance = ctx.instance
    ctx.parked_left = ctx.frames_left
    ctx.parked_sp = 0


@kernel(export=True)
def park_native(ctx: Ptr[Context]) -> None:
    """As ``park_guest``, of one with frames on its native stack, which is left now."""
    sp: u64 = ctx.parked_sp
    park_guest(ctx)
    ctx.parked_sp = sp
    ctx.parked_ip = Ptr[u8](stub_resume_native)
    ctx.parked_segment = Ptr[NativeSegment](ctx.segment)
    ctx.parked_handlers = Ptr[NativeHandler](ctx.handlers)
    ctx.parked_code = 0
    leave_segments(ctx)


@kernel
def unpark_native(ctx: Ptr[Context]) -> None:
    """Be again where ``park_native`` has left, as far as the context is concerned."""
    ctx.segment = Ptr[u8](ctx.parked_segment)
    ctx.handlers = Ptr[u8](ctx.parked_handlers)
    outer = ctx.parked_segment
    while outer.inner != 0:
        outer = Ptr[NativeSegment](outer.previous)
    ctx.parked_outer = outer


@kernel(export=True)
def resume_guest(ctx: Context) -> u32:
    """Let a parked guest go on, whose context has nothing else to do; as ``enter_guest``."""
    top = ctx.top
    ref_top = ctx.ref_top
    left = ctx.frames_left
    ctx.frames_left = ctx.parked_left
    if ctx.parked_heap != 0:
        heap_enter(addr(ctx), ctx.parked_heap)
    ctx.ip = ctx.parked_ip
    if ctx.parked_sp != 0:
        unpark_native(addr(ctx))
    # Whoever stops next says where, if it can go on.
    ctx.parked_ip = null
    resume_code(ctx)
    leave_heap(ctx, ctx.refs + UNKNOWN_REFS)
    ctx.top = top
    ctx.ref_top = ref_top
    ctx.native_sp = 0
    ctx.native_lr = 0
    ctx.frames_left = left
    trap = ctx.trap
    ctx.trap = 0
    if trap == 0:
        ctx.instance = null
    else:
        keep_caller(ctx, null, null, null, null)
        close_guard(ctx)
    return trap
