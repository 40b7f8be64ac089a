"""The program that compiles for another process, which may end it at any time.

It talks through its standard input, a socket, in the messages of ``codegen.worker``: jobs in,
movable code or what is wrong with the job out; first of all it says that it is ready.  It ends when
the socket's other end is closed, whatever it does just then, and the system ends it with the thread
that started it.  What it prints goes to a file that only its host reads, and only if it crashes.
"""

import os
import sys
from _thread import LockType, allocate_lock, start_new_thread
from select import POLLHUP, POLLIN, poll

from runwell.codegen.worker import read_message, write_message

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal

# What messages to the host are.
ANSWER, REFUSAL, READY = range(3)
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15
_PRINTED_BYTES = 1 << 20
_SWITCH_S = 0.0002
_TRIVIAL = "define i64 @f(i64 %x) {\n  %y = add i64 %x, 1\n  ret i64 %y\n}\n"


def main(function: str, host: int, memory_bytes: int) -> None:
    """Serve until the host is gone.

    Args:
        function: what compiles, as ``module:name``.
        host: the process to serve.
        memory_bytes: address space that this one may use.
    """
    _restrict(host, memory_bytes)
    start_new_thread(_watch, ())
    with open(0, "rb", closefd=False) as jobs, open(0, "wb", closefd=False) as answers:
        _get_ready(function)
        write_message(answers, READY, b"")
        while True:
            try:
                _, data = read_message(jobs)
            except EOFError:
                return
            is_done, result = compile_movable(function, data)
            write_message(answers, ANSWER if is_done else REFUSAL, result)


def compile_movable(function: str, data: bytes) -> tuple[bool, bytes]:
    """Compile a job here and link the object.

    Args:
        function: what compiles, as ``module:name``.
        data: the job.

    Returns:
        Is it done?  And movable code; or, if it is refused, why.
    """
    from runwell.elf.movable_maker import make_movable

    module, _, name = function.partition(":")
    try:
        return True, make_movable(getattr(_imported(module), name)(data))
    except Exception as error:  # noqa: BLE001 (whatever it is, it is the answer)
        return False, f"{type(error).__name__}: {error}".encode(errors="replace")


def _imported(module: str) -> object:
    """A module; ``importlib`` would import half a dozen others first."""
    return __import__(module, fromlist=[""])


def _restrict(host: int, memory_bytes: int) -> None:
    """Depend on the host, and on nothing else of it; stay out of everybody's way."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import resource

    from runwell.base.light_ctypes import CFUNCTYPE, c_char_p, c_int, c_uint64, symbol

    prctl = symbol("prctl")
    zeros = (c_uint64,) * 3
    CFUNCTYPE(c_int, c_int, c_uint64, *zeros)(prctl)(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != host:  # it was gone before we asked
        sys.exit(0)
    CFUNCTYPE(c_int, c_int, c_char_p, *zeros)(prctl)(_PR_SET_NAME, b"runwell-jit", 0, 0, 0)
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: _PRINTED_BYTES,
        resource.RLIMIT_AS: memory_bytes,
    }
    for limit, value in limits.items():
        hard = resource.getrlimit(limit)[1]
        if hard == resource.RLIM_INFINITY or value <= hard:
            resource.setrlimit(limit, (value, value))
    try:
        # If the system runs out of memory, better this process than the host.
        with open("/proc/self/oom_score_adj", "w") as score:
            score.write("500")
    except OSError:
        return


def _watch() -> None:
    """End with the connection, also in the middle of a job."""
    connection = poll()
    connection.register(0, 0)  # closing is always reported
    while True:
        if any(events & POLLHUP for _, events in connection.poll()):
            os._exit(0)


def _get_ready(function: str) -> None:
    """Import what compiles, and pass through all of it once: the first time takes longest.

    If there is a job already, that is the first.  A thread loads LLVM meanwhile.
    """
    import gc

    # Nothing of what is made here goes away.
    gc.disable()
    from runwell.codegen import bundle, direct  # noqa: F401 (which is here before the thread)
    from runwell.codegen.together import LOWERING

    # Each of the two threads has little to do between its waits for the other.
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    loading = allocate_lock()
    loading.acquire()
    start_new_thread(_load, (loading,))
    # Most of what compiles modules takes no LLVM.
    bundle.import_together(LOWERING)
    import runwell.jit.unit  # noqa: F401
    from runwell.elf.movable_maker import make_movable

    loading.acquire()
    sys.setswitchinterval(interval_s)
    from runwell.codegen.object import compile_text

    _imported(function.partition(":")[0])
    jobs = poll()
    jobs.register(0, POLLIN)
    if not jobs.poll(0):
        make_movable(compile_text(_TRIVIAL, 1))
    gc.freeze()
    gc.enable()


def _load(loading: LockType) -> None:
    """Load LLVM and make it ready to write code, then release the lock."""
    try:
        from runwell.codegen.direct import import_direct

        if not import_direct():
            from runwell.codegen.lean import import_lean

            import_lean()
        from runwell.codegen.target import module_head

        module_head(1)
    except Exception:  # noqa: BLE001 (whatever it is, whoever compiles meets it again)
        return
    finally:
        loading.release()
