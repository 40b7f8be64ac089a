"""Threads: the interpreter lock is free while a guest runs, and each thread has its own stacks."""

import os
import subprocess
import sys
import threading
import time

import pytest

import runwell

SPIN = """
(import "m" "f" (func $f (param i32) (result i32)))
(func (export "spin") (param $n i32) (result i32) (local $x i32)
  (loop $again
    (local.set $x (i32.add (local.get $x) (i32.const 3)))
    (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
  (local.get $x))
(func (export "many") (param $n i32) (result i32) (local $x i32)
  (loop $again
    (local.set $x (i32.add (local.get $x) (call $f (local.get $n))))
    (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
  (local.get $x))
(func $deep (export "deep") (param i32) (result i32)
  (if (result i32) (local.get 0)
    (then (i32.add (i32.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1)))))
    (else (call $f (i32.const 0)))))
"""


def in_threads(n, function):
    failures, results = [], []

    def run(i):
        try:
            results.append(function(i))
        except BaseException as e:  # noqa: BLE001
            failures.append(e)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    if failures:
        raise failures[0]
    return results


def test_python_runs_while_the_guest_does(make):
    """The guest loops until Python, which runs meanwhile, tells it to stop."""
    guest = make(
        """(memory (export "memory") 1 1)
        (func (export "spin") (result i32)
          (loop $again (br_if $again (i32.eqz (i32.load (i32.const 8)))))
          (i32.load (i32.const 8)))"""
    )
    word, results = memoryview(guest.exports.memory)[8:9], []
    thread = threading.Thread(target=lambda: results.append(guest.exports.spin()))
    thread.start()
    for _ in range(20):
        time.sleep(0.001)
        assert thread.is_alive()
    word[0] = 7
    thread.join(60)
    assert results == [7]


def test_callbacks_from_many_threads(make):
    module = runwell.Module(f"(module {SPIN})", validation="lazy")

    def run(i):
        seen = []
        exports = runwell.Instance(module, {"m": {"f": lambda x: seen.append(x) or i}}).exports
        assert exports.many(2000) == 2000 * i
        assert len(seen) == 2000
        return exports.deep(1000)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        assert sorted(in_threads(6, run)) == [1000 + i for i in range(6)]
    finally:
        sys.setswitchinterval(interval)


def test_exceptions_stay_in_their_thread(make):
    module = runwell.Module(f"(module {SPIN})", validation="lazy")

    def run(i):
        def f(x):
            if x == 1:
                raise KeyError(i)
            return 0

        exports = runwell.Instance(module, {"m": {"f": f}}).exports
        for _ in range(200):
            with pytest.raises(KeyError) as caught:
                exports.many(20)
            assert caught.value.args == (i,)
        return i

    assert sorted(in_threads(6, run)) == list(range(6))


def test_threads_come_and_go(make):
    """Contexts go with their threads, and new threads do not meet old ones."""
    deep = [make(SPIN, {"m": {"f": lambda x: x}}).exports.deep for _ in range(2)]
    for _ in range(60):
        assert in_threads(2, lambda i: deep[i](50 + i)) in ([50, 51], [51, 50])


def test_the_last_reference_goes_in_another_thread(make):
    holder = [make(SPIN, {"m": {"f": lambda x: x}})]

    def run(i):
        holder.pop().exports.deep(5)

    in_threads(1, run)
    assert holder == []


def test_one_module_in_several_threads():
    module = runwell.Module(f"(module {SPIN})")
    spin = [runwell.Instance(module, {"m": {"f": abs}}).exports.spin for _ in range(4)]
    assert in_threads(4, lambda i: spin[i](200_000)) == [600_000] * 4


DAEMONS = """
import threading, time, runwell
module = runwell.Module('''(module
  (import "m" "f" (func $f))
  (func (export "spin") (loop $again (br $again)))
  (func (export "many") (loop $again (call $f) (br $again))))''')
for name in %r:
    instance = runwell.Instance(module, {"m": {"f": lambda: None}})
    threading.Thread(target=instance.exports[name], daemon=True).start()
time.sleep(0.05)
print("done")
"""


@pytest.mark.parametrize("names", [["spin"], ["many"], ["many", "many", "spin"]])
def test_the_process_ends_while_daemons_run_guests(names):
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", DAEMONS % names], capture_output=True, text=True, timeout=60
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_guests_run_on_in_forked_children(make):
    exports = make(SPIN + '(memory (export "memory") 1)', {"m": {"f": lambda x: x + 1}}).exports
    exports.memory[0] = 5

    def f(child):
        exports.memory[0] += child
        return exports.deep(100) + exports.memory[0]

    pid = os.fork()
    if pid == 0:
        os._exit(f(1) if f(0) == 106 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 107
    assert f(0) == 106
