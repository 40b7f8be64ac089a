"""Binding: LEB128 as a whole example."""

import ctypes

import pytest

from runwell.codegen.testing import bind
from runwell.kernel import Failure, Ptr, addr, const_array, i32, i64, kernel, struct, u8, u32, u64


class Malformed(Failure):
    pass


UNEXPECTED_END, TOO_LONG, TOO_LARGE = 1, 2, 3


@struct
class Reader:
    at: Ptr[u8]
    end: Ptr[u8]


@kernel(inline=True)
def read_u8(r: Reader) -> u8:
    if r.at >= r.end:
        raise Malformed(UNEXPECTED_END)
    byte = r.at[0]
    r.at += 1
    return byte


@kernel
def read_u32(r: Reader) -> u32:
    """An unsigned LEB128 integer of 32 bits."""
    result: u32 = 0
    for shift in range(u32(0), 35, 7):
        byte = u32(read_u8(r))
        if shift == 28 and byte > 0x0F:
            raise Malformed(TOO_LONG if byte >= 0x80 else TOO_LARGE)
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
    return result


@kernel
def read_signed(r: Reader, bits: u32) -> i64:
    """A signed LEB128 integer of ``bits`` bits."""
    result: u64 = 0
    shift: u32 = 0
    while True:
        byte = u64(read_u8(r))
        result |= (byte & 0x7F) << u64(shift)
        shift += 7
        if shift >= bits:
            if byte >= 0x80:
                raise Malformed(TOO_LONG)
            used = bits - (shift - 7)
            sign = i64(byte << 57) >> i64(56 + u64(used))
            if sign != 0 and sign != -1:
                raise Malformed(TOO_LARGE)
            break
        if byte < 0x80:
            break
    spare = i64(64 - min(shift, bits))
    return i64(result << u64(spare)) >> spare


@pytest.fixture(scope="module", params=[0, 2])
def read(request):
    lib = bind(read_u32, read_signed, level=request.param)

    def read_(name, data, *args):
        buffer = ctypes.create_string_buffer(data, len(data))
        start = ctypes.addressof(buffer)
        reader = Reader.ctype(start, start + len(data))
        value = getattr(lib, name)(reader, *args)
        assert reader.at <= reader.end
        return value

    return read_


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"\x00", 0),
        (b"\xe5\x8e\x26", 624485),
        (b"\xff\xff\xff\xff\x0f", 2**32 - 1),
        (b"\x80\x80\x80\x80\x00", 0),
    ],
)
def test_unsigned(read, data, value):
    assert read("read_u32", data) == value


@pytest.mark.parametrize(
    ("data", "bits", "value"),
    [
        (b"\x7f", 32, -1),
        (b"\x80\x80\x80\x80\x78", 32, -(2**31)),
        (b"\xff" * 9 + b"\x00", 64, 2**63 - 1),
        (b"\x80" * 9 + b"\x7f", 64, -(2**63)),
        (b"\x40", 33, -64),
    ],
)
def test_signed(read, data, bits, value):
    assert read("read_signed", data, bits) == value


@pytest.mark.parametrize(
    ("name", "data", "args", "code"),
    [
        ("read_u32", b"", (), UNEXPECTED_END),
        ("read_u32", b"\x80", (), UNEXPECTED_END),
        ("read_u32", b"\x80" * 5, (), TOO_LONG),
        ("read_u32", b"\xff\xff\xff\xff\x1f", (), TOO_LARGE),
        ("read_signed", b"\x80" * 5, (32,), TOO_LONG),
        ("read_signed", b"\x80\x80\x80\x80\x70", (32,), TOO_LARGE),
    ],
)
def test_refused(read, name, data, args, code):
    with pytest.raises(Malformed) as e:
        read(name, data, *args)
    assert e.value.code == code


@kernel
def sum_of(p: Ptr[u8], n: u32) -> u32:
    total: u32 = 0
    for i in range(n):
        total += u32(p[i])
    return total


@kernel
def where(p: Ptr[u8]) -> Ptr[u8]:
    return p


@kernel
def call(r: Reader) -> i32:
    return 1 if addr(r.at)[0] == r.end else 0


TABLE = const_array("TABLE", u32, [1, 2, 3])


def test_arguments():
    lib = bind(sum_of, where, call, TABLE)
    assert lib.sum_of(b"\x01\x02", 2) == 3
    assert lib.sum_of(bytearray(b"\x01\x03"), 2) == 4
    assert lib.sum_of((ctypes.c_uint8 * 2)(4, 5), 2) == 9
    assert lib.where(None) == 0
    assert lib.where(2**64 - 1) == 2**64 - 1
    assert lib.call(Reader.ctype()) == 1
    assert list((ctypes.c_uint32 * 3).from_address(lib.address("TABLE"))) == [1, 2, 3]
    with pytest.raises(TypeError, match="where takes 1 arguments"):
        lib.where()
    with pytest.raises(AttributeError, match="no kernel absent is bound"):
        lib.absent()
