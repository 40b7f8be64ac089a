"""The index of ``.eh_frame``: sorted, complete, and left out when it cannot be made."""

import struct

import pytest

from runwell.elf.format import ElfError
from runwell.elf.output import Kind, Output
from runwell.elf.unwind import build_header, header_size, scan_frames


def common(augmentation: bytes, data: bytes) -> bytes:
    body = struct.pack("<I", 0) + b"\x01" + augmentation + b"\0" + b"\x01\x78\x10"
    body += bytes([len(data)]) + data if augmentation else b""
    body += b"\0" * (-len(body) % 4)
    return struct.pack("<I", len(body)) + body


def description(at: int, function: int, address: int) -> bytes:
    """A record at offset ``at`` of a section at ``address``, for a record of type 0."""
    body = struct.pack("<Iii", at + 4, function - (address + at + 8), 16) + bytes(4)
    return struct.pack("<I", len(body)) + body


def frames(data: bytes, address: int = 0) -> Output:
    output = Output(".eh_frame", Kind.EH_FRAME)
    output.append(data, len(data), 4, b"\0")
    output.address = address
    return output


@pytest.mark.parametrize(
    ("augmentation", "data"),
    [
        (b"zR", b"\x1b"),
        (b"zPLR", b"\x9b" + bytes(4) + b"\x1b\x1b"),
        (b"zRS", b"\x1b"),
        (b"zPR", b"\x00" + bytes(8) + b"\x1b"),
    ],
)
def test_index_is_sorted(augmentation, data):
    address, functions = 0x1000, [0x9000, 0x5000, 0x7000]
    content = common(augmentation, data)
    offsets = []
    for function in functions:
        offsets.append(len(content))
        content += description(len(content), function, address)
    content += bytes(4)
    output = frames(content, address)
    entries = scan_frames(output)
    assert entries is not None
    assert [entry.offset for entry in entries] == offsets
    header_at = 0x800
    header = build_header(header_at, output, entries)
    assert len(header) == header_size(entries)
    version, *encodings = header[:4]
    assert (version, encodings) == (1, [0x1B, 0x03, 0x3B])
    start, count = struct.unpack_from("<iI", header, 4)
    assert (header_at + 4 + start, count) == (address, 3)
    rows = list(struct.iter_unpack("<ii", header[12:]))
    expected = sorted(zip(functions, offsets, strict=True))
    assert rows == [(f - header_at, address + o - header_at) for f, o in expected]


def test_records_of_dropped_code_are_not_indexed():
    content = common(b"zR", b"\x1b")
    at = len(content)
    output = frames(content + description(at, 0, 0))
    output.dropped.add(at + 8)
    assert scan_frames(output) == []


@pytest.mark.parametrize(
    ("augmentation", "data"), [(b"", b""), (b"zR", b"\x03"), (b"zX", b"\x1b"), (b"zPR", b"\x50")]
)
def test_unknown_encodings_leave_the_index_out(augmentation, data):
    content = common(augmentation, data)
    assert scan_frames(frames(content + description(len(content), 0, 0))) is None


def test_long_records_leave_the_index_out():
    assert scan_frames(frames(b"\xff\xff\xff\xff" + bytes(40))) is None


@pytest.mark.parametrize("content", [b"\x01", b"\x04\0\0\0\0\0\0\0", b"\x20\0\0\0" + bytes(16)])
def test_damaged_records(content):
    with pytest.raises(ElfError, match=r"section \.eh_frame"):
        scan_frames(frames(content))


def test_a_description_without_its_pointers():
    content = common(b"zR", b"\x1b")
    short = struct.pack("<II", 8, len(content) + 4) + bytes(4)
    with pytest.raises(ElfError, match="too short"):
        scan_frames(frames(content + short))


def test_a_function_too_far_away():
    content = common(b"zR", b"\x1b")
    output = frames(content + description(len(content), 0x70000000, 0))
    entries = scan_frames(output)
    assert entries is not None
    with pytest.raises(ElfError, match="too far"):
        build_header(-0x70000000, output, entries)
