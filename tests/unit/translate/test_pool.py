import ctypes

from runwell.kernel import ctype_of
from runwell.translate.work import Work


def test_the_parts_of_a_piece_do_not_overlap(translator):
    work = translator.work
    starts = [work.entries, work.types, work.controls, work.heads, work.near, work.runs]
    base = ctypes.addressof(work)
    assert starts == sorted(starts)
    assert starts[0] >= base + ctypes.sizeof(ctype_of(Work))
    assert starts[-1] < base + translator.bound.lay_out_work(0)
    assert all(start % 64 == 0 for start in starts)


def test_pieces_are_taken_and_given_back(translator):
    take, give = translator.bound.take_work, translator.bound.give_work_back
    first, second = take(), take()
    assert first != second
    give(first)
    assert take() == first
    give(first)
    give(second)
