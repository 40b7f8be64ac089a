import pytest

from runwell.base import limits
from runwell.base.errors import InvalidError, MalformedError
from runwell.base.features import DEFAULT
from runwell.base.leb128 import encode_unsigned
from runwell.binary import sections
from runwell.binary.reader import Reader


def reader(data):
    return Reader(data, 0, len(data))


def test_bodies_of_all_sizes():
    sizes = [1, 2, 127, 128, 300, 20_000]
    bodies = [encode_unsigned(n) + b"\0" * (n - 1) + b"\x0b" for n in sizes]
    data = encode_unsigned(len(bodies)) + b"".join(bodies)
    out = sections.bodies(reader(data))
    assert [out[x + 1] - out[x] for x in range(0, len(out), 2)] == sizes
    assert out[-1] == len(data)


def test_a_body_has_a_limit():
    size = limits.FUNCTION_BYTES + 1
    data = b"\1" + encode_unsigned(size) + b"\0" * (size - 1) + b"\x0b"
    with pytest.raises(InvalidError, match="function too large"):
        sections.bodies(reader(data))


def test_limits_are_64_bits_wide():
    t = sections.memory_type(reader(b"\1\0" + encode_unsigned((1 << 64) - 1)), DEFAULT)
    assert t.maximum == (1 << 64) - 1
    with pytest.raises(MalformedError, match="integer too large"):
        sections.memory_type(reader(b"\0" + encode_unsigned(1 << 64)), DEFAULT)


def test_recursive_groups():
    types, groups = sections.types(reader(b"\2\x4e\0\x60\0\0"), DEFAULT)
    assert len(types) == 1
    assert groups == (0, 1)
