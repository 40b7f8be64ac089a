"""Loops that are known to end soon, which need not look whether somebody wants the guest to stop.

Found are loops around one counter: a slot that has a constant before the loop, that nothing in the
loop changes but the addition of a constant, which happens each time round, and whose comparison
with a constant is the only way back.  They may contain each other.
"""

from bisect import bisect_right

from runwell.base.light import NamedTuple, Set, final

# Instructions that may be executed without a look: some ten microseconds.
LIMIT = 30_000
_MASK = 0xFFFF_FFFF


class _Write(NamedTuple):
    """The last write of a kind to a slot: when, where, and what was written."""

    number: int
    offset: int
    source: int  # slot that was copied or added to, or -1
    value: int  # what was added, or the constant


class _Loop(NamedTuple):
    """A loop that may be counted.

    Attributes:
        end: where it ends.
        set_at: where its counter got its first value.
        straight_from: where code begins that must be straight up to the end, for the counter to be
            changed each time round.
        trips: how often it runs.
    """

    end: int
    set_at: int
    straight_from: int
    trips: int


@final
class Counters:
    """What happens to the slots of a function, as far as it matters for counting loops.

    A *number* says when: it is that of the part of an instruction, in the order of the code.
    """

    def __init__(self) -> None:
        self._writes: dict[int, list[int]] = {}
        self._constants: dict[int, _Write] = {}
        self._sums: dict[int, _Write] = {}
        self._copies: dict[int, _Write] = {}
        self._loops: dict[int, _Loop | None] = {}
        self._branches: list[int] = []

    def branched(self, number: int) -> None:
        """There is a branch."""
        self._branches.append(number)

    def wrote(self, slot: int, number: int) -> None:
        """A slot was written."""
        self._writes.setdefault(slot, []).append(number)

    def constant(self, slot: int, number: int, offset: int, value: int) -> None:
        """What was written is a constant."""
        self._constants[slot] = _Write(number, offset, -1, value & _MASK)

    def sum(self, slot: int, number: int, offset: int, source: int, value: int) -> None:
        """What was written is the sum of a slot and a constant."""
        self._sums[slot] = _Write(number, offset, source, value & _MASK)

    def copy(self, slot: int, number: int, offset: int, source: int) -> None:
        """What was written is what is in another slot."""
        self._copies[slot] = _Write(number, offset, source, 0)

    def back(self, start: int, begun: int, end: int, slot: int = -1, last: int = 0) -> None:
        """A branch back to a loop, taken unless ``slot`` is ``last``, or always.

        Args:
            start: offset of the loop.
            begun: number of the last part before it.
            end: offset of the branch.
            slot: what is compared, or -1.
            last: with what.
        """
        found = None
        if slot >= 0 and start not in self._loops:
            found = self._counted(begun, end, slot, last & _MASK)
        self._loops[start] = found

    def _counted(self, begun: int, end: int, slot: int, last: int) -> _Loop | None:
        step = self._sums.get(slot)
        if step is None or step.number <= begun or self._within(slot, begun) != [step.number]:
            return None
        counter, straight_from = step.source, end
        if bisect_right(self._branches, step.number) != bisect_right(self._branches, begun):
            straight_from = step.offset
        if counter != slot:
            # The sum becomes the counter at the end.
            copy = self._copies.get(counter)
            if copy is None or copy.source != slot or copy.number < step.number:
                return None
            if self._within(counter, begun) != [copy.number]:
                return None
            straight_from = min(straight_from, copy.offset)
        first = self._constants.get(counter)
        before = [n for n in self._writes[counter][-2:] if n <= begun]
        if first is None or before != [first.number]:
            return None
        distance = last - first.value & _MASK
        trips, rest = divmod(distance, step.value) if step.value else (0, 1)
        if rest or not trips:
            distance, down = first.value - last & _MASK, -step.value & _MASK
            trips, rest = divmod(distance, down) if down else (0, 1)
        if rest or not 0 < trips <= LIMIT:
            return None
        return _Loop(end, first.offset, straight_from, trips)

    def _within(self, slot: int, begun: int) -> list[int]:
        """The last writes of a slot since then, two at most."""
        return [n for n in self._writes.get(slot, [])[-2:] if n > begun]

    def short(self, forward: Set[int], starts: dict[int, int]) -> set[int]:
        """Offsets of the loops that end soon.

        Args:
            forward: offsets that branches from before lead to.
            starts: how many instructions come before an offset.
        """
        order = sorted({*forward, *self._loops})
        costs: dict[int, int] = {}
        loops = sorted(self._loops.items(), reverse=True)
        inner: list[tuple[int, int]] = []  # not yet inside of another: start, cost or -1
        for start, loop in loops:
            cost = -1
            end = start
            if loop is not None:
                end = loop.end
                # Nobody else may arrive between where the counter is set and the loop.
                straight = order[bisect_right(order, loop.set_at)] == start
                straight &= start not in forward
                straight &= _none_between(order, loop.straight_from, end)
                cost = starts[end] - starts[start] + 1 if straight else -1
            while inner and inner[-1][0] <= end:
                _, within = inner.pop()
                cost = cost + within if cost >= 0 and within >= 0 else -1
            if cost >= 0 and loop is not None:
                cost *= loop.trips
                if cost > LIMIT:
                    cost = -1
            if cost >= 0:
                costs[start] = cost
            inner.append((start, cost))
        return set(costs)


def _none_between(order: list[int], low: int, high: int) -> bool:
    """Is no number above ``low`` and at most ``high``?"""
    return bisect_right(order, low) == bisect_right(order, high)
