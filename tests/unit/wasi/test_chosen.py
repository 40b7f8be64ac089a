"""Clocks and random bytes that are chosen."""

import os
import random

from runwell.wasi.chosen import clock, source
from runwell.wasi.clocks import SystemClock, VirtualClock


def test_clocks_have_names():
    assert isinstance(clock("real"), SystemClock)
    assert isinstance(clock("virtual"), VirtualClock)
    own = VirtualClock()
    assert clock(own) is own
    assert clock(own, deterministic=True) is own
    assert isinstance(clock(None), SystemClock)
    assert isinstance(clock(None, deterministic=True), VirtualClock)
    assert isinstance(clock("real", deterministic=True), SystemClock)


def test_a_seed_is_that_of_the_module_random():
    made, same = source(42), random.Random(42)
    for size in (0, 1, 7, 4096):
        assert made(size) == same.randbytes(size)
    assert source(1)(16) == source(1)(16) != source(2)(16)


def test_other_sources():
    assert source(None) is os.urandom
    assert source(None, deterministic=True)(16) == source(0)(16)
    assert source(os.urandom, deterministic=True) is os.urandom
    assert source(bytes)(3) == bytes(3)
