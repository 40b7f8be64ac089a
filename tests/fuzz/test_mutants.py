"""A few thousand mutants in worker processes: none may crash or hang."""

from tests.fuzz.hunt import hunt


def test_no_mutant_crashes_or_hangs():
    counts, victims = hunt(count=2000, jobs=2)
    assert victims == []
    assert counts.get("ran", 0) > 50, counts
    assert counts.get("MalformedError", 0) > 50, counts
    assert counts.get("InvalidError", 0) > 50, counts
