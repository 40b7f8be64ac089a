"""A lock that is held for a few instructions: who finds it taken looks again, after others."""

from runwell.kernel import Ptr, atomic_cas, atomic_store, kernel, u32
from runwell.runtime.c_library import sched_yield


@kernel
def take_lock(lock: Ptr[u32]) -> None:
    """Wait until nobody else has it; 0 is free."""
    while not atomic_cas(lock, u32(0), u32(1)):
        sched_yield()


@kernel
def give_lock(lock: Ptr[u32]) -> None:
    """Let others have it."""
    atomic_store(lock, u32(0))
