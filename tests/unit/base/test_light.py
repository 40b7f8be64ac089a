"""The named tuples that every run uses behave as those of ``typing``."""

import copy
import inspect
import pickle
import typing

import pytest

from runwell.base import light


class Light(light.NamedTuple):
    """A point."""

    x: int
    y: str
    z: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        return self.y


class Typing(typing.NamedTuple):
    """A point."""

    x: int
    y: str
    z: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        return self.y


def outcome(function):
    try:
        return function()
    except (TypeError, AttributeError) as e:
        return type(e)


@pytest.mark.parametrize(
    "use",
    [
        lambda t: t(1, "b"),
        lambda t: t(1, "b", (3,)),
        lambda t: t(1, z=(2,), y="b"),
        lambda t: t(),
        lambda t: t(1, "b", (), 4),
        lambda t: t(1, "b", y="c"),
        lambda t: t(1, "b", other=2),
        lambda t: repr(t(1, "b")).partition("(")[2],
        lambda t: t(1, "b")._replace(x=5),
        lambda t: t(1, "b")._asdict(),
        lambda t: t._make([1, "b", ()]),
        lambda t: (t(1, "b").x, t(1, "b").z, t(1, "b").name),
        lambda t: t(1, "b") == (1, "b", ()),
        lambda t: hash(t(1, "b")),
        lambda t: setattr(t(1, "b"), "x", 2),
        lambda t: setattr(t(1, "b"), "other", 2),
        lambda t: pickle.loads(pickle.dumps(t(1, "b"))),
        lambda t: copy.deepcopy(t(1, "b", (1, 2))),
        lambda t: type(copy.copy(t(1, "b"))) is t,
        lambda t: (t._fields, t.__match_args__, t.__doc__),
        lambda t: str(inspect.signature(t)),
        typing.get_type_hints,
    ],
)
def test_the_same(use):
    assert outcome(lambda: use(Light)) == outcome(lambda: use(Typing))


def test_errors_name_the_class():
    with pytest.raises(TypeError, match=r"Light\.__new__\(\) missing 2 .*: 'x' and 'y'"):
        Light()


def test_a_subclass_without_fields_has_those_of_its_base():
    class Sub(Light):
        @property
        def double(self):
            return 2 * self.x

    assert Sub(2, "b").double == 4
    assert repr(Sub(2, "b")) == "Sub(x=2, y='b', z=())"


def test_match():
    match Light(1, "b"):
        case Light(x, y=y):
            assert (x, y) == (1, "b")


def test_what_only_the_type_checker_reads():
    name = light.TypeVar("T", bound="Light")

    class Box(light.Generic[name]):
        __slots__ = ()

    assert Box[int] is Box
    assert light.final(Box) is Box
    assert light.Literal[8] == 8
