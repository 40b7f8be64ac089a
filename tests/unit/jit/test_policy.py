"""Predictions and the bound that follows from them."""

import pytest

from runwell.base.limits import RESTING
from runwell.jit import policy
from runwell.jit.level import Level
from runwell.jit.measure import Sizes
from runwell.jit.policy import Allowance, budget, level_of, predict, turns_for
from runwell.runtime.context import BUDGET

SMALL = Sizes(2_000, 20, ((8, 80), (24, 60)), 0, 0, 16, frozenset())


def test_more_of_anything_takes_longer():
    for level in Level:
        base = predict(SMALL, level)
        assert 0 < base < 0.1
        for field in ("bytes", "blocks", "fan_out", "vectors", "slots"):
            bigger = SMALL._replace(**{field: 50 * (getattr(SMALL, field) + 1)})
            assert predict(bigger, level) >= base
        assert predict(SMALL._replace(spans=50 * SMALL.spans), level) >= base


def test_the_lowest_level_is_linear():
    one, ten = (predict(SMALL._replace(bytes=n, blocks=n, slots=n), Level.FAST)
                for n in (10_000, 100_000))  # fmt: skip
    assert ten < 10.5 * one


@pytest.mark.parametrize(
    ("predicted", "failed", "first", "later"),
    [
        (0.1, (), Level.BEST, Level.BEST),
        (0.1, (Level.BEST,), Level.QUICK, Level.QUICK),
        (0.1, (Level.BEST, Level.QUICK), Level.FAST, Level.FAST),
        (0.1, tuple(Level), None, None),
        (2.0, (), Level.QUICK, Level.BEST),
        (2.0, (Level.QUICK,), Level.FAST, Level.FAST),
        (10.0, (), Level.QUICK, Level.QUICK),
        (100.0, (), Level.FAST, Level.FAST),
        (100.0, (Level.FAST,), None, None),
    ],
)
def test_levels(predicted, failed, first, later):
    assert level_of(predicted, frozenset(failed), is_first=True) == first
    assert level_of(predicted, frozenset(failed), is_first=False) == later


def test_whole_modules():
    for level in (Level.FAST, Level.BEST):
        assert policy.whole_s(level, 100) == policy.whole_s(level, 10_000) > 0
        sizes = 10**6, 10**7
        large, largest = [policy.whole_s(level, n_bytes) for n_bytes in sizes]
        assert 9 * large < largest < 10.6 * large


def test_compilations_are_killed_in_time():
    assert budget(0.1) == policy.OVERRUN * 0.1 + policy.OVERRUN_S
    assert 0 <= turns_for(1.0) - round(1.0 / policy.TURN_S) < policy.STEP
    assert turns_for(0) == policy.FIRST_LOOK
    assert turns_for(1e9) == 1 << 30


def test_what_is_left_of_heat_shows_calls():
    heats = (policy.FIRST_LOOK, policy.NEXT_LOOK, RESTING, turns_for(0.01), turns_for(1))
    for heat in heats:
        for calls in (0, 1, 100):
            assert policy.calls_of((heat - calls) % policy.STEP) == calls
    assert policy.STEP == BUDGET


def test_what_does_little_is_a_leaf():
    leaf = Sizes(policy.LEAF_BYTES, 3, (), 0, 0, 4, frozenset())
    assert policy.is_leaf(leaf)
    others = {"bytes": policy.LEAF_BYTES + 1, "spans": ((8, 80),), "callees": frozenset({1})}
    assert not any(policy.is_leaf(leaf._replace(**{name: x})) for name, x in others.items())


def test_compile_time_is_earned():
    now = 100.0
    allowance = Allowance(lambda: now)
    assert allowance.missing(policy.SAVED_S) == 0
    allowance.spend(policy.SAVED_S)
    assert allowance.missing(1.0) == pytest.approx(1.0 / policy.CREDIT)
    now += 0.5 / policy.CREDIT
    assert allowance.missing(1.0) == pytest.approx(0.5 / policy.CREDIT)
    now += 0.5 / policy.CREDIT
    assert allowance.missing(1.0) == pytest.approx(0)


def test_not_more_than_was_asked_for_is_saved():
    now = 0.0
    allowance = Allowance(lambda: now)
    now += 1000
    assert allowance.missing(policy.SAVED_S) == 0
    assert allowance.missing(policy.SAVED_S + 1) == pytest.approx(1 / policy.CREDIT)
    now += 1000
    assert allowance.missing(policy.SAVED_S + 1) == 0
    allowance.spend(policy.SAVED_S + 1)
    assert allowance.missing(policy.SAVED_S) == pytest.approx(policy.SAVED_S / policy.CREDIT)
    now += 1000
    assert allowance.missing(policy.SAVED_S * 2) > 0
