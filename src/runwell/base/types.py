"""Value types and function types.

A value type is an int: its one-byte binary code, or for other reference types a code that carries
nullability and heap type, so that types compare and hash at the speed of ints and cross to
native code as they are:

    bits 0-7   the one-byte code of a number, vector or abstract heap type; 0: a defined type
    bit 8      a reference that is never null
    bits 9-    index of the defined type, in its module

Source: core spec 3.0, binary format of types.
"""

from runwell.base.light import IntEnum, NamedTuple

NON_NULL = 0x100
INDEX_SHIFT = 9


class ValType(IntEnum):
    """A value type; the number is its binary code, or as the module says."""

    I32 = 0x7F
    I64 = 0x7E
    F32 = 0x7D
    F64 = 0x7C
    V128 = 0x7B
    # Storage types: only fields of structs and arrays have them.
    I8 = 0x78
    I16 = 0x77
    NULLEXNREF = 0x74
    NULLFUNCREF = 0x73
    NULLEXTERNREF = 0x72
    NULLREF = 0x71
    FUNCREF = 0x70
    EXTERNREF = 0x6F
    ANYREF = 0x6E
    EQREF = 0x6D
    I31REF = 0x6C
    STRUCTREF = 0x6B
    ARRAYREF = 0x6A
    EXNREF = 0x69

    @classmethod
    def _missing_(cls, value: object) -> "ValType | None":
        """The references that have no name of their own: ``(ref func)``, ``(ref null 3)``..."""
        if not isinstance(value, int) or value < 0:
            return None
        low = value & 0xFF
        index = value >> INDEX_SHIFT
        if low and (index or not value & NON_NULL or low not in HEAP_NAMES):
            return None
        member = int.__new__(cls, value)
        member._name_ = f"REF_{value:x}"
        member._value_ = value
        return member

    @property
    def text(self) -> str:
        """The name in the text format, e.g. ``i32`` or ``(ref null 3)``."""
        if self < NON_NULL and self & 0xFF:
            return self.name.lower()
        heap = HEAP_NAMES[self & 0xFF] if self & 0xFF else str(self >> INDEX_SHIFT)
        return f"(ref {heap})" if self & NON_NULL else f"(ref null {heap})"

    @property
    def bits(self) -> int:
        """Width of a number or vector in bits; references are 64."""
        return _BITS.get(self, 64)

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
        return self & 0xFF < 0x75

    @property
    def is_exception(self) -> bool:
        """Is this the type of references to exceptions?"""
        return self & 0xFF in (ValType.EXNREF, ValType.NULLEXNREF)

    @property
    def is_nullable(self) -> bool:
        """Is this a reference type that has a null?"""
        return self & 0xFF < 0x75 and not self & NON_NULL

    @property
    def heap_index(self) -> int | None:
        """Index of the defined type that this refers to, or None."""
        return None if self & 0xFF else self >> INDEX_SHIFT


HEAP_NAMES = {
    0x74: "noexn",
    0x73: "nofunc",
    0x72: "noextern",
    0x71: "none",
    0x70: "func",
    0x6F: "extern",
    0x6E: "any",
    0x6D: "eq",
    0x6C: "i31",
    0x6B: "struct",
    0x6A: "array",
    0x69: "exn",
}

# Of these, the types that references to objects of a heap may have.
OBJECT_CODES = frozenset((0x71, 0x72, 0x6F, 0x6E, 0x6D, 0x6C, 0x6B, 0x6A))

# What modules need for types of one byte that are not in the first version of WebAssembly.
FEATURE_OF_TYPE = dict.fromkeys(HEAP_NAMES, "gc") | {
    0x7B: "simd",
    0x74: "exception-handling",
    0x70: "reference-types",
    0x6F: "reference-types",
    0x69: "exception-handling",
}

_BITS = {
    ValType.I32: 32,
    ValType.I64: 64,
    ValType.F32: 32,
    ValType.F64: 64,
    ValType.V128: 128,
    ValType.I8: 8,
    ValType.I16: 16,
}

I32, I64, F32, F64, V128 = ValType.I32, ValType.I64, ValType.F32, ValType.F64, ValType.V128
FUNCREF, EXTERNREF, EXNREF = ValType.FUNCREF, ValType.EXTERNREF, ValType.EXNREF


def ref_type(heap: int, nullable: bool) -> ValType:
    """The type of references to an abstract heap type, by its one-byte code."""
    return ValType(heap if nullable else heap | NON_NULL)


def ref_to_index(index: int, nullable: bool) -> ValType:
    """The type of references to the defined type at an index."""
    return ValType(index << INDEX_SHIFT | (0 if nullable else NON_NULL))


class FuncType(NamedTuple):
    """Parameter and result types of a function, first to last."""

    params: tuple[ValType, ...]
    results: tuple[ValType, ...]

    def __str__(self) -> str:
        def names(types: tuple[ValType, ...]) -> str:
            return " ".join(t.text for t in types)

        return f"[{names(self.params)}] -> [{names(self.results)}]"
