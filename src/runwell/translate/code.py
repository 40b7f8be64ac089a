"""Register code as data: instructions with their words, from memory and back.

Only tools and tests need it.  A branch word is held as the byte offset of its target from the
first instruction, so that instructions do not depend on where they are.
"""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from runwell.isa.form import FORMS, Dst, Form, FusedForm
from runwell.isa.register import Word

HANDLER_WORDS = 2
# The forms of code in which their numbers stand in place of handlers.
PORTABLE = range(len(FORMS))
_WORD_BYTES = 4


class Part(NamedTuple):
    """A form of its own, or a part of a fused one, with its words.

    Attributes:
        form: the form.
        sources: words of each source, as one number; 0 for those in an accumulator.
        immediates: each immediate as one number; of TARGETS the offsets of the targets.
        dest: the destination word, 0 if there is none.
    """

    form: Form
    sources: tuple[int, ...]
    immediates: tuple[int | tuple[int, ...], ...]
    dest: int


class Instruction(NamedTuple):
    """An instruction: where it is, in bytes from the first, and its parts."""

    at: int
    form: Form | FusedForm
    parts: tuple[Part, ...]

    @property
    def targets(self) -> Iterator[int]:
        """Offsets that it may branch to."""
        for part in self.parts:
            if part.form.dst.is_branch:
                yield part.dest
            for kind, value in zip(part.form.imms, part.immediates, strict=True):
                if kind == Word.TARGETS:
                    assert isinstance(value, tuple)
                    yield from value


class _Reader:
    """A cursor over words."""

    def __init__(self, words: Sequence[int], at: int) -> None:
        self.words, self.at = words, at

    def number(self, words: int) -> int:
        """A number of so many words, low one first."""
        at, self.at = self.at, self.at + words
        return sum(self.words[at + i] << 32 * i for i in range(words))

    def target(self, dst: Dst = Dst.NONE) -> int:
        """The byte offset that the branch word here leads to."""
        at = self.at * _WORD_BYTES
        distance = self.number(1)
        return (at - distance if dst.is_backward else at + distance) & 0xFFFFFFFF

    def part(self, form: Form) -> Part:
        """The words of a form."""
        sources = tuple([self.number(src.words) for src in form.srcs])
        immediates = tuple([self.immediate(kind) for kind in form.imms])
        if form.dst.is_branch:
            return Part(form, sources, immediates, self.target(form.dst))
        return Part(form, sources, immediates, self.number(form.dst.words))

    def immediate(self, kind: Word) -> int | tuple[int, ...]:
        """An immediate."""
        if kind == Word.TARGETS:
            return tuple([self.target() for _ in range(self.number(1) + 1)])
        return self.number(kind.words)


def decode_code(
    words: Sequence[int], form_at: Mapping[int, int] | Sequence[int]
) -> list[Instruction]:
    """Read register code.

    Args:
        words: the code of one function.
        form_at: number of the form by handler address; ``PORTABLE`` for portable code.

    Raises:
        ValueError: a handler is unknown, or the code ends in the middle of an instruction.
    """
    reader = _Reader(words, 0)
    found = []
    while reader.at < len(words):
        at = reader.at
        try:
            handler = reader.number(HANDLER_WORDS)
            form = FORMS[form_at[handler]]
            parts = tuple([reader.part(f) for f in form.parts])
        except LookupError:
            raise ValueError(f"no instruction at byte {at * _WORD_BYTES}") from None
        found.append(Instruction(at * _WORD_BYTES, form, parts))
    return found


def encode_code(instructions: Sequence[Instruction], handlers: Sequence[int]) -> "array[int]":
    """The words of instructions, for an engine whose handlers are at these addresses by form."""
    words = array("I")

    def put(value: int, n: int) -> None:
        words.extend([value >> 32 * i & 0xFFFFFFFF for i in range(n)])

    def put_target(target: int, dst: Dst = Dst.NONE) -> None:
        distance = target - len(words) * _WORD_BYTES
        put(-distance if dst.is_backward else distance, 1)

    for instruction in instructions:
        put(handlers[instruction.form.index], HANDLER_WORDS)
        for part in instruction.parts:
            for src, value in zip(part.form.srcs, part.sources, strict=True):
                put(value, src.words)
            for kind, immediate in zip(part.form.imms, part.immediates, strict=True):
                if isinstance(immediate, tuple):
                    put(len(immediate) - 1, 1)
                    for target in immediate:
                        put_target(target)
                else:
                    put(immediate, kind.words)
            if part.form.dst.is_branch:
                put_target(part.dest, part.form.dst)
            else:
                put(part.dest, part.form.dst.words)
    return words


def instruction_words(parts: Sequence[Part]) -> int:
    """Length of an instruction, in words."""
    length = HANDLER_WORDS
    for part in parts:
        length += part.form.words
        length += sum(len(i) for i in part.immediates if isinstance(i, tuple))
    return length
