from runwell.base.types import EXTERNREF, F32, F64, I32, I64, V128, FuncType
from runwell.interp.native_assembly import PARAMS as STUB_PARAMS
from runwell.jit.convention import PARAMS, Place, places, signature
from runwell.runtime.layout import ResultClass


def test_stubs_have_the_same_prototype():
    assert [ty for ty, _ in PARAMS] == [ty for ty, _ in STUB_PARAMS]


def test_places():
    found, refs = places((I32, V128, EXTERNREF, F32, I64, EXTERNREF))
    assert found == (Place("i", 0), Place("v", 8), Place("f", 24), Place("l", 32))
    assert refs == 2


def test_signatures():
    s = signature(FuncType((F64, EXTERNREF, V128), (F32,)))
    assert s.param_bytes == 24
    assert s.ref_params == 1
    assert s.result_class == ResultClass.FLOAT


def test_result_classes():
    def kind(*results):
        return signature(FuncType((), results)).result_class

    assert kind() == kind(I32) == kind(I64) == ResultClass.INTEGER
    assert kind(F64) == kind(V128) == ResultClass.FLOAT
    assert kind(I32, I32) == kind(EXTERNREF) == kind(EXTERNREF, F32) == ResultClass.MEMORY
