"""Why a function body or constant expression is refused: codes, and the texts they become.

The kernels raise ``Invalid`` with a code; texts begin with the words of the official suite.
"""

from runwell.base.features import FEATURES
from runwell.base.light import IntEnum
from runwell.kernel.declare import Failure


class Invalid(Failure):
    """A body was refused; ``code`` is an ``Error``."""


class Error(IntEnum):
    """A reason to refuse a body."""

    # The bytes are not instructions.
    UNEXPECTED_END = 1
    INTEGER_TOO_LONG = 2
    INTEGER_TOO_LARGE = 3
    ILLEGAL_OPCODE = 4
    END_EXPECTED = 5
    ZERO_BYTE_EXPECTED = 6
    MALFORMED_MEMOP_FLAGS = 7
    MALFORMED_VALUE_TYPE = 8
    MALFORMED_REFERENCE_TYPE = 9
    DATA_COUNT_REQUIRED = 10
    MALFORMED_CAST_FLAGS = 24
    FEATURE_OFF = 25
    TOO_MANY_LOCALS = 11
    ELSE_WITHOUT_IF = 12
    CONTENT_AFTER_END = 13
    MALFORMED_CATCH = 20
    # They are, but do not type-check.
    TYPE_MISMATCH = 32
    UNKNOWN_LOCAL = 33
    UNKNOWN_LABEL = 34
    UNKNOWN_FUNCTION = 35
    UNKNOWN_TYPE = 36
    UNKNOWN_GLOBAL = 37
    UNKNOWN_TABLE = 38
    UNKNOWN_MEMORY = 39
    UNKNOWN_DATA = 40
    UNKNOWN_ELEM = 41
    IMMUTABLE_GLOBAL = 42
    ALIGNMENT = 43
    OFFSET_OUT_OF_RANGE = 44
    RESULT_ARITY = 45
    UNDECLARED_FUNCTION = 46
    CONSTANT_REQUIRED = 47
    LANE_INDEX = 48
    UNINITIALIZED_LOCAL = 49
    ATOMIC_ALIGNMENT = 50
    UNKNOWN_TAG = 52
    UNKNOWN_FIELD = 56
    IMMUTABLE_FIELD = 57
    IMMUTABLE_ARRAY = 58
    ARRAY_TYPES = 59
    NOT_NUMERIC = 60
    NO_DEFAULT = 61
    # They exceed a limit.
    LOCALS_LIMIT = 64
    NESTING_LIMIT = 65
    HEIGHT_LIMIT = 66
    BR_TABLE_LIMIT = 67
    SIZE_LIMIT = 68
    OUT_OF_SPACE = 69
    HANDLERS_LIMIT = 70

    @property
    def is_malformed(self) -> bool:
        """Does the suite call such a module malformed, rather than invalid?"""
        return self < Error.TYPE_MISMATCH

    def text(self, detail: int = 0) -> str:
        """The message; ``detail`` is the index, opcode, limit or feature that it is about."""
        shown = FEATURES[detail] if self == Error.FEATURE_OFF else detail
        return _TEXTS[self].format(shown)


_TEXTS = {
    Error.UNEXPECTED_END: "unexpected end of section or function",
    Error.INTEGER_TOO_LONG: "integer representation too long",
    Error.INTEGER_TOO_LARGE: "integer too large",
    Error.ILLEGAL_OPCODE: "illegal opcode {:02x}",
    Error.END_EXPECTED: "END opcode expected",
    Error.ZERO_BYTE_EXPECTED: "zero byte expected",
    Error.MALFORMED_MEMOP_FLAGS: "malformed memop flags",
    Error.MALFORMED_VALUE_TYPE: "malformed value type {:#04x}",
    Error.MALFORMED_REFERENCE_TYPE: "malformed reference type {:#04x}",
    Error.DATA_COUNT_REQUIRED: "data count section required",
    Error.TOO_MANY_LOCALS: "too many locals",
    Error.ELSE_WITHOUT_IF: "END opcode expected: else without if",
    Error.CONTENT_AFTER_END: "section size mismatch: bytes after the end of the function",
    Error.MALFORMED_CATCH: "malformed catch clause {:#04x}",
    Error.TYPE_MISMATCH: "type mismatch",
    Error.UNKNOWN_LOCAL: "unknown local {}",
    Error.UNKNOWN_LABEL: "unknown label {}",
    Error.UNKNOWN_FUNCTION: "unknown function {}",
    Error.UNKNOWN_TYPE: "unknown type {}",
    Error.UNKNOWN_GLOBAL: "unknown global {}",
    Error.UNKNOWN_TABLE: "unknown table {}",
    Error.UNKNOWN_MEMORY: "unknown memory {}",
    Error.UNKNOWN_DATA: "unknown data segment {}",
    Error.UNKNOWN_ELEM: "unknown elem segment {}",
    Error.IMMUTABLE_GLOBAL: "immutable global {}",
    Error.ALIGNMENT: "alignment must not be larger than natural",
    Error.OFFSET_OUT_OF_RANGE: "offset out of range",
    Error.RESULT_ARITY: "invalid result arity",
    Error.UNDECLARED_FUNCTION: "undeclared function reference {}",
    Error.CONSTANT_REQUIRED: "constant expression required",
    Error.LANE_INDEX: "invalid lane index",
    Error.FEATURE_OFF: "this module needs the feature {!r}, which is off",
    Error.MALFORMED_CAST_FLAGS: "malformed br_on_cast flags {}",
    Error.UNKNOWN_FIELD: "unknown field {}",
    Error.IMMUTABLE_FIELD: "immutable field",
    Error.IMMUTABLE_ARRAY: "immutable array",
    Error.ARRAY_TYPES: "array types do not match",
    Error.NOT_NUMERIC: "array type is not numeric or vector",
    Error.NO_DEFAULT: "type mismatch: a field has no default value",
    Error.UNINITIALIZED_LOCAL: "uninitialized local {}",
    Error.ATOMIC_ALIGNMENT: "atomic alignment must be natural",
    Error.UNKNOWN_TAG: "unknown tag {}",
    Error.LOCALS_LIMIT: "too many locals: the limit is {}",
    Error.NESTING_LIMIT: "blocks nested too deeply: the limit is {}",
    Error.HEIGHT_LIMIT: "too many operands: the limit is {}",
    Error.BR_TABLE_LIMIT: "br_table too large: the limit is {}",
    Error.SIZE_LIMIT: "function too large: the limit is {} bytes",
    Error.HANDLERS_LIMIT: "too many exception handlers: the limit is {}",
    Error.OUT_OF_SPACE: "no space left for register code",
}
