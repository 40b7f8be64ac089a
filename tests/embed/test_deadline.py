"""Deadlines: whatever a guest is doing, it ends in time."""

import threading
import time

import pytest
from tests.embed.endless import ENDLESS, WAT

import runwell


def instance(bounds: str = "guard", deadline_s: float | None = 0.05) -> runwell.Instance:
    engine = runwell.Engine(runwell.Config(bounds=bounds, deadline_s=deadline_s))
    return runwell.Instance(runwell.Module(WAT, engine=engine), {"env": {"call": lambda: None}})


@pytest.mark.parametrize("bounds", ["guard", "explicit"])
@pytest.mark.parametrize("name", ENDLESS)
def test_everything_ends(name: str, bounds: str) -> None:
    guest = instance(bounds)
    args = (object(),) if name == "references" else ()
    start = time.monotonic()
    with pytest.raises(runwell.DeadlineExceeded, match=r"^deadline exceeded\n  0: ") as caught:
        guest.exports[name](*args)
    assert time.monotonic() - start >= 0.05
    assert caught.value.code == runwell.TrapCode.DEADLINE
    assert guest.exports.count(100_000) == 100_000


def test_short_calls_do_not_notice() -> None:
    guest = instance(deadline_s=0.02)
    end = time.monotonic() + 0.1
    while time.monotonic() < end:
        assert guest.exports.count(10) == 10


def test_a_deadline_counts_host_functions() -> None:
    engine = runwell.Engine(runwell.Config(deadline_s=0.02))
    module = runwell.Module(
        '(module (import "" "f" (func $f)) (func (export "g") (loop $l (call $f) (br $l))))',
        engine=engine,
    )
    calls = []
    guest = runwell.Instance(module, {"": {"f": lambda: calls.append(time.sleep(0.05))}})
    with pytest.raises(runwell.DeadlineExceeded):
        guest.exports.g()
    assert len(calls) < 3


def test_a_call_within_a_call_has_no_more_time_than_that() -> None:
    inner = instance(deadline_s=60)
    outer_module = runwell.Module(
        '(module (import "" "f" (func $f)) (func (export "g") (call $f)))',
        engine=runwell.Engine(runwell.Config(deadline_s=0.03)),
    )
    outer = runwell.Instance(outer_module, {"": {"f": inner.exports.loop}})
    with pytest.raises(runwell.DeadlineExceeded):
        outer.exports.g()

    def run_inner() -> None:
        inner.exports.loop()

    by_python = runwell.Instance(outer_module, {"": {"f": run_inner}})
    with pytest.raises(runwell.DeadlineExceeded):
        by_python.exports.g()


def test_the_limit_of_an_instance_can_be_changed() -> None:
    guest = instance(deadline_s=None)
    assert guest.deadline_s is None
    guest.deadline_s = 0.03
    assert guest.deadline_s == 0.03
    with pytest.raises(runwell.DeadlineExceeded):
        guest.exports.loop()
    guest.deadline_s = None
    assert guest.exports.count(1_000_000) == 1_000_000


def test_threads_have_deadlines_of_their_own() -> None:
    ended = []

    def run(seconds: float) -> None:
        guest = instance(deadline_s=seconds)
        with pytest.raises(runwell.DeadlineExceeded):
            guest.exports.loop()
        ended.append(seconds)

    threads = [threading.Thread(target=run, args=(s,)) for s in (0.5, 0.02, 0.25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended == [0.02, 0.25, 0.5]


def test_wrong_limits_are_refused() -> None:
    for wrong in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="deadline_s is above 0 and at most 1e"):
            runwell.Config(deadline_s=wrong)
    with pytest.raises(TypeError, match="deadline_s is a number or None, not str"):
        runwell.Config(deadline_s="1")  # type: ignore[arg-type]
    assert eval(repr(runwell.Config(deadline_s=2)), {"runwell": runwell}).deadline_s == 2  # noqa: S307
