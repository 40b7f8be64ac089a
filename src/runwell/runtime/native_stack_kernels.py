"""The native stack of a guest: compiled functions have their frames on it, one for each context.

It is reserved when compiled code is first entered, and unmapped with the context.  From below:

    barrier   64 KiB   never accessible
    guard      1 MiB   inaccessible, unless a kernel that compiled code called ran into it
    the stack          grows down

A thread that runs guests has a stack for signal handlers, as those cannot run on one that is
exhausted.  It belongs to the thread, because a parked guest takes its native stack to others.

Compiled code that runs into the guard traps.  A kernel cannot be stopped anywhere: the guard is
opened for it, and the next function that is called, or loop that goes round, traps.
"""

from runwell.kernel import Ptr, addr, kernel, local_array, null, static, struct, u8, u32, u64
from runwell.runtime.c_library import (
    MAP_RESERVE,
    PROT_NONE,
    PROT_RW,
    SignalStack,
    madvise,
    mmap,
    mprotect,
    munmap,
    pthread_getspecific,
    pthread_key_create,
    pthread_setspecific,
    sigaltstack,
)
from runwell.runtime.layout import Context
from runwell.runtime.lock_kernels import give_lock, take_lock

BARRIER, GUARD, SIGNALS = 1 << 16, 1 << 20, 1 << 16
# The first that the system has room for.  Frames of compiled code are a few times as large as those
# of the interpreter, whose stack is a fraction of this.
LARGEST, SMALLEST = 1 << 30, 1 << 24
MAP_STACK, MADV_NOHUGEPAGE = 0x20000, 15
SS_DISABLE = 2
# Of a stack for signals that somebody else has set up.
ENOUGH = 1 << 14
FAILED = (1 << 64) - 1


@struct
class SignalKey:
    """How a thread remembers its signal stack."""

    key: u32
    is_made: u32


signal_key = static("signal_key", SignalKey)
signal_key_lock = static("signal_key_lock", u32)


@kernel
def make_native_stack(ctx: Ptr[Context]) -> bool:
    """Reserve the stack; is there room?"""
    size: u64 = LARGEST
    at = mmap(null, size, PROT_RW, MAP_RESERVE | MAP_STACK, -1, 0)
    while u64(at) == FAILED and size > SMALLEST:
        size = size // 4
        at = mmap(null, size, PROT_RW, MAP_RESERVE | MAP_STACK, -1, 0)
    if u64(at) == FAILED:
        return False
    # A page is enough to begin with.
    madvise(at, size, MADV_NOHUGEPAGE)
    if mprotect(at, BARRIER + GUARD, PROT_NONE) != 0:
        munmap(at, size)
        return False
    ctx.native_low = u64(at)
    ctx.native_high = u64(at) + size
    ctx.native_top = ctx.native_high
    have_signal_stack()
    return True


@kernel(export=True)
def drop_signal_stack(at: Ptr[u8]) -> None:
    """The thread ends that has its signal stack there."""
    stack = local_array(SignalStack, 1)
    if sigaltstack(null, stack) == 0 and stack.at == at:
        stack.flags = SS_DISABLE
        sigaltstack(stack, null)
    munmap(at, SIGNALS)


@kernel(export=True)
def have_signal_stack() -> None:
    """Give the calling thread a stack for signal handlers, unless it has one."""
    stack = local_array(SignalStack, 1)
    if sigaltstack(null, stack) != 0:
        return
    if stack.flags & SS_DISABLE == 0 and stack.size >= ENOUGH:
        return
    take_lock(signal_key_lock)
    if signal_key[0].is_made == 0:
        made = pthread_key_create(addr(signal_key[0].key), drop_signal_stack) == 0
        signal_key[0].is_made = u32(made)
    give_lock(signal_key_lock)
    if signal_key[0].is_made == 0:
        return
    # It is there already if somebody has put something else in its place meanwhile.
    at = pthread_getspecific(signal_key[0].key)
    if at == null:
        at = mmap(null, SIGNALS, PROT_RW, MAP_RESERVE | MAP_STACK, -1, 0)
        if u64(at) == FAILED or pthread_setspecific(signal_key[0].key, at) != 0:
            return
    stack.at = at
    stack.flags = 0
    stack.size = u64(SIGNALS)
    sigaltstack(stack, null)


@kernel
def free_native_stack(ctx: Ptr[Context]) -> None:
    """Unmap the stack, if there is one."""
    low = ctx.native_low
    if low == 0:
        return
    munmap(Ptr[u8](low), ctx.native_high - low)
    ctx.native_low = 0
    ctx.native_high = 0
    ctx.native_top = 0


@kernel
def is_in_guard(ctx: Ptr[Context], address: u64) -> bool:
    """Is this an address below the stack?"""
    inside: bool = ctx.native_low <= address and address < ctx.native_low + (BARRIER + GUARD)
    return inside


@kernel
def open_guard(ctx: Ptr[Context], address: u64) -> bool:
    """Let a kernel end its work in the guard; was that possible?"""
    if ctx.native_open != 0 or address < ctx.native_low + BARRIER:
        return False
    ctx.native_open = 1
    # Whoever polls this comes to ``on_stack_limit``.
    ctx.stack_limit = null
    opened: bool = mprotect(Ptr[u8](ctx.native_low + BARRIER), GUARD, PROT_RW) == 0
    return opened


@kernel(export=True)
def close_guard(ctx: Context) -> None:
    """Protect the guard again; nothing runs in it."""
    if ctx.native_open != 0:
        ctx.native_open = 0
        mprotect(Ptr[u8](ctx.native_low + BARRIER), GUARD, PROT_NONE)


@kernel(export=True)
def native_stack_base(ctx: Ptr[Context]) -> u64:
    """Where the stack begins, high; it is made at the first call; 0 if there is no room."""
    if ctx.native_low == 0 and not make_native_stack(ctx):
        return u64(0)
    base: u64 = ctx.native_high
    return base
