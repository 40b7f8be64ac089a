import random

from tests.unit.binary.samples import HEADER, NAMES, name, section

from runwell.binary.decoder import decode
from runwell.binary.names import encode_names, read_names
from runwell.module.module import Names

FULL = Names(
    module="m",
    functions={0: "f", 300: "g"},
    locals={0: {0: "x"}},
    labels={0: {1: "loop"}},
    types={0: "t"},
    tables={0: "table"},
    memories={0: "memory"},
    globals={0: "ä"},
    elements={0: "e"},
    data={0: "d"},
    fields={1: {0: "field"}},
    tags={0: "tag"},
)


def test_round_trip():
    data = encode_names(FULL)
    assert read_names(b"xx" + data, 2, 2 + len(data)) == FULL
    assert encode_names(Names()) == b""


def test_decoded_when_asked_for():
    m = decode(HEADER + section(0, name("name") + NAMES))
    assert m.names.module == "M"
    assert m.names is m.names


def test_no_name_section():
    assert decode(HEADER).names == Names()


def test_damage_never_raises():
    rng = random.Random(3)
    data = encode_names(FULL)
    for _ in range(500):
        damaged = bytearray(data)
        damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        damaged = bytes(damaged[: rng.randrange(len(damaged) + 1)])
        assert isinstance(read_names(damaged, 0, len(damaged)), Names)


def test_good_parts_of_a_damaged_section_are_kept():
    data = b"\1\4\5\0\1f" + b"\7\4\1\0\1G"
    names = read_names(data, 0, len(data))
    assert names.functions == {0: "f"}
    assert names.globals == {0: "G"}


def test_text_that_is_no_utf8_is_shown_as_such():
    data = b"\1\4\1\0\1\xff"
    assert read_names(data, 0, len(data)).functions == {0: "\ufffd"}
