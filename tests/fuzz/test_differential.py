"""Random programs do the same interpreted, compiled, half compiled, and in wasmtime."""

import os

from tests.fuzz.differential import hunt
from tests.fuzz.engines import program
from tests.fuzz.shrink import shrink, tree, write

# Seconds of a test; ``python -m tests.fuzz.differential`` hunts for longer.
SECONDS = float(os.environ.get("RUNWELL_FUZZ_SECONDS", "20"))
FIRST = int(os.environ.get("RUNWELL_FUZZ_FIRST", "0"))


def test_programs_do_the_same_in_all_engines(record_testsuite_property):
    count, failures = hunt(SECONDS, FIRST)
    record_testsuite_property("programs", count)
    assert not failures
    assert count >= 2


def test_a_seed_decides_all():
    assert program(7) == program(7) != program(8)


def test_shrinking_keeps_what_fails():
    text = program(8)
    assert tree(write(tree(text))) == tree(text)

    def fails(text):
        return "(func $f1 " in text and "memory.copy" in text

    assert "memory.copy" in text
    small = shrink(text, fails, tries=400)
    assert fails(small)
    assert len(small) < len(text) / 4
