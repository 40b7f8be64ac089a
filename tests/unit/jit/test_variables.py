import pytest

from runwell.base.errors import InternalError
from runwell.base.types import EXTERNREF, F32, F64, I32, V128, FuncType
from runwell.jit.convention import signature
from runwell.jit.variables import Variables

OWN = signature(FuncType((I32, F64), ()))


def variables():
    """Parameters at 0 and 8, the link at 16, two floats at 32, a vector at 48; operands from 64."""
    return Variables(OWN, [(2, F32), (3, EXTERNREF), (1, V128)])


def test_locals_have_their_types():
    v = variables()
    assert [v.letter(slot) for slot in (0, 8, 32, 40, 48)] == ["i", "d", "f", "f", "v"]
    assert v.locals_end == 64
    assert v.params == {"i0", "d8"}


def test_operands_have_the_type_that_was_written_last():
    v = variables()
    assert v.letters(64) == ""
    assert v.define("i", 64) == "%i64"
    v.define("d", 64)
    assert v.letter(64) == "d"


def test_behind_a_jump_they_may_have_all_that_were_written():
    v = variables()
    v.define("i", 64)
    v.define("d", 64)
    v.lose_track()
    assert v.letter(64) == ""
    assert v.letters(64) == "id"
    assert v.letters(0) == "i"


def test_only_what_is_used_exists():
    v = variables()
    v.use("f", 32)
    v.define("v", 72)
    assert v.allocate() == ["  %f32 = alloca float", "  %v72 = alloca <4 x i32>"]
    assert v.end == 88
    assert variables().end == 64


def test_reading_what_was_never_written_is_an_error():
    v = variables()
    v.define("i", 64)
    v.use("i", 64)
    v.use("i", 0)
    v.check("f0")
    v.use("d", 64)
    with pytest.raises(InternalError, match="f0: nothing is ever in d64"):
        v.check("f0")
