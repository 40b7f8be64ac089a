"""Broken modules made from good ones: flipped bits, cuts, splices, foreign sections."""

import random
from pathlib import Path

from runwell.text.parser import parse

# Bytes that mean something almost everywhere: opcodes, types, limits of LEB128.
TELLING = (
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F, 0x10, 0x11, 0x1A, 0x1B,
    0x20, 0x21, 0x22, 0x23, 0x28, 0x36, 0x3F, 0x40, 0x41, 0x42, 0x60, 0x6A, 0x6F, 0x70, 0x7C,
    0x7D, 0x7E, 0x7F, 0x80, 0xFC, 0xFD, 0xFF, 0xFB, 0x63, 0x64, 0x6B, 0x6C, 0x6D, 0x6E, 0xD0, 0xD4,
)  # fmt: skip


def read(path: Path) -> bytes:
    """A good module, from binary or text."""
    data = path.read_bytes()
    return parse(data.decode()) if path.suffix == ".wat" else data


def sections(data: bytes) -> list[bytes]:
    """The sections of a well-formed module, each with its header."""
    found, at = [], 8
    while at < len(data):
        start, size, shift = at, 0, 0
        at += 1
        while True:
            byte = data[at]
            at += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        at += size
        found.append(data[start:at])
    return found


def mutate(corpus: list[bytes], seed: int) -> bytes:
    """The mutant of number ``seed``; the same each time."""
    rng = random.Random(seed)
    data = bytearray(rng.choice(corpus))
    kind = rng.random()
    if kind < 0.55:
        for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
            at = rng.randrange(8, len(data))
            if rng.random() < 0.5:
                data[at] ^= 1 << rng.randrange(8)
            else:
                data[at] = rng.choice(TELLING)
    elif kind < 0.65:
        del data[rng.randrange(len(data)) :]
    elif kind < 0.75:
        at = rng.randrange(8, len(data))
        data[at:at] = bytes(rng.choice(TELLING) for _ in range(rng.randrange(1, 6)))
    elif kind < 0.85:
        at = rng.randrange(8, len(data))
        del data[at : at + rng.randrange(1, 6)]
    else:
        own, other = sections(bytes(data)), sections(rng.choice(corpus))
        if own and other:
            section = rng.choice(other)
            same = [i for i, s in enumerate(own) if s[0] == section[0]]
            if same and rng.random() < 0.7:
                own[rng.choice(same)] = section
            else:
                own.insert(rng.randrange(len(own) + 1), section)
            data = bytearray(data[:8] + b"".join(own))
    return bytes(data)
