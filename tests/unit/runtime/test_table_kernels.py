"""What the guest does to tables, by the kernels that its instructions invoke."""

from ctypes import CFUNCTYPE, c_uint32, c_uint64

import pytest

from runwell.base.traps import TrapCode
from runwell.runtime.context import current_context
from runwell.runtime.instance import Instance
from runwell.runtime.native import native

OUT = TrapCode.OUT_OF_BOUNDS_TABLE
HUGE = (1 << 64) - 1


@pytest.fixture
def instance(prepare):
    return Instance(
        prepare(
            """(module (table 5 8 externref) (table 4 funcref) (func $a) (func $b)
            (elem $p func $a $b $a) (elem (table 1) (i32.const 0) func $b))"""
        )
    )


@pytest.fixture
def call(instance):
    def call(name, *args, narrow=1):
        wide = len(args) - narrow
        types = [c_uint64] * (wide + 1) + [c_uint32] * narrow
        if name.endswith(("grow", "drop")):
            return CFUNCTYPE(c_uint64, *types)(native.address(name))(instance.address, *args)
        kernel = CFUNCTYPE(c_uint64, c_uint64, *types)(native.address(name))
        return kernel(current_context().address, instance.address, *args) >> 32

    return call


def fill(table, text):
    for i, letter in enumerate(text):
        table.set(i, letter)


def show(table):
    return "".join(table.get(i) or "." for i in range(table.size))


def test_grow(instance, call):
    t = instance.tables[0]
    value = t.store.hold("z")
    assert call("table_grow", value, 2, 0) == 5
    assert show(t) == ".....zz"
    assert call("table_grow", value, 2, 0) == HUGE
    assert call("table_grow", value, HUGE, 0) == HUGE
    assert call("table_grow", 0, 1, 0) == 7


def test_fill(instance, call):
    t = instance.tables[0]
    value = t.store.hold("z")
    assert call("table_fill", 1, value, 3, 0) == 0
    assert show(t) == ".zzz."
    assert call("table_fill", 3, 0, 3, 0) == OUT
    assert call("table_fill", 3, 0, HUGE, 0) == OUT
    assert call("table_fill", 5, 0, 0, 0) == 0
    assert call("table_fill", 6, 0, 0, 0) == OUT
    assert show(t) == ".zzz."


@pytest.mark.parametrize(
    ("to", "source", "size", "result"),
    [(0, 0, 5, "abcde"), (1, 0, 3, "aabce"), (0, 1, 3, "bcdde"), (5, 5, 0, "abcde")],
)
def test_copy(instance, call, to, source, size, result):
    fill(instance.tables[0], "abcde")
    assert call("table_copy", to, source, size, 0, 0, narrow=2) == 0
    assert show(instance.tables[0]) == result


@pytest.mark.parametrize(
    ("to", "source", "size"), [(3, 0, 3), (0, 3, 3), (6, 0, 0), (0, 6, 0), (1, 1, HUGE)]
)
def test_copy_out_of_bounds(instance, call, to, source, size):
    fill(instance.tables[0], "abcde")
    assert call("table_copy", to, source, size, 0, 0, narrow=2) == OUT
    assert show(instance.tables[0]) == "abcde"


def test_init_and_drop(instance, call):
    t = instance.tables[1]
    a, b = instance.func(0), instance.func(1)
    assert [t.get(i) for i in range(4)] == [b, None, None, None]
    assert call("table_init", 1, 0, 3, 0, 1, narrow=2) == 0
    assert [t.get(i) for i in range(4)] == [b, a, b, a]
    for bad in ((2, 0, 3), (0, 1, 3), (5, 0, 0), (0, 4, 0), (0, 0, HUGE)):
        assert call("table_init", *bad, 0, 1, narrow=2) == OUT
    assert call("table_init", 0, 0, 1, 1, 1, narrow=2) == OUT  # active: dropped
    assert call("elem_drop", 0) == 0
    assert call("table_init", 0, 0, 1, 0, 1, narrow=2) == OUT
    assert call("table_init", 4, 0, 0, 0, 1, narrow=2) == 0
