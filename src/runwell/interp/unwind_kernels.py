"""Throwing: finding the handler of an exception and going on there.

Nothing is done before a throw: a function's handlers are a table beside its code, searched by the
address of the instruction that threw or called.  The frames of the guest hold all that is needed to
go from callee to caller, except the base of the reference frame; that is what the instruction
behind the call restores, if the call has moved it.

An exception that is caught without a reference to it is never made: its values move from where
``throw`` found them to where the handler expects them.
"""

from runwell.base.traps import TrapCode
from runwell.isa.form import FORMS
from runwell.kernel import (
    Ptr,
    addr,
    atomic_store,
    cast,
    const_array,
    extern_data,
    i32,
    kernel,
    local_array,
    null,
    struct,
    u8,
    u32,
    u64,
    unlikely,
)
from runwell.runtime.c_library import memmove
from runwell.runtime.code_kernels import find_code, place_of
from runwell.runtime.exception_kernels import (
    exception_adopt,
    exception_hold,
    exception_new,
    exception_release,
    references_of,
    values_of,
)
from runwell.runtime.interrupt_kernels import call_host, is_wanted, poll
from runwell.runtime.layout import (
    CatchClause,
    Context,
    ExceptionObject,
    FuncCode,
    HandlerTable,
    HostFunc,
    Instance,
    ModuleCode,
    NativeHandler,
    NativeSegment,
    SwitchRecord,
    Tag,
    TryRange,
)
from runwell.runtime.pause_kernels import unpark

# Bits of a clause's kind.
WITH_REFERENCE, ANY_TAG = 1, 2
# The forms that begin with moving the reference frame.
_REF_FRAMES = [form.index for form in FORMS if form.parts[0].op.name == "ref_frame"]
REF_FRAMES = const_array("ref_frame_forms", u32, _REF_FRAMES)
N_REF_FRAMES = len(_REF_FRAMES)
UNCAUGHT, NO_ROOM = int(TrapCode.UNCAUGHT_EXCEPTION), int(TrapCode.STACK_EXHAUSTED)

handler_table = extern_data("handler_table", u64)
stub_exit = extern_data("stub_exit", u64)
stub_leave_instance = extern_data("stub_leave_instance", u64)
stub_leave_native = extern_data("stub_leave_native", u64)


@struct
class Landing:
    """Where an exception goes on."""

    code: Ptr[FuncCode]
    clause: Ptr[CatchClause]
    fp: Ptr[u8]
    rp: Ptr[u8]
    instance: Ptr[Instance]
    left: i32  # frames left for the callees of the function
    native: Ptr[NativeHandler]  # of a compiled function; null if it is interpreted
    segment: Ptr[NativeSegment]  # the outermost that is left; null if none is


@kernel
def find_clause(
    table: Ptr[HandlerTable], at: u32, instance: Ptr[Instance], tag: Ptr[Tag]
) -> Ptr[CatchClause]:
    """The clause that catches what is thrown at a byte offset of the code; null if none does."""
    ranges = Ptr[TryRange](table + 1)
    clauses = Ptr[CatchClause](ranges + table.n_ranges)
    # The last range that starts at or before; those around it are its parents.
    low: u32 = 0
    high = table.n_ranges
    while low < high:
        middle = low + (high - low) // 2
        if ranges[middle].start <= at:
            low = middle + 1
        else:
            high = middle
    while low != 0:
        found = ranges + (low - 1)
        if at < found.end:
            for i in range(found.first, found.last):
                clause = clauses + i
                if clause.kind & ANY_TAG != 0 or instance.tags[clause.tag] == tag:
                    return clause
        low = found.parent
    return Ptr[CatchClause](0)


@kernel
def reference_delta(ip: Ptr[u8]) -> i32:
    """How far the instruction at a return address moves the reference frame."""
    words = Ptr[u32](ip)
    for i in range(u32(N_REF_FRAMES)):
        handler = handler_table[REF_FRAMES[i]]
        if words[0] == u32(handler) and words[1] == u32(handler >> 32):
            return i32(words[2])
    return i32(0)


@kernel
def find_handler(
    ctx: Ptr[Context], thrower: Ptr[FuncCode], tag: Ptr[Tag], landing: Ptr[Landing]
) -> bool:
    """Find who catches an exception, from the frame on that the context says.

    ``thrower`` is the function there, whose instruction at ``ctx.ip`` throws; or null, if
    ``ctx.ip`` is an address that a callee would have returned to.
    """
    ip = ctx.ip
    fp = ctx.fp
    rp = ctx.rp
    instance = ctx.instance
    code = thrower
    left = ctx.frames_left
    segment = Ptr[NativeSegment](ctx.segment)
    handlers = Ptr[NativeHandler](ctx.handlers)
    landing.native = null
    landing.segment = null
    while True:
        at = ip
        if code == null:
            while ip == Ptr[u8](stub_leave_instance) or ip == Ptr[u8](stub_leave_native):
                if ip == Ptr[u8](stub_leave_instance):
                    switch = Ptr[SwitchRecord](fp)
                    ip = switch.ip
                    fp = switch.fp
                    instance = switch.instance
                else:
                    if find_native(handlers, segment, tag, landing):
                        return True
                    landing.segment = segment
                    ip = segment.ip
                    fp = segment.fp
                    rp = segment.rp
                    instance = segment.instance
                    left = segment.left + 1
                    handlers = Ptr[NativeHandler](segment.handlers)
                    segment = Ptr[NativeSegment](segment.previous)
            if ip == Ptr[u8](stub_exit) or instance == null:
                return False
            rp = rp + reference_delta(ip)
            at = ip - 1
            code = find_code(Ptr[ModuleCode](instance.module), at)
            if code == null:
                return False
        table = Ptr[ModuleCode](code.module).handlers[code.index]
        if table != null:
            clause = find_clause(table, u32(at - code.start), instance, tag)
            if clause != null:
                landing.code = code
                landing.clause = clause
                landing.fp = fp
                landing.rp = rp
                landing.instance = instance
                landing.left = left
                return True
        link = Ptr[u64](fp + code.param_bytes)
        ip = Ptr[u8](link[0])
        fp = Ptr[u8](link[1])
        left += 1
        code = null


@kernel
def find_native(
    handlers: Ptr[NativeHandler],
    segment: Ptr[NativeSegment],
    tag: Ptr[Tag],
    landing: Ptr[Landing],
) -> bool:
    """Find who catches an exception among the compiled functions of a segment."""
    handler = handlers
    while handler != Ptr[NativeHandler](segment.handlers):
        code = handler.code
        table = Ptr[ModuleCode](code.module).handlers[code.index]
        clause = find_clause(table, handler.at, handler.instance, tag)
        if clause != null:
            landing.code = code
            landing.clause = clause
            landing.fp = handler.fp
            landing.rp = handler.rp
            landing.instance = handler.instance
            landing.left = handler.left
            landing.native = handler
            return True
        handler = Ptr[NativeHandler](handler.previous)
    return False


@kernel
def land(ctx: Ptr[Context], landing: Ptr[Landing]) -> None:
    """Leave the frames above the handler and go on there."""
    ctx.ip = landing.code.start + landing.clause.target
    ctx.fp = landing.fp
    ctx.rp = landing.rp
    ctx.instance = landing.instance
    ctx.frames_left = landing.left
    ctx.land_sp = 0
    segment = landing.segment
    if segment != null:
        # The interpreter that entered it, or compiled code further out, goes on.
        ctx.segment = segment.previous
        ctx.handlers = segment.handlers
        ctx.host_sp = ctx.host_sp & segment.inner
        ctx.native_top = segment.native_top
        ctx.land_entry = null
        ctx.land_sp = segment.sp
        ctx.land_lr = segment.lr
    handler = landing.native
    if handler != null:
        ctx.handlers = handler.previous
        ctx.native_rp = landing.rp
        ctx.land_code = landing.code
        ctx.land_entry = place_of(landing.code, landing.clause.target)
        ctx.land_sp = handler.sp
        ctx.land_fp = u64(handler.frame.caller)
        ctx.land_lr = handler.frame.pc


@kernel
def put_values(landing: Ptr[Landing], tag: Ptr[Tag], values: Ptr[u8], refs: Ptr[u64]) -> Ptr[u64]:
    """Move what a clause of the tag wants to where it wants it; gives the place behind."""
    clause = landing.clause
    place = landing.rp + clause.ref_slot
    if clause.kind & ANY_TAG == 0:
        memmove(landing.fp + clause.slot, values, u64(tag.value_bytes))
        memmove(place, Ptr[u8](refs), u64(tag.ref_bytes))
        place = place + tag.ref_bytes
    return Ptr[u64](place)


@kernel
def deliver(ctx: Ptr[Context], landing: Ptr[Landing], e: Ptr[ExceptionObject], mine: bool) -> None:
    """Give an exception to its handler; ``mine`` if that takes over a hold of it."""
    tag = e.tag
    end = put_values(landing, tag, values_of(e), references_of(e))
    clause = landing.clause
    with_reference = clause.kind & WITH_REFERENCE != 0
    if with_reference:
        end[0] = u64(e)
        end = end + 1
    if tag.n_exceptions != 0 and clause.kind & ANY_TAG == 0:
        references = references_of(e)
        for i in range(tag.ref_bytes // 8):
            if tag.is_exception[i] != 0 and references[i] != 0:
                inner = Ptr[ExceptionObject](references[i])
                exception_hold(inner)
                exception_adopt(ctx, inner, end)
    if mine:
        if with_reference:
            exception_adopt(ctx, e, end)
        else:
            exception_release(e)
    land(ctx, landing)


@kernel
def leave_uncaught(ctx: Ptr[Context], e: Ptr[ExceptionObject]) -> u32:
    """Nobody in this call from the host catches it: the host is given the hold of it."""
    exception_release(ctx.exception)
    ctx.exception = e
    return u32(UNCAUGHT)


@kernel(export=True)
def throw_values(
    ctx: Ptr[Context], thrower: Ptr[FuncCode], tag: Ptr[Tag], values: Ptr[u8], refs: Ptr[u64]
) -> u32:
    """Meaning of ``throw``: 0 if the context says where it is caught, or a trap code."""
    if unlikely(is_wanted(ctx)):
        stopped = poll(ctx)
        if stopped != 0:
            return stopped
    landing = local_array(Landing, 1)
    found = find_handler(ctx, thrower, tag, landing)
    if found and landing.clause.kind & WITH_REFERENCE == 0:
        put_values(landing, tag, values, refs)
        land(ctx, landing)
        return u32(0)
    e = exception_new(tag, values, refs)
    if e == null:
        return u32(NO_ROOM)
    if not found:
        return leave_uncaught(ctx, e)
    deliver(ctx, landing, e, True)
    return u32(0)


@kernel(export=True)
def throw_again(ctx: Ptr[Context], thrower: Ptr[FuncCode], e: Ptr[ExceptionObject]) -> u32:
    """Meaning of ``throw_ref``: 0 if the context says where it is caught, or a trap code."""
    if unlikely(is_wanted(ctx)):
        stopped = poll(ctx)
        if stopped != 0:
            return stopped
    landing = local_array(Landing, 1)
    if find_handler(ctx, thrower, e.tag, landing):
        # The context has a hold of whatever its stack refers to; but that may end on the way.
        exception_hold(e)
        deliver(ctx, landing, e, True)
        return u32(0)
    exception_hold(e)
    return leave_uncaught(ctx, e)


@kernel(export=True)
def throw_from_host(ctx: Ptr[Context], host: Ptr[HostFunc], trap: u32) -> u32:
    """A host function failed: 0 if that is an exception, and caught; else the trap code.

    The context says where the function would have returned to.
    """
    e = ctx.exception
    if e == null:
        return trap
    ctx.exception = null
    # The host function's own frame.
    ctx.frames_left += 1
    landing = local_array(Landing, 1)
    if not find_handler(ctx, Ptr[FuncCode](0), e.tag, landing):
        exception_release(e)
        return trap
    # That may wait for the interpreter lock, whose holder may wait for who collects.
    heap: u64 = ctx.heap
    atomic_store(addr(ctx.heap), u64(0))
    call_host(Ptr[u8](ctx), null, null, null, cast(Ptr[u8], host.discard))
    unpark(ctx, heap)
    deliver(ctx, landing, e, True)
    return u32(0)
