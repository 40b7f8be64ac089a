"""Functions that call themselves are put into themselves, so that not each call is one.

LLVM does not inline a function into itself.  So a small one is given *copies*: it calls the first,
which calls the second, and so on; the last calls the function.  All copies are inlined.  Each keeps
its own place in frames, limits and backtraces, as any function that is inlined.
"""

from runwell.jit.job import JobFunction
from runwell.jit.lower import Lowering
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


def lower(around: Surroundings, function: JobFunction) -> list[str]:
    """A function as text, after its copies.

    Raises:
        InternalError: the register code is not what a translator makes.
    """
    plain = Lowering(around, function)
    text = plain.run()
    # What catches is entered at its handlers, which are in one place.
    count = 0 if function.handlers else copies(len(function.code), plain.recursions)
    if not count:
        return [text]
    whole = []
    for n in range(count, -1, -1):
        one = Lowering(around, function, copy=n)
        one.again = Lowering.name_of(function.function, copy=n + 1 if n < count else 0)
        whole.append(one.run())
    return whole
