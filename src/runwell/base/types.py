"""Value types and function types.

A value type is an int: its one-byte binary code, or for a typed reference a code that carries
nullability and heap type, so that types compare and hash at the speed of ints and cross to
native code as they are.  Source: core spec 3.0, binary format of types.
"""

from enum import IntEnum
from typing import NamedTuple


class ValType(IntEnum):
    """A value type; the number is its binary code."""

    I32 = 0x7F
    I64 = 0x7E
    F32 = 0x7D
    F64 = 0x7C
    V128 = 0x7B
    FUNCREF = 0x70
    EXTERNREF = 0x6F

    @property
    def text(self) -> str:
        """The name in the text format, e.g. ``i32``."""
        return self.name.lower()

    @property
    def bits(self) -> int:
        """Width of a number or vector in bits; references are 64."""
        return _BITS[self]

    @property
    def is_int(self) -> bool:
        """Is this ``i32`` or ``i64``?"""
        return self in (ValType.I32, ValType.I64)

    @property
    def is_float(self) -> bool:
        """Is this ``f32`` or ``f64``?"""
        return self in (ValType.F32, ValType.F64)

    @property
    def is_ref(self) -> bool:
        """Is this a reference type?"""
        return self <= 0x70


_BITS = {
    ValType.I32: 32,
    ValType.I64: 64,
    ValType.F32: 32,
    ValType.F64: 64,
    ValType.V128: 128,
    ValType.FUNCREF: 64,
    ValType.EXTERNREF: 64,
}

I32, I64, F32, F64, V128 = ValType.I32, ValType.I64, ValType.F32, ValType.F64, ValType.V128
FUNCREF, EXTERNREF = ValType.FUNCREF, ValType.EXTERNREF


class FuncType(NamedTuple):
    """Parameter and result types of a function, first to last."""

    params: tuple[ValType, ...]
    results: tuple[ValType, ...]

    def __str__(self) -> str:
        def names(types: tuple[ValType, ...]) -> str:
            return " ".join(t.text for t in types)

        return f"[{names(self.params)}] -> [{names(self.results)}]"
