"""Errors, and how those of Runwell become them."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import NamedTuple

from runwell.base.errors import Frame as NativeFrame
from runwell.base.errors import RunwellError
from runwell.base.errors import Trap as NativeTrap
from runwell.base.traps import TrapCode as Code
from runwell.compat.wasmtime.managed import Closable
from runwell.wasi.world import ProcExit


class WasmtimeError(Closable, Exception):
    """Something cannot be done, or a guest failed."""


class ExitTrap(WasmtimeError):
    """A WASI program called ``proc_exit``.

    Attributes:
        code: its exit status.
    """

    def __init__(self, code: int) -> None:
        super().__init__(f"Exited with i32 exit status {code}")
        self.code = code


class TrapCode(Enum):
    """Why a guest trapped."""

    STACK_OVERFLOW = 0
    MEMORY_OUT_OF_BOUNDS = 1
    HEAP_MISALIGNED = 2
    TABLE_OUT_OF_BOUNDS = 3
    INDIRECT_CALL_TO_NULL = 4
    BAD_SIGNATURE = 5
    INTEGER_OVERFLOW = 6
    INTEGER_DIVISION_BY_ZERO = 7
    BAD_CONVERSION_TO_INTEGER = 8
    UNREACHABLE = 9
    INTERRUPT = 10
    OUT_OF_FUEL = 11
    ATOMIC_WAIT_NON_SHARED_MEMORY = 12
    NULL_REFERENCE = 13
    ARRAY_OUT_OF_BOUNDS = 14
    ALLOCATION_TOO_LARGE = 15
    CAST_FAILURE = 16
    # Of components, stack switching, and of how wasmtime works inside: they never come up here.
    CANNOT_ENTER_COMPONENT = 17
    NO_ASYNC_RESULT = 18
    UNHANDLED_TAG = 19
    CONTINUATION_ALREADY_CONSUMED = 20
    DISABLED_OPCODE = 21
    ASYNC_DEADLOCK = 22
    CANNOT_LEAVE_COMPONENT = 23
    CANNOT_BLOCK_SYNC_TASK = 24
    INVALID_CHAR = 25
    DEBUG_ASSERT_STRING_ENCODING_FINISHED = 26
    DEBUG_ASSERT_EQUAL_CODE_UNITS = 27
    DEBUG_ASSERT_POINTER_ALIGNED = 28
    DEBUG_ASSERT_UPPER_BITS_UNSET = 29
    STRING_OUT_OF_BOUNDS = 30
    LIST_OUT_OF_BOUNDS = 31
    INVALID_DISCRIMINANT = 32
    UNALIGNED_POINTER = 33
    TASK_CANCEL_NOT_CANCELLED = 34
    TASK_CANCEL_OR_RETURN_TWICE = 35
    SUBTASK_CANCEL_AFTER_TERMINAL = 36
    TASK_RETURN_INVALID = 37
    WAITABLE_SET_DROP_HAS_WAITERS = 38
    SUBTASK_DROP_NOT_RESOLVED = 39
    THREAD_NEW_INDIRECT_INVALID_TYPE = 40
    THREAD_NEW_INDIRECT_UNINITIALIZED = 41
    BACKPRESSURE_OVERFLOW = 42
    UNSUPPORTED_CALLBACK_CODE = 43
    CANNOT_RESUME_THREAD = 44
    CONCURRENT_FUTURE_STREAM_OP = 45
    REFERENCE_COUNT_OVERFLOW = 46
    STREAM_OP_TOO_BIG = 47
    WAITABLE_SYNC_AND_ASYNC = 48
    UNCAUGHT_EXCEPTION = 49


_CODES = {
    Code.UNREACHABLE: (TrapCode.UNREACHABLE, "wasm `unreachable` instruction executed"),
    Code.INTEGER_DIVIDE_BY_ZERO: (TrapCode.INTEGER_DIVISION_BY_ZERO, "integer divide by zero"),
    Code.INTEGER_OVERFLOW: (TrapCode.INTEGER_OVERFLOW, "integer overflow"),
    Code.INVALID_CONVERSION: (
        TrapCode.BAD_CONVERSION_TO_INTEGER,
        "invalid conversion to integer",
    ),
    Code.OUT_OF_BOUNDS_MEMORY: (TrapCode.MEMORY_OUT_OF_BOUNDS, "out of bounds memory access"),
    Code.OUT_OF_BOUNDS_TABLE: (
        TrapCode.TABLE_OUT_OF_BOUNDS,
        "undefined element: out of bounds table access",
    ),
    Code.UNDEFINED_ELEMENT: (
        TrapCode.TABLE_OUT_OF_BOUNDS,
        "undefined element: out of bounds table access",
    ),
    Code.UNINITIALIZED_ELEMENT: (TrapCode.INDIRECT_CALL_TO_NULL, "uninitialized element"),
    Code.INDIRECT_CALL_TYPE_MISMATCH: (TrapCode.BAD_SIGNATURE, "indirect call type mismatch"),
    Code.NULL_REFERENCE: (TrapCode.NULL_REFERENCE, "null reference"),
    Code.NULL_FUNCTION_REFERENCE: (TrapCode.NULL_REFERENCE, "null reference"),
    Code.NULL_EXCEPTION: (TrapCode.NULL_REFERENCE, "null reference"),
    Code.NULL_STRUCTURE: (TrapCode.NULL_REFERENCE, "null reference"),
    Code.NULL_ARRAY: (TrapCode.NULL_REFERENCE, "null reference"),
    Code.NULL_I31: (TrapCode.NULL_REFERENCE, "null reference"),
    Code.OUT_OF_BOUNDS_ARRAY: (TrapCode.ARRAY_OUT_OF_BOUNDS, "out of bounds array access"),
    Code.CAST_FAILURE: (TrapCode.CAST_FAILURE, "cast failure"),
    Code.HEAP_EXHAUSTED: (TrapCode.ALLOCATION_TOO_LARGE, "allocation size too large"),
    Code.STACK_EXHAUSTED: (TrapCode.STACK_OVERFLOW, "call stack exhausted"),
    Code.INTERRUPTED: (TrapCode.INTERRUPT, "interrupt"),
    Code.DEADLINE: (TrapCode.INTERRUPT, "interrupt"),
    Code.OUT_OF_FUEL: (TrapCode.OUT_OF_FUEL, "all fuel consumed by WebAssembly"),
    Code.UNALIGNED_ATOMIC: (TrapCode.HEAP_MISALIGNED, "unaligned atomic"),
    Code.UNSHARED_MEMORY: (
        TrapCode.ATOMIC_WAIT_NON_SHARED_MEMORY,
        "atomic wait on non-shared memory",
    ),
}


class Frame(NamedTuple):
    """A frame of a backtrace.

    Attributes:
        func_index: index of the function in its module.
        func_name: its name, or None.
        module_name: its module's name, or None.
        module_offset: byte offset of the instruction in the module's binary.
        func_offset: byte offset of the instruction in the function's body.
    """

    func_index: int
    func_name: str | None
    module_name: str | None
    module_offset: int
    func_offset: int

    def close(self) -> None:
        """Nothing: it goes with its last user."""

    def __str__(self) -> str:
        name = self.func_name or f"<wasm function {self.func_index}>"
        return f"{self.module_name or '<unknown>'}!{name}"


class Trap(Closable, Exception):
    """A guest did something that stops it.

    Args:
        message: what a host function says that traps.

    Attributes:
        message: why, with the backtrace.
        trap_code: why, or None if the host made it.
        frames: frames of the guest, innermost first.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.trap_code: TrapCode | None = None
        self.frames: list[Frame] = []

    def __str__(self) -> str:
        return self.message


def _frame(frame: NativeFrame) -> Frame:
    name = "" if frame.is_export else frame.name
    return Frame(frame.function, name or None, frame.module or None, frame.offset or 0, 0)


def trap_of(native: NativeTrap) -> Trap:
    """What a trap of Runwell is here."""
    code, text = _CODES.get(native.code, (None, native.code.message))
    frames = [_frame(frame) for frame in native.backtrace]
    lines = []
    if frames:
        lines.append("error while executing at wasm backtrace:")
        lines += [f"{i:>5}: {f.module_offset:#8x} - {f}" for i, f in enumerate(frames)]
        lines += ["", "Caused by:", f"    wasm trap: {text}", ""]
    else:
        lines.append(f"wasm trap: {text}")
    trap = Trap("\n".join(lines))
    trap.trap_code, trap.frames = code, frames
    return trap


@contextmanager
def translated() -> Iterator[None]:
    """Errors of Runwell that arise inside leave as those that programs expect here."""
    try:
        yield
    except NativeTrap as e:
        raise trap_of(e) from e
    except ProcExit as e:
        raise ExitTrap(e.code) from None
    except (RunwellError, MemoryError) as e:
        raise WasmtimeError(str(e)) from e
