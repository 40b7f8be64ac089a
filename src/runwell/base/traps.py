"""Why execution trapped.  The messages are the words of the official test suite."""

from runwell.base.light import IntEnum


class TrapCode(IntEnum):
    """A reason to trap; 0 means that nothing trapped, in native code."""

    UNREACHABLE = 1
    INTEGER_DIVIDE_BY_ZERO = 2
    INTEGER_OVERFLOW = 3
    INVALID_CONVERSION = 4
    OUT_OF_BOUNDS_MEMORY = 5
    OUT_OF_BOUNDS_TABLE = 6
    UNDEFINED_ELEMENT = 7
    UNINITIALIZED_ELEMENT = 8
    INDIRECT_CALL_TYPE_MISMATCH = 9
    NULL_REFERENCE = 10
    STACK_EXHAUSTED = 11
    INTERRUPTED = 12
    OUT_OF_FUEL = 13
    DEADLINE = 14
    INVALID_FUNCTION = 15
    INTERNAL = 16
    HOST_RAISED = 17
    UNALIGNED_ATOMIC = 18
    UNSHARED_MEMORY = 19
    UNCAUGHT_EXCEPTION = 24
    NULL_EXCEPTION = 25
    NULL_FUNCTION_REFERENCE = 30
    NULL_STRUCTURE = 31
    NULL_ARRAY = 32
    NULL_I31 = 33
    CAST_FAILURE = 34
    OUT_OF_BOUNDS_ARRAY = 35
    HEAP_EXHAUSTED = 36
    OTHER_THREAD = 40
    SUSPENDED = 41

    @property
    def message(self) -> str:
        """The text that the error begins with."""
        return _MESSAGES[self]


_MESSAGES = {
    TrapCode.UNREACHABLE: "unreachable",
    TrapCode.INTEGER_DIVIDE_BY_ZERO: "integer divide by zero",
    TrapCode.INTEGER_OVERFLOW: "integer overflow",
    TrapCode.INVALID_CONVERSION: "invalid conversion to integer",
    TrapCode.OUT_OF_BOUNDS_MEMORY: "out of bounds memory access",
    TrapCode.OUT_OF_BOUNDS_TABLE: "out of bounds table access",
    TrapCode.UNDEFINED_ELEMENT: "undefined element",
    TrapCode.UNINITIALIZED_ELEMENT: "uninitialized element",
    TrapCode.INDIRECT_CALL_TYPE_MISMATCH: "indirect call type mismatch",
    TrapCode.NULL_REFERENCE: "null reference",
    TrapCode.STACK_EXHAUSTED: "call stack exhausted",
    TrapCode.INTERRUPTED: "interrupted",
    TrapCode.OUT_OF_FUEL: "all fuel consumed",
    TrapCode.DEADLINE: "deadline exceeded",
    TrapCode.INVALID_FUNCTION: "invalid function body",
    TrapCode.INTERNAL: "internal error",
    TrapCode.HOST_RAISED: "host function raised",
    TrapCode.UNALIGNED_ATOMIC: "unaligned atomic",
    TrapCode.UNSHARED_MEMORY: "expected shared memory",
    TrapCode.UNCAUGHT_EXCEPTION: "uncaught exception",
    TrapCode.NULL_EXCEPTION: "null exception reference",
    TrapCode.NULL_FUNCTION_REFERENCE: "null function reference",
    TrapCode.NULL_STRUCTURE: "null structure reference",
    TrapCode.NULL_ARRAY: "null array reference",
    TrapCode.NULL_I31: "null i31 reference",
    TrapCode.CAST_FAILURE: "cast failure",
    TrapCode.OUT_OF_BOUNDS_ARRAY: "out of bounds array access",
    TrapCode.HEAP_EXHAUSTED: "the limit of the garbage-collected heap is reached",
    TrapCode.SUSPENDED: "suspended",
    TrapCode.OTHER_THREAD: "the instance is in use by another thread",
}
