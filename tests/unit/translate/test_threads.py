"""Work in several threads."""

import threading
import time

import pytest

from runwell.translate import threads
from runwell.translate.threads import in_threads

WAYS = [(1, False), (3, False), (3, True), (1, True), (50, True)]


@pytest.mark.parametrize(("count", "helping"), WAYS)
def test_results_are_in_order(count, helping):
    def do(n):
        time.sleep(0.001 * (n % 3))
        return n * n

    found = list(in_threads(do, list(range(20)), count, helping=helping))
    assert found == [n * n for n in range(20)]
    assert list(in_threads(do, [], count, helping=helping)) == []


def test_threads_work_at_the_same_time():
    both = threading.Barrier(2)
    assert [sorted(in_threads(lambda _: both.wait(60), [1, 2], 2, helping=h)) for h in (0, 1)] == [
        [0, 1], [0, 1],
    ]  # fmt: skip


@pytest.mark.parametrize(("count", "helping"), WAYS)
def test_what_is_raised_is_raised_here(count, helping):
    def do(n):
        if n == 5:
            raise KeyboardInterrupt
        return n

    seen = []
    with pytest.raises(KeyboardInterrupt):
        seen.extend(in_threads(do, list(range(20)), count, helping=helping))
    assert seen == [] or seen == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("helping", [False, True])
def test_a_process_without_threads(helping, monkeypatch):
    def refuse(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threads, "start_new_thread", refuse)
    assert list(in_threads(abs, [-1, -2], 3, helping=helping)) == [1, 2]


def test_closing_begins_nothing_more():
    begun, going_on = [], threading.Event()

    def do(n):
        begun.append(n)
        if n:
            going_on.wait(60)
        return n

    work = in_threads(do, list(range(100)), 2, helping=False)
    assert next(work) == 0
    threading.Timer(0.05, going_on.set).start()
    work.close()
    n = len(begun)
    time.sleep(0.02)
    assert len(begun) == n < 100
