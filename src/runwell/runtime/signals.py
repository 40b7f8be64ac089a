"""The fault handler as the rest of the runtime sees it (the handler itself: ``signal_kernels``)."""

from runwell.runtime.mapping import guard_pages_available
from runwell.runtime.native import native


def install(low: int, high: int, fault_exit: int, native_return: int) -> None:
    """Turn faults of the guest into traps from now on.

    Args:
        low: first address of the interpreter's code.
        high: first address behind it.
        fault_exit: where to continue after a fault, on the native stack of the guest's entry.
        native_return: the same after a fault of compiled code.
    """
    native.set_guest_code(low, high, fault_exit, native_return)
    recheck()


def recheck() -> None:
    """Put the handler in its place again if somebody replaced it.

    Whoever did is asked about the faults that are not the guest's.  It costs two system calls, so
    instantiation does it, and calls do not.
    """
    if guard_pages_available():
        native.install_fault_handler()
