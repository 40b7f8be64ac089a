"""What every run uses instead of ``typing`` and others behaves as the originals."""

import copy
import enum
import functools
import inspect
import json
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


class LightColor(light.IntEnum):
    """A color."""

    RED = 1
    GREEN = 2
    GRASS = 2
    _hidden = 7

    @classmethod
    def _missing_(cls, value):
        return cls.RED if value == 100 else None

    @property
    def text(self):
        return self.name.lower()


class TypingColor(enum.IntEnum):
    """A color."""

    _ignore_ = ("_hidden",)

    RED = 1
    GREEN = 2
    GRASS = 2
    _hidden = 7

    @classmethod
    def _missing_(cls, value):
        return cls.RED if value == 100 else None

    @property
    def text(self):
        return self.name.lower()


def number(cls, value):
    try:
        return cls(value)
    except ValueError as e:
        return str(e).replace(cls.__name__, "Color")


@pytest.mark.parametrize(
    "use",
    [
        lambda t: (t.RED, t(1), t["GREEN"], t["GRASS"], t.GRASS is t.GREEN),
        lambda t: (t.RED.name, t.RED.value, t.GRASS.name, t.GREEN.text),
        lambda t: (list(t), len(t), list(t.__members__.items())),
        lambda t: (t(t.RED) is t.RED, t.RED is t(1), t.RED == 1, t.RED + 1, hash(t.RED)),
        lambda t: (number(t, 3), number(t, 100), number(t, "x"), number(t, None)),
        lambda t: repr(t.RED).replace(t.__name__, ""),
        lambda t: (str(t.RED), f"{t.RED}", f"{t.RED:03d}", json.dumps([t.RED])),
        lambda t: (t.RED in t, isinstance(t.RED, t), isinstance(1, t)),
        lambda t: pickle.loads(pickle.dumps(t.GREEN)) is t.GREEN,
        lambda t: (copy.copy(t.RED) is t.RED, copy.deepcopy([t.RED])[0] is t.RED),
        lambda t: (t.__doc__, t.__name__ != "", issubclass(t, int)),
        lambda t: {t.RED: 5}[1],
        lambda t: setattr(t.RED, "name", "other"),
        lambda t: getattr(t, "YELLOW", None),
        lambda t: t.YELLOW,
    ],
)
def test_enumerations_are_the_same(use):
    assert outcome(lambda: use(LightColor)) == outcome(lambda: use(TypingColor))


def test_a_name_that_is_not_there():
    with pytest.raises(KeyError):
        LightColor["YELLOW"]


def test_members_match():
    match 2:
        case LightColor.RED:
            raise AssertionError
        case LightColor.GREEN:
            pass


@pytest.mark.parametrize("remember", [light.lru_cache, functools.lru_cache])
def test_results_are_remembered(remember):
    calls = []

    @remember(2)
    def double(x):
        calls.append(x)
        return 2 * x

    assert [double(1), double(1), double(2), double(3), double(1)] == [2, 2, 4, 6, 2]
    assert calls == [1, 2, 3, 1]
    assert tuple(double.cache_info()) == (1, 4, 2, 2)
    double.cache_clear()
    assert (double(1), calls) == (2, [1, 2, 3, 1, 1])


def test_modules_and_namespaces():
    assert light.import_module("runwell.base.light") is light
    assert vars(light.SimpleNamespace(a=1)) == {"a": 1}
