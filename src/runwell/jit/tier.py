"""Tiers: what is hot is compiled in the background and put in the interpreter's place.

All of it happens in the thread of ``watch``, for which no guest ever waits.  What is compiled,
when, and at which cost, is decided by ``policy``.
"""

from __future__ import annotations

from collections import deque
from time import process_time, thread_time
from weakref import ref

from runwell.base.light import NamedTuple, final
from runwell.base.limits import COLD, RESTING
from runwell.base.log import DEBUG, INFO, log_later
from runwell.elf.format import ElfError
from runwell.elf.movable import Movable
from runwell.jit import policy
from runwell.jit.cache import CodeCache, Record
from runwell.jit.compiler import Outcome, Status, shared_compiler, used_here_s
from runwell.jit.installed import install
from runwell.jit.job import Job, header_of
from runwell.jit.level import Level
from runwell.jit.likely import likely
from runwell.jit.measure import Sizes, measure
from runwell.jit.places import add_places, leave_at, passed
from runwell.jit.policy import Allowance
from runwell.jit.prepare import job_function
from runwell.kernel.types import ctype_of, sizeof
from runwell.runtime import layout
from runwell.runtime.heat import Hot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

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
        ran_s: seconds that it has run, about.
        sizes: how big it is, once somebody has looked.
        level: at which it is compiled, or None.
        entries: loops in which it can be entered when it is compiled.
        failed: levels that did not work.
        is_called: it is called often, not only long in a loop.
        is_pending: a compiler is at it.
        scouted: how often somebody looked what they have seen.
        scouts: the table of those that are out, or None.
    """

    __slots__ = (
        "armed", "entries", "failed", "is_called", "is_pending", "level", "ran_s", "scouted",
        "scouts", "sizes",
    )  # fmt: skip

    def __init__(self) -> None:
        self.armed = policy.FIRST_LOOK
        self.ran_s = 0.0
        self.sizes: Sizes | None = None
        self.level: Level | None = None
        self.entries: set[int] = set()
        self.scouts: bytearray | None = None
        self.scouted = 0
        self.failed: frozenset[Level] = frozenset()
        self.is_called = self.is_pending = False


class Unit(NamedTuple):
    """Functions that are compiled together.

    Attributes:
        functions: what is compiled.
        level: how.
        loop: offset of a loop of the first function at which that is entered, and nowhere else; or
            None.
        predicted_s: seconds that it should take.
        copies: other functions, to be inlined.
    """

    functions: tuple[int, ...]
    level: Level
    loop: int | None
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
        "_header", "_leaves", "_likely", "_tables", "compiled_s", "functions", "is_loaded",
        "killed", "n_loaded", "tickets",
    )  # fmt: skip

    def __init__(self) -> None:
        self._header = b""
        self._leaves: set[int] = set()
        self._tables: list[bytearray] = []  # of places, as long as somebody may look at them
        self.functions: dict[int, _Function] = {}
        self.compiled_s = 0.0
        self.killed = 0
        self.is_loaded = False
        self.n_loaded = 0
        self._likely: dict[int, tuple[int, ...]] | None = None
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

    def look(
        self,
        module: ModuleCode,
        index: int,
        loop: int | None,
        allowance: Allowance,
        heat: int = 0,
    ) -> Unit | None:
        """A function's heat is spent: what to compile, or None for nothing yet.

        Args:
            module: the module.
            index: of the function.
            loop: byte offset in its register code of the loop that it is in, or None.
            allowance: what compile time there is; the unit's is taken from it.
            heat: that is left.
        """
        f = self.function(index)
        f.ran_s += f.armed * policy.TURN_S
        f.is_called |= loop is None or policy.calls_of(heat) >= policy.CALLED
        f.armed = RESTING
        level = None
        sizes = self.sizes_of(module, index)
        is_done = f.level is not None and (loop is None or loop in f.entries)
        if f.is_pending or is_done:
            self.arm(module, index, policy.NEXT_LOOK)
            return None
        if sizes is not None and self.killed < policy.MOST_KILLED:
            best_s = policy.predict(sizes, Level.BEST)
            level = policy.level_of(best_s, f.failed, is_first=f.level is None and not f.entries)
        if sizes is None or level is None:
            self.arm(module, index, COLD)
            return None
        if policy.is_leaf(sizes) and not self._is_any_compiled():
            self._leaves.add(index)
            self.arm(module, index, policy.LEAF_LOOK)
            return None
        cost = policy.predict(sizes, level)
        missing = max(cost / policy.CREDIT - f.ran_s, allowance.missing(cost))
        if missing > 0:
            self.arm(module, index, policy.turns_for(missing))
            return None
        if f.level is None and f.is_called:
            loop = None  # its next call comes sooner than what is compiled
        elif loop is not None:
            loop = self._entry(module, index, loop)
            if loop is None:
                return None
        return self._unit(module, index, level, loop, allowance)

    def _entry(self, module: ModuleCode, index: int, loop: int) -> int | None:
        """Which of the loops around a hot one to enter; None if that is being found out.

        The outermost that is reached soon: compiled code that is entered inside of a loop has no
        loop there that is whole, with a beginning where to do what is the same in all its turns.
        """
        f = self.function(index)
        assert f.sizes is not None
        outer = [x for x in f.sizes.around(loop) if x != loop and x not in f.entries]
        where = module.code_address(index)
        if outer and f.scouts is None:
            f.scouts, f.scouted = add_places(where, {}, outer), 0
        elif f.scouts is None:
            return loop
        seen = passed(f.scouts)
        if outer and not seen.get(outer[0]) and f.scouted < policy.SCOUT_LOOKS:
            f.scouted += 1
            self.arm(module, index, policy.SCOUT_LOOK)
            return None
        self._tables += [f.scouts, add_places(where, {})]
        f.scouts = None
        return next((x for x in outer if seen.get(x)), loop)

    def _unit(
        self, module: ModuleCode, index: int, level: Level, loop: int | None, allowance: Allowance
    ) -> Unit:
        cost = self.predict(module, index, level)
        credit = self.function(index).ran_s * policy.CREDIT - cost
        together = self._with_callees(module, index, credit)
        total = cost + sum(self.predict(module, x, level) for x in together[1:])
        if allowance.missing(total) > 0:
            together, total = (index,), cost
        copies, more = self.copies(module, together) if level != Level.FAST else ((), 0.0)
        allowance.spend(total + more)
        return Unit(together, level, loop, total + more, copies)

    def copies(
        self, module: ModuleCode, together: tuple[int, ...]
    ) -> tuple[tuple[int, ...], float]:
        """Small functions that a unit calls and that are not in it, to be inlined.

        Returns:
            The functions, and seconds that they should take.
        """
        room = policy.COPIES_BYTES
        called = frozenset().union(*[self.callees(module, x) for x in together])
        found = []
        for x in sorted(called.difference(together)):
            sizes = self.sizes_of(module, x)
            if sizes is not None and sizes.bytes <= min(policy.COPY_BYTES, room):
                found.append(x)
                room -= sizes.bytes
        return tuple(found), policy.COPY_BYTE_S * (policy.COPIES_BYTES - room)

    def take_leaves(self) -> set[int]:
        """Functions that waited until others are compiled, once some are."""
        if not self._is_any_compiled():
            return set()
        found, self._leaves = self._leaves, set()
        return found

    def _is_any_compiled(self) -> bool:
        return any(f.entries or f.level is not None for f in self.functions.values())

    def rest(self, module: ModuleCode, done: Unit) -> Unit | None:
        """What to compile when a unit is done that is in use, but not yet all that there may be.

        That is the same at the best level that it may have; then the function as a whole, if it is
        entered at a loop so far: for its next call, and for other runs of the program.
        """
        index = done.functions[0]
        f = self.function(index)
        is_used = done.loop in f.entries if done.loop is not None else f.level == done.level
        is_coming = any(unit.loop is None and index in unit.functions for unit in self.tickets)
        if f.is_pending or is_coming or not is_used:
            return None
        best_s = self.predict(module, index, Level.BEST)
        level = policy.level_of(best_s, f.failed, is_first=False)
        if level is None or (f.level is not None and f.level >= level):
            return None
        # Who is in lesser code, which the loop is left for, comes before who calls next.
        loop = done.loop if done.level < level else None
        cost = sum(self.predict(module, x, level) for x in done.functions)
        return done._replace(loop=loop, level=level, predicted_s=cost)

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
            for callee in sorted(self.callees(module, at) - chosen.keys()):
                sizes = self.sizes_of(module, callee)
                if sizes is None or sizes.bytes > policy.CALLEE_BYTES:
                    continue
                if self._is_rarely_called(module, callee):
                    continue
                cost = policy.predict(sizes, Level.BEST)
                if total + sizes.bytes > policy.UNIT_BYTES or cost > credit:
                    continue
                chosen[callee] = chosen[at] + 1
                total += sizes.bytes
                credit -= cost
                queue.append(callee)
        return tuple(chosen)

    def _is_rarely_called(self, module: ModuleCode, index: int) -> bool:
        """Has a function never been hot, and hardly ever run?"""
        where = ctype_of(layout.FuncCode).from_address(module.code_address(index))
        first = policy.FIRST_LOOK
        is_new = self.function(index).armed == first
        return is_new and first - where.heat < min(policy.CALLED, first)

    def callees(self, module: ModuleCode, index: int) -> frozenset[int]:
        """Functions that a function calls, or probably calls through a table."""
        sizes = self.sizes_of(module, index)
        if sizes is None:
            return frozenset()
        if self._likely is None:
            self._likely = likely(module.module, module.numbers)
        probable = [x for number in sizes.types for x in self._likely.get(number, ())]
        return sizes.callees.union(probable)

    def sizes_of(self, module: ModuleCode, index: int) -> Sizes | None:
        """How big a function is; None if it is invalid, or another module's."""
        f = self.function(index)
        if f.sizes is None and index >= module.module.n_imported_functions:
            f.sizes = measure(module, index)
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
        found = [job_function(module, x) for x in unit.functions]
        functions = [f for f in found if f is not None]
        if unit.loop is not None and functions:
            functions[0] = functions[0]._replace(entries=(unit.loop,), is_whole=False)
        for x in unit.copies:
            copy = job_function(module, x)
            # What catches is called, not inlined.
            if copy is not None and not copy.handlers:
                functions.append(copy._replace(is_copy=True))
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
            if unit.loop is not None and unit.level == Level.BEST:
                leave_at(module.code_address(unit.functions[0]), unit.loop)
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
                outcome.message or outcome.status.name.lower(),
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
    """Answers what ``watch`` reports.

    Attributes:
        due_s: seconds after which there is something to do, whatever is reported; or None.
    """

    def __init__(self, watch: Watch) -> None:
        """Nothing is started yet.

        Args:
            watch: who waits, and knows the modules.
        """
        self._watch = watch
        self._finished: deque[tuple[ref[ModuleCode], Unit, Outcome]] = deque()
        self._done: list[tuple[ref[ModuleCode], Unit]] = []
        self.due_s: float | None = None
        # What compiles in this process has earned nothing by that.
        self._allowance = Allowance(lambda: process_time() - thread_time() - used_here_s())

    def work(self, hots: Sequence[Hot]) -> None:
        """Do what there is to do: functions are hot, or compilers are done, or it is time."""
        # A process that does nothing earns nothing, and is disturbed less and less often.
        is_idle = not hots and not self._finished
        patience_s = 2 * self.due_s if is_idle and self.due_s else policy.PATIENCE_S
        while self._finished:
            self._finish(*self._finished.popleft())
        # What is reported more than once is what rested, and did not have the heat it was given.
        for hot in {hot.code: hot for hot in hots}.values():
            module = self._watch.module_at(hot.module)
            if module is not None:
                tier = tier_of(module)
                tier.load(module)
                index = (hot.code - module.code_address(0)) // _FUNC_CODE
                if not 0 <= index < module.n_functions:
                    continue  # a finalizer ran a module that is gone, from whose place this is
                unit = tier.look(module, index, hot.loop, self._allowance, hot.heat)
                if unit is not None:
                    self._start(module, unit)
        self._go_on(patience_s)

    def _start(self, module: ModuleCode, unit: Unit, *, is_urgent: bool = True) -> None:
        tier = tier_of(module)
        data = tier.job(module, unit).encode()
        for x in unit.functions:
            # While what can wait does so, more of the function may become hot.
            tier.function(x).is_pending |= is_urgent
        where = ref(module)

        def done(outcome: Outcome) -> None:
            self._finished.append((where, unit, outcome))
            self._watch.wake()

        tier.tickets[unit] = shared_compiler(*module.compiler).submit(
            data, policy.budget(unit.predicted_s), done, is_urgent=is_urgent
        )

    def _finish(self, where: ref[ModuleCode], unit: Unit, outcome: Outcome) -> None:
        module = where()
        if module is None:
            return
        tier = tier_of(module)
        tier.finish(module, unit, outcome)
        # Now, so that who sees that nothing is being compiled finds it in use and kept.
        if tier.tickets.keys() <= {unit}:
            _cache.save()
        tier.tickets.pop(unit, None)
        # A loop that is still interpreted, or a level that is left, is worth another look.
        turns = policy.FIRST_LOOK if unit.loop is None else policy.ARRIVAL_LOOK
        for x in unit.functions:
            tier.arm(module, x, turns)
        for x in tier.take_leaves():
            tier.arm(module, x, policy.FIRST_LOOK)
        self._done.append((where, unit))

    def _go_on(self, patience_s: float) -> None:
        """Have the rest of what is done compiled, as far as there is time for it."""
        done, self._done = self._done, []
        waits_s = []
        for where, unit in done:
            module = where()
            rest = None if module is None else tier_of(module).rest(module, unit)
            if module is None or rest is None:
                continue
            missing = self._allowance.missing(rest.predicted_s)
            if missing > 0:
                self._done.append((where, unit))
                waits_s.append(missing)
            else:
                self._allowance.spend(rest.predicted_s)
                self._start(module, rest, is_urgent=rest.loop is not None)
        self.due_s = max(min(waits_s), patience_s) if waits_s else None


def tier_of(module: ModuleCode) -> ModuleTier:
    """What is compiled of a module."""
    if module.tier is None:
        module.tier = ModuleTier()
    found: ModuleTier = module.tier
    return found


def save_code() -> None:
    """Keep on disk what was compiled."""
    _cache.save()
