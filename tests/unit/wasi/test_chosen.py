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


def test_a_seed_is_that_of_the_module_random():
    made, same = source(42), random.Random(42)
    for size in (0, 1, 7, 4096):
        assert made(size) == same.randbytes(size)
    assert source(1)(16) == source(1)(16) != source(2)(16)


def test_other_sources():
    assert source(None) is os.urandom
    assert source(bytes)(3) == bytes(3)
