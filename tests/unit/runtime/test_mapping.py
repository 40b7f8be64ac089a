import gc

import pytest

from runwell.runtime.mapping import PAGE, Block, Mapping, guard_pages_available, round_up


def test_sizes_are_whole_pages():
    assert [round_up(n) for n in (0, 1, PAGE, PAGE + 1)] == [0, PAGE, PAGE, 2 * PAGE]
    assert Mapping(PAGE + 1).size == 2 * PAGE


def test_a_mapping_is_zeroed_and_writable():
    from ctypes import c_uint64

    mapping = Mapping(1 << 40)
    for offset in (0, 1 << 39, (1 << 40) - 8):
        cell = c_uint64.from_address(mapping + offset)
        assert cell.value == 0
        cell.value = offset
        assert cell.value == offset


def test_an_impossible_mapping_is_refused():
    with pytest.raises(MemoryError, match="address space"):
        Mapping(1 << 60)


def test_a_mapping_outlives_the_finalizers_of_a_cycle_that_owns_it():
    from ctypes import c_uint64

    class Owner:
        def __init__(self):
            self.mapping, self.me = Mapping(PAGE), self
            c_uint64.from_address(self.mapping).value = 7

        def __del__(self):
            # A crash, if it were unmapped by now.
            seen.append((gc.is_tracked(self.mapping), c_uint64.from_address(self.mapping).value))

    seen = []
    for _ in range(5):
        Owner()
    gc.collect()
    assert seen == [(False, 7)] * 5


def test_mappings_are_given_back():
    for _ in range(100):
        Mapping(1 << 44)  # a hundred of them would not fit


def test_finalizers_in_a_cycle_can_use_a_mapping():
    from ctypes import c_uint64

    seen = []

    class Owner:
        def __init__(self):
            self.me = self
            self.mapping = Mapping(PAGE)

        def __del__(self):
            seen.append(c_uint64.from_address(self.mapping).value)

    Owner()
    gc.collect()
    assert seen == [0]


@pytest.mark.parametrize("writes", ["0", "PAGE - 1"])
def test_guarded_pages_cannot_be_touched(worker, writes):
    done = worker(f"""
from ctypes import c_uint8
from runwell.runtime.mapping import PAGE, Mapping
mapping = Mapping(3 * PAGE)
mapping.guard(0)
c_uint8.from_address(mapping + PAGE).value = 1
print("so far", flush=True)
c_uint8.from_address(mapping + {writes}).value = 1
""")
    assert (done.returncode, done.stdout) == (-11, "so far\n")


def test_blocks_are_aligned_and_zeroed():
    from ctypes import c_uint8

    for size in (0, 1, 40, 5000, 1 << 20):
        block = Block(size)
        assert block.address % 16 == 0
        assert not any(block.bytes)
        c_uint8.from_address(block.address).value = 7
        assert block.bytes[0] == 7


def test_a_limited_address_space_has_no_guard_pages(worker):
    done = worker("""
import resource
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
from runwell.runtime.mapping import guard_pages_available
print(guard_pages_available())
""")
    assert done.stdout == "False\n", done.stderr


def test_linux_has_guard_pages():
    from platform import machine, system

    expected = system() == "Linux" and machine() in ("x86_64", "aarch64")
    assert guard_pages_available() is expected
