"""A compiler in a thread of this process, for hosts that may not start others.

LLVM lets nobody interrupt it, so a budget cannot be enforced here, only kept by asking for less;
and a crash of LLVM is one of the process.
"""

from __future__ import annotations

import atexit
import os
from _queue import Empty, SimpleQueue
from _thread import allocate_lock, get_ident, get_native_id, start_new_thread
from time import clock_gettime, thread_time
from weakref import WeakSet

from runwell.base.light import final
from runwell.jit.compiler import Compiler, Outcome, Status, Ticket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import LockType
    from collections.abc import Callable

NICE = 5
# How long the end of the process waits for a job: LLVM must not run while it is taken apart.
END_S = 60.0


@final
class ThreadCompiler(Compiler):
    """Compiles in one thread, started with the first job.

    Attributes:
        problem: always "".
    """

    def __init__(self, function: str) -> None:
        """Nothing is started yet.

        Args:
            function: what compiles, as ``module:name``.
        """
        self.problem = ""
        self._function = function
        self._lock = allocate_lock()
        self._begin()
        _compilers.add(self)

    def _begin(self) -> None:
        self._queue: SimpleQueue[Ticket | None] = SimpleQueue()
        # The thread's identity, 0 if there is none; the lock is held while it runs.
        self._thread, self._running = 0, allocate_lock()
        self._clock = 0  # of the thread's processor time, 0 if there is none

    def used_s(self) -> float:
        """Seconds of this process's processor time that it has taken; see ``Compiler``."""
        try:
            return clock_gettime(self._clock) if self._clock else 0.0
        except OSError:  # it has ended
            return 0.0

    def submit(
        self,
        data: bytes,
        budget_s: float,
        done: Callable[[Outcome], None],
        *,
        is_urgent: bool = True,
    ) -> Ticket:
        """Hand a job over; see ``Compiler``."""
        ticket = Ticket(data, budget_s, done)
        self.take(ticket)
        return ticket

    def take(self, ticket: Ticket) -> None:
        """Take a job over from another compiler."""
        with self._lock:
            self._queue.put(ticket)
            if not self._thread:
                self._running.acquire()
                try:
                    self._thread = start_new_thread(self._run, (self._queue, self._running))
                except RuntimeError:  # the interpreter shuts down: nobody will want the code
                    self._running.release()

    def cancel(self, ticket: Ticket) -> None:
        """Say that nobody wants a job any more; one that is being compiled goes on."""
        ticket.is_cancelled = True

    def warm(self) -> None:
        """Nothing: importing LLVM here would hold up everybody else."""

    def close(self) -> None:
        """Stop behind the job that is being compiled, and wait for that."""
        with self._lock:
            thread, queue, running = self._thread, self._queue, self._running
            self._begin()
        while True:
            try:
                queue.get_nowait()
            except Empty:
                break
        queue.put(None)
        if thread and thread != get_ident() and running.acquire(timeout=END_S):
            running.release()

    def _run(self, queue: SimpleQueue[Ticket | None], running: LockType) -> None:
        try:
            os.setpriority(os.PRIO_PROCESS, get_native_id(), NICE)
            # As the C library makes its number.
            self._clock = ~get_native_id() << 3 | 6
            self._serve(queue)
        finally:
            running.release()

    def _serve(self, queue: SimpleQueue[Ticket | None]) -> None:
        from runwell.jit.worker import compile_movable

        while (ticket := queue.get()) is not None:
            if ticket.is_cancelled:
                ticket.finish(Outcome(Status.CANCELLED))
                continue
            start_s = thread_time()
            is_done, result = compile_movable(self._function, ticket.data)
            cpu_s = thread_time() - start_s
            if is_done:
                ticket.finish(Outcome(Status.DONE, result, "", cpu_s))
            else:
                ticket.finish(Outcome(Status.REFUSED, b"", result.decode(), cpu_s))

    def forget(self) -> None:
        """In a forked child: the thread, and what it was given, are the parent's."""
        self._lock = allocate_lock()
        self._begin()


_compilers: WeakSet[ThreadCompiler] = WeakSet()


def _in_child() -> None:
    for compiler in list(_compilers):
        compiler.forget()


@atexit.register
def _at_exit() -> None:
    for compiler in list(_compilers):
        compiler.close()


os.register_at_fork(after_in_child=_in_child)
