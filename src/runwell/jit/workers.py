"""Compiler processes: started when there is work, killed when they take too long, never waited for.

One thread does everything with them, so that a process is known to nobody else, and the system,
which ends a process with the thread that started it, ends it with this one.  A job's budget is
processor time, so that a busy machine makes nothing fail; a process that gets none at all for long
is taken for stuck.

A crash is the fault of the job and only of that: the next process gets the next job, after a pause
that grows while one crash follows another.  Processes that do not even start are given up, and a
thread compiles instead; not so if somebody kills them.

After a fork the child knows nothing of all this, closes what it inherited of it, and starts
processes of its own.
"""

from __future__ import annotations

import atexit
import os
from _thread import allocate_lock, get_ident, start_new_thread
from select import POLLHUP, POLLIN, POLLOUT, poll
from time import monotonic

from runwell.base.light import final
from runwell.base.log import DEBUG, WARNING, log
from runwell.codegen.own_files import default_directory
from runwell.codegen.python import command, find_python
from runwell.jit.compiler import Compiler, Outcome, Status, Ticket
from runwell.jit.process import Process

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from _thread import LockType
    from collections import deque
    from collections.abc import Callable
    from typing import Final
    from weakref import ref

    from runwell.jit.thread import ThreadCompiler
else:
    # What the modules of Python's library wrap takes less to import.
    import _socket as socket
    from _collections import deque
    from _weakref import ref

IDLE_S: Final = 10.0
# A process without work for so long does what can wait: what follows what it has just done comes
# first.
LEISURE_S: Final = 0.1
MEMORY_BYTES: Final = 3 << 30
# A process that holds more than this between jobs makes way for a fresh one.
RESIDENT_BYTES: Final = 600 << 20
PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 30.0
MAX_FAILED_STARTS: Final = 3
# How long to wait for the thread when it is to end; what tells an outcome may hold it up.
END_S: Final = 5.0
# How long to wait at most until a process is started.
LOOK_S: Final = 0.02
_MOST_FILES: Final = 1 << 16


@final
class Workers(Compiler):
    """Compiles in processes.

    Attributes:
        problem: why a thread compiles instead, or "".
        started: processes that were started.
    """

    def __init__(
        self,
        function: str,
        jobs: int | None = None,
        *,
        idle_s: float = IDLE_S,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        """Nothing is started yet.

        Args:
            function: what compiles, as ``module:name``.
            jobs: how many processes at most; None for one less than there are processors.
            idle_s: seconds without work after which a process ends.
            memory_bytes: address space that a process may use.

        Raises:
            ValueError: ``jobs`` is not positive.
        """
        if jobs is not None and jobs < 1:
            raise ValueError(f"jobs must be at least 1, not {jobs}")
        self._jobs = jobs or max(len(os.sched_getaffinity(0)) - 1, 1)
        self._function, self._idle_s, self._memory_bytes = function, idle_s, memory_bytes
        self.problem, self.started = "", 0
        self._fallback: ThreadCompiler | None = None
        self._lock = allocate_lock()
        self._begin()
        _pools.append(ref(self, _pools.remove))

    def _begin(self) -> None:
        self._queue: deque[Ticket] = deque()
        self._later: deque[Ticket] = deque()
        self._processes: list[Process] = []
        # The thread's identity, 0 if there is none; the lock is held while it runs.
        self._thread, self._running = 0, allocate_lock()
        self._wakers: tuple[socket.socket, socket.socket] | None = None
        # Held while somebody waits for the thread to have looked what there is to start.
        self._wanted, self._looked = 0, allocate_lock()
        self._is_closed = False
        self._crashes = self._failed_starts = 0
        self._pause_until_s = 0.0

    def submit(
        self,
        data: bytes,
        budget_s: float,
        done: Callable[[Outcome], None],
        *,
        is_urgent: bool = True,
    ) -> Ticket:
        """Hand a job over; see ``Compiler``."""
        if self._fallback is not None:
            return self._fallback.submit(data, budget_s, done)
        ticket = Ticket(data, budget_s, done)
        with self._lock:
            (self._queue if is_urgent else self._later).append(ticket)
            self._wake()
        return ticket

    def cancel(self, ticket: Ticket) -> None:
        """Say that nobody wants a job any more; see ``Compiler``."""
        with self._lock:
            ticket.is_cancelled = True
            if self._thread:
                self._wake()

    def warm(self) -> None:
        """Start a process if there is none; see ``Compiler``."""
        with self._lock:
            if self._fallback is not None or self._processes:
                return
            self._wanted = 1
            looked = self._looked
            looked.acquire(blocking=False)
            self._wake()
        # Whatever the caller does next would hold it up for longer, with the interpreter lock.
        if looked.acquire(timeout=LOOK_S):
            looked.release()

    def used_s(self) -> float:
        """Seconds of this process's processor time; see ``Compiler``."""
        return 0.0 if self._fallback is None else self._fallback.used_s()

    def close(self) -> None:
        """Kill the processes; jobs that are not done never will be."""
        running = self._end_thread()
        if running is not None and self._thread != get_ident() and running.acquire(timeout=END_S):
            running.release()
        if self._fallback is not None:
            self._fallback.close()

    def end(self) -> None:
        """As ``close``, but without waiting until it is done: this process ends."""
        self._end_thread()
        if self._fallback is not None:
            self._fallback.close()

    def _end_thread(self) -> LockType | None:
        """Tell the thread to end; the lock that it then releases, or None if there is none."""
        with self._lock:
            if not self._thread:
                return None
            self._is_closed = True
            self._wake()
            return self._running

    def pids(self) -> list[int]:
        """The processes there are."""
        return [process.pid for process in list(self._processes)]

    def are_ready(self) -> bool:
        """Is there a process, and none that still starts?"""
        processes = list(self._processes)
        return bool(processes) and all(process.was_ready for process in processes)

    def pause_s(self) -> float:
        """Seconds until the next process may start."""
        return max(self._pause_until_s - monotonic(), 0.0)

    def forget(self) -> None:
        """In a forked child: what there is, is the parent's."""
        for process in self._processes:
            process.abandon()
        for waker in self._wakers or ():
            waker.close()
        self._lock = allocate_lock()
        self._begin()

    def _wake(self) -> None:
        """Have the thread look; the lock is held."""
        if not self._thread:
            if self._wakers is None:
                self._wakers = socket.socketpair()
                for waker in self._wakers:
                    waker.setblocking(False)
            self._running.acquire()
            try:
                self._thread = start_new_thread(self._run, ())
            except RuntimeError:  # the interpreter shuts down: nobody will want the code
                self._running.release()
                return
        assert self._wakers is not None
        try:
            self._wakers[1].send(b"!")
        except BlockingIOError:
            return  # it has enough to wake up by

    def _run(self) -> None:
        try:
            while not self._is_closed:
                self._start_and_assign()
                with self._lock:
                    if self._looked.locked():
                        self._looked.release()
                self._wait()
                self._look_after()
        finally:
            for process in list(self._processes):
                self._end(process)
            with self._lock:
                for waker in self._wakers or ():
                    waker.close()
                running = self._running
                self._begin()
            running.release()

    def _start_and_assign(self) -> None:
        """Give waiting jobs to processes, and start those that are missing."""
        if self._fallback is not None:
            while (ticket := self._next()) is not None:
                self._fallback.take(ticket)
            return
        for process in self._processes:
            if process.ticket is None:
                ticket = self._next(is_at_leisure=process.is_idle_for(LEISURE_S))
                if ticket is not None:
                    process.give(ticket)
        with self._lock:
            waiting = len(self._queue) + (0 if self._processes else len(self._later))
            missing = max(waiting, self._wanted - len(self._processes))
            self._wanted = 0
        while missing and len(self._processes) < self._jobs and monotonic() >= self._pause_until_s:
            started = self._start()
            if started is None:
                return
            missing -= 1
            self._processes.append(started)
            if (ticket := self._next()) is not None:
                started.give(ticket)

    def _next(self, *, is_at_leisure: bool = True) -> Ticket | None:
        """The next job that somebody wants, and that can wait only if there is leisure for it."""
        while True:
            with self._lock:
                queue = self._queue or self._later
                if not queue or (queue is self._later and not is_at_leisure):
                    return None
                ticket = queue.popleft()
            if not ticket.is_cancelled:
                return ticket
            ticket.finish(Outcome(Status.CANCELLED))

    def _start(self) -> Process | None:
        python = find_python()
        if python is None:
            self._give_up("there is no Python program to start")
            return None
        arguments = f"{self._function!r}, {os.getpid()}, {self._memory_bytes}"
        # What is open here must not be there, and our modules come from one file.
        line = command(
            python,
            f"import os; os.closerange(3, {_MOST_FILES}); from runwell.codegen import bundle; "
            f"bundle.use({default_directory()!r}); from runwell.jit.worker import main; "
            f"main({arguments})",
        )
        try:
            process = Process(line)
        except OSError as error:
            # It may be for a moment only that the system has no room.
            self._note_failed_start(f"{python} cannot be started: {error.strerror}")
            return None
        self.started += 1
        log("jit.workers", DEBUG, "started compiler process %d", process.pid)
        return process

    def _give_up(self, problem: str) -> None:
        """Compile in a thread from now on."""
        from runwell.jit.thread import ThreadCompiler

        self.problem = problem
        log("jit.workers", WARNING, "%s; code is compiled in a thread from now on", problem)
        self._fallback = ThreadCompiler(self._function)
        self._start_and_assign()

    def _wait(self) -> None:
        """Until something happens, or should."""
        now = monotonic()
        times = [process.next_look_s(self._idle_s) for process in self._processes]
        with self._lock:
            if (self._queue or self._later) and len(self._processes) < self._jobs:
                times.append(self._pause_until_s)
            if self._later:
                free = [process for process in self._processes if process.ticket is None]
                times += [process.next_look_s(LEISURE_S) for process in free]
        timeout_s = max(min(times) - now, 0.0) if times else None
        assert self._wakers is not None
        events = poll()
        events.register(self._wakers[0], POLLIN)
        by_file = {process.connection.fileno(): process for process in self._processes}
        for file, process in by_file.items():
            events.register(file, POLLIN | (POLLOUT if process.has_output else 0))
        ready = events.poll(None if timeout_s is None else timeout_s * 1000 + 1)
        for file, what in ready:
            found = by_file.get(file)
            if found is None:
                try:
                    self._wakers[0].recv(4096)
                except BlockingIOError:
                    continue
                continue
            if what & POLLOUT:
                found.send()
            if what & (POLLIN | POLLHUP):
                found.receive()

    def _look_after(self) -> None:
        """Pass on what came, and end what should not go on."""
        for process in list(self._processes):
            if process.take_ready():
                self._failed_starts = 0
            outcome = process.take_outcome()
            if outcome is not None:
                self._crashes = 0
                if process.resident_bytes() > RESIDENT_BYTES:
                    self._end(process)
                process.finish(outcome)
            elif process.is_gone or process.is_late():
                self._bury(process)
            elif process.is_overdue():
                self._stop(process, Status.OVERRUN)
            elif process.is_unwanted():
                self._stop(process, Status.CANCELLED)
            elif process.is_idle_for(self._idle_s):
                self._end(process)
        with self._lock:
            unwanted = []
            for queue in (self._queue, self._later):
                found = [ticket for ticket in queue if ticket.is_cancelled]
                unwanted += found
                for ticket in found:
                    queue.remove(ticket)
        for ticket in unwanted:
            ticket.finish(Outcome(Status.CANCELLED))

    def _stop(self, process: Process, status: Status) -> None:
        """Kill a process for the sake of its job."""
        cpu_s = process.cpu_s()
        self._end(process)
        process.finish(Outcome(status, message=f"killed after {cpu_s:.3f} s", cpu_s=cpu_s))

    def _bury(self, process: Process) -> None:
        """A process died by itself."""
        message = self._end(process)
        if not process.was_ready:
            ticket, process.ticket = process.ticket, None
            if ticket is not None:
                with self._lock:
                    self._queue.appendleft(ticket)
            if process.was_killed:
                # Whoever does that, be it for want of memory, would not like LLVM in the host.
                self._pause()
            else:
                self._note_failed_start(f"compiler processes end before they are ready: {message}")
            return
        self._pause()
        if process.ticket is not None:
            process.finish(Outcome(Status.CRASHED, message=message))

    def _note_failed_start(self, problem: str) -> None:
        self._failed_starts += 1
        if self._failed_starts >= MAX_FAILED_STARTS:
            self._give_up(problem)
        else:
            self._pause()

    def _pause(self) -> None:
        """Start nothing for a while."""
        self._crashes += 1
        pause_s = min(PAUSE_S * 2 ** (self._crashes - 1), LONGEST_PAUSE_S)
        self._pause_until_s = monotonic() + pause_s

    def _end(self, process: Process) -> str:
        """Kill a process; how it ended and what it said."""
        self._processes.remove(process)
        message = process.kill()
        log("jit.workers", DEBUG, "ended compiler process %d: %s", process.pid, message)
        return message


_pools: list[ref[Workers]] = []


def _living() -> list[Workers]:
    return [pool for known in list(_pools) if (pool := known()) is not None]


def _in_child() -> None:
    for pool in _living():
        pool.forget()


@atexit.register
def _at_exit() -> None:
    for pool in _living():
        pool.end()


os.register_at_fork(after_in_child=_in_child)
