"""Traps as Python errors, with a backtrace of guest frames."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from sys import modules

from runwell.base.errors import (
    DeadlineExceeded,
    ExhaustionError,
    Frame,
    InternalError,
    OutOfFuel,
    RunwellError,
    Trap,
)
from runwell.base.light import final
from runwell.base.log import DEBUG, INFO, log
from runwell.base.traps import TrapCode
from runwell.kernel.types import ctype_of, sizeof
from runwell.runtime import layout
from runwell.runtime.code import ModuleCode
from runwell.runtime.context import Context
from runwell.runtime.func import object_at
from runwell.runtime.native import hooks, native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Frames that a backtrace shows: the innermost and the outermost ones of a deep recursion.
INNERMOST, OUTERMOST = 48, 16

_LIMITS = frozenset(
    (
        TrapCode.OUT_OF_FUEL,
        TrapCode.DEADLINE,
        TrapCode.STACK_EXHAUSTED,
        TrapCode.HEAP_EXHAUSTED,
    )
)

# In the result of ``walk_frames``.
HAS_NATIVE = 1 << 63
_FIELDS = sizeof(layout.FrameRecord) // 8
_NO_RECORDS = bytes(8 * _FIELDS * (INNERMOST + OUTERMOST))


def make_trap(context: Context, code: int) -> RunwellError | InternalError:
    """The error for a trap, with the frames that the context was left with."""
    trap = TrapCode(code)
    if trap == TrapCode.INVALID_FUNCTION and hooks.validate_function is not None:
        return _invalid(context, hooks.validate_function)
    if trap == TrapCode.UNCAUGHT_EXCEPTION and hooks.make_exception is not None:
        from runwell.runtime.exception import untracked

        # Whatever runs now may throw, too.
        held = untracked(context.native.exception)
        context.native.exception = 0
        return hooks.make_exception(held, backtrace(context))
    frames = Walk(context)
    if "logging" in modules:
        level = INFO if trap in _LIMITS else DEBUG
        log("limit" if trap in _LIMITS else "trap", level, "stopped: %s", trap.message)
    if trap == TrapCode.INTERNAL:
        innermost = frames()[:1]
        where = f" in {innermost[0]}" if innermost else ""
        return InternalError(f"the interpreter lost its way{where}: please report the module")
    if trap == TrapCode.OUT_OF_FUEL:
        return OutOfFuel(trap, frames)
    if trap == TrapCode.DEADLINE:
        return DeadlineExceeded(trap, frames)
    if trap in _LIMITS:
        return ExhaustionError(trap, frames)
    return Trap(trap, frames)


def _invalid(
    context: Context, validate: Callable[[ModuleCode, int], None]
) -> RunwellError | InternalError:
    """What is wrong with the function that could not be translated at its first call."""
    code = ctype_of(layout.FuncCode).from_address(context.native.culprit)
    owner: ModuleCode = object_at(ctype_of(layout.ModuleCode).from_address(code.module).object)
    try:
        validate(owner, code.index)
    except RunwellError as e:
        return e
    return InternalError(f"function {code.index} was refused at its call, and now it is valid")


def backtrace(context: Context) -> tuple[Frame, ...]:
    """The guest's frames, innermost first.

    Of a deep recursion the middle is left out: a frame of function -1 says how many.
    """
    return Walk(context)()


@final
class Walk:
    """The frames that a context was left with: where they are, to be called for what they are.

    Names and offsets are looked up by the call, because most traps are caught and forgotten.
    """

    __slots__ = ("_mixed", "_owners", "_records", "_total")

    def __init__(self, context: Context) -> None:
        records = array("Q", _NO_RECORDS)
        self._total = total = native.walk_frames(
            context.address, records.buffer_info()[0], INNERMOST, OUTERMOST
        )
        self._mixed: Any = None
        if total & HAS_NATIVE:
            from runwell.runtime.mixed_walk import MixedWalk

            self._mixed = MixedWalk(context.address, total - HAS_NATIVE)
            return
        # The modules may be gone when somebody asks.
        if total <= INNERMOST + OUTERMOST:
            del records[_FIELDS * total :]
        self._records = records
        self._owners: dict[int, ModuleCode] = {
            address: object_at(address) for address in set(records[_FIELDS - 1 :: _FIELDS])
        }

    def __call__(self) -> tuple[Frame, ...]:
        """The frames, innermost first."""
        if self._mixed is not None:
            mixed: tuple[Frame, ...] = self._mixed.frames(INNERMOST, OUTERMOST)
            return mixed
        total = self._total
        shown = min(total, INNERMOST + OUTERMOST)
        frames = [self._frame(at) for at in range(min(shown, INNERMOST))]
        if shown > INNERMOST:
            # The outermost ones are in a ring.
            outer = range(total - (shown - INNERMOST), total)
            frames.extend(self._frame(INNERMOST + (n - INNERMOST) % OUTERMOST) for n in outer)
        if total > shown:
            frames.insert(INNERMOST, more_frames(total - shown))
        return tuple(frames)

    def _frame(self, at: int) -> Frame:
        ip, function, address = self._records[_FIELDS * at : _FIELDS * (at + 1)]
        # A caller's address is that behind its call.
        return frame_at(self._owners[address], function, ip if at == 0 else ip - 1)


def more_frames(n: int) -> Frame:
    """What stands for frames that are left out."""
    return Frame(-1, f"... {n} more frames ...", None)


_UNKNOWN: tuple[str, tuple[tuple[str, str], ...]] = ("", ())


def frame_at(owner: ModuleCode, function: int, ip: int) -> Frame:
    """The frame of a function that is at an address of its register code."""
    module, offset, place = owner.module, None, _UNKNOWN
    if hooks.offset_of is not None:
        offset = hooks.offset_of(owner, function, ip)
    if hooks.source_of is not None and offset is not None:
        place = hooks.source_of(module, offset)
    is_export = function not in module.names.functions
    name = module.function_name(function)
    source, inlined = place
    is_export = is_export and bool(name)
    return Frame(function, name, offset, module.names.module, source, is_export, inlined)
