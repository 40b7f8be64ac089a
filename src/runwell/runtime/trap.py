"""Traps as Python errors, with a backtrace of guest frames."""

from typing import Any

from runwell.base.errors import ExhaustionError, Frame, InternalError, OutOfFuel, Trap
from runwell.base.traps import TrapCode
from runwell.kernel.types import ctype_of
from runwell.runtime import layout
from runwell.runtime.code import ModuleCode
from runwell.runtime.context import Context
from runwell.runtime.func import object_at
from runwell.runtime.native import hooks, native

# Frames that a backtrace shows: the innermost and the outermost ones of a deep recursion.
INNERMOST, OUTERMOST = 48, 16


def make_trap(context: Context, code: int) -> Trap | InternalError:
    """The error for a trap, with the frames that the context was left with."""
    trap = TrapCode(code)
    frames = backtrace(context)
    if trap == TrapCode.INTERNAL:
        where = f" in {frames[0]}" if frames else ""
        return InternalError(f"the interpreter lost its way{where}: please report the module")
    if trap == TrapCode.OUT_OF_FUEL:
        return OutOfFuel(trap, frames)
    if trap in (TrapCode.STACK_EXHAUSTED, TrapCode.DEADLINE):
        return ExhaustionError(trap, frames)
    return Trap(trap, frames)


def backtrace(context: Context) -> tuple[Frame, ...]:
    """The guest's frames, innermost first.

    Of a deep recursion the middle is left out: a frame of function -1 says how many.
    """
    from ctypes import addressof

    records: Any = (ctype_of(layout.FrameRecord) * (INNERMOST + OUTERMOST))()
    total = native.walk_frames(context.address, addressof(records), INNERMOST, OUTERMOST)
    shown = min(total, INNERMOST + OUTERMOST)
    inner = min(shown, INNERMOST)
    places = list(range(inner))
    # The outermost ones are in a ring.
    outer = range(total - (shown - inner), total)
    places.extend(INNERMOST + (n - INNERMOST) % OUTERMOST for n in outer)
    frames = [_frame(records[at], is_innermost=at == 0) for at in places]
    if total > shown:
        frames.insert(INNERMOST, Frame(-1, f"... {total - shown} more frames ...", None))
    return tuple(frames)


def _frame(record: Any, *, is_innermost: bool) -> Frame:
    code = ctype_of(layout.FuncCode).from_address(record.code)
    owner: ModuleCode = object_at(ctype_of(layout.ModuleCode).from_address(code.module).object)
    index, module = int(code.index), owner.module
    offset = None
    if hooks.offset_of is not None and record.ip:
        # A caller's address is that behind its call.
        offset = hooks.offset_of(owner, index, record.ip - (not is_innermost))
    return Frame(index, module.function_name(index), offset, module.names.module)
