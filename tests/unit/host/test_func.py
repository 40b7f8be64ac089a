import gc

import pytest

from runwell.base.types import F64, I32, I64, FuncType
from runwell.host import func
from runwell.host.func import describe, face, face_at, name_of, parse_func_type
from runwell.host.function import HostFunction


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        (FuncType((), ()), "() -> ()"),
        (FuncType((I32, F64), (I64,)), "(i32, f64) -> i64"),
        (FuncType((I32,), (I64, I32)), "(i32) -> (i64, i32)"),
    ],
)
def test_describing_and_parsing(type_, text):
    assert describe(type_) == text
    assert parse_func_type(text) == type_


@pytest.mark.parametrize("text", ["", "(i32)", "(i32) -> int", "i32 => i32"])
def test_what_is_no_type(text):
    with pytest.raises(ValueError, match=r"is not a function type|no value type"):
        parse_func_type(text)


def test_one_face_for_a_function():
    function = HostFunction(abs, FuncType((I32,), (I32,)))
    one = face(function.func)
    assert face(function.func) is one
    assert face_at(function.ref) is one
    assert one.native == function.func


def test_faces_go_with_their_last_use():
    gc.collect()
    before = len(func._funcs)
    made = face(HostFunction(abs, FuncType((), ())).func)
    assert len(func._funcs) == before + 1
    del made
    assert len(func._funcs) == before


def test_an_address_that_was_used_before():
    function = HostFunction(abs, FuncType((I32,), (I32,)))
    one = face(function.func)
    other = face(function.func._replace(owner=HostFunction(abs, FuncType((), ()))))
    assert other is not one


class FakeModule:
    class Export:
        def __init__(self, name, kind, item):
            self.name, self.kind, self.item = name, kind, item

    class names:  # noqa: N801
        functions = {2: "inner", 3: "own"}  # noqa: RUF012

    exports = (Export("m", 2, 3), Export("outer", 0, 2), Export("again", 0, 2))


def test_names():
    assert name_of(FakeModule, 2) == "outer"
    assert name_of(FakeModule, 3) == "own"
    assert name_of(FakeModule, 4) == "func[4]"
