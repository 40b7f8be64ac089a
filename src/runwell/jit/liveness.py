"""Which slots are live at a loop: what their values are is wanted, on some way from there.

Noted while a function is lowered, instruction by instruction; sets are numbers, a bit for a slot.
"""

from __future__ import annotations

from runwell.base.light import final

SLOT_BYTES = 8
# Loops in loops take as many passes as they are deep; who needs more may need all slots.
MOST_PASSES = 12


def _bits(letter: str, slot: int) -> int:
    return (3 if letter == "v" else 1) << slot // SLOT_BYTES


@final
class Liveness:
    """What instructions read and write, and where control goes from them."""

    __slots__ = ("_follows", "_has_branched", "_number", "_reads", "_targets", "_writes")

    def __init__(self) -> None:
        # By instruction: what it reads of what others wrote, what it writes on all ways out of it,
        # the offsets it branches to, and whether it goes on to the next one.
        self._reads: list[int] = []
        self._writes: list[int] = []
        self._targets: list[list[int]] = []
        self._follows: list[bool] = []
        self._number: dict[int, int] = {}
        self._has_branched = False

    def begin(self, offset: int, *, is_reached: bool) -> None:
        """The next instruction, which the one before goes on to or does not."""
        if self._follows:
            self._follows[-1] = is_reached
        self._number[offset] = len(self._reads)
        self._reads.append(0)
        self._writes.append(0)
        self._targets.append([])
        self._follows.append(False)
        self._has_branched = False

    def read(self, letter: str, slot: int) -> None:
        """The instruction reads a slot, as a type."""
        self._reads[-1] |= _bits(letter, slot) & ~self._writes[-1]

    def write(self, letter: str, slot: int) -> None:
        """It writes a slot."""
        if not self._has_branched:
            self._writes[-1] |= _bits(letter, slot)

    def branch(self, target: int) -> None:
        """It may branch to an offset."""
        self._has_branched = True
        self._targets[-1].append(target)

    def slots_at(self, offset: int) -> set[int]:
        """The slots that are live in front of an instruction, or more."""
        count = len(self._reads)
        live = [0] * (count + 1)
        for _ in range(MOST_PASSES):
            before = list(live)
            for n in range(count - 1, -1, -1):
                after = live[n + 1] if self._follows[n] else 0
                for target in self._targets[n]:
                    after |= live[self._number[target]]
                live[n] = self._reads[n] | (after & ~self._writes[n])
            if live == before:
                mask = live[self._number[offset]]
                break
        else:
            mask = 0
            for reads, writes in zip(self._reads, self._writes, strict=True):
                mask |= reads | writes
        return {SLOT_BYTES * bit for bit in range(mask.bit_length()) if mask >> bit & 1}
