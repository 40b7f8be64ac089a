"""``runwell run --stats``: what ran where, and what compiling it took."""

from __future__ import annotations

import sys
import time
from _thread import start_new_thread
from typing import TYPE_CHECKING, final

from runwell.jit.installed import totals
from runwell.kernel.types import ctype_of
from runwell.runtime import layout
from runwell.runtime.context import current_context

if TYPE_CHECKING:
    import runwell

INTERVAL_S = 0.001


@final
class Stats:
    """Measures from when it is made; a thread looks again and again where the guest is.

    Attributes:
        module: what runs.
        spent: seconds in the interpreter and in compiled code, as far as samples tell.
    """

    def __init__(self, module: runwell.Module) -> None:
        self.module = module
        self.spent = {"interpreter": 0.0, "compiled code": 0.0}
        self._begun = time.perf_counter()
        self._is_over = False
        start_new_thread(self._sample, (current_context(),))

    def _sample(self, context: object) -> None:
        fields = context.native  # type: ignore[attr-defined]
        last = time.perf_counter()
        while not self._is_over:
            # The interpreter lock is ours only while the guest has released it, or is in the host.
            time.sleep(INTERVAL_S)
            now = time.perf_counter()
            if fields.thread_state:
                place = "compiled code" if fields.host_sp else "interpreter"
                self.spent[place] += now - last
            last = now

    def report(self) -> None:
        """Print what was found, to the standard error stream."""
        self._is_over = True
        wall = time.perf_counter() - self._begun
        code = self.module.code
        native = ctype_of(layout.ModuleCode).from_address(code.address)
        tier = code.tier
        installed = totals()
        defined = len(code.module.bodies) // 2
        compiled_s = tier.compiled_s if tier is not None else 0.0
        killed = tier.killed if tier is not None else 0
        host = max(wall - sum(self.spent.values()), 0.0)
        lines = [
            f"functions  {defined} defined, {native.n_translated} used, "
            f"{installed.functions} compiled in {installed.blocks} pieces",
            f"time       {wall:.3f} s: "
            + ", ".join(f"{place} {s:.3f}" for place, s in self.spent.items())
            + f", host {host:.3f}",
            f"compiling  {compiled_s:.3f} s in the background"
            + (f", {killed} given up" if killed else ""),
            f"code       {native.code_out - native.code:,} bytes of register code, "
            f"{installed.code_bytes:,} of machine code",
        ]
        print("\n".join(lines), file=sys.stderr)
