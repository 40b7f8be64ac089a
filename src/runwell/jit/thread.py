"""A compiler in a thread of this process, for hosts that may not start others.

LLVM lets nobody interrupt it, so a budget cannot be enforced here, only kept by asking for less;
and a crash of LLVM is one of the process.
"""

from __future__ import annotations

import os
import threading
from queue import Empty, SimpleQueue
from time import thread_time
from typing import TYPE_CHECKING, final
from weakref import WeakSet

from runwell.jit.compiler import Compiler, Outcome, Status, Ticket

if TYPE_CHECKING:
    from collections.abc import Callable

NICE = 5


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
        self._lock = threading.Lock()
        self._begin()
        _compilers.add(self)

    def _begin(self) -> None:
        self._queue: SimpleQueue[Ticket | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, data: bytes, budget_s: float, done: Callable[[Outcome], None]) -> Ticket:
        """Hand a job over; see ``Compiler``."""
        ticket = Ticket(data, budget_s, done)
        self.take(ticket)
        return ticket

    def take(self, ticket: Ticket) -> None:
        """Take a job over from another compiler."""
        with self._lock:
            self._queue.put(ticket)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, args=(self._queue,), name="runwell-compiler", daemon=True
                )
                self._thread.start()

    def cancel(self, ticket: Ticket) -> None:
        """Say that nobody wants a job any more; one that is being compiled goes on."""
        ticket.is_cancelled = True

    def warm(self) -> None:
        """Nothing: importing LLVM here would hold up everybody else."""

    def close(self) -> None:
        """Stop behind the job that is being compiled, and wait for that."""
        with self._lock:
            thread, queue = self._thread, self._queue
            self._begin()
        while True:
            try:
                queue.get_nowait()
            except Empty:
                break
        queue.put(None)
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _run(self, queue: SimpleQueue[Ticket | None]) -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        while (ticket := queue.get()) is not None:
            if ticket.is_cancelled:
                ticket.finish(Outcome(Status.CANCELLED))
                continue
            start_s = thread_time()
            status, result = compile_movable(self._function, ticket.data)
            cpu_s = thread_time() - start_s
            if status is Status.DONE:
                ticket.finish(Outcome(status, result, "", cpu_s))
            else:
                ticket.finish(Outcome(status, b"", result.decode(), cpu_s))

    def forget(self) -> None:
        """In a forked child: the thread, and what it was given, are the parent's."""
        self._lock = threading.Lock()
        self._begin()


def compile_movable(function: str, data: bytes) -> tuple[Status, bytes]:
    """Compile a job here and link the object.

    Returns:
        Movable code; or, if it is refused, why.
    """
    from importlib import import_module

    from runwell.elf.movable_maker import make_movable

    module, _, name = function.partition(":")
    try:
        return Status.DONE, make_movable(getattr(import_module(module), name)(data))
    except Exception as error:  # noqa: BLE001 (whatever it is, it is the answer)
        return Status.REFUSED, f"{type(error).__name__}: {error}".encode(errors="replace")


_compilers: WeakSet[ThreadCompiler] = WeakSet()


def _in_child() -> None:
    for compiler in list(_compilers):
        compiler.forget()


os.register_at_fork(after_in_child=_in_child)
