"""Backtraces with native frames: each stands for several frames of the guest, or for none."""

from __future__ import annotations

from array import array
from itertools import chain, islice

from runwell.base.light import final
from runwell.kernel.types import ctype_of, sizeof
from runwell.runtime import layout
from runwell.runtime.func import object_at
from runwell.runtime.native import hooks, native
from runwell.runtime.trap import frame_at, more_frames

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol

    from runwell.base.errors import Frame
    from runwell.runtime.code import ModuleCode

    class Compiled(Protocol):
        """A piece of compiled code.

        Attributes:
            module: whose functions it is made from, while that lives.
        """

        @property
        def module(self) -> ModuleCode | None: ...  # noqa: D102

        def frames(self, pc: int) -> list[tuple[int, int]]:
            """Which frames an address inside of an instruction stands for.

            Args:
                pc: the address.

            Returns:
                Function index and byte offset in its register code of each, innermost first:
                several if functions were inlined, none if the function has not begun.
            """


# return_call, return_call_indirect, return_call_ref.
_TAIL_CALLS = (0x12, 0x13, 0x15)
_FIELDS = sizeof(layout.FrameRecord) // 8


@final
class MixedWalk:
    """The frames that a context was left with, some of them native; as ``Walk``."""

    __slots__ = ("_compiled", "_functions", "_ips", "_modules", "_owners")

    def __init__(self, context: int, total: int) -> None:
        """Walk them.

        Args:
            context: address of the context.
            total: how many frames there are, before any is resolved.
        """
        records = array("Q", bytes(8 * _FIELDS * total))
        native.walk_frames(context, records.buffer_info()[0], total, 1)
        self._ips, self._functions, self._modules = (records[n::_FIELDS] for n in range(_FIELDS))
        # The modules may be gone when somebody asks.
        self._owners: dict[int, ModuleCode] = {
            address: object_at(address) for address in set(self._modules) if address
        }
        find = hooks.native_code
        found = {} if find is None else {ip: find(ip) for ip in set(self._ips)}
        self._compiled: dict[int, tuple[Compiled, ModuleCode]] = {}
        for ip, code in found.items():
            if code is not None and (module := code.module) is not None:
                self._compiled[ip] = code, module

    def frames(self, innermost: int, outermost: int) -> tuple[Frame, ...]:
        """The frames, innermost first; of many as many as wanted from both ends."""
        from collections import Counter

        total = len(self._ips)
        resolved = {ip: _resolve(ip, *found) for ip, found in self._compiled.items()}
        counts = Counter(self._ips)
        logical = total - self._modules.count(0)
        logical += sum(counts[ip] * len(frames) for ip, frames in resolved.items())

        def frames(order: range) -> Iterable[Frame]:
            return chain.from_iterable(self._at(at, resolved)[:: order.step] for at in order)

        if logical <= innermost + outermost:
            return tuple(frames(range(total)))
        outer = list(islice(frames(range(total - 1, -1, -1)), outermost))
        return (
            *islice(frames(range(total)), innermost),
            more_frames(logical - innermost - outermost),
            *reversed(outer),
        )

    def _at(self, at: int, resolved: dict[int, list[Frame]]) -> list[Frame]:
        """What a frame stands for."""
        ip, module = self._ips[at], self._modules[at]
        if not module:
            return resolved.get(ip, [])
        return [frame_at(self._owners[module], self._functions[at], ip if at == 0 else ip - 1)]


def _resolve(pc: int, code: Compiled, module: ModuleCode) -> list[Frame]:
    """The frames of the guest that an address of compiled code stands for, innermost first."""
    frames: list[Frame] = []
    for function, offset in code.frames(pc):
        where = module.code_address(function)
        start = ctype_of(layout.FuncCode).from_address(where).start
        frame = frame_at(module, function, start + offset)
        # A function that was inlined where it was tail-called has taken its caller's place.
        if not frames or not _is_tail_call(module, frame.offset):
            frames.append(frame)
    return frames


def _is_tail_call(module: ModuleCode, offset: int | None) -> bool:
    """Is there a tail call at an offset of the binary?"""
    return offset is not None and module.module.data[offset] in _TAIL_CALLS
