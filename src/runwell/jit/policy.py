"""When code is compiled, and how much that may cost: every threshold of the tiers, in one place.

The rule: compile time is earned by running.  Whatever is compiled is predicted to take at most
``CREDIT`` times the processor time that the process has used (``Allowance``), and a compilation
that takes ``OVERRUN`` times as long as predicted is killed and never tried again at that level.  So
whatever a module is made of, all compilations together take at most a constant times what running
it took.  ``docs/bombs.md`` has the whole argument, with the constant.

Which functions are worth it, their turns tell: calls, and branches backward.

Predictions are of seconds of processor time on a machine like that on which the coefficients were
found (``bench/bombs.py``); a machine that is slower at one is slower at the other.
"""

from __future__ import annotations

from runwell.base.light import final
from runwell.jit.level import Level

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runwell.jit.measure import Sizes

# Branches backward are counted by so many.  If all heat is a multiple of it, then what is left
# shows how many calls there were.
STEP = 4096
# Turns (calls of a function, and branches backward in it) until somebody looks at it: so many that
# what runs once is never looked at.
FIRST_LOOK = STEP
# Turns after which a function that is being compiled, or was, is looked at again: another of its
# loops may be hot.
NEXT_LOOK = 1 << 22
# Turns for which scouts count who passes the loops around a hot one; and until a function that can
# be entered at one of these is looked at again.
SCOUT_LOOK = 1 << 16
ARRIVAL_LOOK = SCOUT_LOOK << 3
# So often it is looked at whether the outermost has been passed: what was reported before they went
# out may still come.
SCOUT_LOOKS = 3
# A function that was called so often while its loops ran so many turns will be called again: it is
# compiled as a whole, and not to be entered in a loop.
CALLED = 16
# Register code of a function that does so little that to enter compiled code for it takes longer:
# of use to compiled callers only.
LEAF_BYTES = 192
LEAF_LOOK = NEXT_LOOK >> 4
# What a turn of interpreted code takes, about: what is in it, and what it calls.
TURN_S = 100e-9
# Seconds of compile time for a second of running: less than compiled code wins back soon, more than
# makes a difference to who waits.
CREDIT = 4.0
# Seconds of compile time that are there from the beginning, and are kept for later if nobody needs
# them: enough for some functions, so that the first need not wait.
SAVED_S = 0.1

# How long to wait at least until it is looked at whether what can wait has been earned meanwhile.
PATIENCE_S = 0.05

# A compilation is killed when it has taken so many times what was predicted, and what any takes.
OVERRUN = 4.0
OVERRUN_S = 0.15
# So many compilations of a module may be killed or fail; after that nothing more of it is compiled.
MOST_KILLED = 8
# Functions whose compilation would take longer are compiled at the level below.
LONGEST_S = 6.0
# Functions for which the best level takes longer are compiled at the one below first, which takes a
# half and gives a sixth less.
LONG_S = 0.25
QUICK_SHARE = 0.5
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

# The whole module first: units that are handed to the compilers at a time.
MOST_OPEN = 16
# Of what is predicted, so much is tried for: predictions are rather too high than too low.
LEAST_SHARE = 0.4
# What starting a compiler takes: whoever has one killed pays for the next.
START_S = 0.25


def predict(sizes: Sizes, level: Level) -> float:
    """Seconds that compiling a function is expected to take.

    At the lowest level that is linear.  Above, what grows faster are: values times the blocks that
    they are live in, blocks that are compared with each other, registers that change places, loops
    that are analysed around each other, and the edges of branch tables.
    """
    n = sizes.bytes
    if level == Level.FAST:
        return 0.002 + 1.5e-6 * n + 120e-6 * sizes.vectors
    if level == Level.QUICK:
        return QUICK_SHARE * predict(sizes, Level.BEST)
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


# What is spent on a whole module at each level before the rest is left to the level below, or to
# the interpreter: seconds, seconds for each byte of binary, more for each byte of a large one
# (that is more likely a program than a bomb), and at least what one large function takes, for
# which a small module has more.
_WHOLE = {
    Level.BEST: (0.1, 8e-6, 12e-6, 0.9, 1.2),
    Level.FAST: (0.1, 2e-6, 0.0, 0.2, 0.2),
}
_SMALL_BYTES = 32_000
_LARGE_BYTES = 100_000


def whole_s(level: Level, n_bytes: int) -> float:
    """Seconds that compiling a module of so many bytes first may take at a level."""
    some_s, byte_s, large_s, least_s, small_s = _WHOLE[level]
    large = max(n_bytes - _LARGE_BYTES, 0)
    least_s = small_s if n_bytes < _SMALL_BYTES else least_s
    return max(some_s + byte_s * n_bytes + large_s * large, least_s)


def budget(predicted: float) -> float:
    """Seconds after which a compilation is killed."""
    return OVERRUN * predicted + OVERRUN_S


def level_of(predicted_best: float, failed: frozenset[Level], *, is_first: bool) -> Level | None:
    """The level at which to compile what the best one is predicted to take so long for.

    Args:
        predicted_best: seconds.
        failed: levels that were tried before.
        is_first: there is no compiled code yet.

    Returns:
        The level, or None to leave it to the interpreter.
    """
    most_s = LONG_S if is_first else LONGEST_S
    if predicted_best <= most_s and not failed & {Level.BEST, Level.QUICK}:
        return Level.BEST
    if QUICK_SHARE * predicted_best <= LONGEST_S and Level.QUICK not in failed:
        return Level.QUICK
    return None if Level.FAST in failed else Level.FAST


def turns_for(seconds: float) -> int:
    """Turns that take so long."""
    steps = -(-round(seconds / TURN_S) // STEP)
    return max(FIRST_LOOK, min(steps * STEP, 1 << 30))


def is_leaf(sizes: Sizes) -> bool:
    """Does a function so little that its callers should be compiled first?"""
    return sizes.bytes <= LEAF_BYTES and not sizes.loops and not sizes.callees


def calls_of(heat: int) -> int:
    """How often a function was called whose loop has spent its heat, less what loops count by."""
    return -heat % STEP


@final
class Allowance:
    """Compile time that a process has earned by running.

    It is ``SAVED_S``, and ``CREDIT`` for each second of the clock, less what was spent.
    """

    __slots__ = ("_clock", "_left", "_most", "_seen")

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin.

        Args:
            clock: of the processor time that running takes, in seconds.
        """
        self._clock, self._seen = clock, clock()
        self._left = self._most = SAVED_S

    def missing(self, cost: float) -> float:
        """Seconds that must still run until so much compile time is there.

        Args:
            cost: seconds, for which what is earned from now on is saved.
        """
        now = self._clock()
        self._left = min(self._left + CREDIT * (now - self._seen), self._most)
        self._seen = now
        if cost > self._left:
            self._most = max(self._most, cost)
        return max((cost - self._left) / CREDIT, 0.0)

    def spend(self, cost: float) -> None:
        """Compile time is used; ``missing`` has said that it is there."""
        self._left -= cost
        self._most = SAVED_S
