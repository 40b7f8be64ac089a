"""Objects of the garbage-collected heap: how references tell what they are to, where things are.

A reference is a word of 64 bits:

    0                 null
    bits 1-31, bit 0 set   an ``i31``: the number, shifted left by one
    low bits 10       an object of the heap: its address plus ``TAG``
    low bits 00       a function or an exception: its address

An object of the host is known to guests by an object of the heap that stands for it, which has
nothing that a guest can get at.

So an external reference that was made internal, or the reverse, is the same word, and an access to
a field adds nothing to the address: the tag is part of its offset.

An object begins with the address of its type (``runtime.heap_layout.HeapType``); in an array the
length follows.  This is known to the bodies of register operations, to the kernels of the heap, and
to nobody else.
"""

from runwell.base.light import IntEnum

TAG = 2
TAG_MASK = 3
# Offsets from the beginning of an object.
TYPE_AT, FIELDS_AT, LENGTH_AT, ELEMENTS_AT = 0, 8, 8, 16
# Offsets in a type.
NUMBER_AT, KIND_AT, DEPTH_AT, DISPLAY_AT = 0, 4, 8, 48
IS_STRUCT, IS_ARRAY, IS_HOST = 1, 2, 3
# Where what stands for an object of the host has its address.
HOST_AT, HOST_BYTES = 8, 16
# A result of a kernel below this is a trap code, or 0.
LEAST_RESULT = 256


class Storage(IntEnum):
    """How a field or element is stored."""

    I8 = 0
    I16 = 1
    I32 = 2  # also f32
    I64 = 3  # also f64
    V128 = 4
    REF = 5  # may be to an object of the heap
    OTHER_REF = 6  # to a function
    EXCEPTION = 7  # counted

    @property
    def width(self) -> int:
        """Bytes."""
        return (1, 2, 4, 8, 16, 8, 8, 8)[self]
