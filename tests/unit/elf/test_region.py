"""Pages for code: given out, protected, taken back."""

import ctypes
import mmap
import os
import platform
import sys
import threading
from pathlib import Path

import pytest

from runwell.elf.region import PAGE, CodeRegion

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="maps memory as Linux does")

SIZE = 1 << 24
IS_ARM = platform.machine() == "aarch64"


def returning(number: int) -> bytes:
    """Code that returns a number below 2**15."""
    if IS_ARM:
        return (0x52800000 | number << 5).to_bytes(4, "little") + b"\xc0\x03\x5f\xd6"
    return b"\xb8" + number.to_bytes(4, "little") + b"\xc3"


def call(address: int) -> int:
    return ctypes.CFUNCTYPE(ctypes.c_int)(address)()


def protections(low: int, high: int) -> dict[int, str]:
    """Protection of each mapping between two addresses, by its start."""
    found = {}
    for line in Path("/proc/self/maps").read_text().splitlines():
        extent, flags = line.split()[:2]
        start, end = (int(part, 16) for part in extent.split("-"))
        if start < high and end > low:
            found[max(start, low)] = flags[:3]
    return found


@pytest.fixture
def region():
    region = CodeRegion((SIZE,))
    yield region
    region.close()


def test_blocks_run_and_are_never_writable_and_executable(region):
    assert region.high - region.low == SIZE
    first, second = region.allocate(1), region.allocate(PAGE + 1)
    assert protections(region.low, region.high) == {region.low: "---"}
    first.fill(returning(7))
    second.fill(bytearray(PAGE - 4) + returning(8))
    assert call(first) == 7
    assert call(second + PAGE - 4) == 8
    assert (first.size, second.size, region.used) == (PAGE, 2 * PAGE, 3 * PAGE)
    assert set(protections(region.low, region.high).values()) == {"---", "r-x"}
    del first
    assert region.used == 2 * PAGE
    assert protections(region.low, region.low + PAGE) == {region.low: "---"}
    assert call(second + PAGE - 4) == 8
    del second
    assert protections(region.low, region.high) == {region.low: "---"}


def test_room_is_used_again(region):
    blocks = [region.allocate(PAGE * n) for n in (1, 2, 3)]
    last = region.allocate(1)
    del blocks[1], blocks[1]
    between = region.allocate(5 * PAGE)
    assert between + 5 * PAGE == last
    del blocks, between, last
    assert region.used == 0
    whole = region.allocate(SIZE)
    with pytest.raises(MemoryError, match="left in the region"):
        region.allocate(1)
    assert int(whole) == region.low
    del whole


def test_memory_is_given_back(region):
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE

    before = resident()
    block = region.allocate(SIZE)
    block.fill(b"\xcc" * SIZE)
    assert resident() - before > SIZE // 2
    del block
    assert resident() - before < SIZE // 2


def test_too_much_code(region):
    with pytest.raises(ValueError, match="do not fit"):
        region.allocate(1).fill(bytes(PAGE + 1))


def test_smaller_regions_if_the_system_has_no_larger():
    region = CodeRegion((1 << 60, SIZE))
    assert region.high - region.low == SIZE
    region.close()
    with pytest.raises(MemoryError, match="cannot reserve"):
        CodeRegion((1 << 60,))


def test_near_something():
    """A hint only; an address nobody has is granted."""
    first = CodeRegion((SIZE,))
    low = first.low
    first.close()
    second = CodeRegion((SIZE,), near=low + SIZE)
    assert second.low == low
    second.close()


def test_threads(region):
    """Blocks also go in the middle of allocations, from whatever thread."""
    failed = []

    def work(seed: int) -> None:
        kept = []
        for n in range(300):
            block = region.allocate(PAGE * (1 + (seed + n) % 3))
            number = seed * 1000 + n
            block.fill(returning(number))
            kept.append((block, number))
            if n % 4 == 3:
                for block, number in kept:
                    if call(block) != number:
                        failed.append(number)
                kept.clear()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert region.used == 0
    assert int(region.allocate(SIZE)) == region.low


def test_a_child_has_its_own(region):
    block = region.allocate(1)
    block.fill(returning(3))
    child = os.fork()
    if child == 0:
        other = region.allocate(1)
        other.fill(returning(4))
        code = call(block) * 10 + call(other)
        del block
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 34
    assert call(block) == 3
    assert protections(block, block + 2 * PAGE) == {int(block): "r-x", block + PAGE: "---"}
