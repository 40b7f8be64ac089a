"""Bytes and integers, at and beyond the end of a body."""

import pytest
from translate_harness import function

DROP_END = b"\x1a\x0b"


def const(opcode, *encoding):
    return function(bytes([0, opcode, *encoding]) + DROP_END)


GOOD = {
    "i32 shortest": const(0x41, 0x7F),
    "i32 padded": const(0x41, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F),
    "i32 padded zero": const(0x41, 0x80, 0x80, 0x80, 0x80, 0x00),
    "i32 least": const(0x41, 0x80, 0x80, 0x80, 0x80, 0x78),
    "i64 least": const(0x42, *[0x80] * 9, 0x7F),
    "i64 padded": const(0x42, *[0xFF] * 9, 0x7F),
    "u32 padded": function(b"\x00\x10\x80\x80\x80\x80\x00\x0b"),
    "u32 of two bytes": function(b"\x00\x10\x80\x00\x0b"),
    "u32 of three bytes": function(b"\x00\x10\x80\x80\x00\x0b"),
    "u32 of four bytes": function(b"\x00\x10\x80\x80\x80\x00\x0b"),
}

BAD = {
    "i32 too large": (const(0x41, 0x80, 0x80, 0x80, 0x80, 0x08), "integer too large"),
    "i32 wrong sign": (const(0x41, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F), "integer too large"),
    "i32 too long": (const(0x41, *[0x80] * 5, 0), "integer representation too long"),
    "i64 too large": (const(0x42, *[0x80] * 9, 0x01), "integer too large"),
    "i64 too long": (const(0x42, *[0x80] * 10, 0), "integer representation too long"),
    "u32 too large": (function(b"\x00\x10\x80\x80\x80\x80\x10\x0b"), "integer too large"),
    "u32 too long": (
        function(b"\x00\x10\x80\x80\x80\x80\x80\x00\x0b"),
        "integer representation too long",
    ),
    "f32 cut off": (function(b"\x00\x43\x00\x00\x0b"), "unexpected end"),
    "f64 cut off": (function(b"\x00\x44" + bytes(6) + b"\x0b"), "unexpected end"),
    "locals cut off": (function(b"\x01\x0b"), "unexpected end"),
    "immediate cut off": (function(b"\x00\xfc\x0b"), "unexpected end"),
    "memory operand cut off": (function(b"\x00\x41\x00\x28\x0b"), "unexpected end"),
    "the end is an immediate": (function(b"\x00\x41\x0b"), "END opcode expected"),
}


@pytest.mark.parametrize("name", GOOD)
def test_accepted(name, translator):
    assert translator.verdict(GOOD[name]) == ""


@pytest.mark.parametrize("name", BAD)
def test_refused(name, translator):
    binary, message = BAD[name]
    assert translator.verdict(binary).startswith(message)
