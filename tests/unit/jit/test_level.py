"""How hard the compiler tries."""

from runwell.jit.level import Level


def test_levels_are_in_order():
    assert list(Level) == sorted(Level)
    assert [level.of_llvm for level in Level] == [0, 1, 1]
