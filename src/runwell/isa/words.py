"""What register code is made of: kinds of immediates, and of operations."""

from runwell.base.light import IntEnum
from runwell.base.types import EXTERNREF, ValType

REF = EXTERNREF  # stands for references of every type
Types = tuple[ValType, ...]


class Word(IntEnum):
    """A kind of immediate in register code: one word of 32 bits, unless stated."""

    COUNT = 1
    SLOT = 2  # byte offset in the value frame
    REF_SLOT = 3  # byte offset in the reference frame
    OFFSET = 4  # of a memory access
    OFFSET64 = 5  # two words
    FUNC = 6
    TYPE = 7  # canonical number
    TABLE = 8
    MEMORY = 9
    GLOBAL = 10  # byte offset of the cell from the instance
    DATA = 11
    ELEM = 12
    TARGETS = 13  # a count n, then n + 1 branch offsets, each relative to its own word
    DELTA = 14  # signed bytes
    V128 = 15  # four words
    LANE = 16
    TAG = 17
    DEF_TYPE = 18  # index in the module
    FIELD = 19  # byte offset from a reference
    DEPTH = 20  # supertypes above a type

    @property
    def words(self) -> int:
        """Length in words; of TARGETS without the offsets."""
        return {Word.OFFSET64: 2, Word.V128: 4}.get(self, 1)


class Kind(IntEnum):
    """How an engine goes on after the body."""

    PLAIN = 0  # store the result, if any
    COMPARE = 1  # the result is a condition
    LOAD = 2
    STORE = 3
    CONST = 4
    BRANCH = 5  # nothing but the branch in the destination
    LEAVE = 6  # the body leaves
