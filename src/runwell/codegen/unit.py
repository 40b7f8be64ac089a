"""Units: kernels, and text made otherwise, that become one object; several in parallel.

LLVM's context is global to a process and its locks make threads useless, so parallel compilation
needs processes.  They are started as programs of their own, never forked from the host, which may
have threads.  Where that is impossible the work is done here.
"""

import queue
import subprocess
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import final

from runwell.base.progress import TICK_S
from runwell.codegen.python import command, find_python
from runwell.kernel.compiler import Program
from runwell.kernel.declare import Data, Kernel
from runwell.kernel.text import ModuleText
from runwell.kernel.types import KernelError


@final
class Unit:
    """What is compiled into one object.

    Attributes:
        name: what to call it.
        level: optimisation level, 0 to 3, unless None.
    """

    def __init__(
        self,
        name: str,
        kernels: Iterable[object],
        extra: Callable[[ModuleText], None] | None = None,
        *,
        elsewhere: Iterable[object] = (),
        is_debug: bool = False,
        level: int | None = None,
    ) -> None:
        """Describe a unit; nothing is compiled yet.

        Args:
            name: what to call it.
            kernels: kernels, and tables, that the unit defines for others; what they need and
                nobody else defines comes along.
            extra: adds text of its own to the module.
            elsewhere: kernels and tables that other units define.
            is_debug: compile assertions.
            level: optimisation level that is enough, whatever ``compile_units`` is told.
        """
        self.name, self.level = name, level
        self._roots = [_declared(k) for k in kernels]
        self._elsewhere = [k for k in map(_declared, elsewhere) if k not in self._roots]
        self._extra, self._is_debug = extra, is_debug
        self._program: Program | None = None

    @property
    def program(self) -> Program:
        """The checked kernels.

        Raises:
            KernelError: a kernel is ill typed.
        """
        if self._program is None:
            self._program = Program(self._roots, self._elsewhere, is_debug=self._is_debug)
        return self._program

    @property
    def exports(self) -> list[str]:
        """The symbols of its kernels and tables, as C code sees them."""
        return [root.name for root in self._roots]

    def text(self) -> str:
        """The unit as LLVM text, without data layout and triple; the same at every call.

        Raises:
            KernelError: a kernel is ill typed.
        """
        module = ModuleText()
        self.program.emit(module)
        if self._extra is not None:
            self._extra(module)
        return module.text()

    def object(self, level: int = 2) -> bytes:
        """The unit as a relocatable object, compiled in this process.

        Raises:
            KernelError: a kernel is ill typed.
            CodegenError: the extra text is wrong.
        """
        from runwell.codegen.object import compile_text

        return compile_text(self.text(), level)


def _declared(thing: object) -> Kernel | Data:
    if isinstance(thing, (Kernel, Data)):
        return thing
    raise KernelError(f"{thing!r} is not a kernel or a table")


def compile_units(
    units: Sequence[Unit],
    jobs: int = 2,
    progress: Callable[[int, int], object] | None = None,
    *,
    level: int = 2,
) -> list[bytes]:
    """Compile units to objects, in worker processes.

    Args:
        units: what to compile; the order of the answer.
        jobs: how many processes at most; 0 compiles in this one.
        progress: is told, in this thread, how many are done and how many there are, and at least
            ten times a second while nothing changes; what it raises ends the work.
        level: optimisation level, 0 to 3, of units that have none of their own.

    Raises:
        KernelError: a kernel is ill typed.
        CodegenError: a unit's extra text is wrong.
    """
    pool = _Pool(min(jobs, len(units)))
    objects: list[bytes] = [b""] * len(units)
    try:
        for n, unit in enumerate(units):
            pool.submit(n, unit.text(), level if unit.level is None else unit.level)
            if progress is not None:
                progress(0, len(units))
        for done in range(1, len(units) + 1):
            while (answer := pool.take(None if progress is None else TICK_S)) is None:
                assert progress is not None
                progress(done - 1, len(units))
            n, result = answer
            if isinstance(result, Exception):
                raise result
            objects[n] = result
            if progress is not None:
                progress(done, len(units))
    finally:
        pool.close()
    return objects


class _Pool:
    """Worker processes, each with a thread that feeds it."""

    def __init__(self, jobs: int) -> None:
        self.closed = threading.Event()
        self.todo: queue.Queue[tuple[int, str, int] | None] = queue.Queue()
        self.done: queue.Queue[tuple[int, bytes | Exception]] = queue.Queue()
        self.workers = [w for w in (_start_worker() for _ in range(jobs)) if w is not None]
        feeders: list[subprocess.Popen[bytes] | None] = [*self.workers]
        self.threads = [
            threading.Thread(target=self.feed, args=(w,), daemon=True) for w in feeders or [None]
        ]
        for thread in self.threads:
            thread.start()

    def submit(self, n: int, text: str, level: int) -> None:
        """Queue a text."""
        self.todo.put((n, text, level))

    def take(self, patience_s: float | None) -> tuple[int, bytes | Exception] | None:
        """Wait for an answer; None if there is none in that time."""
        try:
            return self.done.get(timeout=patience_s)
        except queue.Empty:
            return None

    def feed(self, worker: subprocess.Popen[bytes] | None) -> None:
        """Give queued texts to one worker; do the work here once it is no use."""
        while not self.closed.is_set() and (item := self.todo.get()) is not None:
            n, text, level = item
            try:
                answer = None if worker is None else _ask(worker, text, level)
                if self.closed.is_set():
                    return
                if answer is None:
                    from runwell.codegen.object import compile_text

                    worker, answer = None, compile_text(text, level)
                self.done.put((n, answer))
            except Exception as e:  # noqa: BLE001 (goes to the caller)
                self.done.put((n, e))

    def close(self) -> None:
        """End the workers, also busy ones."""
        self.closed.set()
        for _ in self.threads:
            self.todo.put(None)
        for worker in self.workers:
            worker.kill()
            worker.wait()
            for pipe in (worker.stdin, worker.stdout):
                if pipe is not None:
                    try:
                        pipe.close()
                    except OSError:
                        continue


def _start_worker() -> subprocess.Popen[bytes] | None:
    python = find_python()
    if python is None:
        return None
    try:
        return subprocess.Popen(
            command(python, "from runwell.codegen.worker import main; main()"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except (OSError, ValueError):
        return None


def _ask(worker: subprocess.Popen[bytes], text: str, level: int) -> bytes | None:
    """The worker's object for a text, or None if the worker is broken.

    Raises:
        CodegenError: LLVM refuses the text.
    """
    from runwell.codegen.object import CodegenError
    from runwell.codegen.worker import read_message, write_message

    assert worker.stdin is not None
    assert worker.stdout is not None
    try:
        write_message(worker.stdin, level, text.encode())
        status, data = read_message(worker.stdout)
    except (OSError, EOFError, ValueError):
        return None
    if status:
        raise CodegenError(data.decode())
    return data
