"""``runwell run --stats``: what ran where, and what compiling it took."""

from __future__ import annotations

import sys
import time
from _thread import allocate_lock, start_new_thread
from ctypes import CFUNCTYPE, addressof, c_uint64
from typing import TYPE_CHECKING, final

from runwell.kernel.types import ctype_of
from runwell.runtime import layout
from runwell.runtime.context import current_context
from runwell.runtime.native import native

if TYPE_CHECKING:
    import runwell
    from runwell.jit.installed import Code

SECOND = 1e9


@final
class Stats:
    """Measures from when it is made; a thread looks again and again where the guest is.

    It sees on which stack the guest is.  So an interpreted function that compiled code
    calls counts as compiled code, and a C function that a guest imports as the interpreter.

    Attributes:
        module: what runs.
        times: nanoseconds that the calling thread spent in each place, as far as samples tell.
    """

    def __init__(self, module: runwell.Module) -> None:
        self.module = module
        self.times = ctype_of(layout.GuestTimes)()
        self._begun = time.perf_counter()
        self._done = allocate_lock()
        self._done.acquire()
        start_new_thread(self._sample, (current_context(),))

    def _sample(self, context: object) -> None:
        # Called like this, it runs without the interpreter lock.
        sample = CFUNCTYPE(None, c_uint64, c_uint64)(native.address("sample_guest"))
        sample(context.address, addressof(self.times))  # type: ignore[attr-defined]
        self._done.release()

    def lines(self) -> list[str]:
        """Stop measuring; what was found."""
        self.times.is_over = 1
        self._done.acquire()
        self._done.release()
        wall = time.perf_counter() - self._begun
        guest = [self.times.interpreter / SECOND, self.times.compiled / SECOND]
        code = self.module.code
        registers = ctype_of(layout.ModuleCode).from_address(code.address)
        pieces: list[Code] = list(code.compiled)  # type: ignore[arg-type]
        compiled = {index for piece in pieces for index in piece.functions}
        return [
            f"functions  {len(code.module.bodies) // 2:,} defined, "
            f"{registers.n_translated:,} translated, {len(compiled):,} compiled",
            f"time       {wall:.3f} s: interpreter {guest[0]:.3f}, compiled code {guest[1]:.3f}, "
            f"host {max(wall - sum(guest), 0.0):.3f}",
            f"compiling  {self._compiling()}",
            f"code       {registers.code_out - registers.code:,} bytes of register code, "
            f"{sum(piece.size for piece in pieces):,} of machine code",
        ]

    def _compiling(self) -> str:
        tier = self.module.code.tier
        if tier is None:
            return "nothing"
        pieces = {
            "in use": len(self.module.code.compiled),
            "from earlier runs": tier.n_loaded,
            "given up": tier.killed,
            "not finished": len(tier.tickets),
        }
        said = ", ".join([f"{n:,} {what}" for what, n in pieces.items()])
        return f"{tier.compiled_s:.3f} s of processor time; pieces: {said}"

    def report(self) -> None:
        """Stop measuring, and print what was found to the standard error stream."""
        print("\n".join(self.lines()), file=sys.stderr)
