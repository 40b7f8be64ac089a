from tests.unit.binary.samples import HEADER, sample, section, vector

from runwell.binary.decoder import decode
from runwell.binary.encoder import encode


def test_canonical_input_is_reproduced():
    data = sample()
    assert encode(decode(data)) == data


def test_empty_module():
    assert encode(decode(HEADER)) == HEADER


def test_long_integers_become_short():
    data = HEADER + section(5, vector(b"\0\x82\x80\0"))
    assert encode(decode(data)) == HEADER + section(5, vector(b"\0\2"))


def test_empty_sections_disappear():
    assert encode(decode(HEADER + section(1, b"\0") + section(10, b"\0"))) == HEADER
