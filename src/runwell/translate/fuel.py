"""Fuel: what metered code pays for its instructions.

A *paid block* is code that is entered at its start only, and then executed to its end unless
something traps: it starts with the function, at a loop, at each arm of an ``if``, behind a
conditional branch, and at an ``end`` that is branched to.  An operation at its start takes fuel for
all its instructions; how many they are is known, and written there, when the block ends.  A call
does not end a block.

Every instruction costs one, but for ``block``, ``loop``, ``try_table``, ``else`` and ``end``, which
only say where others are.  What moves many bytes or elements costs more, by an operation of its
own.  So every path round a loop and every call cost something, and all engines, which execute the
same operations, agree on the amount.
"""

from runwell.base.limits import FUEL_BYTES_SHIFT, FUEL_ELEMENTS_SHIFT
from runwell.base.types import I64
from runwell.kernel import kernel, null, u32, unlikely
from runwell.translate.emit import begin, finish, operate_1
from runwell.translate.tables import base, form
from runwell.translate.work import Entry, Work

FUEL = form("fuel")
SIZED, SIZED_64 = base("fuel_sized"), base("fuel64_sized")
BYTES, ELEMENTS = FUEL_BYTES_SHIFT, FUEL_ELEMENTS_SHIFT


@kernel(inline=True)
def open_paid(w: Work) -> None:
    """Begin a paid block here, in code that is wanted."""
    if unlikely(w.metered != 0):
        begin_paid(w)


@kernel
def begin_paid(w: Work) -> None:
    """Emit what pays for a block, in the name of its first instruction."""
    at = w.instruction
    w.instruction = w.pc
    p = begin(w, FUEL)
    w.instruction = at
    p[0] = 0
    finish(w, p + 1)
    w.paid = p
    w.is_paid_fixed = 0
    w.count = 0


@kernel(inline=True)
def close_paid(w: Work) -> None:
    """End the paid block, if there is one, before whatever else happens at its end."""
    if unlikely(w.paid != null):
        end_paid(w)


@kernel
def end_paid(w: Work) -> None:
    """Say what the block costs; one that costs nothing pays nothing."""
    p = w.paid
    p[0] = w.count
    if w.count == 0 and p + 1 == w.out and w.is_paid_fixed == 0:
        w.out = p - 2
        w.last = null
        w.last_dest = null
    w.paid = null


@kernel(inline=True)
def free_of_charge(w: Work) -> None:
    """The current instruction costs nothing."""
    w.count = w.count - 1


@kernel
def fix_paid(w: Work) -> None:
    """The code so far must stay where it is."""
    w.is_paid_fixed = 1


@kernel
def charge_size(w: Work, size: Entry, t: u32, shift: u32) -> None:
    """Let the instruction that is being translated, popped operands and all, pay for its size.

    ``size`` is an operand of type ``t``; it costs one for each ``2**shift``, rounded down.
    """
    # Others must be able to run meanwhile.
    w.brief = 0
    if w.metered == 0:
        return
    p = operate_1(w, SIZED_64 if t == I64 else SIZED, size, t)
    p[0] = shift
    finish(w, p + 1)
