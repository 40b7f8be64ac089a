"""What compiles in the background: how work is handed over and comes back.

There are two: processes (``workers``), which can be killed and use other processors, and a thread
(``thread``) for hosts that may not start processes.  Neither makes anybody wait.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from runwell.base.light import IntEnum, NamedTuple, final

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

KINDS = ("process", "thread")
# What compiles modules: it takes a job's bytes and gives a relocatable object.
FUNCTION = "runwell.jit.compile:compile_encoded"


class Status(IntEnum):
    """How the work on a job ended."""

    DONE = 0
    REFUSED = 1  # the compiler said why not
    CRASHED = 2  # the compiler's process died of it
    OVERRUN = 3  # it took more than its budget and was killed
    CANCELLED = 4


class Outcome(NamedTuple):
    """What became of a job.

    Attributes:
        status: how it ended.
        code: movable code if it is done, else empty.
        message: what went wrong, or "".
        cpu_s: seconds of processor time that it took.
    """

    status: Status
    code: bytes = b""
    message: str = ""
    cpu_s: float = 0.0


@final
class Ticket:
    """A job on its way.

    Attributes:
        data: the job; nothing once it is done.
        budget_s: seconds of processor time that it may take.
        is_cancelled: nobody wants it any more.
        done: is told the outcome, once.
    """

    __slots__ = ("budget_s", "data", "done", "is_cancelled")

    def __init__(self, data: bytes, budget_s: float, done: Callable[[Outcome], None]) -> None:
        self.data, self.budget_s, self.done, self.is_cancelled = data, budget_s, done, False

    def finish(self, outcome: Outcome) -> None:
        """Tell the outcome; an error of who is told does not stop the compiler."""
        self.data = b""  # tickets may be kept, and jobs are large
        try:
            self.done(outcome)
        except Exception:  # noqa: BLE001 (it is somebody else's)
            import sys

            sys.excepthook(*sys.exc_info())


class Compiler(ABC):
    """Compiles jobs in the background, in the order in which they come, those that can wait last.

    Attributes:
        problem: why it is not what it was asked to be, or "".
    """

    problem: str

    @abstractmethod
    def submit(
        self,
        data: bytes,
        budget_s: float,
        done: Callable[[Outcome], None],
        *,
        is_urgent: bool = True,
    ) -> Ticket:
        """Hand a job over, at once.

        Args:
            data: the job, as the function that compiles takes it.
            budget_s: seconds of processor time that it may take.
            done: is told the outcome, exactly once and in a thread of the compiler's, which it must
                not hold up; not at all after ``close``, nor in a child that was forked meanwhile.
            is_urgent: others, if there are any, are kept waiting.
        """

    @abstractmethod
    def cancel(self, ticket: Ticket) -> None:
        """Say that nobody wants a job any more; its outcome comes soon, whatever it then is."""

    @abstractmethod
    def warm(self) -> None:
        """Get ready for a job that is likely to come."""

    def used_s(self) -> float:
        """Seconds of this process's processor time that it has taken."""
        return 0.0

    @abstractmethod
    def close(self) -> None:
        """Stop, and end what was started; it may be used again afterwards."""


def open_compiler(kind: str, function: str, jobs: int | None = None) -> Compiler:
    """A compiler of one of ``KINDS``; nothing is started yet.

    Args:
        kind: "process" or "thread"; where no process can be started, it is a thread all the same.
        function: what compiles, as ``module:name``: it takes a job's bytes and gives a relocatable
            object.
        jobs: how many processes at most; None for one less than there are processors.

    Raises:
        ValueError: there is no such kind.
    """
    if kind not in KINDS:
        raise ValueError(f"compiler is {' or '.join(map(repr, KINDS))}, not {kind!r}")
    if kind == "process":
        from runwell.jit.workers import Workers

        return Workers(function, jobs)
    from runwell.jit.thread import ThreadCompiler

    return ThreadCompiler(function)


_shared: dict[tuple[str, int | None], Compiler] = {}


def shared_compiler(kind: str, jobs: int | None = None) -> Compiler:
    """The process's compiler of modules; the same for the same arguments.

    Args:
        kind: as for ``open_compiler``.
        jobs: as for ``open_compiler``.

    Raises:
        ValueError: there is no such kind.
    """
    found = _shared.get((kind, jobs))
    if found is None:
        found = _shared.setdefault((kind, jobs), open_compiler(kind, FUNCTION, jobs))
    return found


def used_here_s() -> float:
    """Seconds of this process's processor time that its compilers have taken."""
    return sum([compiler.used_s() for compiler in list(_shared.values())])


def close_shared() -> None:
    """End the process's compilers; they start again when there is work."""
    for compiler in list(_shared.values()):
        compiler.close()
