"""The structs that the translator and Python share."""

from runwell.base.light import Literal
from runwell.kernel.types import Array, struct, u32, u64


@struct
class Span:
    """A constant expression."""

    start: u32  # byte offset in the binary
    end: u32  # behind its ``end``
    type: u32
    globals: u32  # how many globals it may read


@struct
class Trouble:
    """Why something was refused."""

    code: u32  # Error, 0 if all is well
    function: u32
    opcode: u32  # prefix << 16 | code
    detail: u32
    offset: u64  # of the instruction, in the binary
    n_wanted: u32
    n_found: u32
    wanted: Array[u32, Literal[8]]  # type mismatch: the types that were needed
    found: Array[u32, Literal[8]]  # and those that were there
