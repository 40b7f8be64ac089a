"""The watcher: whom it tells what, and when it sleeps."""

import ctypes
import os
import subprocess
import sys

import pytest

from runwell.codegen.testing import bind
from runwell.kernel.types import ctype_of
from runwell.runtime import layout, watch_kernels
from runwell.runtime.chain_kernels import Watch
from runwell.runtime.interrupt_kernels import DUE_SIGNALS, DUE_TIME
from runwell.runtime.watch_kernels import TICK

NOW = 10**15


def add_rest(module):
    """What belongs to the interpreter, and is not reached."""
    for name in ("stub_leave_native", "fault_exit"):
        module.add_global(f"@{name} = constant i64 0")


@pytest.fixture(scope="module")
def kernels():
    return bind(
        watch_kernels.look_at,
        watch_kernels.forget_watcher,
        watch_kernels.watch,
        watch_kernels.known_lock,
        extra=add_rest,
    )


@pytest.fixture
def watch(kernels):
    found = ctype_of(Watch).from_address(kernels.address("watch"))
    yield found
    found.signals = found.is_awake = found.is_running = 0


@pytest.fixture
def context():
    made = ctype_of(layout.Context)()
    made.stack_limit = made.stack_end = 1 << 40
    return made


def look(kernels, context):
    return kernels.look_at(ctypes.addressof(context), NOW)


def test_a_guest_of_no_interest(kernels, watch, context):
    watch.signals = 3
    assert look(kernels, context) == 0
    assert (context.due, context.stack_limit, watch.signals) == (0, 1 << 40, 3)


@pytest.mark.parametrize(
    ("left", "pause", "due"),
    [
        (10 * TICK, TICK, 0),
        (TICK, TICK, 0),
        (TICK - 1, TICK - 1, 0),
        (1, 1, 0),
        (0, TICK, DUE_TIME),
        (-5, TICK, DUE_TIME),
    ],
)
def test_deadlines(kernels, watch, context, left, pause, due):
    context.deadline = NOW + left
    assert look(kernels, context) == pause
    assert context.due == due
    assert (context.stack_limit == 0) == (due != 0)
    assert context.wakings == (due != 0)


def test_signals_are_for_a_guest_of_the_main_thread(kernels, watch, context):
    watch.signals = 2
    context.is_main = 1
    assert look(kernels, context) == 0  # which holds the interpreter lock
    assert watch.signals == 2
    context.thread_state = 1
    assert look(kernels, context) == TICK
    assert (context.due, watch.signals) == (DUE_SIGNALS, 0)
    context.due = 0
    assert look(kernels, context) == TICK
    assert context.due == 0


def test_a_deadline_and_a_signal(kernels, watch, context):
    watch.signals = 1
    context.is_main = context.thread_state = 1
    context.deadline = NOW + 7
    assert look(kernels, context) == 7
    context.deadline = NOW
    watch.signals = 1
    look(kernels, context)
    assert context.due == DUE_SIGNALS | DUE_TIME


def test_a_forked_process_has_no_watcher(kernels, watch):
    lock = ctypes.c_uint32.from_address(kernels.address("known_lock"))
    watch.is_awake = watch.is_running = lock.value = 1
    kernels.forget_watcher()
    assert (watch.is_awake, watch.is_running, lock.value) == (0, 0, 0)


HEAD = '''
import os, sys, threading, time
import runwell
from runwell.kernel.types import ctype_of
from runwell.runtime.chain_kernels import Watch
from runwell.runtime.native import native

LOOP = """(module
  (func (export "f") (param i32)
    (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
  (func (export "ever") (loop $l (br $l))))"""
engine = runwell.Engine(runwell.Config(engine="interpreter"))
module = runwell.Module(LOOP, engine=engine)
exports = runwell.Instance(module).exports
watch = ctype_of(Watch).from_address(native.address("watch"))

def threads():
    return len(os.listdir("/proc/self/task"))

def wait_for(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
'''


def run(program):
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "-c", HEAD + program],
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_it_starts_with_the_first_guest_and_is_one():
    assert (
        run(
            """
before = threads()
print(watch.is_running, watch.is_awake)
exports.f(10)
print(watch.is_running, watch.is_awake, threads() - before)
mine = [runwell.Instance(module) for _ in range(4)]
all_of_them = [threading.Thread(target=i.exports.f, args=(100000,)) for i in mine]
for thread in all_of_them: thread.start()
for thread in all_of_them: thread.join()
wait_for(lambda: threads() - before == 1)
print(len(mine))
"""
        )
        == "0 0 1 1 1 4".split()
    )


def test_it_sleeps_when_nothing_is_to_be_done_and_wakes_again():
    assert run(
        """
exports.f(10)
wait_for(lambda: not watch.is_awake)
word = watch.word
exports.f(10)
print(watch.is_awake, watch.word - word)
limited = runwell.Instance(runwell.Module(LOOP, engine=runwell.Engine(
    runwell.Config(engine="interpreter", deadline_s=0.02))))
wait_for(lambda: not watch.is_awake)
try:
    limited.exports.ever()
except runwell.DeadlineExceeded:
    print("stopped")
"""
    ) == ["1", "1", "stopped"]


def test_a_forked_process_starts_its_own():
    assert run(
        """
exports.f(10)
child = os.fork()
if child == 0:
    before = watch.is_running, watch.is_awake
    limited = runwell.Instance(runwell.Module(LOOP, engine=runwell.Engine(
        runwell.Config(engine="interpreter", deadline_s=0.02))))
    try:
        limited.exports.ever()
    except runwell.DeadlineExceeded:
        os._exit(42 if before == (0, 0) and watch.is_running else 43)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    ) == ["42"]


def test_a_signal_interrupts_a_guest_in_the_main_thread():
    assert run(
        """
import signal
def interrupt():
    wait_for(lambda: watch.is_running)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt).start()
try:
    exports.ever()
except KeyboardInterrupt:
    print("interrupted")
"""
    ) == ["interrupted"]
