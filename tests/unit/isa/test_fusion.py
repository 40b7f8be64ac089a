from runwell.isa.form import FORM_BY_NAME
from runwell.isa.fusion import PAIRS, pairs


def test_names_are_forms():
    for first, second in pairs():
        assert first in FORM_BY_NAME
        assert second in FORM_BY_NAME


def test_no_pair_twice():
    assert len(set(pairs())) == len(pairs())


def test_braces():
    lines = [line for line in PAIRS.splitlines() if line]
    assert len(pairs()) > len(lines)
    assert not any("{" in name for pair in pairs() for name in pair)
