"""Binaries that the tests of the binary format share."""

from runwell.base.leb128 import encode_unsigned

HEADER = b"\0asm\1\0\0\0"


def section(number, contents):
    return bytes((number,)) + encode_unsigned(len(contents)) + contents


def vector(*items):
    return encode_unsigned(len(items)) + b"".join(items)


def name(text):
    return encode_unsigned(len(text.encode())) + text.encode()


ZERO = b"\x41\0\x0b"
BODY = b"\0\x0b"

SECTIONS = {
    1: vector(
        b"\x60\1\x7f\1\x7f",
        b"\x60\0\0",
        b"\x4e" + vector(b"\x50\0\x5f\1\x7f\0", b"\x4f\1\2\x5f\2\x7f\0\x78\1"),
        b"\x5e\x64\2\0",
    ),
    2: vector(
        name("env") + name("f") + b"\0\0",
        name("env") + name("t") + b"\1\x70\1\1\2",
        name("env") + name("m") + b"\2\3\1\2",
        name("env") + name("g") + b"\3\x7e\0",
        name("env") + name("e") + b"\4\0\1",
    ),
    3: vector(b"\0", b"\1"),
    4: vector(b"\x70\0\5", b"\x40\0\x63\2\4\1\xd0\2\x0b"),
    5: vector(b"\0\1", b"\5\1\2"),
    13: vector(b"\0\1"),
    6: vector(b"\x7f\1" + ZERO, b"\x7d\0\x43\0\0\x80\x3f\x0b"),
    7: vector(name("run") + b"\0\1", name("memory") + b"\2\0"),
    8: b"\2",
    9: vector(
        b"\0" + ZERO + b"\1\1",
        b"\1\0" + b"\1\0",
        b"\2\1" + ZERO + b"\0\1\0",
        b"\3\0" + b"\1\0",
        b"\4" + ZERO + b"\1\xd2\0\x0b",
        b"\5\x6f" + b"\1\xd0\x6f\x0b",
        b"\6\2" + ZERO + b"\x63\2\0",
        b"\7\x64\x70\1\xd2\1\x0b",
    ),
    12: b"\3",
    10: vector(b"\2" + BODY, b"\4\1\2\x7f\x0b"),
    11: vector(b"\0" + ZERO + name("abc"), b"\1" + name("def"), b"\2\1" + ZERO + name("")),
}
ORDER = (1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11)
NAMES = (
    b"\0\2\1M"
    + b"\1\7\2\0\1f\1\1g"
    + b"\2\6\1\1\1\0\1x"
    + b"\7\4\1\0\1G"
)  # fmt: skip
CUSTOM = {0: name("first") + b"1", 6: name("middle") + b"2", 11: name("name") + NAMES}


def sample():
    """A module that has everything, canonically encoded."""
    out = HEADER + section(0, CUSTOM[0])
    for number in ORDER:
        out += section(number, SECTIONS[number])
        if number in CUSTOM:
            out += section(0, CUSTOM[number])
    return out
