"""Time, and sleeping until somebody has news: kernels.

A thread sleeps on a counter that everybody increments who has news for it, and reads it before it
looks for news, so none is missed.
"""

from platform import machine, system

from runwell.kernel import Ptr, addr, atomic_add, i64, kernel, local_array, null, u32, u64
from runwell.runtime.c_library import clock_gettime, nanosleep, syscall
from runwell.runtime.layout import Context

HAS_FUTEX = system() == "Linux"
FUTEX = 98 if machine() in ("aarch64", "arm64") else 202
FUTEX_WAIT, FUTEX_WAKE = 128, 129  # within this process
CLOCK_MONOTONIC = 1 if HAS_FUTEX else 6
SECOND = 1_000_000_000
EVERYBODY = 0x7FFF_FFFF
# Who sleeps looks around after this time, in nanoseconds; without futexes nobody can be woken.
LONGEST_NAP = 10 * SECOND if HAS_FUTEX else 200_000


@kernel
def monotonic() -> u64:
    """Nanoseconds on a clock that nobody sets."""
    time = local_array(i64, 2)
    clock_gettime(CLOCK_MONOTONIC, time)
    return u64(time[0]) * SECOND + u64(time[1])


@kernel
def nap(word: Ptr[u32], seen: u32, duration: u64) -> None:
    """Sleep for some nanoseconds, or shorter; not at all if the word is no longer as seen."""
    if duration > LONGEST_NAP:
        duration = LONGEST_NAP
    time = local_array(i64, 2)
    time[0] = i64(duration // SECOND)
    time[1] = i64(duration % SECOND)
    if HAS_FUTEX:
        syscall(FUTEX, word, FUTEX_WAIT, u64(seen), time, null, 0)
    else:
        nanosleep(time, null)


@kernel
def wake(word: Ptr[u32]) -> None:
    """Have news for the thread that sleeps on a word; may be done by a signal handler."""
    atomic_add(word, u32(1))
    if HAS_FUTEX:
        syscall(FUTEX, word, FUTEX_WAKE, u64(1), null, null, 0)


@kernel
def wake_all(word: Ptr[u32]) -> None:
    """Wake all threads that sleep on a word, which has changed."""
    if HAS_FUTEX:
        syscall(FUTEX, word, FUTEX_WAKE, u64(EVERYBODY), null, null, 0)


@kernel(export=True)
def wake_context(context: Ptr[Context]) -> None:
    """Let a thread look around if it waits."""
    wake(addr(context.wakings))
