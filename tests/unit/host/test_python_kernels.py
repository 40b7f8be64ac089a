"""Every entry of a common signature, both ways, and the generic ones."""

import pytest

from runwell.base.types import FuncType
from runwell.host.func import face
from runwell.host.function import HostFunction
from runwell.host.signature import LETTERS, common_signatures

TYPES = {letter: type_ for type_, letter in LETTERS.items()}
VALUES = {"i": -3, "l": -(2**40), "f": 0.25, "d": 1e100}
WRONG = {"i": 2**33, "l": 2**65, "f": "x", "d": "x"}


def function_of(key, function):
    params, results = (tuple(TYPES[letter] for letter in part) for part in key.split("_"))
    return face(HostFunction(function, FuncType(params, results)).func)


@pytest.mark.parametrize("key", [*common_signatures(), "iiiiiii_i", "lf_d", "i_f"])
def test_values_arrive_and_come_back(key):
    params, results = key.split("_")
    args = tuple(VALUES[letter] for letter in params)
    answer = VALUES[results] if results else None
    seen = []

    def function(*values):
        seen.append(values)
        return answer

    f = function_of(key, function)
    assert f(*args) == answer
    assert seen == [args]


@pytest.mark.parametrize("key", common_signatures())
def test_wrong_values_are_refused_both_ways(key):
    params, results = key.split("_")
    args = [VALUES[letter] for letter in params]
    f = function_of(key, lambda *_: WRONG[results] if results else None)
    for i, letter in enumerate(params):
        wrong = [*args[:i], WRONG[letter], *args[i + 1 :]]
        with pytest.raises((TypeError, OverflowError), match=f"argument {i + 1}"):
            f(*wrong)
    with pytest.raises(TypeError, match="takes"):
        f(*args, 1)
    if results:
        with pytest.raises((TypeError, OverflowError), match="the result of"):
            f(*args)
    else:
        assert f(*args) is None


@pytest.mark.parametrize("key", common_signatures())
def test_exceptions_come_back(key):
    class Boom(Exception):
        pass

    def function(*_):
        raise Boom

    with pytest.raises(Boom):
        function_of(key, function)(*(VALUES[letter] for letter in key.split("_")[0]))
