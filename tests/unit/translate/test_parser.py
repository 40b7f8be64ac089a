import pytest

from runwell.base.errors import MalformedError
from runwell.translate.parser import parse_code

BAD = {
    "i32.nand [0], [8] -> [16]": "unknown operation 'i32.nand'",
    "i32.add [0], [8] -> {16}": "i32.add has no such form",
    "i32.add 1, 2 -> [16]": "i32.add has no such form",
    "br -> jump L7": "unknown label L7",
    "i32.load [0] -> [8]": "i32.load has the immediates OFFSET",
    "i32.load [0] bytes:8 -> [8]": "unknown kind of immediate 'bytes'",
    "copy [x] -> [8]": "'x' is not a number",
    "copy [0] -> nowhere": "unknown destination 'nowhere'",
    "copy [0] -> [8] ; unreachable": "no fused form copy S->SLOT + unreachable",
}


@pytest.mark.parametrize("text", BAD)
def test_errors_have_a_place(text):
    with pytest.raises(MalformedError) as caught:
        parse_code(f"\n  {text}\n")
    assert caught.value.message == BAD[text]
    assert caught.value.line == 2


def test_numbers():
    (instruction,) = parse_code("i64.add [8], -1L -> [16]")
    assert instruction.parts[0].sources == (8, (1 << 64) - 1)
    (instruction,) = parse_code("ref_frame delta:-8")
    assert instruction.parts[0].immediates == (0xFFFFFFF8,)
