import gc
import threading
import weakref

import pytest

from runwell.base.limits import FRAMES
from runwell.base.traps import TrapCode
from runwell.kernel.types import ctype_of, u64
from runwell.runtime import context as context_module
from runwell.runtime.context import SLACK, Context, current_context


def test_a_thread_keeps_its_context(core):
    c = current_context()
    assert current_context() is c
    assert c.max_frames == c.native.frames_left == FRAMES


def test_stacks(core):
    c = Context()
    n = c.native
    assert n.stack == n.top < n.stack_limit == n.stack_end
    assert n.refs == n.ref_top < n.refs_end
    for place in (n.stack, n.stack_end, n.stack_end + SLACK - 8, n.refs, n.refs_end - 8):
        cell = ctype_of(u64).from_address(place)
        assert cell.value == 0
        cell.value = 1


@pytest.mark.parametrize(
    "place", ["n.stack - 8", "n.stack_end + SLACK", "n.refs - 8", "n.refs_end + REF_SLACK"]
)
def test_stacks_end_in_guard_pages(worker, place):
    done = worker(f"""
from ctypes import c_uint64
from runwell.runtime.context import REF_SLACK, SLACK, Context
c = Context()
n = c.native
print("made", flush=True)
c_uint64.from_address({place}).value = 1
""")
    assert (done.returncode, done.stdout) == (-11, "made\n"), done.stderr


def test_more_frames_get_a_larger_stack(core):
    c = Context(1000)
    size = c.native.stack_end - c.native.stack
    address = c.address
    c.max_frames = 1_000_000
    assert c.native.stack_end - c.native.stack > 10 * size
    assert (c.max_frames, c.native.frames_left, c.address) == (1_000_000, 1_000_000, address)
    larger = c.native.stack
    c.max_frames = 5
    assert (c.native.stack, c.native.frames_left) == (larger, 5)


def test_the_limit_of_a_running_guest_stays(core):
    c = Context(1000)
    c.native.top += 64
    c.max_frames = 50
    assert c.max_frames == 1000


def test_interrupting(core):
    c = Context()
    c.interrupt(TrapCode.INTERRUPTED)
    assert c.native.interrupt == TrapCode.INTERRUPTED
    assert c.native.stack_limit == 0


def test_every_thread_has_its_own_until_it_ends(core):
    seen, ended = [], []
    context_module.on_context_end.append(ended.append)
    try:

        def run():
            c = current_context()
            assert current_context() is c
            seen.append((c.address, weakref.ref(c)))

        for _ in range(3):
            t = threading.Thread(target=run)
            t.start()
            t.join()
        assert all(c() is None for _, c in seen)
        assert ended == [address for address, _ in seen]
    finally:
        context_module.on_context_end.remove(ended.append)


def test_threads_at_once(core):
    barrier, seen = threading.Barrier(8), []

    def run():
        barrier.wait()
        seen.append(current_context())
        barrier.wait()

    threads = [threading.Thread(target=run) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len({c.address for c in seen}) == 8


def test_contexts_are_given_back(core):
    gc.disable()
    try:
        for _ in range(20_000):
            Context()
    finally:
        gc.enable()
