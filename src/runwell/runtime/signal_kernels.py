"""The fault handler: an access to a guard page becomes a trap, everything else is passed on.

A fault is the guest's if the address lies in an open guest memory, and the code that faulted is the
interpreter's, and the context register holds a known context, or else it is compiled code, on the
native stack of a known context; nothing is read through a pointer that was not checked.  The
handler then continues at ``fault_exit``, or ``native_return``, with the native stack of the guest's
entry.  A native stack that is exhausted is the guest's fault, too.  Any other fault goes to the
handler that was there before, and at the end to the default action: a crash stays a crash, and
Python's faulthandler still reports it.

Offsets are those of Linux on x86-64 and AArch64.
"""

from platform import machine, system

from runwell.base.traps import TrapCode
from runwell.kernel import (
    Fn,
    Ptr,
    addr,
    atomic_cas,
    atomic_load,
    atomic_store,
    cast,
    extern_data,
    i32,
    kernel,
    local_array,
    null,
    sizeof,
    static,
    struct,
    u8,
    u32,
    u64,
)
from runwell.runtime.c_library import (
    Action,
    PlainHandler,
    getpid,
    memmove,
    memset,
    pthread_kill,
    pthread_self,
    sched_yield,
    sigaction,
    syscall,
)
from runwell.runtime.layout import Context, NativeSegment
from runwell.runtime.lock_kernels import give_lock, take_lock
from runwell.runtime.memory_kernels import is_guest_address
from runwell.runtime.native_stack_kernels import (
    free_native_stack,
    have_signal_stack,
    is_in_guard,
    native_stack_base,
    open_guard,
)

IS_LINUX = system() == "Linux"
IS_ARM = machine() in ("aarch64", "arm64")
# Where ucontext_t has registers, in units of 8 bytes.
GREGS = 184 // 8 if IS_ARM else 40 // 8
PC = 440 // 8 if IS_ARM else GREGS + 16
SP = 432 // 8 if IS_ARM else GREGS + 15
LR = GREGS + 30
BP = GREGS + 29 if IS_ARM else GREGS + 10
GETTID = 178 if IS_ARM else 186
# The fifth parameter of a handler: x24, rdi.
CTX = GREGS + 24 if IS_ARM else GREGS + 8

SIGBUS, SIGSEGV = 7, 11
SIG_DFL, SIG_IGN = 0, 1
SI_TKILL = -6  # the signal was raised by a thread of this process
SA_SIGINFO, SA_ONSTACK, SA_NODEFER, SA_RESETHAND = 4, 0x08000000, 0x40000000, 0x80000000
CONTEXTS = 16384
EXHAUSTED, OUT_OF_BOUNDS = int(TrapCode.STACK_EXHAUSTED), int(TrapCode.OUT_OF_BOUNDS_MEMORY)


@struct
class InfoHandler:
    """An action read as a handler of three arguments."""

    call: Fn[[i32, Ptr[u8], Ptr[u8]], None]


@struct
class SignalInfo:
    """The beginning of siginfo_t, of a fault."""

    signal: i32
    errno: i32
    code: i32
    address: u64


stub_leave_native = extern_data("stub_leave_native", u64)

# First and last address behind the interpreter's code, and where to continue after a fault: there,
# and in compiled code.
guest_code = static("guest_code", u64, 4)
# The same of all compiled code.
code_region = static("code_region", u64, 2)
known_contexts = static("known_contexts", u64, CONTEXTS)
known_threads = static("known_threads", u64, CONTEXTS)
# Their native stacks, while they have one: first address, and that behind it.
known_stacks = static("known_stacks", u64, 2 * CONTEXTS)
known_context_count = static("known_context_count", u64)
# Held while somebody looks at contexts of other threads, and while one is forgotten.
known_lock = static("known_lock", u32)
# How many threads look at contexts of others.
context_readers = static("context_readers", u32)
# What was there before us: when first installed, and when last; SIGSEGV and SIGBUS of each.
previous_actions = static("previous_actions", Action, 4)
installed_before = static("installed_before", u64, 2)
# The siginfo that is being passed on.
passing_on = static("passing_on", u64)


@kernel
def is_first_thread() -> bool:
    """Is the calling thread the one that the process began with?"""
    return IS_LINUX and syscall(GETTID, null, 0, u64(0), null, null, 0) == getpid()


@kernel
def lock_contexts() -> None:
    """Keep all known contexts known."""
    take_lock(known_lock)


@kernel
def unlock_contexts() -> None:
    """Let contexts go again."""
    give_lock(known_lock)


@kernel(export=True)
def add_context(context: Ptr[Context]) -> u32:
    """Make the calling thread's context known to the fault handler; 0 if there are too many."""
    for i in range(u64(0), u64(CONTEXTS)):
        free = atomic_load(known_contexts + i) == 0
        if free and atomic_cas(known_contexts + i, u64(0), u64(context)):
            atomic_store(known_threads + i, pthread_self())
            atomic_store(known_stacks + (2 * i + 1), u64(0))
            context.known_at = i + 1
            context.is_main = u32(is_first_thread())
            used = atomic_load(known_context_count)
            while used <= i:
                atomic_cas(known_context_count, used, i + 1)
                used = atomic_load(known_context_count)
            return u32(1)
    return u32(0)


@kernel(export=True)
def lend_context(context: Ptr[Context]) -> None:
    """Let the calling thread use a context that another may have made."""
    if context.known_at != 0:
        atomic_store(known_threads + (context.known_at - 1), pthread_self())
    if context.native_low != 0:
        have_signal_stack()


@kernel(export=True)
def remove_context(context: Ptr[Context]) -> None:
    """Forget a context, at which nobody looks any more, and free its native stack."""
    lock_contexts()
    i: u64 = context.known_at - 1
    if context.known_at != 0 and known_contexts[i] == u64(context):
        atomic_store(known_stacks + (2 * i + 1), u64(0))
        atomic_store(known_contexts + i, u64(0))
        context.known_at = 0
    unlock_contexts()
    hide_stack(context)
    free_native_stack(context)


@kernel(export=True)
def hide_stack(context: Ptr[Context]) -> None:
    """Let nobody look at a context's stack of references, on which nothing is."""
    atomic_store(addr(context.ref_end), Ptr[u8](0))
    while atomic_load(context_readers) != 0:
        sched_yield()


@kernel(export=True)
def begin_native_stack(context: Ptr[Context]) -> u32:
    """Give a context its native stack; a trap code."""
    # Whoever does without guard pages for memories has not installed it yet.
    install_fault_handler()
    if native_stack_base(context) == 0:
        return u32(EXHAUSTED)
    if context.known_at != 0:
        at = known_stacks + 2 * (context.known_at - 1)
        atomic_store(at, context.native_low)
        atomic_store(at + 1, context.native_high)
    return u32(0)


@kernel
def context_on(sp: u64) -> Ptr[Context]:
    """The context on whose native stack an address is; null if there is none."""
    for i in range(u64(0), atomic_load(known_context_count)):
        if known_stacks[2 * i] <= sp and sp < known_stacks[2 * i + 1]:
            return Ptr[Context](known_contexts[i])
    return Ptr[Context](null)


@kernel(export=True)
def set_code_region(low: u64, high: u64) -> None:
    """Say where compiled code is: from ``low`` up to but not ``high``."""
    code_region[0] = low
    code_region[1] = high


@kernel
def is_context(address: u64) -> bool:
    """Is there a context at the address?"""
    if address != 0:
        for i in range(u64(0), atomic_load(known_context_count)):
            if known_contexts[i] == address:
                return True
    return False


@kernel
def is_in_guest() -> bool:
    """Does this thread run a guest, or a host function that one called?"""
    thread = pthread_self()
    for i in range(u64(0), atomic_load(known_context_count)):
        ctx = Ptr[Context](known_contexts[i])
        if ctx != null and known_threads[i] == thread and ctx.native_sp != 0:
            return True
    return False


@kernel(export=True)
def on_fault(signal: i32, info: Ptr[SignalInfo], context: Ptr[u64]) -> None:
    """Handle SIGSEGV or SIGBUS."""
    pc = context[PC]
    if info.code > 0 and guest_code[0] <= pc and pc < guest_code[1]:
        at = context[CTX]
        if is_guest_address(info.address) and is_context(at):
            ctx = Ptr[Context](at)
            ctx.fault_address = info.address
            leave_to(context, ctx, guest_code[2])
            return
    elif info.code > 0:
        on = context_on(context[SP])
        if on != null and is_native_fault(context, on, info.address):
            return
    pass_on(signal, info, context)


@kernel
def leave_to(context: Ptr[u64], ctx: Ptr[Context], pc: u64) -> None:
    """Go on at ``pc``, with the native stack as it was when the guest was entered."""
    leave_segments(ctx)
    context[PC] = pc
    context[SP] = ctx.native_sp
    if IS_ARM:
        context[LR] = ctx.native_lr


@kernel
def is_native_fault(context: Ptr[u64], ctx: Ptr[Context], address: u64) -> bool:
    """A fault on a guest's native stack: if it is the guest's, see to it."""
    is_overflow = is_in_guard(ctx, address)
    pc = context[PC]
    if pc < code_region[0] or pc >= code_region[1]:
        return is_overflow and open_guard(ctx, address)
    if not is_overflow and not is_guest_address(address):
        return False
    ctx.fault_address = address
    ctx.trap = u32(EXHAUSTED) if is_overflow else u32(OUT_OF_BOUNDS)
    # As if the instruction had called whatever stopped the guest.
    ctx.fault_frame.caller = Ptr[u8](context[BP])
    ctx.fault_frame.pc = pc + 1
    ctx.ip = Ptr[u8](stub_leave_native)
    ctx.fp = Ptr[u8](addr(ctx.fault_frame))
    leave_to(context, ctx, guest_code[3])
    return True


@kernel(export=True)
def leave_segments(ctx: Ptr[Context]) -> None:
    """Forget the compiled code that was entered since the last entry from the host."""
    while ctx.host_sp != 0:
        segment = Ptr[NativeSegment](ctx.segment)
        ctx.segment = segment.previous
        ctx.handlers = segment.handlers
        ctx.host_sp = ctx.host_sp & segment.inner
        ctx.native_top = segment.native_top


@kernel
def pass_on(signal: i32, info: Ptr[SignalInfo], context: Ptr[u64]) -> None:
    """Give a fault that is not ours to whoever was there before."""
    which = u64(1) if signal == SIGBUS else u64(0)
    # A handler that was installed over ours, and we over it, calls us back: then ask the oldest.
    again = atomic_load(passing_on) == u64(info)
    action = previous_actions + (which if again else which + 2)
    handler = action.handler
    if handler == SIG_IGN and info.code <= 0:
        return
    # Somebody who came after us, as Python's faulthandler does, reports a fault, makes way for us
    # and raises the signal to end the process.  It may have been the guest's: let the instruction
    # fault again, and judge that.
    if handler == SIG_DFL and info.code == SI_TKILL and is_in_guest():
        return
    if handler <= SIG_IGN:
        # A real fault repeats when we return, and then ends the process where it happened.
        set_default(signal)
        if info.code <= 0:
            pthread_kill(pthread_self(), signal)
        return
    if action.flags & SA_RESETHAND != 0:
        action.handler = u64(SIG_DFL)
    atomic_store(passing_on, u64(info))
    if action.flags & SA_SIGINFO != 0:
        Ptr[InfoHandler](action).call(signal, Ptr[u8](info), Ptr[u8](context))
    else:
        Ptr[PlainHandler](action).call(signal)
    atomic_store(passing_on, u64(0))


@kernel
def set_default(signal: i32) -> None:
    """Give a signal its default action again."""
    action = local_array(Action, 1)
    memset(Ptr[u8](action), 0, u64(sizeof(Action)))
    sigaction(signal, action, null)


@kernel
def install_one(signal: i32, which: u64) -> bool:
    """Handle a signal, unless we do already; did the handler change?"""
    current = local_array(Action, 1)
    ours = u64(cast(Ptr[u8], on_fault))
    if sigaction(signal, null, current) != 0 or current.handler == ours:
        return False
    size = u64(sizeof(Action))
    if atomic_load(installed_before + which) == 0:
        memmove(Ptr[u8](previous_actions + which), Ptr[u8](current), size)
        atomic_store(installed_before + which, u64(1))
    memmove(Ptr[u8](previous_actions + (which + 2)), Ptr[u8](current), size)
    memset(Ptr[u8](current), 0, size)
    current.handler = ours
    # On the signal stack if there is one; and a fault inside the handler is not held back.
    current.flags = u32(SA_SIGINFO | SA_ONSTACK | SA_NODEFER)
    return sigaction(signal, current, null) == 0


@kernel(export=True)
def install_fault_handler() -> u32:
    """Install the handler where another one is in its place; how many times that was so.

    Whoever replaces one of the two replaces both, and a look costs a system call.
    """
    changes = u32(install_one(SIGSEGV, u64(0)))
    if changes != 0 or atomic_load(installed_before + 1) == 0:
        changes += u32(install_one(SIGBUS, u64(1)))
    return changes


@kernel(export=True)
def set_guest_code(low: u64, high: u64, fault_exit: u64, native_return: u64) -> None:
    """Say where the interpreter's code is, and where it and compiled code leave after a fault."""
    guest_code[2] = fault_exit
    guest_code[3] = native_return
    guest_code[0] = low
    guest_code[1] = high
