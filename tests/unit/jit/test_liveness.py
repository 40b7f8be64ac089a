"""Which slots are live where code is left."""

from runwell.jit import liveness
from runwell.jit.liveness import Liveness

# By instruction: offset, reads, writes, targets, and whether the next is reached.
# A loop at 8 in a loop at 4; slot 0 counts, 8 is only written, 16 is read behind, 24 is a vector,
# 40 is written in each turn before it is read.
CODE = [
    (0, "", "i0 i16 v24", (), True),
    (4, "", "i40", (), True),
    (8, "i0 i40", "i0 i8", (), True),
    (12, "i0", "", (8,), True),
    (16, "v24", "", (4,), True),
    (20, "i16", "", (), False),
]


def noted(code):
    found, is_reached = Liveness(), True
    for offset, reads, writes, targets, follows in code:
        found.begin(offset, is_reached=is_reached)
        for name in reads.split():
            found.read(name[0], int(name[1:]))
        for name in writes.split():
            found.write(name[0], int(name[1:]))
        for target in targets:
            found.branch(target)
        is_reached = follows
    return found


def test_what_is_live():
    found = noted(CODE)
    assert found.slots_at(0) == set()
    assert found.slots_at(4) == {0, 16, 24, 32}
    assert found.slots_at(8) == {0, 16, 24, 32, 40}
    assert found.slots_at(20) == {16}


def test_what_is_written_behind_a_branch_was_not_written_before_it():
    found = Liveness()
    found.begin(0, is_reached=True)
    found.branch(8)
    found.write("l", 16)
    found.begin(4, is_reached=True)
    found.read("l", 16)
    found.begin(8, is_reached=False)
    found.read("l", 16)
    assert found.slots_at(0) == {16}


def test_code_that_takes_too_many_passes_may_want_everything(monkeypatch):
    monkeypatch.setattr(liveness, "MOST_PASSES", 1)
    assert noted(CODE).slots_at(8) == {0, 8, 16, 24, 32, 40}
