"""Serialized modules: named sections in one sequence of bytes that tells when it is torn.

Magic and format version, the number of sections; for each its name, offset and size; their
contents, each at a multiple of 16; at the end a checksum of all before.  Numbers are little-endian.
Sections that a reader does not know it passes over, so that more can be added.
"""

from __future__ import annotations

from struct import Struct
from zlib import crc32

from runwell.base.errors import DeserializeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MAGIC = b"\0runwell"
FORMAT = 1
_HEAD = Struct("<8sII")
_ENTRY = Struct("<16sQQ")
_FOOT = Struct("<QQ")  # the size of all before, and its checksum
_ALIGN = 16


def pack(sections: Mapping[str, bytes]) -> bytes:
    """The bytes that hold sections.

    Args:
        sections: contents by name, of at most 16 characters of ASCII.
    """
    head = bytearray(_HEAD.pack(MAGIC, FORMAT, len(sections)))
    body = bytearray()
    start = _up(_HEAD.size + _ENTRY.size * len(sections))
    for name, content in sections.items():
        body += bytes(_up(len(body)) - len(body))
        head += _ENTRY.pack(name.encode("ascii"), start + len(body), len(content))
        body += content
    data = bytes(head) + bytes(start - len(head)) + bytes(body)
    return data + _FOOT.pack(len(data), crc32(data))


def unpack(data: memoryview) -> dict[str, memoryview]:
    """The sections that bytes hold, by name.

    Raises:
        DeserializeError: the bytes are not what ``pack`` made, or not all of it.
    """
    if bytes(data[: len(MAGIC)]) != MAGIC or len(data) < _HEAD.size + _FOOT.size:
        raise DeserializeError("this is no serialized module")
    _, version, count = _HEAD.unpack_from(data)
    if version != FORMAT:
        raise DeserializeError(
            f"a serialized module of format {version}; this version has {FORMAT}"
        )
    size, checksum = _FOOT.unpack_from(data, len(data) - _FOOT.size)
    content = data[: len(data) - _FOOT.size]
    if size != len(content) or checksum != crc32(content):
        raise DeserializeError("a serialized module that is torn or was changed")
    sections = {}
    for i in range(count):
        name, at, length = _ENTRY.unpack_from(content, _HEAD.size + _ENTRY.size * i)
        sections[name.rstrip(b"\0").decode("ascii")] = content[at : at + length]
    return sections


def _up(size: int) -> int:
    return (size + _ALIGN - 1) & -_ALIGN
