import pytest

from runwell.kernel import addr, const_array, extern, extern_data, kernel, null, static, u8, u32
from runwell.kernel.declare import Failure
from runwell.kernel.types import pointer


@kernel
def plain(x: u32) -> u32:
    return x


@kernel(inline=True, export=True)
def special(x: u32) -> u32:
    return x


@extern
def outside(x: u32) -> u32: ...


def test_decorators_record():
    assert (plain.name, plain.inline, plain.export, plain.is_extern) == (
        "plain",
        False,
        False,
        False,
    )
    assert (special.inline, special.export) == (True, True)
    assert outside.is_extern
    assert repr(plain), repr(outside) == ("<kernel plain>", "<extern outside>")


def test_data_records():
    made = []
    lazy = const_array("LAZY", u8, lambda: made.append(1) or [1, 2])
    assert not made
    assert lazy.values() == (1, 2) == lazy.values()
    assert made == [1]
    assert lazy.type is pointer(u8)
    assert static("COUNT", u32, 3).count == 3
    assert extern_data("TABLE", u32).kind == "extern"
    assert repr(lazy) == "<const LAZY: u8>"


def test_nothing_runs_in_python():
    for thing in (plain, addr, null):
        with pytest.raises(TypeError):
            thing(1)


def test_failure_carries_its_code():
    assert Failure(3).code == 3
