"""Which functions indirect calls are likely to reach.

What a table holds changes while a program runs, but most modules put into their tables, when they
begin, whatever they will ever call through them.  So if few functions of a type are there, a call
of that type is worth a look whether it is one of these, which then may be inlined.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from runwell.module.module import Module

# Of a type with more functions none is likely.
MOST = 2


def likely(module: Module, numbers: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """Functions of the module that calls through a type probably reach.

    Args:
        module: the module.
        numbers: canonical number of each type.

    Returns:
        Function indices by canonical number.
    """
    found: dict[int, set[int]] = {}
    for segment in module.elements:
        for function in set(segment.functions or ()):
            number = int(numbers[module.function_types[function]])
            found.setdefault(number, set()).add(function)
    first = module.n_imported_functions
    return {
        number: tuple(sorted(functions))
        for number, functions in found.items()
        if len(functions) <= MOST and min(functions) >= first
    }
