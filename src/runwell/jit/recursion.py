"""Functions that call themselves are put into themselves, so that not each call is one.

LLVM does not inline a function into itself.  So a small one is given *copies*: it calls the first,
which calls the second, and so on; the last calls the function.  All copies are inlined.  Each keeps
its own place in frames, limits and backtraces, as any function that is inlined.
"""

from runwell.jit.job import JobFunction
from runwell.jit.lower import Lowering, name_of
from runwell.jit.surroundings import Surroundings

# How often a function is put into itself, bodies that this makes of one, and their register code.
MOST_COPIES = 2
MOST_BODIES = 7
MOST_BYTES = 1536


def copies(size: int, calls: int) -> int:
    """How many copies of a function are worth their compile time.

    Args:
        size: of its register code, in bytes.
        calls: places where it calls itself.
    """
    if not calls:
        return 0
    bodies = layer = 1
    for n in range(MOST_COPIES):
        layer *= calls
        bodies += layer
        if bodies > MOST_BODIES or bodies * size > MOST_BYTES:
            return n
    return MOST_COPIES


def lower(around: Surroundings, function: JobFunction, *, copied: bool = True) -> list[str]:
    """A function as text, after its copies.

    Args:
        around: the module.
        function: what to lower.
        copied: may it have copies?

    Raises:
        InternalError: the register code is not what a translator makes.
    """
    first = 0 if function.is_copy else None
    plain = Lowering(around, function, copy=first)
    text = plain.run()
    # What catches is entered at its handlers, which are in one place.
    may = copied and not function.handlers
    count = copies(len(function.code), plain.recursions) if may else 0
    if not count:
        return [text]
    whole = []
    for n in range(count, -1, -1):
        one = Lowering(around, function, copy=n or first)
        if n < count:
            one.again = name_of(function.function, copy=n + 1)
        whole.append(one.run())
    return whole
