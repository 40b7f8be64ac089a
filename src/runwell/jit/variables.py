"""The slots of a function as variables: one for each slot and type that is used.

A slot of an operand holds values of different types at different times, and a ``copy`` does not
say of which.  So it is known what was written to a slot last, as far as the order of the code tells
(which it does not behind a jump); else a copy copies whatever the slot may hold.
"""

from bisect import bisect_right

from runwell.base.errors import InternalError
from runwell.base.light import Sequence, final
from runwell.base.types import ValType
from runwell.jit.convention import IR_TYPES, LETTERS, Signature
from runwell.jit.counted import Counters
from runwell.jit.liveness import Liveness

LINK_BYTES = 16


class _Heard(dict[str, tuple[str, int]]):
    """Names of variables, with letter and slot, that tells who is read."""

    def __init__(self, liveness: Liveness) -> None:
        super().__init__()
        self._read = liveness.read

    def __setitem__(self, name: str, variable: tuple[str, int]) -> None:
        self._read(*variable)
        super().__setitem__(name, variable)


@final
class Variables:
    """The slots of one function.

    Attributes:
        used: names of variables that are read or written, with letter and slot.
        known: letter of what an operand slot holds, if known here.
        locals_end: where the slots of operands begin.
        counters: what may be counters of loops.
        number: of the part of an instruction that reads and writes now.
        kept: slots of operands whose values are in the frame in memory, too.
        unclear: slots that would have to be kept, because somebody wants what is in them and
            cannot tell which of several types it has.
        liveness: what is read and written where, if that is noted.
        wanted: slots whose values are wanted where the function is left.
    """

    def __init__(self, own: Signature, declared: Sequence[tuple[int, ValType]]) -> None:
        """Lay out a frame.

        Args:
            own: the function's signature.
            declared: runs of locals, parameters excepted: how many of which type.
        """
        self.used: dict[str, tuple[str, int]] = {}
        self.counters, self.number = Counters(), 0
        self.known: dict[int, str] = {}
        self.kept: set[int] = set()
        self.unclear: set[int] = set()
        self.liveness: Liveness | None = None
        self.wanted: set[int] = set()
        self._held: dict[int, str] = {}
        self._starts, self._letters = [], []
        self.params = {f"{p.letter}{p.slot}" for p in own.params}
        for letter, slot in own.params:
            self._starts.append(slot)
            self._letters.append(letter)
        at = own.param_bytes + LINK_BYTES
        for count, ty in declared:
            letter = LETTERS.get(ty, "")
            if letter and count:
                self._starts.append(at)
                self._letters.append(letter)
                at += count * (16 if letter == "v" else 8)
        self.locals_end = at

    @property
    def end(self) -> int:
        """Where the slots that are used end."""
        ends = [slot + (16 if letter == "v" else 8) for letter, slot in self.used.values()]
        return max(self.locals_end, *ends) if ends else self.locals_end

    def letter(self, slot: int) -> str:
        """The type that a slot always has, or the last one, or "" if that is unknown."""
        if slot < self.locals_end:
            return self._letters[bisect_right(self._starts, slot) - 1]
        return self.known.get(slot, "")

    def letters(self, slot: int) -> str:
        """The types that what is in a slot may have."""
        return self.letter(slot) or self._held.get(slot, "")

    def use(self, letter: str, slot: int) -> str:
        """The variable of a slot, to be read."""
        name = f"{letter}{slot}"
        self.used[name] = letter, slot
        return f"%{name}"

    def keeps(self, letter: str, slot: int) -> bool:
        """Does a value of this type go to memory, too?"""
        return slot in self.kept or (letter == "v" and slot + 8 in self.kept)

    def define(self, letter: str, slot: int) -> str:
        """The variable of a slot, to be written."""
        name = f"{letter}{slot}"
        if self.liveness is not None:
            self.liveness.write(letter, slot)
        self.used[name] = letter, slot
        self.counters.wrote(slot, self.number)
        if slot >= self.locals_end:
            self.known[slot] = letter
            held = self._held.get(slot, "")
            if letter not in held:
                self._held[slot] = held + letter
        return f"%{name}"

    def listen(self) -> Liveness:
        """Note what is read and written, from the beginning of the function."""
        self.liveness = Liveness()
        self.used = _Heard(self.liveness)
        return self.liveness

    def branched(self, target: int) -> None:
        """There may be a branch to an offset."""
        self.counters.branched(self.number)
        if self.liveness is not None:
            self.liveness.branch(target)

    def read_unclear(self, slot: int) -> None:
        """A slot is read as what it is in memory."""
        if self.liveness is not None:
            self.liveness.read("l", slot)

    def to_keep(self, left_at: int | None) -> set[int]:
        """Slots that should have been kept, when all is lowered.

        Args:
            left_at: offset of the place where the function is left, with what is then ``wanted`` in
                the frame in memory; None if it is not left.
        """
        found = set(self.unclear)
        if left_at is not None and self.liveness is not None:
            self.wanted = self.liveness.slots_at(left_at)
            # Who knows which of several types an operand has there?
            for slot, letters in self._held.items():
                if slot in self.wanted and len(letters) > 1:
                    found.add(slot)
                if "v" in letters and slot + 8 in self._held and self.wanted & {slot, slot + 8}:
                    found |= {slot, slot + 8}
        return found - self.kept

    def lose_track(self) -> None:
        """Control arrives from elsewhere only."""
        self.known.clear()

    def check(self, function: str) -> None:
        """Fail if an operand slot is read as what was never written to it.

        Raises:
            InternalError: the register code is not what a translator makes.
        """
        for name, (letter, slot) in self.used.items():
            if slot >= self.locals_end and letter not in self._held.get(slot, ""):
                raise InternalError(f"{function}: nothing is ever in {name}")

    def allocate(self) -> list[str]:
        """The instructions that make the variables."""
        return [f"  %{name} = alloca {IR_TYPES[letter]}" for name, (letter, _) in self.used.items()]
