"""The whole module first: everything is compiled before it runs, within the same limits."""

from __future__ import annotations

from _queue import SimpleQueue
from typing import TYPE_CHECKING

from runwell.jit import policy
from runwell.jit.compiler import shared_compiler
from runwell.jit.policy import Level
from runwell.jit.tier import Unit, save_code, tier_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runwell.jit.compiler import Compiler, Outcome, Ticket
    from runwell.jit.tier import ModuleTier
    from runwell.runtime.code import ModuleCode


def compile_module(
    module: ModuleCode, progress: Callable[[int, int], object] | None = None
) -> None:
    """Compile all functions of a module; those that cannot be compiled stay interpreted.

    Args:
        module: the module, which must be valid.
        progress: is told how many units of how many are done, and once more for those that are
            compiled again.
    """
    tier = tier_of(module)
    tier.load(module)
    compiler = shared_compiler(*module.compiler)
    allowance = policy.WHOLE_S + policy.WHOLE_BYTE_S * len(module.module.data)
    try:
        left = _compile(module, tier, compiler, list(_units(module, tier)), allowance, progress)
        # What failed, or there was no time for, is tried at the level that takes the least.
        again = [_at_level(module, tier, unit, Level.FAST) for unit in left]
        _compile(module, tier, compiler, again, float("inf"), progress)
    finally:
        save_code()


def _units(module: ModuleCode, tier: ModuleTier) -> Iterator[Unit]:
    """All functions in units: neighbours together, as linkers put callers near callees."""
    group: list[int] = []
    size, cost = 0, 0.0
    for x in range(module.module.n_imported_functions, module.n_functions):
        if tier.function(x).level is not None:
            continue
        sizes = tier.sizes_of(module, x)
        if sizes is None:
            continue  # it is invalid
        own = policy.predict(sizes, Level.BEST)
        if group and (size + sizes.bytes > policy.UNIT_BYTES or cost + own > policy.UNIT_S):
            yield Unit(tuple(group), Level.BEST, frozenset(), cost)
            group, size, cost = [], 0, 0.0
        group.append(x)
        size += sizes.bytes
        cost += own
    if group:
        yield Unit(tuple(group), Level.BEST, frozenset(), cost)


def _at_level(module: ModuleCode, tier: ModuleTier, unit: Unit, level: Level) -> Unit:
    cost = sum(tier.predict(module, x, level) for x in unit.functions)
    return unit._replace(level=level, predicted_s=cost)


def _compile(
    module: ModuleCode,
    tier: ModuleTier,
    compiler: Compiler,
    units: list[Unit],
    allowance: float,
    progress: Callable[[int, int], object] | None,
) -> list[Unit]:
    """Compile units, as far as the allowance goes; gives those that are left."""
    left: list[Unit] = []
    chosen: list[Unit] = []
    for unit in units:
        too_long = unit.level != Level.FAST and unit.predicted_s > policy.LONGEST_S
        if too_long or unit.predicted_s > allowance:
            left.append(unit)
        else:
            allowance -= unit.predicted_s
            chosen.append(unit)
    outcomes: SimpleQueue[tuple[Unit, Outcome]] = SimpleQueue()

    def submit(unit: Unit) -> Ticket:
        data = tier.job(module, unit).encode()
        budget = policy.budget(unit.predicted_s)
        return compiler.submit(data, budget, lambda outcome: outcomes.put((unit, outcome)))

    tickets = [submit(unit) for unit in chosen]
    try:
        for finished in range(1, len(chosen) + 1):
            unit, outcome = outcomes.get()
            if not tier.finish(module, unit, outcome):
                left.append(unit)
            if progress is not None:
                progress(finished, len(chosen))
    except BaseException:
        for ticket in tickets:
            compiler.cancel(ticket)
        raise
    return left
