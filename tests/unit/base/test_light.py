import pickle

import pytest

from runwell.base.light import NamedTuple


class Point(NamedTuple):
    """A record with a default."""

    x: int
    y: int = 7

    @property
    def total(self):
        return self.x + self.y


def test_it_behaves_as_the_original():
    p = Point(1)
    assert p == (1, 7)
    assert (p.x, p.y, p.total) == (1, 7, 8)
    assert Point(y=2, x=1) == Point(1, 2)
    assert p._replace(y=0) == Point(1, 0)
    assert p._asdict() == {"x": 1, "y": 7}
    assert Point._make([3, 4]) == Point(3, 4)
    assert Point._fields == ("x", "y")
    assert repr(p) == "Point(x=1, y=7)"
    assert hash(p) == hash((1, 7))
    x, y = p
    assert (x, y) == (1, 7)


def test_it_is_immutable_and_small():
    p = Point(1)
    with pytest.raises(AttributeError):
        p.x = 2
    with pytest.raises(AttributeError):
        p.z = 2


def test_wrong_arguments_name_the_field():
    with pytest.raises(TypeError, match="'x'"):
        Point()
    with pytest.raises(TypeError, match="z"):
        Point(1, z=2)


def test_patterns_and_pickles():
    match Point(1, 2):
        case Point(x, 2):
            assert x == 1
        case _:
            pytest.fail("no match")
    assert pickle.loads(pickle.dumps(Point(5))) == Point(5)
