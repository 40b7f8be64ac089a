"""What the guest does to memories, by the kernels that its instructions invoke."""

from ctypes import CFUNCTYPE, c_uint32, c_uint64

import pytest

from runwell.base.traps import TrapCode
from runwell.runtime.context import current_context
from runwell.runtime.instance import Instance
from runwell.runtime.native import native

OUT = TrapCode.OUT_OF_BOUNDS_MEMORY
PAGE = 65536
HUGE = (1 << 64) - 1


@pytest.fixture(params=[False, True], ids=["guard", "explicit"])
def instance(request, prepare):
    text = '(module (memory 1 3) (memory 1) (data "passive") (data (i32.const 0) "active"))'
    return Instance(prepare(text, explicit=request.param))


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


def test_grow(instance, call):
    assert call("memory_grow", 1, 0) == 1
    assert instance.memories[0].pages == 2
    assert call("memory_grow", 2, 0) == HUGE
    assert call("memory_grow", HUGE, 0) == HUGE
    assert call("memory_grow", 1, 0) == 2
    assert call("memory_grow", 0, 0) == 3
    assert call("memory_grow", 70_000, 1) == HUGE
    assert instance.memories[1].pages == 1


def test_copy(instance, call):
    m, n = instance.memories
    m.write(0, bytes(range(100)))
    assert call("memory_copy", 10, 0, 100, 0, 0, narrow=2) == 0
    assert m.read(10, 100) == bytes(range(100))
    assert call("memory_copy", 5, 10, 50, 1, 0, narrow=2) == 0
    assert n.read(4, 52) == b"\0" + bytes(range(50)) + b"\0"
    assert call("memory_copy", PAGE, PAGE, 0, 0, 0, narrow=2) == 0


@pytest.mark.parametrize(
    ("to", "source", "size"),
    [(PAGE - 1, 0, 2), (0, PAGE - 1, 2), (PAGE + 1, 0, 0), (0, PAGE + 1, 0), (1, 0, HUGE),
     (HUGE, 0, 1), (0, HUGE, 1), (HUGE, HUGE, HUGE)],
)  # fmt: skip
def test_copy_out_of_bounds(instance, call, to, source, size):
    assert call("memory_copy", to, source, size, 0, 0, narrow=2) == OUT
    assert call("memory_copy", to, source, size, 1, 0, narrow=2) == OUT


def test_fill(instance, call):
    kernel = CFUNCTYPE(c_uint64, c_uint64, c_uint64, c_uint64, c_uint32, c_uint64, c_uint32)(
        native.address("memory_fill")
    )

    def fill(*args):
        return kernel(current_context().address, *args) >> 32

    assert fill(instance.address, PAGE - 3, 0x1FF, 3, 0) == 0
    assert instance.memories[0].read(PAGE - 4, 4) == b"\0\xff\xff\xff"
    assert fill(instance.address, PAGE - 3, 1, 4, 0) == OUT
    assert instance.memories[0].read(PAGE - 3, 3) == b"\xff\xff\xff"
    assert fill(instance.address, PAGE, 1, 0, 0) == 0
    assert fill(instance.address, PAGE + 1, 1, 0, 0) == OUT


def test_init_and_drop(instance, call):
    m = instance.memories[1]
    assert call("memory_init", 0, 4, 3, 0, 1, narrow=2) == 0
    assert m.read(0, 4) == b"ive\0"
    assert call("memory_init", 0, 5, 3, 0, 1, narrow=2) == OUT
    assert call("memory_init", PAGE - 1, 0, 2, 0, 1, narrow=2) == OUT
    assert call("memory_init", 0, 0, 1, 1, 1, narrow=2) == OUT  # active: dropped
    assert call("data_drop", 0) == 0
    assert call("memory_init", 0, 0, 0, 0, 1, narrow=2) == 0
    assert call("memory_init", 0, 0, 1, 0, 1, narrow=2) == OUT
    assert call("data_drop", 0) == 0


def test_growing_from_many_threads(prepare):
    import threading

    memory = Instance(prepare("(module (memory 0 4000 shared))")).memories[0]
    seen = []

    def run():
        mine = []
        while (old := memory.grow(1)) >= 0:
            mine.append(old)
            memory.write(old * PAGE, b"x")
        seen.extend(mine)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(seen) == list(range(4000))
