"""Host functions that are C functions: from the guest's frame to the C convention, as kernels.

In the conventions of System V (x86-64) and AAPCS64 numbers are passed in two sequences of
registers, integers in one and floats in the other, and what has no register goes on the stack, 8
bytes each.  So one call with every register and enough of the stack filled in serves all
signatures; ``places`` says which word each parameter goes to.  The callee reads those that it has
parameters for.
"""

from platform import machine

from runwell.host.layout import NativeFunc
from runwell.kernel import Ptr, i8, i16, i32, i64, kernel, local_array, u8, u16, u32, u64
from runwell.runtime.layout import Context

# Words: integer registers, float registers, the stack.
INTEGERS = 8 if machine() in ("aarch64", "arm64") else 6
FLOATS = 8
REGISTERS = INTEGERS + FLOATS
# Words on the stack that the two general entries have room for; a function has at most 1000
# parameters.
FEW, MANY = 8, 1000


@kernel
def converted(value: u64, how: u8) -> u64:
    """A value of C as one of the guest, or the other way round; ``how``: see ``CONVERSIONS``."""
    match how:
        case 1:
            return u64(u32(value))
        case 2:
            return u64(u32(i32(i8(value))))
        case 3:
            return value & 0xFF
        case 4:
            return u64(u32(i32(i16(value))))
        case 5:
            return value & 0xFFFF
        case 6:
            return u64(1) if value & 0xFF != 0 else u64(0)
        case _:
            return value


@kernel(inline=True)
def place_arguments(host: Ptr[NativeFunc], frame: Ptr[u64], words: Ptr[u64]) -> None:
    """Put the arguments where the C function finds them."""
    places = Ptr[u16](host.places)
    for i in range(host.n_params):
        words[i64(places[i])] = converted(frame[i], host.conversions[i + 1])


@kernel(export=True)
def native_few(ctx: Ptr[Context], host: Ptr[NativeFunc], frame: Ptr[u64], refs: Ptr[u64]) -> u32:
    """The entry of a C function with few parameters on the stack."""
    words = local_array(u64, REGISTERS + FEW)
    place_arguments(host, frame, words)
    frame[0] = converted(host.call(host.target, words), host.conversions[0])
    return u32(0)


@kernel(export=True)
def native_many(ctx: Ptr[Context], host: Ptr[NativeFunc], frame: Ptr[u64], refs: Ptr[u64]) -> u32:
    """The entry of a C function with many parameters on the stack."""
    words = local_array(u64, REGISTERS + MANY)
    place_arguments(host, frame, words)
    frame[0] = converted(host.call(host.target, words), host.conversions[0])
    return u32(0)
