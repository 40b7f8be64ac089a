"""Reading a body: bytes and LEB128 integers, never beyond its end, and errors."""

from typing import NoReturn

from runwell.kernel import i32, i64, kernel, likely, u8, u32, u64, unlikely
from runwell.translate.errors import Error, Invalid
from runwell.translate.work import Work


@kernel
def refuse(w: Work, error: i32, detail: u32) -> NoReturn:
    """Fail, saying which index or opcode it is about."""
    w.detail = detail
    raise Invalid(error)


@kernel(inline=True)
def need_feature(w: Work, feature: u32) -> None:
    """Fail if a feature, given by its number, is off."""
    if w.features >> u64(feature) & 1 == 0:
        refuse(w, Error.FEATURE_OFF, feature)


@kernel(inline=True)
def next_byte(w: Work) -> u8:
    """One byte."""
    if unlikely(w.pc >= w.end):
        raise Invalid(Error.UNEXPECTED_END)
    byte = w.pc[0]
    w.pc = w.pc + 1
    return byte


@kernel
def next_unsigned(w: Work, bits: u32) -> u64:
    """An unsigned integer of up to ``bits`` bits."""
    result: u64 = 0
    shift: u32 = 0
    while True:
        byte = u64(next_byte(w))
        left = bits - shift
        if left < 7 and byte >> u64(left) != 0:
            if byte >= 0x80:
                raise Invalid(Error.INTEGER_TOO_LONG)
            raise Invalid(Error.INTEGER_TOO_LARGE)
        result |= (byte & 0x7F) << u64(shift)
        if byte < 0x80:
            return result
        shift += 7
        if shift >= bits:
            raise Invalid(Error.INTEGER_TOO_LONG)


@kernel
def next_long_u32(w: Work) -> u32:
    """An unsigned integer of 32 bits, of any length."""
    at = w.pc
    if w.end - at >= 4:
        low = u32(at[0]) & 0x7F
        byte = u32(at[1])
        low |= (byte & 0x7F) << 7
        if byte < 0x80:
            w.pc = at + 2
            return low
        byte = u32(at[2])
        low |= (byte & 0x7F) << 14
        if byte < 0x80:
            w.pc = at + 3
            return low
        byte = u32(at[3])
        if byte < 0x80:
            w.pc = at + 4
            return low | byte << 21
    return u32(next_unsigned(w, 32))


@kernel(inline=True)
def next_u32(w: Work) -> u32:
    """An unsigned integer of 32 bits."""
    at = w.pc
    if likely(at < w.end and at[0] < 0x80):
        w.pc = at + 1
        return u32(at[0])
    return next_long_u32(w)


@kernel
def next_long_signed(w: Work, bits: u32) -> i64:
    """A signed integer of ``bits`` bits, of any length."""
    result: u64 = 0
    shift: u32 = 0
    while True:
        byte = u64(next_byte(w))
        result |= (byte & 0x7F) << u64(shift)
        shift += 7
        if shift >= bits:
            if byte >= 0x80:
                raise Invalid(Error.INTEGER_TOO_LONG)
            used = bits - (shift - 7)
            sign = i64(byte << 57) >> i64(56 + u64(used))
            if sign != 0 and sign != -1:
                raise Invalid(Error.INTEGER_TOO_LARGE)
            unused = u64(64 - bits)
            return i64(result << unused) >> i64(unused)
        if byte < 0x80:
            unused = u64(64 - shift)
            return i64(result << unused) >> i64(unused)


@kernel
def next_two_byte_signed(w: Work, bits: u32) -> i64:
    """A signed integer of ``bits`` bits, often of two bytes."""
    at = w.pc
    if w.end - at >= 2 and at[1] < 0x80:
        w.pc = at + 2
        return i64((u64(at[0]) & 0x7F | u64(at[1]) << 7) << 50) >> 50
    return next_long_signed(w, bits)


@kernel(inline=True)
def next_signed(w: Work, bits: u32) -> i64:
    """A signed integer of ``bits`` bits."""
    at = w.pc
    if likely(at < w.end and at[0] < 0x80):
        w.pc = at + 1
        return i64(u64(at[0]) << 57) >> 57
    return next_two_byte_signed(w, bits)


@kernel(inline=True)
def need_bytes(w: Work, n: i64) -> None:
    """Fail unless the body goes on for ``n`` bytes."""
    if w.end - w.pc < n:
        raise Invalid(Error.UNEXPECTED_END)
