from runwell.isa.form import form_by_name
from runwell.isa.fusion import CHAINS, chains


def test_names_are_forms():
    assert {name for chain in chains() for name in chain} <= set(form_by_name())


def test_no_chain_twice():
    assert len(set(chains())) == len(chains())


def test_beginnings_come_first():
    seen = set()
    for chain in chains():
        assert len(chain) == 2 or chain[:-1] in seen
        seen.add(chain)


def test_braces():
    lines = [line for line in CHAINS.splitlines() if line]
    assert len(chains()) > len(lines)
    assert not any("{" in name for chain in chains() for name in chain)
