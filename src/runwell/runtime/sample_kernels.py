"""Looking again and again where a guest is, without the interpreter lock: kernels."""

from runwell.kernel import Ptr, addr, atomic_load, kernel
from runwell.runtime.layout import Context, GuestTimes
from runwell.runtime.sleep_kernels import monotonic, nap

INTERVAL = 1_000_000  # nanoseconds


@kernel(export=True)
def sample_guest(ctx: Ptr[Context], times: Ptr[GuestTimes]) -> None:
    """Note what a context is at until ``times.is_over``; for a thread that does nothing else.

    Who needs the interpreter lock to look would never see the host at work.
    """
    last = monotonic()
    while atomic_load(addr(times.is_over)) == 0:
        nap(addr(times.is_over), 0, INTERVAL)
        now = monotonic()
        if atomic_load(addr(ctx.thread_state)) == 0:
            times.host += now - last
        elif atomic_load(addr(ctx.host_sp)) == 0:
            times.interpreter += now - last
        else:
            times.compiled += now - last
        last = now
