"""Whose turn it is to run in connected instances."""

import ctypes
import gc
from itertools import pairwise

import pytest

from runwell.base.errors import ThreadError
from runwell.kernel.types import ctype_of
from runwell.runtime import layout
from runwell.runtime.turn import Turn

pytestmark = pytest.mark.usefixtures("core")


class Body:
    """An instance, as far as turns go; ``holder`` runs ``depth`` calls deep in it."""

    def __init__(self, holder=0, depth=0):
        self.instance = ctype_of(layout.Instance)()
        self.address = ctypes.addressof(self.instance)
        own = self.address + layout.Instance.offset("own_turn")
        self.instance.turn = own
        self.instance.own_turn.holder, self.instance.own_turn.depth = holder, depth
        self.turn = None

    @property
    def state(self):
        """Who holds the turn that native code sees, and how deep."""
        found = ctype_of(layout.Turn).from_address(self.instance.turn)
        return found.holder, found.depth


def turn_of(*bodies):
    turn = Turn()
    for body in bodies:
        turn.adopt(body)
    return turn


def test_an_idle_instance_gets_the_turn_of_others():
    one, two = Body(), Body()
    turn = turn_of(one, two)
    assert one.turn is two.turn is turn
    assert one.instance.turn == two.instance.turn
    assert one.instance.turn != one.address + layout.Instance.offset("own_turn")
    assert one.state == (0, 0)


def test_calls_that_go_on_are_counted_together():
    one, two = Body(5, 2), Body(5, 1)
    turn_of(one, two)
    assert one.state == two.state == (5, 3)
    assert (one.instance.own_turn.holder, one.instance.own_turn.depth) == (0, 0)


@pytest.mark.parametrize("first", [(5, 1), (0, 0)])
def test_another_thread_in_one_of_them(first):
    one, two, three = Body(*first), Body(6, 1), Body(7, 1)
    turn = turn_of(one)
    if first == (0, 0):
        turn.adopt(two)
        assert one.state == (6, 1)
        with pytest.raises(ThreadError, match="different threads run in them"):
            turn.adopt(three)
        assert (three.turn, three.state) == (None, (7, 1))
        assert one.state == (6, 1)
    else:
        with pytest.raises(ThreadError, match="different threads run in them"):
            turn.adopt(two)
        assert (two.turn, two.state, one.state) == (None, (6, 1), (5, 1))


def test_two_turns_become_one():
    bodies = [Body(5, 1), Body(), Body(5, 2)]
    one, two = turn_of(*bodies[:2]), turn_of(bodies[2])
    one.absorb(two)
    assert two.root is one.root is one
    assert {body.state for body in bodies} == {(5, 3)}
    assert len({body.instance.turn for body in bodies}) == 1
    assert {body.turn for body in bodies} == {one}


def test_turns_of_different_threads_stay_apart():
    a, b = Body(5, 1), Body(6, 1)
    one, two = turn_of(a), turn_of(b)
    with pytest.raises(ThreadError):
        one.absorb(two)
    assert two.root is two
    assert (a.state, b.state) == ((5, 1), (6, 1))
    assert a.instance.turn != b.instance.turn


def test_an_idle_turn_takes_over_the_holder_of_the_other():
    a, b = Body(), Body(6, 2)
    one, two = turn_of(a), turn_of(b)
    one.absorb(two)
    assert a.state == b.state == (6, 2)


def test_a_long_chain_has_one_root():
    bodies = [Body() for _ in range(50)]
    turns = [turn_of(body) for body in bodies]
    for left, right in pairwise(turns):
        right.absorb(left.root)
    assert {turn.root for turn in turns} == {turns[-1]}
    assert {body.instance.turn for body in bodies} == {bodies[-1].instance.turn}
    ctype_of(layout.Turn).from_address(bodies[0].instance.turn).depth = 9
    assert {body.state[1] for body in bodies} == {9}


def test_instances_that_are_gone_are_left_alone():
    kept, lost = Body(), Body()
    turn = turn_of(lost)
    other = turn_of(kept)
    struct = lost.instance  # the memory stays, so that a write could be seen
    before = struct.turn
    del lost
    gc.collect()
    other.absorb(turn)
    assert struct.turn == before
    assert kept.turn is other


def test_the_state_lives_as_long_as_an_instance_has_it():
    body = Body()
    turn_of(body)
    gc.collect()
    ctype_of(layout.Turn).from_address(body.instance.turn).holder = 3
    assert body.state == (3, 0)
