import pytest
from hypothesis import given
from hypothesis import strategies as st

from runwell.base.errors import MalformedError
from runwell.base.leb128 import decode_signed, decode_unsigned, encode_signed, encode_unsigned


@given(st.integers(0, 2**64 - 1))
def test_unsigned_round_trip(value):
    data = encode_unsigned(value)
    assert decode_unsigned(data + b"\x80", 0, len(data) + 1, 64) == (value, len(data))


@given(st.integers(-(2**63), 2**63 - 1))
def test_signed_round_trip(value):
    data = encode_signed(value)
    assert decode_signed(b"\0" + data, 1, len(data) + 1, 64) == (value, len(data) + 1)


@pytest.mark.parametrize(
    ("data", "value"),
    [("00", 0), ("7f", 127), ("8000", 0), ("e58e26", 624485), ("ffffffff0f", 2**32 - 1)],
)
def test_unsigned(data, value):
    data = bytes.fromhex(data)
    assert decode_unsigned(data, 0, len(data)) == (value, len(data))


@pytest.mark.parametrize(
    ("data", "value"),
    [("7f", -1), ("40", -64), ("3f", 63), ("c0bb78", -123456), ("8080808078", -(2**31))],
)
def test_signed(data, value):
    data = bytes.fromhex(data)
    assert decode_signed(data, 0, len(data), 32) == (value, len(data))


@pytest.mark.parametrize(
    ("data", "decode", "message"),
    [
        ("", decode_unsigned, "unexpected end"),
        ("8080", decode_unsigned, "unexpected end"),
        ("808080808000", decode_unsigned, "integer representation too long"),
        ("8080808010", decode_unsigned, "integer too large"),
        ("808080808000", decode_signed, "integer representation too long"),
        ("8080808008", decode_signed, "integer too large"),
        ("ffffffff4f", decode_signed, "integer too large"),
        ("80", decode_signed, "unexpected end"),
    ],
)
def test_errors(data, decode, message):
    data = bytes.fromhex(data)
    with pytest.raises(MalformedError, match=message) as caught:
        decode(data, 0, len(data), 32)
    assert caught.value.offset is not None


def test_reading_stops_at_the_end_given():
    with pytest.raises(MalformedError, match="unexpected end"):
        decode_unsigned(b"\x80\x00", 0, 1)
