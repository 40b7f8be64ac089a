import pytest

from runwell.base.errors import InvalidError, MalformedError
from runwell.base.features import ALL, BIT
from runwell.base.leb128 import encode_unsigned
from runwell.base.types import FUNCREF, I32, NON_NULL, V128, ValType, ref_to_index
from runwell.binary.reader import Reader


def reader(data):
    return Reader(data, 0, len(data))


@pytest.mark.parametrize(
    "values",
    [
        [],
        [0, 127, 1],
        [0, 128, 16383, 5],
        [0, 1 << 14, 1 << 21, (1 << 32) - 1, 3],
        [300] * 50 + [1],
    ],
)
def test_u32s(values):
    data = b"".join(map(encode_unsigned, values))
    r = reader(data + b"\1")
    assert list(r.u32s(len(values))) == values
    assert r.at == len(data)


@pytest.mark.parametrize("data", [b"", b"\1\2", b"\1\2\x80", b"\x80\x80"])
def test_u32s_at_the_end(data):
    with pytest.raises(MalformedError, match="unexpected end"):
        reader(data).u32s(3)


def test_length_must_fit_into_the_rest():
    assert reader(b"\2\0\0").length() == 2
    with pytest.raises(MalformedError, match="length out of bounds"):
        reader(b"\5\0\0").length()


def test_count_has_a_limit():
    with pytest.raises(InvalidError, match="too many things: 3, the limit is 2"):
        reader(b"\3\0\0\0").count("things", 2)


@pytest.mark.parametrize(
    ("data", "t"),
    [
        ("7f", I32),
        ("7b", V128),
        ("70", FUNCREF),
        ("6370", FUNCREF),
        ("6470", FUNCREF | NON_NULL),
        ("6305", ref_to_index(5, nullable=True)),
        ("64c000", ref_to_index(64, nullable=False)),
        ("69", ValType.EXNREF),
    ],
)
def test_value_types(data, t):
    data = bytes.fromhex(data)
    r = reader(data)
    assert r.val_type() == t
    assert r.at == len(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("40", "malformed value type"),
        ("78", "malformed value type"),
        ("6340", "malformed heap type"),
        ("63ff7e", "malformed heap type"),
        ("", "unexpected end"),
    ],
)
def test_malformed_value_types(data, message):
    with pytest.raises(MalformedError, match=message):
        reader(bytes.fromhex(data)).val_type()


def test_storage_types():
    assert reader(b"\x78").storage_type() == ValType.I8
    assert reader(b"\x7f").storage_type() == I32


def test_number_types_are_no_references():
    with pytest.raises(MalformedError, match="malformed reference type"):
        reader(b"\x7f").ref_type()


@pytest.mark.parametrize("data", [b"\1\xff", b"\3\xed\xa0\x80", b"\2\xc0\x80"])
def test_names_are_strict_utf8(data):
    with pytest.raises(MalformedError, match="malformed UTF-8 encoding"):
        reader(data).name()


@pytest.mark.parametrize(
    ("feature", "data"),
    [
        ("simd", b"\x7b"),
        ("reference-types", b"\x70"),
        ("reference-types", b"\x6f"),
        ("function-references", b"\x64\x00"),
        ("gc", b"\x6e"),
        ("exception-handling", b"\x63\x69"),
    ],
)
def test_types_of_features(feature, data):
    assert reader(data).val_type()
    off = Reader(data, 0, len(data), ALL & ~BIT[feature])
    with pytest.raises(MalformedError, match=f"needs the feature '{feature}'"):
        off.val_type()


def test_tables_of_functions_need_no_feature():
    assert Reader(b"\x70", 0, 1, BIT["mvp"]).ref_type() == FUNCREF
