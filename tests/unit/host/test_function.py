from runwell.base.types import EXTERNREF, I32, FuncType
from runwell.host.function import HostFunction
from runwell.host.layout import PythonFunc
from runwell.host.signature import signature_of
from runwell.kernel.types import ctype_of
from runwell.runtime.func import func_at
from runwell.runtime.layout import FuncCode, FuncRef
from runwell.runtime.native import native


def test_natives():
    def f(x):
        return x

    type_ = FuncType((I32, EXTERNREF), (I32,))
    function = HostFunction(f, type_)
    signature = signature_of(type_)
    ref = ctype_of(FuncRef).from_address(function.ref)
    code = ctype_of(FuncCode).from_address(ref.code)
    host = ctype_of(PythonFunc).from_address(code.host)
    assert ref.instance == 0
    assert ref.object == host.object == id(function)
    assert ref.type == signature.number
    assert code.entry == native.address("stub_call_host")
    assert (code.param_bytes, code.ref_param_bytes) == (8, 8)
    assert host.callable == id(f)
    assert host.host.entry == signature.host_entry
    assert host.host.signature == signature.address
    assert (host.host.frame_bytes, host.host.ref_bytes) == (24, 8)


def test_names():
    type_ = FuncType((), ())
    assert HostFunction(abs, type_).name == "abs"
    assert HostFunction(abs, type_, "env.abs").name == "env.abs"

    class Callable:
        def __call__(self):
            pass

    assert HostFunction(Callable(), type_).name == "Callable"


def test_found_again_by_its_reference():
    function = HostFunction(abs, FuncType((I32,), (I32,)))
    assert func_at(function.ref) == function.func
    assert function.func.owner is function
