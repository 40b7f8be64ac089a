"""When code is compiled, and how much that may cost: every threshold of the tiers, in one place.

The rule: a function earns compile time by running.  It is compiled once the time spent in it
reaches what compiling it is predicted to take, and a compilation that takes ``OVERRUN`` times as
long is killed and never tried again at that level.  So whatever a module is made of, all
compilations together take at most ``1 + OVERRUN`` times what running it took, for each level.
``docs/bombs.md`` has the whole argument, with the constant.

Predictions are of seconds of processor time on a machine like that on which the coefficients were
found (``bench/bombs.py``); a machine that is slower at one is slower at the other.
"""

from __future__ import annotations

from runwell.base.light import IntEnum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runwell.jit.measure import Sizes

# Turns (calls of a function, and branches backward in it) until somebody looks at it: so many that
# what runs once is never looked at.
FIRST_LOOK = 3_000
# What a turn of interpreted code takes at least.
TURN_S = 10e-9
# A function that is called is worth compiling sooner than it has earned, because its callers wait
# as well: but no more than by this factor.
CREDIT = 4.0

# A compilation is killed when it has taken so many times what was predicted, and what any takes.
OVERRUN = 4.0
OVERRUN_S = 0.15
# So many compilations of a module may be killed or fail; after that nothing more of it is compiled.
MOST_KILLED = 8
# Functions whose compilation would take longer are compiled at the lowest level, or not at all.
LONGEST_S = 2.0
# Register code of the functions that become one unit, and of one callee that is worth taking in.
UNIT_BYTES = 48 << 10
CALLEE_BYTES = 2 << 10
# Seconds that compiling a unit of several functions may be predicted to take.
UNIT_S = 0.3
# Register code of a function that is small enough to be copied into other units, to be inlined
# there, and of all copies in a unit; and what they take, at most: most are inlined, or dropped.
COPY_BYTES = 512
COPIES_BYTES = 2 << 10
COPY_BYTE_S = 6e-6
# How deep callees of callees are taken in.
CALLEE_DEPTH = 3

# The whole module first: seconds that compiling may be predicted to take before functions are
# compiled at the lowest level instead; so many and so many for each byte of binary, or at least
# what one large function takes.
WHOLE_S = 0.25
WHOLE_BYTE_S = 10e-6
WHOLE_LEAST_S = 1.0


class Level(IntEnum):
    """How hard the compiler tries."""

    FAST = 0
    BEST = 2


def predict(sizes: Sizes, level: Level) -> float:
    """Seconds that compiling a function is expected to take.

    At the lowest level that is linear.  Above, what grows faster are: values times the blocks that
    they are live in, blocks that are compared with each other, registers that change places, loops
    that are analysed around each other, and the edges of branch tables.
    """
    n = sizes.bytes
    if level == Level.FAST:
        return 0.002 + 1.5e-6 * n + 120e-6 * sizes.vectors
    blocks, slots = sizes.blocks, sizes.slots
    return (
        0.004
        + 6e-6 * n
        + 60e-6 * sizes.vectors
        + max(0.5e-6 * blocks * slots, 0.1e-6 * blocks * blocks)
        + 0.17e-6 * slots * slots
        + 0.2e-6 * sizes.loops * n
        + 0.6e-6 * sizes.fan_out * blocks
    )


def budget(predicted: float) -> float:
    """Seconds after which a compilation is killed."""
    return OVERRUN * predicted + OVERRUN_S


def whole_allowance(size: int) -> float:
    """Seconds that compiling a whole module of so many bytes may be predicted to take."""
    return max(WHOLE_S + WHOLE_BYTE_S * size, WHOLE_LEAST_S)


def level_of(predicted_best: float, failed: frozenset[Level]) -> Level | None:
    """The level at which to compile what the best one is predicted to take so long for.

    Args:
        predicted_best: seconds.
        failed: levels that were tried before.

    Returns:
        The level, or None to leave it to the interpreter.
    """
    if predicted_best <= LONGEST_S and Level.BEST not in failed:
        return Level.BEST
    return None if Level.FAST in failed else Level.FAST


def turns_for(seconds: float) -> int:
    """Turns in which a function earns so much compile time."""
    return max(FIRST_LOOK, min(round(seconds / TURN_S / CREDIT), 1 << 30))
