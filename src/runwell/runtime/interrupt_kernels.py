"""What stops a running guest, or makes it pause: kernels.

Whoever wants something of a guest says what in its context, and stores 0 in ``stack_limit`` so that
the next call comes to a slow path.  Loops come to theirs every few thousand rounds, and what takes
long by itself asks now and then.  There ``poll`` finds out what is wanted.
"""

from runwell.base.traps import TrapCode
from runwell.kernel import (
    Fn,
    Ptr,
    addr,
    atomic_cas,
    atomic_load,
    atomic_swap,
    cast,
    extern,
    kernel,
    null,
    static,
    struct,
    u8,
    u32,
    u64,
)
from runwell.runtime.chain_kernels import chain_signals
from runwell.runtime.layout import Context
from runwell.runtime.pause_kernels import make_way, park, unpark
from runwell.runtime.sleep_kernels import monotonic, wake_context

# Bits of ``Context.due``: look at the time; have Python handle signals; see to it that they come.
DUE_TIME, DUE_SIGNALS, DUE_CHAIN = 1, 2, 4


@struct
class SignalHook:
    """What has Python handle signals: 0, or a trap code if a handler raised.

    The handlers may call guests, on the same stacks.
    """

    call: Fn[[Ptr[Context]], u32]


signal_hook = static("signal_hook", SignalHook)


@extern
def call_host(  # type: ignore[empty-body]
    ctx: Ptr[u8], host: Ptr[u8], frame: Ptr[u8], refs: Ptr[u8], entry: Ptr[u8]
) -> u32:
    """Call a function of the host, with what it wants of these, on the thread's own stack."""


@kernel(inline=True)
def take_interrupt(ctx: Ptr[Context]) -> u32:
    """The trap code that somebody asked for, once."""
    wanted: u32 = atomic_swap(addr(ctx.interrupt), u32(0))
    return wanted


@kernel(inline=True)
def is_wanted(ctx: Ptr[Context]) -> bool:
    """Does somebody want something of the guest?"""
    wanted: bool = (atomic_load(addr(ctx.interrupt)) | atomic_load(addr(ctx.due))) != 0
    return wanted


@kernel
def request(ctx: Ptr[Context], bits: u32) -> None:
    """Want something of a guest."""
    word = addr(ctx.due)
    before = atomic_load(word)
    while not atomic_cas(word, before, before | bits):
        before = atomic_load(word)
    ctx.stack_limit = null
    wake_context(ctx)


@kernel
def poll(ctx: Ptr[Context]) -> u32:
    """Do what is wanted of the guest that the context says is running: 0, or a trap code."""
    make_way(ctx)
    trap = take_interrupt(ctx)
    if trap != 0:
        return trap
    due = atomic_swap(addr(ctx.due), u32(0))
    if due == 0:
        return u32(0)
    if ctx.deadline != 0 and monotonic() >= ctx.deadline:
        return u32(TrapCode.DEADLINE)
    if due & DUE_CHAIN != 0:
        chain_signals(True)
    if due & DUE_SIGNALS != 0 and Ptr[u64](signal_hook)[0] != 0:
        heap = park(ctx)
        trap = call_host(Ptr[u8](ctx), null, null, null, cast(Ptr[u8], signal_hook[0].call))
        unpark(ctx, heap)
    return trap


@kernel(inline=True)
def trapped(code: u32) -> u64:
    """The outcome of what may take long, if it traps unless the code is 0 and has no result."""
    return u64(code) << 32
