"""The whole module first: everything is compiled before it runs, within the same limits."""

from __future__ import annotations

from _queue import Empty, SimpleQueue
from collections import deque
from time import perf_counter
from typing import TYPE_CHECKING

from runwell.base.log import INFO, flush, log
from runwell.base.progress import TICK_S
from runwell.jit import policy
from runwell.jit.compiler import Status, shared_compiler
from runwell.jit.level import Level
from runwell.jit.tier import Unit, save_code, tier_of
from runwell.jit.watch import watch
from runwell.kernel.types import ctype_of
from runwell.runtime import layout

if TYPE_CHECKING:
    from runwell.base.progress import Progress
    from runwell.jit.compiler import Compiler, Outcome, Ticket
    from runwell.jit.tier import ModuleTier
    from runwell.runtime.code import ModuleCode

# How often somebody who wants to know is told how far it is.
_TELL_FUNCTIONS = 200


def compile_module(module: ModuleCode, progress: Progress | None = None) -> None:
    """Compile all functions of a module, as long as ``policy.whole_s`` lets it.

    What is left then is interpreted, and compiled when it is hot.

    Args:
        module: the module, which must be valid.
        progress: is told how many functions of how many are measured, the phase ``"measure"``; then
            how many units of how many are compiled, ``"compile"``, at least ten times a second, and
            once more for those that are compiled again; what it raises ends the work.
    """
    started_s = perf_counter()
    tier = tier_of(module)
    tier.load(module)
    compiler = shared_compiler(*module.compiler)
    try:
        units = _units(module, tier, progress)
        n_bytes = len(module.module.data)
        left_s = policy.whole_s(Level.BEST, n_bytes)
        units, left_s = _compile(module, tier, compiler, units, left_s, progress)
        # What failed, or there was no time for, is tried at the levels that take less.
        units = [_at_level(module, tier, unit, Level.QUICK) for unit in units]
        units, _ = _compile(module, tier, compiler, units, left_s, progress)
        units = [_at_level(module, tier, unit, Level.FAST) for unit in units]
        left_s = policy.whole_s(Level.FAST, n_bytes)
        units, _ = _compile(module, tier, compiler, units, left_s, progress)
        _leave(module, tier, units)
    finally:
        save_code()
        flush()
    log(
        "jit", INFO, "%s: compiled all that can be in %.3f s, %.3f s of processor time",
        module.module, perf_counter() - started_s, tier.compiled_s,
    )  # fmt: skip


def _units(module: ModuleCode, tier: ModuleTier, progress: Progress | None) -> list[Unit]:
    """All functions in units: neighbours together, as linkers put callers near callees."""
    units: list[Unit] = []
    group: list[int] = []
    size, cost = 0, 0.0
    first = module.module.n_imported_functions
    for x in range(first, module.n_functions):
        if progress is not None and (x - first) % _TELL_FUNCTIONS == 0:
            progress("measure", x - first, module.n_functions - first)
        if tier.function(x).level is not None:
            continue
        sizes = tier.sizes_of(module, x)
        if sizes is None:
            continue  # it is invalid
        own = policy.predict(sizes, Level.BEST)
        if group and (size + sizes.bytes > policy.UNIT_BYTES or cost + own > policy.UNIT_S):
            units.append(_unit(module, tier, group, cost))
            group, size, cost = [], 0, 0.0
        group.append(x)
        size += sizes.bytes
        cost += own
    if group:
        units.append(_unit(module, tier, group, cost))
    return units


def _unit(module: ModuleCode, tier: ModuleTier, group: list[int], cost: float) -> Unit:
    """A unit of functions, with copies of small ones that they call."""
    copies, more = tier.copies(module, tuple(group))
    return Unit(tuple(group), Level.BEST, None, cost + more, copies)


def _at_level(module: ModuleCode, tier: ModuleTier, unit: Unit, level: Level) -> Unit:
    cost = sum(tier.predict(module, x, level) for x in unit.functions)
    copies = unit.copies if level != Level.FAST else ()
    return unit._replace(level=level, predicted_s=cost, copies=copies)


def _compile(
    module: ModuleCode,
    tier: ModuleTier,
    compiler: Compiler,
    units: list[Unit],
    left_s: float,
    progress: Progress | None,
) -> tuple[list[Unit], float]:
    """Compile units, as long as there is time for it; gives those that are left, and the time."""
    left: list[Unit] = []
    # The cheapest first: so most are compiled, if there is not time for all.
    waiting = deque(sorted(units, key=lambda unit: unit.predicted_s))
    # What is being compiled, and what each may take.
    tickets: dict[Unit, Ticket] = {}
    budgets: dict[Unit, float] = {}
    outcomes: SimpleQueue[tuple[Unit, Outcome]] = SimpleQueue()

    def tell() -> None:
        if progress is not None and units:
            progress("compile", len(units) - len(waiting) - len(tickets), len(units))

    def submit() -> bool:
        """Start the next unit, or put it aside; False if it is to wait."""
        unit = waiting[0]
        free_s = left_s - sum(min(budgets[x], x.predicted_s) for x in tickets)
        if unit.level != Level.FAST and unit.predicted_s > policy.LONGEST_S:
            left.append(unit)
        elif policy.LEAST_SHARE * unit.predicted_s <= free_s:
            budgets[unit] = min(policy.budget(unit.predicted_s), free_s)
            data = tier.job(module, unit).encode()
            tickets[unit] = compiler.submit(
                data, budgets[unit], lambda outcome: outcomes.put((unit, outcome))
            )
        elif tickets:
            return False
        else:
            left.append(unit)
        waiting.popleft()
        return True

    try:
        tell()
        while waiting or tickets:
            while waiting and len(tickets) < policy.MOST_OPEN and submit():
                pass
            if not tickets:
                continue
            while (answer := _take(outcomes, progress)) is None:
                tell()
            unit, outcome = answer
            del tickets[unit]
            left_s -= outcome.cpu_s
            if outcome.status in (Status.OVERRUN, Status.CRASHED):
                left_s -= policy.START_S
            for other, ticket in tickets.items():
                budgets[other] = ticket.budget_s = min(budgets[other], left_s)
                if policy.LEAST_SHARE * other.predicted_s > left_s:
                    compiler.cancel(ticket)
            is_cut = budgets[unit] < policy.budget(unit.predicted_s)
            if outcome.status == Status.CANCELLED or (outcome.status == Status.OVERRUN and is_cut):
                # It may do better when there is more time.
                tier.compiled_s += outcome.cpu_s
                left.append(unit)
            elif not tier.finish(module, unit, outcome):
                left.append(unit)
            tell()
    except BaseException:
        for ticket in tickets.values():
            compiler.cancel(ticket)
        raise
    return left, left_s


def _leave(module: ModuleCode, tier: ModuleTier, units: list[Unit]) -> None:
    """Have what is left interpreted, and compiled when it is hot."""
    functions = [x for unit in units for x in unit.functions]
    if functions:
        ctype_of(layout.ModuleCode).from_address(module.address).heat = policy.FIRST_LOOK
        for x in functions:
            tier.arm(module, x, policy.FIRST_LOOK)
        watch.add(module)


def _take(
    outcomes: SimpleQueue[tuple[Unit, Outcome]], progress: Progress | None
) -> tuple[Unit, Outcome] | None:
    """The next outcome; None if it is time to tell that there is none yet."""
    try:
        return outcomes.get(timeout=None if progress is None else TICK_S)
    except Empty:
        return None
