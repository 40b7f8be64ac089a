"""How big a function is, in what makes compiling it dear; found without making a line of LLVM."""

from __future__ import annotations

from runwell.base.light import NamedTuple
from runwell.kernel.types import ctype_of
from runwell.runtime import layout
from runwell.runtime.native import native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runwell.runtime.code import ModuleCode


class Sizes(NamedTuple):
    """What makes compiling dear.

    Attributes:
        bytes: of register code.
        blocks: basic blocks, about.
        spans: offset of each place that is branched back to, and of the last such branch.
        fan_out: targets of all branch tables together.
        vectors: operations on vectors.
        slots: of the frame.
        callees: functions that are called directly.
        types: canonical numbers of types through which functions are called.
    """

    bytes: int
    blocks: int
    spans: tuple[tuple[int, int], ...]
    fan_out: int
    vectors: int
    slots: int
    callees: frozenset[int]
    types: frozenset[int] = frozenset()

    @property
    def loops(self) -> int:
        """How many loops there are."""
        return len(self.spans)

    def around(self, loop: int) -> list[int]:
        """The loops that a loop is in, outermost first, and itself."""
        return [header for header, last in self.spans if header <= loop <= last]


def measure(code: ModuleCode, index: int) -> Sizes | None:
    """Measure a function, which is translated if it was not; None if it is invalid.

    Args:
        code: the module.
        index: of a function that the module defines.
    """
    from ctypes import addressof, c_uint32

    where = code.code_address(index)
    size = native.measure_code(where, 0, 0)
    if not size:
        return None
    found = ctype_of(layout.CodeSizes)()
    places = (c_uint32 * (size // 4))()
    native.measure_code(where, addressof(found), addressof(places))
    backward = places[: 2 * found.headers]
    # In the order of the code, so that what is said last of a header is the last branch to it.
    last = {4 * header: 4 * at for header, at in zip(backward[::2], backward[1::2], strict=True)}
    called = set(places[len(places) - found.callees :])
    types = frozenset([x - layout.INDIRECT for x in called if x >= layout.INDIRECT])
    return Sizes(
        size,
        1 + 2 * found.branches + found.fan_out + len(last),
        tuple(sorted(last.items())),
        found.fan_out,
        found.vectors,
        ctype_of(layout.FuncCode).from_address(where).frame_bytes // 8,
        frozenset([x for x in called if x < layout.INDIRECT]),
        types,
    )
