"""LEB128: integers of variable length.

Reading checks what the binary format demands: at most ``ceil(bits / 7)`` bytes, and no bits set
beyond the width.  Source: core spec 3.0, binary format of integers.
"""

from runwell.base.errors import MalformedError


def encode_unsigned(value: int) -> bytes:
    """The shortest unsigned encoding; ``value >= 0``."""
    if value < 0x80:
        return _ONE_BYTE[value]
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode_signed(value: int) -> bytes:
    """The shortest signed encoding."""
    if -0x40 <= value < 0x40:
        return _ONE_BYTE[value & 0x7F]
    out = bytearray()
    while not -0x40 <= value < 0x40:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value & 0x7F)
    return bytes(out)


_ONE_BYTE = [bytes((value,)) for value in range(0x80)]


def _groups(data: bytes | memoryview, at: int, end: int, bits: int) -> tuple[int, int, int]:
    """The groups of 7 bits of an integer put together, their width, and the offset behind them."""
    value = shift = 0
    start = at
    while True:
        if at >= end:
            raise MalformedError("unexpected end of section or function", at)
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
        if shift >= bits:
            raise MalformedError("integer representation too long", start)
    return value, shift, at


def decode_unsigned(data: bytes | memoryview, at: int, end: int, bits: int = 32) -> tuple[int, int]:
    """Read an unsigned integer.

    Args:
        data: the binary.
        at: offset of the integer.
        end: offset that reading must not pass.
        bits: width of the integer.

    Returns:
        The value, and the offset behind it.

    Raises:
        MalformedError: the bytes end, or encode no integer of that width.
    """
    start = at
    value, _, at = _groups(data, at, end, bits)
    if value >> bits:
        raise MalformedError("integer too large", start)
    return value, at


def decode_signed(data: bytes | memoryview, at: int, end: int, bits: int) -> tuple[int, int]:
    """Read a signed integer; arguments, result and errors as ``decode_unsigned``."""
    start = at
    value, shift, at = _groups(data, at, end, bits)
    if value >> (shift - 1):
        value -= 1 << shift
    if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
        raise MalformedError("integer too large", start)
    return value, at
