"""Compiling much at once and waiting for it: what is kept is installed, the rest compiled."""

from __future__ import annotations

from _queue import SimpleQueue

from runwell.base.light import NamedTuple, final
from runwell.jit.cache import Record
from runwell.jit.compiler import Outcome, Status, Ticket
from runwell.jit.installed import install

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runwell.jit.cache import CodeCache
    from runwell.jit.compiler import Compiler
    from runwell.runtime.code import ModuleCode

# So many jobs wait at the compiler; the others are not made yet, because they take memory.
AHEAD = 8


class Unit(NamedTuple):
    """Functions that are compiled together.

    Attributes:
        names: symbols of the functions.
        level: of optimisation.
        budget_s: seconds of processor time.
        job: makes the job; None if there is nothing to compile.
    """

    names: tuple[str, ...]
    level: int
    budget_s: float
    job: Callable[[], bytes | None]


class Report(NamedTuple):
    """What became of a batch.

    Attributes:
        kept: functions whose code was in the cache.
        compiled: functions that were compiled.
        failed: outcomes of units that were not, which stay as they were.
        cpu_s: seconds of processor time that compiling took.
    """

    kept: int
    compiled: int
    failed: tuple[Outcome, ...]
    cpu_s: float


@final
class Batch:
    """Units of one module on their way."""

    def __init__(self, module: ModuleCode, compiler: Compiler, cache: CodeCache | None) -> None:
        """Nothing is done yet.

        Args:
            module: what is compiled.
            compiler: who compiles.
            cache: where code is kept; None for nowhere.
        """
        self._module, self._compiler, self._cache = module, compiler, cache
        self._done: SimpleQueue[tuple[Unit, Outcome]] = SimpleQueue()
        self._tickets: list[Ticket] = []
        self._waiting = self._kept = self._compiled = 0
        self._failed: list[Outcome] = []
        self._cpu_s = 0.0

    def run(self, units: Iterable[Unit]) -> Report:
        """Compile and install, and keep what is new.

        Args:
            units: what to compile.

        Raises:
            MemoryError: there is no room for the code.
            ElfError: the compiler made code that wants something that does not exist.
        """
        known = self._install_kept()
        try:
            for unit in units:
                if known.issuperset((name, unit.level) for name in unit.names):
                    continue
                data = unit.job()
                if data is not None:
                    self._submit(unit, data)
                while self._waiting >= AHEAD:
                    self._take()
            while self._waiting:
                self._take()
        finally:
            for ticket in self._tickets:
                self._compiler.cancel(ticket)
        if self._cache is not None:
            self._cache.save()
        return Report(self._kept, self._compiled, tuple(self._failed), self._cpu_s)

    def _install_kept(self) -> set[tuple[str, int]]:
        """Install what the cache has; names and levels that need no compiling."""
        known: set[tuple[str, int]] = set()
        for level, names, code in self._cache.load(self._module) if self._cache else ():
            if code:
                self._kept += len(install(code, self._module).functions)
            # What is there at a level is no worse than at a lower one.
            lowest = 0 if code else level
            known.update((name, n) for name in names for n in range(lowest, level + 1))
        return known

    def _submit(self, unit: Unit, data: bytes) -> None:
        def tell(outcome: Outcome, done: SimpleQueue[tuple[Unit, Outcome]] = self._done) -> None:
            done.put((unit, outcome))

        self._waiting += 1
        self._tickets.append(self._compiler.submit(data, unit.budget_s, tell))

    def _take(self) -> None:
        unit, outcome = self._done.get()
        self._waiting -= 1
        self._cpu_s += outcome.cpu_s
        names = unit.names
        if outcome.status is Status.DONE:
            code = install(outcome.code, self._module)
            self._compiled += len(code.functions)
            names = tuple([symbol.name for symbol in code.symbols])
        else:
            self._failed.append(outcome)
        if self._cache is not None:
            self._cache.add(self._module, Record(unit.level, names, outcome.code))
