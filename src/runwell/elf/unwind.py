"""The sorted index of ``.eh_frame`` that unwinders search: ``.eh_frame_hdr``.

Only the encodings that compilers emit for position-independent code are indexed; with any other the
index is left out and unwinders walk ``.eh_frame``, which stays complete either way.

Source: Linux Standard Base 5.0, "Exception Frames".
"""

from typing import Final, NamedTuple

from runwell.elf import format as elf
from runwell.elf.format import ElfError
from runwell.elf.output import Output

HEADER_BYTES: Final = 12
ENTRY_BYTES: Final = 8
_PCREL_SDATA4: Final = 0x1B
_DATAREL_SDATA4: Final = 0x3B
_UDATA4: Final = 0x03
_WHERE: Final = "section .eh_frame"
_POINTER_BYTES: Final = {0x1B: 4, 0x10: 8, 0x1C: 8}


class FrameEntry(NamedTuple):
    """One frame description.

    Attributes:
        offset: of the record in ``.eh_frame``.
        width: bytes of its code pointers.
    """

    offset: int
    width: int


def scan_frames(frames: Output) -> list[FrameEntry] | None:
    """Find the frame descriptions of live code.

    Args:
        frames: the merged ``.eh_frame``.

    Returns:
        The descriptions in order, or None if one cannot be indexed.

    Raises:
        ElfError: the records do not fit together.
    """
    data, size = frames.data, len(frames.data)
    found: list[FrameEntry] = []
    encodings: dict[int, int] = {}
    at = 0
    while at < size:
        if at + 4 > size:
            raise ElfError(f"truncated record at {at:#x}", _WHERE)
        (length,) = elf.WORD.unpack_from(data, at)
        if length == 0:
            at += 4
            continue
        if length == 0xFFFFFFFF:
            return None
        end = at + 4 + length
        if length < 8 or end > size:
            raise ElfError(f"record of {length} bytes at {at:#x} is damaged", _WHERE)
        (link,) = elf.WORD.unpack_from(data, at + 4)
        if link == 0:
            encodings[at] = _pointer_encoding(bytes(data[at + 8 : end]))
        else:
            width = _POINTER_BYTES.get(encodings.get(at + 4 - link, -1))
            if width is None:
                return None
            if length < 4 + 2 * width:
                raise ElfError(f"record at {at:#x} is too short", _WHERE)
            if at + 8 not in frames.dropped:
                found.append(FrameEntry(at, width))
        at = end
    return found


def _pointer_encoding(record: bytes) -> int:
    """Encoding of code pointers that a common record declares; -1 if it cannot be told."""
    end = record.find(b"\0", 1)
    augmentation = record[1:end]
    if end < 0 or not augmentation.startswith(b"z"):
        return 0 if end >= 0 and not augmentation else -1
    at = end + 1
    for count in (1, 1, 1, 1):  # code and data alignment, return register, length of what follows
        at = _skip_leb(record, at, count)
    for letter in augmentation[1:]:
        if at >= len(record):
            return -1
        if letter == ord("R"):
            return record[at]
        if letter == ord("L"):
            at += 1
        elif letter == ord("P"):
            width = {0x1B: 4, 0x9B: 4, 0x10: 8, 0x1C: 8, 0x9C: 8, 0x00: 8}.get(record[at])
            if width is None:
                return -1
            at += 1 + width
        elif letter not in b"SB":
            return -1
    return -1


def _skip_leb(record: bytes, at: int, count: int) -> int:
    while count and at < len(record):
        count -= record[at] < 0x80
        at += 1
    return at


def header_size(entries: list[FrameEntry]) -> int:
    """Bytes of the index."""
    return HEADER_BYTES + ENTRY_BYTES * len(entries)


def build_header(address: int, frames: Output, entries: list[FrameEntry]) -> bytes:
    """Make the index, once ``.eh_frame`` is relocated.

    Args:
        address: where the index will be.
        frames: the relocated ``.eh_frame``.
        entries: from ``scan_frames``.

    Returns:
        The contents of ``.eh_frame_hdr``.

    Raises:
        ElfError: a function is more than 2 GiB away.
    """
    rows = []
    for entry in entries:
        place = entry.offset + 8
        relative = int.from_bytes(frames.data[place : place + entry.width], "little", signed=True)
        rows.append((frames.address + place + relative - address, frames.address + entry.offset))
    rows.sort()
    data = bytearray((1, _PCREL_SDATA4, _UDATA4, _DATAREL_SDATA4))
    data += (frames.address - (address + 4)).to_bytes(4, "little", signed=True)
    data += len(rows).to_bytes(4, "little")
    for start, record in rows:
        if not -(1 << 31) <= start < 1 << 31:
            raise ElfError("a function is too far away", _WHERE)
        data += start.to_bytes(4, "little", signed=True)
        data += (record - address).to_bytes(4, "little", signed=True)
    return bytes(data)
