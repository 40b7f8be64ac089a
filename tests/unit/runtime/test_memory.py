import gc
from ctypes import c_uint8

import pytest

from runwell.base.errors import LinkError
from runwell.module.types import MemoryType
from runwell.runtime.mapping import GUARDED_BYTES
from runwell.runtime.memory import Memory, is_guarded

PAGE = 65536


@pytest.fixture(params=[False, True], ids=["guard", "explicit"])
def explicit(request, core):
    return request.param


def test_a_new_memory_is_zeros(explicit):
    m = Memory(MemoryType(2, 5), explicit=explicit)
    assert (m.pages, m.size, m.maximum) == (2, 2 * PAGE, 5)
    assert m.guarded is not explicit
    assert m.read(0, 2 * PAGE) == bytes(2 * PAGE)


def test_grow(explicit):
    m = Memory(MemoryType(1, 4), explicit=explicit)
    base = m.base
    m.write(PAGE - 3, b"end")
    assert m.grow(0) == 1
    assert m.grow(2) == 1
    assert m.pages == 3
    assert m.base == base
    assert m.read(PAGE - 3, 6) == b"end\0\0\0"
    m.write(3 * PAGE - 3, b"END")
    assert m.grow(2) == -1
    assert m.grow(1 << 32) == -1
    assert m.grow((1 << 64) - 1) == -1
    assert m.grow(1 << 64) == -1
    assert m.grow(-1) == -1
    assert m.pages == 3
    assert m.grow(1) == 3
    assert m.grow(1) == -1


def test_a_memory_can_have_all_pages(explicit):
    m = Memory(MemoryType(0), explicit=explicit)
    assert m.maximum == 65536
    assert m.grow(65536) == 0
    m.write((4 << 30) - 1, b"!")
    assert m.read((4 << 30) - 2, 2) == b"\0!"
    assert m.grow(1) == -1


def test_limits_are_below_the_declared_maximum(core):
    m = Memory(MemoryType(1, 100), limit_bytes=3 * PAGE + 5)
    assert m.maximum == 3
    assert m.grow(2) == 1
    assert m.grow(1) == -1
    with pytest.raises(LinkError, match="exceeds the limit of 3 pages"):
        Memory(MemoryType(4), limit_bytes=3 * PAGE)


def test_no_pages_at_all(explicit):
    m = Memory(MemoryType(0, 0), explicit=explicit)
    assert (m.pages, m.size, m.read(0, 0)) == (0, 0, b"")
    assert m.grow(1) == -1
    assert m.grow(0) == 0


def test_64_bit_memories_are_never_guarded(core):
    m = Memory(MemoryType(1, is_64=True))
    assert not m.guarded
    assert m.maximum == 262_144
    assert m.grow(100_000) == 1
    m.write(100_000 * PAGE, b"far")
    assert m.read(100_000 * PAGE, 3) == b"far"


def test_pages_of_one_byte(core):
    m = Memory(MemoryType(5, 10_000, page_bits=0))
    assert not m.guarded
    assert (m.size, m.pages) == (5, 5)
    assert m.grow(4995) == 5
    m.write(4999, b"x")
    with pytest.raises(IndexError):
        m.write(5000, b"x")
    assert m.grow(5001) == -1


def test_shared_memories_are_guarded(core):
    assert Memory(MemoryType(1, 2, shared=True)).guarded
    assert is_guarded(MemoryType(1, 2, shared=True), explicit=False)


@pytest.mark.parametrize(("start", "size"), [(-1, 1), (0, -1), (PAGE, 1), (1, PAGE), (1 << 40, 1)])
def test_reading_out_of_bounds(core, start, size):
    with pytest.raises(IndexError, match="out of bounds"):
        Memory(MemoryType(1)).read(start, size)


def test_views_outlive_growth_and_their_memory(core):
    m = Memory(MemoryType(1, 2))
    view = m.view()
    assert (len(view), view.format, view.readonly) == (PAGE, "B", False)
    m.grow(1)
    view[0:2] = b"hi"
    assert m.read(0, 2) == b"hi"
    assert len(m.view()) == 2 * PAGE
    del m
    gc.collect()
    assert view[0:2] == b"hi"


def test_address_space_is_given_back(core):
    # Of 128 TiB there is room for 16 000 at once.
    for _ in range(20_000):
        Memory(MemoryType(1))


def test_guarded_memories_reserve_what_an_access_can_reach(core):
    m = Memory(MemoryType(1))
    assert m._native.reserved == GUARDED_BYTES >= 2 * ((1 << 32) - 1) + 16


def test_a_memory_in_a_cycle_serves_finalizers(core):
    seen = []

    class Guest:
        def __init__(self):
            self.me = self
            self.memory = Memory(MemoryType(1))

        def __del__(self):
            seen.append(c_uint8.from_address(self.memory.base).value)
            seen.append(self.memory.grow(1))

    Guest()
    gc.collect()
    assert seen == [0, 1]


def test_little_address_space_leaves_little_room_to_grow(worker):
    done = worker("""
import resource
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
from runwell.module.types import MemoryType
from runwell.runtime.memory import Memory
m = Memory(MemoryType(1))
print(m.guarded, m.grow(1), m.grow(40000), m.pages)
m.write(2 * 65536 - 1, b"x")
try:
    Memory(MemoryType(60000))
except MemoryError as e:
    print(e)
""")
    assert done.stdout == "False 1 -1 2\nno room for memory 60000\n", done.stderr
