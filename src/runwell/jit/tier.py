"""Tiers: what is hot is compiled in the background and put in the interpreter's place.

All of it happens in the thread of ``watch``, for which no guest ever waits.  What is compiled,
when, and at which cost, is decided by ``policy``.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple, final
from weakref import ref

from runwell.base.limits import COLD
from runwell.base.log import DEBUG, INFO, log_later
from runwell.elf.format import ElfError
from runwell.elf.movable import Movable
from runwell.jit import policy
from runwell.jit.cache import CodeCache, Record
from runwell.jit.compiler import Outcome, Status, shared_compiler
from runwell.jit.installed import install
from runwell.jit.job import Job, header_of
from runwell.jit.measure import Sizes, measure
from runwell.jit.policy import Level
from runwell.jit.prepare import job_function
from runwell.kernel.types import ctype_of, sizeof
from runwell.runtime import layout
from runwell.runtime.heat import Hot

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runwell.jit.compiler import Ticket
    from runwell.jit.watch import Watch
    from runwell.runtime.code import ModuleCode

_FUNC_CODE = sizeof(layout.FuncCode)
_cache = CodeCache()


@final
class _Function:
    """What is known of a function that was hot once.

    Attributes:
        armed: turns that its heat was last set to.
        earned_s: seconds that it has run, at least.
        sizes: how big it is, once somebody has looked.
        level: at which it is compiled, or None.
        entries: loops in which its compiled code can be entered.
        failed: levels that did not work.
        is_pending: a compiler is at it.
    """

    __slots__ = ("armed", "earned_s", "entries", "failed", "is_pending", "level", "sizes")

    def __init__(self) -> None:
        self.armed = policy.FIRST_LOOK
        self.earned_s = 0.0
        self.sizes: Sizes | None = None
        self.level: Level | None = None
        self.entries: set[int] = set()
        self.failed: frozenset[Level] = frozenset()
        self.is_pending = False


class Unit(NamedTuple):
    """Functions that are compiled together.

    Attributes:
        functions: what is compiled.
        level: how.
        entries: function and offset of loops that are to be entered.
        predicted_s: seconds that it should take.
        copies: other functions, to be inlined.
    """

    functions: tuple[int, ...]
    level: Level
    entries: frozenset[tuple[int, int]]
    predicted_s: float
    copies: tuple[int, ...] = ()


@final
class ModuleTier:
    """What is compiled of a module.

    Attributes:
        functions: those that were hot, by index.
        compiled_s: seconds of processor time that compilers took.
        killed: compilations that took too long or failed.
        is_loaded: what earlier runs compiled is in use.
        n_loaded: pieces of that.
        tickets: what is being compiled.
    """

    __slots__ = (
        "_header", "compiled_s", "functions", "is_loaded", "killed", "n_loaded", "tickets",
    )  # fmt: skip

    def __init__(self) -> None:
        self._header = b""
        self.functions: dict[int, _Function] = {}
        self.compiled_s = 0.0
        self.killed = 0
        self.is_loaded = False
        self.n_loaded = 0
        self.tickets: dict[Unit, Ticket] = {}

    def __del__(self) -> None:
        # The module is gone.  Only a flag: this thread may be a compiler that holds its lock.
        for ticket in self.tickets.values():
            ticket.is_cancelled = True

    def function(self, index: int) -> _Function:
        """What is known of a function."""
        found = self.functions.get(index)
        if found is None:
            found = self.functions[index] = _Function()
        return found

    def look(self, module: ModuleCode, index: int, loop: int | None) -> Unit | None:
        """A function's heat is spent: what to compile, or None for nothing yet.

        Args:
            module: the module.
            index: of the function.
            loop: byte offset in its register code of the loop that it is in, or None.
        """
        f = self.function(index)
        f.earned_s += f.armed * policy.TURN_S
        f.armed = 0
        is_done = f.level is not None and (loop is None or loop in f.entries)
        if f.is_pending or is_done or self.killed >= policy.MOST_KILLED:
            return None
        sizes = self.sizes_of(module, index)
        if sizes is None:
            return None
        level = policy.level_of(policy.predict(sizes, Level.BEST), f.failed)
        if level is None:
            return None
        cost = policy.predict(sizes, level)
        if loop is not None:
            cost *= 2  # once to be called, once to be entered
        missing = cost - f.earned_s * policy.CREDIT
        if missing > 0:
            self.arm(module, index, policy.turns_for(missing))
            return None
        together = self._with_callees(module, index, f.earned_s * policy.CREDIT - cost)
        entries = frozenset() if loop is None else frozenset({(index, loop)})
        for x in together[1:]:
            cost += self.predict(module, x, level)
        return Unit(together, level, entries, cost)

    def predict(self, module: ModuleCode, index: int, level: Level) -> float:
        """Seconds that compiling a function is expected to take."""
        sizes = self.sizes_of(module, index)
        return 0.0 if sizes is None else policy.predict(sizes, level)

    def _with_callees(self, module: ModuleCode, index: int, credit: float) -> tuple[int, ...]:
        """A function, and small ones that it calls and that its credit pays for."""
        chosen = {index: 0}
        total = 0
        queue = deque(chosen)
        while queue:
            at = queue.popleft()
            caller = self.sizes_of(module, at)
            if caller is None or chosen[at] == policy.CALLEE_DEPTH:
                continue
            for callee in sorted(caller.callees - chosen.keys()):
                sizes = self.sizes_of(module, callee)
                if sizes is None or sizes.bytes > policy.CALLEE_BYTES:
                    continue
                cost = policy.predict(sizes, Level.BEST)
                if total + sizes.bytes > policy.UNIT_BYTES or cost > credit:
                    continue
                chosen[callee] = chosen[at] + 1
                total += sizes.bytes
                credit -= cost
                queue.append(callee)
        return tuple(chosen)

    def sizes_of(self, module: ModuleCode, index: int) -> Sizes | None:
        """How big a function is; None if it is invalid, or another module's."""
        f = self.function(index)
        if f.sizes is None and index >= module.module.n_imported_functions:
            found = job_function(module, index)
            if found is not None:
                where = ctype_of(layout.FuncCode).from_address(module.code_address(index))
                f.sizes = measure(found.code, where.frame_bytes)
        return f.sizes

    def abandon(self) -> None:
        """Nobody compiles what was being compiled: this is another process now."""
        self.tickets.clear()
        for f in self.functions.values():
            f.is_pending = False

    def job(self, module: ModuleCode, unit: Unit) -> Job:
        """What a compiler gets."""
        if not self._header:
            self._header = header_of(module.module, module.numbers).encode()
        functions = []
        for x in unit.functions:
            entries = tuple(sorted({offset for f, offset in unit.entries if f == x}))
            found = job_function(module, x)
            if found is not None:
                functions.append(found._replace(entries=entries))
        for x in unit.copies:
            found = job_function(module, x)
            # What catches is called, not inlined.
            if found is not None and not found.handlers:
                functions.append(found._replace(is_copy=True))
        return Job(self._header, tuple(functions), unit.level)

    def arm(self, module: ModuleCode, index: int, turns: int) -> None:
        """Have a function reported again after so many turns."""
        self.function(index).armed = turns
        where = ctype_of(layout.FuncCode).from_address(module.code_address(index))
        where.heat = min(turns, COLD)

    def finish(self, module: ModuleCode, unit: Unit, outcome: Outcome) -> bool:
        """Put to use what a compiler made, and note what became of it; is it in use?"""
        self.compiled_s += outcome.cpu_s
        for x in unit.functions:
            self.function(x).is_pending = False
        first = f"f{unit.functions[0]}"
        code = b""
        if outcome.status == Status.DONE and self._use(module, unit.level, outcome.code):
            code = outcome.code
            log_later(
                "jit", DEBUG, "compiled %s at %s in %.3f s of processor time: %d bytes",
                Names(module, unit.functions), unit.level.name, outcome.cpu_s, len(code),
            )  # fmt: skip
        else:
            self.killed += 1
            self._note_failure(unit.level, first)
            log_later(
                "jit", INFO, "gave up on %s at %s after %.3f s of processor time: %s",
                Names(module, unit.functions), unit.level.name, outcome.cpu_s,
                outcome.message or outcome.status.value,
            )  # fmt: skip
        if code or outcome.status == Status.OVERRUN:
            names = tuple(symbol.name for symbol in Movable(code).symbols) if code else (first,)
            _cache.add(module, Record(int(unit.level), names, code))
        return bool(code)

    def load(self, module: ModuleCode) -> None:
        """Use what earlier runs compiled, once."""
        if self.is_loaded:
            return
        self.is_loaded = True
        for record in _cache.load(module):
            level = Level(record.level)
            if record.code:
                self.n_loaded += self._use(module, level, record.code)
            else:
                self._note_failure(level, record.names[0])
        if self.n_loaded:
            log_later(
                "jit", INFO, "%s: %d pieces of compiled code from the cache",
                module.module, self.n_loaded,
            )  # fmt: skip

    def _use(self, module: ModuleCode, level: Level, data: bytes) -> bool:
        """Install code; can it be used?"""
        try:
            code = install(data, module)
        except (ElfError, MemoryError):
            return False
        for index, places in code.entries.items():
            f = self.function(index)
            if None in places:
                f.level = level
            f.entries |= {offset for offset in places if offset is not None}
        return True

    def _note_failure(self, level: Level, name: str) -> None:
        f = self.function(int(name.removeprefix("f")))
        f.failed |= {level}


@final
class Names:
    """Functions, for a message that may never be read."""

    __slots__ = ("_functions", "_module")

    def __init__(self, module: ModuleCode, functions: tuple[int, ...]) -> None:
        self._module, self._functions = module.module, functions

    def __str__(self) -> str:
        first = self._functions[0]
        name = self._module.function_name(first) or f"function {first}"
        others = len(self._functions) - 1
        where = f" of {self._module}"
        return f"{name} and {others} more{where}" if others else f"{name}{where}"


@final
class Manager:
    """Answers what ``watch`` reports."""

    def __init__(self, watch: Watch) -> None:
        """Nothing is started yet.

        Args:
            watch: who waits, and knows the modules.
        """
        self._watch = watch
        self._finished: deque[tuple[ref[ModuleCode], Unit, Outcome]] = deque()

    def work(self, hots: Iterable[Hot]) -> None:
        """Do what there is to do: functions are hot, or compilers are done."""
        while self._finished:
            self._finish(*self._finished.popleft())
        for hot in hots:
            module = self._watch.module_at(hot.module)
            if module is not None:
                tier = tier_of(module)
                tier.load(module)
                index = (hot.code - module.code_address(0)) // _FUNC_CODE
                if not 0 <= index < module.n_functions:
                    continue  # a finalizer ran a module that is gone, from whose place this is
                unit = tier.look(module, index, hot.loop)
                if unit is not None:
                    self._start(module, unit)

    def _start(self, module: ModuleCode, unit: Unit) -> None:
        tier = tier_of(module)
        data = tier.job(module, unit).encode()
        for x in unit.functions:
            tier.function(x).is_pending = True
        where = ref(module)

        def done(outcome: Outcome) -> None:
            self._finished.append((where, unit, outcome))
            self._watch.wake()

        tier.tickets[unit] = shared_compiler(*module.compiler).submit(
            data, policy.budget(unit.predicted_s), done
        )

    def _finish(self, where: ref[ModuleCode], unit: Unit, outcome: Outcome) -> None:
        module = where()
        if module is None:
            return
        tier = tier_of(module)
        tier.tickets.pop(unit, None)
        tier.finish(module, unit, outcome)
        # A loop that is still interpreted, or a level that is left, is worth another look.
        for x in unit.functions:
            tier.arm(module, x, policy.FIRST_LOOK)
        if not tier.tickets:
            _cache.save()


def tier_of(module: ModuleCode) -> ModuleTier:
    """What is compiled of a module."""
    if module.tier is None:
        module.tier = ModuleTier()
    found: ModuleTier = module.tier
    return found


def save_code() -> None:
    """Keep on disk what was compiled."""
    _cache.save()
