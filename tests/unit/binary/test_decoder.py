import random

import pytest
from tests.unit.binary.samples import (
    BODY,
    HEADER,
    SECTIONS,
    ZERO,
    name,
    sample,
    section,
    vector,
)

from runwell.base.errors import InvalidError, MalformedError
from runwell.base.features import BIT, DEFAULT
from runwell.base.types import F32, FUNCREF, I32, I64, FuncType
from runwell.binary.decoder import decode
from runwell.module.module import SegmentMode
from runwell.module.types import ExternKind, GlobalType, MemoryType, TableType
from runwell.module.validate import validate_module


def test_empty_module():
    m = decode(HEADER)
    assert (m.types, m.imports, list(m.function_types), m.start) == ((), (), [], None)


def test_every_section():
    m = decode(sample())
    assert m.types[0].composite == FuncType((I32,), (I32,))
    assert [t.final for t in m.types] == [True, True, False, True, True]
    assert m.types[3].supers == (2,)
    assert m.rec_groups == (1, 1, 2, 1)
    assert [(i.module, i.name, i.kind) for i in m.imports] == [
        ("env", kind_name, kind) for kind_name, kind in zip("ftmge", ExternKind, strict=True)
    ]
    assert list(m.function_types) == [0, 0, 1]
    assert m.table_types[:2] == (TableType(FUNCREF, 1, 2), TableType(FUNCREF, 5))
    assert m.table_types[2].is_64
    assert m.table_inits[0] is None
    assert m.memory_types == (
        MemoryType(1, 2, shared=True),
        MemoryType(1),
        MemoryType(1, 2, is_64=True),
    )
    assert m.global_types == (GlobalType(I64), GlobalType(I32, mutable=True), GlobalType(F32))
    assert m.tag_types == (1, 1)
    assert [(e.name, e.kind, e.item) for e in m.exports] == [
        ("run", ExternKind.FUNC, 1),
        ("memory", ExternKind.MEMORY, 0),
    ]
    assert m.start == 2
    assert [e.mode for e in m.elements] == [
        SegmentMode.ACTIVE, SegmentMode.PASSIVE, SegmentMode.ACTIVE, SegmentMode.DECLARED,
        SegmentMode.ACTIVE, SegmentMode.PASSIVE, SegmentMode.ACTIVE, SegmentMode.DECLARED,
    ]  # fmt: skip
    assert [e.table for e in m.elements] == [0, 0, 1, 0, 0, 0, 2, 0]
    assert m.data_count == 3
    assert [m.data[d.start : d.end] for d in m.datas] == [b"abc", b"def", b""]
    assert [d.memory for d in m.datas] == [0, 0, 1]
    assert [m.data[slice(*m.body(x))] for x in (1, 2)] == [BODY, b"\1\2\x7f\x0b"]
    assert [(c.name, c.place) for c in m.customs] == [("first", 0), ("middle", 6), ("name", 11)]
    assert m.names.functions == {0: "f", 1: "g"}


def code(*bodies):
    return (
        section(1, vector(b"\x60\0\0"))
        + section(3, vector(*[b"\0"] * len(bodies)))
        + section(10, vector(*bodies))
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "unexpected end"),
        (b"\0as", "unexpected end"),
        (b"asm\0\1\0\0\0", "magic header not detected"),
        (b"\0asm\2\0\0\0", "unknown binary version"),
        (HEADER + b"\x0e\0", "malformed section id"),
        (HEADER + b"\1\x7f", "length out of bounds"),
        (HEADER + section(1, b"\0") * 2, "unexpected content after last section"),
        (HEADER + section(2, b"\0") + section(1, b"\0"), "unexpected content after last section"),
        (HEADER + section(1, vector(b"\x60\0\0") + b"\0"), "section size mismatch"),
        (HEADER + section(1, vector(b"\x40")), "malformed definition type"),
        (HEADER + section(2, vector(name("") + name("") + b"\5")), "malformed import kind"),
        (HEADER + section(2, vector(b"\1\xff")), "malformed UTF-8 encoding"),
        (HEADER + section(4, vector(b"\x7f\0\0")), "malformed reference type"),
        (HEADER + section(5, vector(b"\x08\0")), "malformed limits flags"),
        (HEADER + section(6, vector(b"\x7f\2" + ZERO)), "malformed mutability"),
        (HEADER + section(7, vector(name("") + b"\5\0")), "malformed export kind"),
        (HEADER + section(9, vector(b"\x08")), "malformed elements segment kind"),
        (HEADER + section(9, vector(b"\1\1\0")), "malformed element kind"),
        (HEADER + section(11, vector(b"\3")), "malformed data segment kind"),
        (HEADER + section(13, vector(b"\1\0")), "malformed tag attribute"),
        (HEADER + section(3, vector(b"\0")), "function and code section have inconsistent lengths"),
        (HEADER + section(12, b"\1"), "data count and data section have inconsistent lengths"),
        (HEADER + section(0, b"\2x"), "unexpected end"),
        (HEADER + section(0, b"\3x"), "length out of bounds"),
        (HEADER + code(b"\0"), "unexpected end of section or function"),
        (HEADER + code(b"\2\0\1"), "unexpected end of section or function"),
        (HEADER + code(b"\2\0\5"), "END opcode expected"),
        (HEADER + code(b"\2\0\1") + section(11, b"\0"), "section size mismatch"),
    ],
)
def test_malformed(data, message):
    with pytest.raises(MalformedError, match="^" + message) as caught:
        decode(data)
    assert caught.value.offset is not None


@pytest.mark.parametrize(
    ("feature", "contents"),
    [
        ("gc", section(1, vector(b"\x5f\0"))),
        ("exception-handling", section(13, vector(b"\0\0"))),
        ("memory64", section(5, vector(b"\4\0"))),
        ("threads", section(5, vector(b"\3\0\1"))),
    ],
)
def test_what_is_off_is_named(feature, contents):
    decode(HEADER + contents)
    with pytest.raises(MalformedError, match=f"needs the feature '{feature}', which is off"):
        decode(HEADER + contents, DEFAULT & ~BIT[feature])


def test_custom_page_sizes_are_off_by_default():
    data = HEADER + section(5, vector(b"\x08\1\0"))
    with pytest.raises(MalformedError, match="malformed limits flags"):
        decode(data)
    assert decode(data, DEFAULT | BIT["custom-page-sizes"]).memory_types[0].page_bits == 0


def test_truncation_is_malformed_everywhere():
    data = sample()
    whole = {8}
    for number in range(len(data)):
        if number not in whole:
            try:
                decode(data[:number])
            except MalformedError:
                continue
            whole.add(number)
    # What remains are the ends of sections before the function section.
    assert len(whole) < 10


def test_garbage_raises_only_what_it_should():
    rng = random.Random(7)
    base = sample()
    for _ in range(3000):
        data = bytearray(base)
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(data))
            match rng.randrange(4):
                case 0:
                    data[at] = rng.randrange(256)
                case 1:
                    del data[at : at + rng.randrange(1, 20)]
                case 2:
                    data[at:at] = rng.randbytes(rng.randrange(1, 9))
                case _:
                    data[at] ^= 1 << rng.randrange(8)
        try:
            module = decode(bytes(data))
            validate_module(module)
            assert module.names is not None
        except (MalformedError, InvalidError):
            continue


def test_huge_counts_are_refused_before_anything_is_made():
    for number in SECTIONS.keys() - {8, 12}:
        with pytest.raises((MalformedError, InvalidError)):
            decode(HEADER + section(number, b"\xff\xff\xff\xff\x0f"))
