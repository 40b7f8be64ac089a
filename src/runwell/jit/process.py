"""One compiler process as its host sees it: a socket, a job, and the means to kill it."""

from __future__ import annotations

import os
from time import clock_gettime, monotonic

from runwell.base.light import final
from runwell.codegen.worker import MAGIC
from runwell.jit.compiler import Outcome, Status, Ticket
from runwell.jit.worker import ANSWER, READY

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    import socket
    from collections.abc import Sequence
    from typing import Final
else:
    # What ``signal`` and ``socket`` wrap takes longer to import than all else here.
    import _signal as signal
    import _socket as socket

START_S: Final = 60.0
# How long a job that nobody wants may go on, because a new process costs as much.
GRACE_S: Final = 0.1
_HEAD_BYTES: Final = 10
_MAX_BYTES: Final = 1 << 30
_CHUNK: Final = 1 << 18
_SAID_BYTES: Final = 1000
# A process without processor time for this long, by its budget and in any case, is stuck.
_STUCK_FACTOR: Final = 20
_STUCK_S: Final = 30.0
_KEPT_VARIABLES: Final = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ")


@final
class Process:
    """A process that compiles.

    Attributes:
        pid: its number.
        connection: the socket to it.
        ticket: what it works on, or None.
        was_ready: it has said that it is ready.
        is_gone: it has closed the connection, or talks nonsense.
        was_killed: a signal has ended it.
    """

    def __init__(self, line: Sequence[str]) -> None:
        """Start it.

        Args:
            line: the command.

        Raises:
            OSError: the system refuses.
        """
        self.ticket: Ticket | None = None
        self.was_ready = self.is_gone = self.was_killed = self._is_ready_news = False
        self._output = memoryview(b"")
        self._input = bytearray()
        self._outcome: Outcome | None = None
        self._start_s = self._idle_since_s = self._work_since_s = monotonic()
        self._cpu_base_s = 0.0
        self._look_s = 0.0
        ours, theirs = socket.socketpair()
        try:
            self._said = _own_file()
            try:
                self.pid = _spawn(line, theirs, self._said)
            except BaseException:
                os.close(self._said)
                raise
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self.connection = ours
        ours.setblocking(False)
        # The clock of its processor time, as the C library makes its number.
        self._clock = ~self.pid << 3 | 2
        try:
            self._handle = os.pidfd_open(self.pid)
        except (AttributeError, OSError):
            self._handle = -1

    @property
    def has_output(self) -> bool:
        """Is there more to send?"""
        return len(self._output) > 0

    def give(self, ticket: Ticket) -> None:
        """Have it do a job."""
        self.ticket = ticket
        head = bytes([MAGIC, 0]) + len(ticket.data).to_bytes(8, "little")
        self._output = memoryview(head + ticket.data)
        self._begin_job()
        self.send()

    def _begin_job(self) -> None:
        self._work_since_s = monotonic()
        self._cpu_base_s = self._clock_s()
        if self.ticket is not None:
            self._look_s = self._work_since_s + self.ticket.budget_s

    def send(self) -> None:
        """Send as much as it takes."""
        try:
            while self._output:
                self._output = self._output[self.connection.send(self._output) :]
        except BlockingIOError:
            return
        except OSError:
            self.is_gone = True

    def receive(self) -> None:
        """Read what it sent."""
        try:
            while data := self.connection.recv(_CHUNK):
                self._input += data
        except BlockingIOError:
            pass
        except OSError:
            self.is_gone = True
        else:
            self.is_gone = True
        while (message := self._message()) is not None:
            tag, content = message
            if tag == READY:
                self.was_ready = self._is_ready_news = True
                self._begin_job()  # starting is not the job's fault
                self._idle_since_s = monotonic()
            elif tag == ANSWER:
                self._outcome = Outcome(Status.DONE, content, "", self.cpu_s())
            else:
                text = content.decode(errors="replace")
                self._outcome = Outcome(Status.REFUSED, b"", text, self.cpu_s())

    def _message(self) -> tuple[int, bytes] | None:
        data = self._input
        if len(data) < _HEAD_BYTES:
            return None
        size = int.from_bytes(data[2:_HEAD_BYTES], "little")
        if data[0] != MAGIC or size > _MAX_BYTES:
            self.is_gone = True
            data.clear()
            return None
        end = _HEAD_BYTES + size
        if len(data) < end:
            return None
        content = bytes(memoryview(data)[_HEAD_BYTES:end])
        tag = data[1]
        del data[:end]
        return tag, content

    def take_ready(self) -> bool:
        """Has it become ready since this was last asked?"""
        news, self._is_ready_news = self._is_ready_news, False
        return news

    def take_outcome(self) -> Outcome | None:
        """What became of the job, if it has come."""
        outcome, self._outcome = self._outcome, None
        return outcome

    def finish(self, outcome: Outcome) -> None:
        """Tell the outcome of the job, which is the process's no more."""
        ticket, self.ticket = self.ticket, None
        self._idle_since_s = monotonic()
        if ticket is not None:
            ticket.finish(outcome)

    def _clock_s(self) -> float:
        try:
            return clock_gettime(self._clock)
        except OSError:  # it is gone
            return self._cpu_base_s

    def cpu_s(self) -> float:
        """Seconds of processor time that it spent on the job."""
        return max(self._clock_s() - self._cpu_base_s, 0.0)

    def is_idle_for(self, idle_s: float) -> bool:
        """Has it had nothing to do for so many seconds?"""
        idle = self.was_ready and self.ticket is None
        return idle and monotonic() - self._idle_since_s >= idle_s

    def is_late(self) -> bool:
        """Should it have become ready long ago?"""
        return not self.was_ready and monotonic() - self._start_s >= START_S

    def is_overdue(self) -> bool:
        """Has it spent the job's budget, or is it stuck?"""
        now = monotonic()
        if not self.was_ready or self.ticket is None or now < self._look_s:
            return False
        left_s = self.ticket.budget_s - self.cpu_s()
        self._look_s = now + max(left_s, 0.001)
        stuck_s = self.ticket.budget_s * _STUCK_FACTOR + _STUCK_S
        return left_s <= 0 or now - self._work_since_s > stuck_s

    def is_unwanted(self) -> bool:
        """Is nobody interested in the job any more, and much of it left to be expected?"""
        unwanted = self.ticket is not None and self.ticket.is_cancelled
        return unwanted and monotonic() - self._work_since_s >= GRACE_S

    def next_look_s(self, idle_s: float) -> float:
        """When to look whether it should go on."""
        if not self.was_ready:
            look_s = self._start_s + START_S
        elif self.ticket is None:
            return self._idle_since_s + idle_s
        else:
            look_s = self._look_s
        if self.ticket is not None and self.ticket.is_cancelled:
            return min(look_s, self._work_since_s + GRACE_S)
        return look_s

    def resident_bytes(self) -> int:
        """Memory that it holds, 0 if it cannot be told."""
        try:
            with open(f"/proc/{self.pid}/statm", "rb") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
        except (OSError, ValueError, IndexError):
            return 0

    def kill(self) -> str:
        """End it and let nothing of it remain; how it ended, and the last that it said."""
        try:
            if self._handle >= 0:
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)
            else:
                os.kill(self.pid, signal.SIGKILL)
        except OSError:
            pass  # it has ended, and somebody who waits for all children has seen it
        how = "ended"
        try:
            _, status = os.waitpid(self.pid, 0)
        except OSError:
            pass
        else:
            code = os.waitstatus_to_exitcode(status)
            self.was_killed = code < 0
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
        try:
            size = os.fstat(self._said).st_size
            said = os.pread(self._said, _SAID_BYTES, max(size - _SAID_BYTES, 0))
        except OSError:
            said = b""
        self.abandon()
        return f"{how}: {said.decode(errors='replace').strip()}".rstrip(": ")

    def abandon(self) -> None:
        """Close all that is open here."""
        self.connection.close()
        for file in (self._said, self._handle):
            if file >= 0:
                os.close(file)
        self._said = self._handle = -1


def _own_file() -> int:
    """A file that nobody else sees, for what a process prints."""
    try:
        return os.memfd_create("runwell-jit", os.MFD_CLOEXEC)
    except (AttributeError, OSError):
        return os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)


def _spawn(line: Sequence[str], connection: socket.socket, said: int) -> int:
    """Start a process with a socket for its input; its number."""
    from fcntl import F_DUPFD_CLOEXEC, fcntl

    # Away from the numbers that they will have, lest one be overwritten before it is copied.
    files = [fcntl(file, F_DUPFD_CLOEXEC, 3) for file in (connection.fileno(), said)]
    try:
        return os.posix_spawn(
            line[0],
            tuple(line),
            {key: os.environ[key] for key in _KEPT_VARIABLES if key in os.environ},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, files[0], 0),
                (os.POSIX_SPAWN_DUP2, files[1], 1),
                (os.POSIX_SPAWN_DUP2, files[1], 2),
            ],
            # Ctrl-C is for the host to handle, which ends this one with itself.
            setsigmask=[signal.SIGINT, signal.SIGQUIT],
            setsigdef=[signal.SIGTERM, signal.SIGHUP],
        )
    finally:
        for file in files:
            os.close(file)
