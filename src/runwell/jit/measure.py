"""How big a function is, in what makes compiling it dear; found without making a line of LLVM.

One pass over portable register code, which has the number of a form where the interpreter has the
address of a handler.
"""

from array import array
from typing import NamedTuple

from runwell.jit.shapes import shapes


class Sizes(NamedTuple):
    """What makes compiling dear.

    Attributes:
        bytes: of register code.
        blocks: basic blocks, about.
        loops: places that are branched back to.
        fan_out: targets of all branch tables together.
        vectors: operations on vectors.
        slots: of the frame.
        callees: functions that are called directly.
    """

    bytes: int
    blocks: int
    loops: int
    fan_out: int
    vectors: int
    slots: int
    callees: frozenset[int]


def measure(code: bytes, frame_bytes: int) -> Sizes:
    """Measure a function.

    Args:
        code: its portable register code.
        frame_bytes: size of its frame.

    Raises:
        IndexError: that is no register code.
    """
    words = array("I", code)
    by_form = shapes()
    blocks = fan_out = vectors = at = 0
    headers: set[int] = set()
    callees: set[int] = set()
    end = len(words)
    while at < end:
        shape = by_form[words[at]]
        if shape.forward or shape.backward:
            blocks += shape.forward
            if shape.backward:
                place = at + shape.backward
                headers.add(place - words[place] // 4)
                blocks += 1
        elif shape.callee:
            callees.add(words[at + shape.callee])
        elif shape.table:
            targets = words[at + shape.table] + 1
            fan_out += targets
            at += targets
        vectors += shape.vectors
        at += shape.words
    return Sizes(
        len(code),
        1 + 2 * blocks + fan_out + len(headers),
        len(headers),
        fan_out,
        vectors,
        frame_bytes // 8,
        frozenset(callees),
    )
