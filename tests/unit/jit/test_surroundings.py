from runwell.base.types import F64, I32
from runwell.jit.convention import Place
from runwell.jit.job import Header
from runwell.jit.surroundings import Surroundings
from runwell.kernel.types import sizeof
from runwell.runtime.layout import Instance

HEADER = Header(
    (((int(I32),), ()), ((), (int(F64),)), ((int(I32),), ())),
    (40, 50, 40),
    (1, 0),
    (int(I32), int(F64)),
    (),
    ((40, (0, 1, 7)),),
)


def test_types():
    around = Surroundings(HEADER, {0: "f0"}, "x86_64")
    assert around.signature(0).results == (Place("d", 0),)
    assert around.type_signature(2).params == (Place("i", 0),)
    assert around.type_index(40) == 0
    assert around.type_number(50) == "ptrtoint (ptr @type_1 to i32)"
    assert "type_1" in around.module.declarations


def test_likely_functions_are_those_that_are_here():
    around = Surroundings(HEADER, {0: "f0", 1: "f1_copy_0"}, "x86_64")
    assert around.likely(40) == ({0: "@f0", 1: "@f1_copy_0"}, "@call_type_0")
    assert around.likely(50) == ({}, "")
    assert around.others == {40: "call_type_0"}


def test_globals():
    around = Surroundings(HEADER, {}, "x86_64")
    assert around.global_letter(sizeof(Instance)) == "i"
    assert around.global_letter(sizeof(Instance) + 16) == "d"
