"""The watcher: one native thread that tells guests when to stop, look or listen.

It starts when a guest first runs without the interpreter lock, never touches Python, looks around
every few milliseconds while there is a guest with a deadline or one in the main thread, and sleeps
otherwise; who enters a guest wakes it.  In a forked process there is none until then.
"""

# mypy: disable-error-code="empty-body"
# ruff: noqa: D103 - extern names and meanings are POSIX's

from runwell.kernel import (
    Ptr,
    addr,
    atomic_cas,
    atomic_load,
    atomic_store,
    atomic_swap,
    cast,
    extern,
    i32,
    kernel,
    local_array,
    null,
    u8,
    u32,
    u64,
)
from runwell.runtime.chain_kernels import chain_signals, watch
from runwell.runtime.interrupt_kernels import DUE_CHAIN, DUE_SIGNALS, DUE_TIME, request
from runwell.runtime.layout import Context
from runwell.runtime.signal_kernels import (
    known_context_count,
    known_contexts,
    known_lock,
    lock_contexts,
    unlock_contexts,
)
from runwell.runtime.sleep_kernels import LONGEST_NAP, monotonic, nap, wake

TICK = 4_000_000  # nanoseconds
IDLE_TICKS = 250
SIG_SETMASK = 2


@extern
def pthread_create(
    thread: Ptr[u64], attributes: Ptr[u8], start: Ptr[u8], argument: Ptr[u8]
) -> i32: ...


@extern
def pthread_detach(thread: u64) -> i32: ...


@extern
def pthread_sigmask(how: i32, new: Ptr[u64], old: Ptr[u64]) -> i32: ...


@kernel
def look_at(ctx: Ptr[Context], now: u64) -> u64:
    """Tell a guest what it should know; nanoseconds until the next look, 0 if none is needed."""
    pause: u64 = 0
    wanted: u32 = 0
    deadline = ctx.deadline
    if deadline != 0:
        pause = TICK
        if now >= deadline:
            wanted = DUE_TIME
        elif deadline - now < TICK:
            pause = deadline - now
    if ctx.is_main != 0 and ctx.thread_state != 0:
        if pause == 0:
            pause = TICK
        if chain_signals(False):
            # Some may have come before ours is there.
            wanted |= DUE_CHAIN | DUE_SIGNALS
        if atomic_swap(addr(watch[0].signals), u32(0)) != 0:
            wanted |= DUE_SIGNALS
    if wanted != 0:
        request(ctx, wanted)
    return pause


@kernel
def look_around() -> u64:
    """Look at all contexts; nanoseconds until the next look, 0 if none is needed."""
    now = monotonic()
    least: u64 = 0
    lock_contexts()
    for i in range(u64(0), atomic_load(known_context_count)):
        ctx = Ptr[Context](known_contexts[i])
        if ctx != null:
            pause = look_at(ctx, now)
            if pause != 0 and (least == 0 or pause < least):
                least = pause
        if i % u64(64) == 63:
            # Nobody should have to wait long.
            unlock_contexts()
            lock_contexts()
    unlock_contexts()
    return least


@kernel
def sleep_long() -> None:
    """Sleep until somebody enters a guest; whoever did just now may have overlooked that."""
    word = addr(watch[0].word)
    atomic_store(addr(watch[0].is_awake), u32(0))
    pause: u64 = TICK
    while True:
        seen = atomic_load(word)
        if atomic_load(addr(watch[0].is_awake)) != 0:
            return
        nap(word, seen, pause)
        pause = LONGEST_NAP
        if look_around() != 0:
            atomic_store(addr(watch[0].is_awake), u32(1))


@kernel(export=True)
def watch_guests(argument: Ptr[u8]) -> Ptr[u8]:
    """The watcher's life, which ends with the process; there is no argument."""
    mask = local_array(u64, 16)
    for i in range(u64(0), u64(16)):
        mask[i] = ~u64(0)
    pthread_sigmask(SIG_SETMASK, mask, null)
    word = addr(watch[0].word)
    idle: u32 = 0
    while argument == null:
        seen = atomic_load(word)
        pause = look_around()
        idle = u32(0) if pause != 0 else idle + 1
        if idle > IDLE_TICKS:
            sleep_long()
            idle = 0
        else:
            nap(word, seen, pause if pause != 0 else u64(TICK))
    return argument


@kernel(export=True)
def wake_watcher() -> None:
    """A guest is about to run, and the watcher may be asleep, or not there yet."""
    if not atomic_cas(addr(watch[0].is_awake), u32(0), u32(1)):
        return
    if atomic_cas(addr(watch[0].is_running), u32(0), u32(1)):
        thread = local_array(u64, 1)
        if pthread_create(thread, null, cast(Ptr[u8], watch_guests), null) != 0:
            atomic_store(addr(watch[0].is_running), u32(0))
            atomic_store(addr(watch[0].is_awake), u32(0))
            return
        pthread_detach(thread[0])
    else:
        wake(addr(watch[0].word))


@kernel(export=True)
def forget_watcher() -> None:
    """In a process that was just forked there is no watcher."""
    atomic_store(known_lock, u32(0))
    atomic_store(addr(watch[0].is_running), u32(0))
    atomic_store(addr(watch[0].is_awake), u32(0))
