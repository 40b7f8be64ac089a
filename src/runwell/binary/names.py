"""The name section, read and written.

Names are for people: a damaged section never makes a module malformed.  What can be read is kept,
the rest is dropped.  Source: core spec 3.0, appendix "Custom Sections", and the extended-names
proposal for the subsections above 3.
"""

from __future__ import annotations

from runwell.base.errors import MalformedError
from runwell.base.leb128 import encode_unsigned
from runwell.binary.reader import Reader
from runwell.module.module import Module, Names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeVar

    T = TypeVar("T")

SECTION = "name"

_MODULE = 0
# Number of a subsection by field; the nested ones map an index to a map.
_MAPS = {
    "functions": 1,
    "types": 4,
    "tables": 5,
    "memories": 6,
    "globals": 7,
    "elements": 8,
    "data": 9,
    "tags": 11,
}
_NESTED = {"locals": 2, "labels": 3, "fields": 10}


def decode_names(module: Module) -> Names:
    """The names of a module; empty where there are none."""
    for section in module.customs:
        if section.name == SECTION:
            return read_names(module.data, section.start, section.end)
    return Names()


def read_names(data: bytes, start: int, end: int) -> Names:
    """The contents of a name section."""
    r = Reader(data, start, end)
    name = ""
    flat: dict[int, dict[int, str]] = {kind: {} for kind in _MAPS.values()}
    deep: dict[int, dict[int, dict[int, str]]] = {kind: {} for kind in _NESTED.values()}
    try:
        while r.at < end:
            kind = r.byte()
            size = r.length()
            part = Reader(data, r.at, min(r.at + size, end))
            r.at = part.end
            try:
                if kind == _MODULE:
                    name = part.name()
                elif kind in flat:
                    _name_map(part, flat[kind])
                elif kind in deep:
                    _nested_map(part, deep[kind])
            except MalformedError:
                continue
    except MalformedError:
        pass
    return Names(
        name,
        flat[1],
        deep[2],
        deep[3],
        flat[4],
        flat[5],
        flat[6],
        flat[7],
        flat[8],
        flat[9],
        deep[10],
        flat[11],
    )


def _name_map(r: Reader, into: dict[int, str]) -> None:
    data = r.data
    for _ in range(r.u32()):
        x = r.u32()
        size = r.length()
        at = r.skip(size)
        into[x] = data[at : r.at].decode("utf-8", "replace")


def _nested_map(r: Reader, into: dict[int, dict[int, str]]) -> None:
    for _ in range(r.u32()):
        x = r.u32()
        _name_map(r, into.setdefault(x, {}))


def encode_names(names: Names) -> bytes:
    """The contents of a name section."""
    out = bytearray()
    if names.module:
        _subsection(out, _MODULE, encode_name(names.module))
    parts: list[tuple[int, bytes]] = []
    for field, kind in _MAPS.items():
        flat: Mapping[int, str] = getattr(names, field)
        if flat:
            parts.append((kind, _encode_map(flat, encode_name)))
    for field, kind in _NESTED.items():
        deep: Mapping[int, Mapping[int, str]] = getattr(names, field)
        if deep:
            parts.append((kind, _encode_map(deep, lambda m: _encode_map(m, encode_name))))
    for kind, contents in sorted(parts):
        _subsection(out, kind, contents)
    return bytes(out)


def encode_name(name: str) -> bytes:
    """Length and UTF-8."""
    data = name.encode()
    return encode_unsigned(len(data)) + data


def _encode_map(names: Mapping[int, T], encode: Callable[[T], bytes]) -> bytes:
    out = bytearray(encode_unsigned(len(names)))
    for x in sorted(names):
        out += encode_unsigned(x)
        out += encode(names[x])
    return bytes(out)


def _subsection(out: bytearray, kind: int, contents: bytes) -> None:
    out.append(kind)
    out += encode_unsigned(len(contents))
    out += contents
