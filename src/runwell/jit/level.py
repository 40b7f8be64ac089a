"""How hard the compiler tries."""

from __future__ import annotations

from runwell.base.light import IntEnum


class Level(IntEnum):
    """How hard the compiler tries.

    Above LLVM's first level its passes make no difference to the code, of what a compiler has
    optimised before, but take a tenth longer.
    """

    FAST = 0  # no passes; the quick generator of code
    QUICK = 1  # what compilers put in memory goes to registers, no more; the good generator
    BEST = 2  # all passes of LLVM's first level

    @property
    def of_llvm(self) -> int:
        """LLVM's level."""
        return min(self, 1)
