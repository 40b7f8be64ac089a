"""Signals while a guest runs in the main thread: Python's handlers run soon, whatever it does.

Each case is a process of its own, which signals are sent to.
"""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from tests.embed.endless import ENDLESS

ROOT = Path(__file__).parents[2]
PRELUDE = """
import os, signal, sys, threading, time
import runwell
from tests.embed.endless import WAT

def instance(**options):
    engine = runwell.Engine(runwell.Config(**options))
    return runwell.Instance(runwell.Module(WAT, engine=engine), {"env": {"call": lambda: None}})

def send(number, *delays):
    def work():
        for delay in delays:
            time.sleep(delay)
            sent.append(time.monotonic())
            os.kill(os.getpid(), number)
    threading.Thread(target=work, daemon=True).start()

sent = []
"""


def run(code: str) -> str:
    """What a process prints that runs some code."""
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(code)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ENDLESS)
def test_control_c(name: str) -> None:
    printed = run(f"""
        guest = instance()
        args = (object(),) if {name!r} == "references" else ()
        for delay in 0.001, 0.01, 0.1:
            try:
                send(signal.SIGINT, delay)
                guest.exports[{name!r}](*args)
            except KeyboardInterrupt as e:
                print("interrupted")
            assert guest.exports.count(1000) == 1000
    """)
    assert printed == "interrupted\n" * 3


def test_a_handler_that_returns_lets_the_guest_go_on() -> None:
    printed = run("""
        def handle(number, frame):
            handled.append(number)
            if len(handled) == 5:
                raise LookupError("enough")
        def pester():
            while len(handled) < 5:
                os.kill(os.getpid(), signal.SIGUSR1)
                time.sleep(0.01)
        signal.signal(signal.SIGUSR1, handle)
        guest = instance()
        for name in "recursion", "counting", "wait", "callbacks":
            handled = []
            thread = threading.Thread(target=pester)
            try:
                thread.start()
                guest.exports[name]()
            except LookupError as e:
                print(name, e)
            thread.join()
        assert guest.exports.rounds.value > 1000
    """)
    assert printed == "".join(
        f"{n} enough\n" for n in ("recursion", "counting", "wait", "callbacks")
    )


def test_results_are_right_in_spite_of_handlers() -> None:
    printed = run("""
        def handle(number, frame):
            assert other.exports.count(100) == guest.exports.count(100) == 100
        signal.signal(signal.SIGALRM, handle)
        guest, other = instance(), instance()
        signal.setitimer(signal.ITIMER_REAL, 0.003, 0.003)
        for _ in range(5):
            print(guest.exports.count(20_000_000))
        signal.setitimer(signal.ITIMER_REAL, 0)
    """)
    assert printed == "20000000\n" * 5


def test_references_survive_handlers_that_call_guests() -> None:
    wat = """(module
      (func $f (param i32 externref externref) (result externref) (local externref)
        (local.set 3 (local.get 1))
        (if (result externref) (local.get 0)
          (then (call $f (i32.sub (local.get 0) (i32.const 1)) (local.get 2) (local.get 3)))
          (else (local.get 3))))
      (func (export "g") (param i32 externref externref) (result externref) (local externref)
        (loop $l
          (local.set 3 (call $f (i32.const 100) (local.get 1) (local.get 2)))
          (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (local.get 3)))"""
    printed = run(f"""
        guest = runwell.Instance(runwell.Module({wat!r}))
        handled = []
        def handle(number, frame):
            assert guest.exports.g(2, "c", "d") == "c"
            handled.append(number)
        signal.signal(signal.SIGALRM, handle)
        signal.setitimer(signal.ITIMER_REAL, 0.003, 0.003)
        a, b = object(), object()
        for _ in range(4):
            assert guest.exports.g(60_000, a, b) is a
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(len(handled) > 3)
    """)
    assert printed == "True\n"


def test_handlers_that_are_set_while_a_guest_runs() -> None:
    printed = run("""
        def raise_it(number, frame):
            raise ZeroDivisionError
        def install():
            if not done:
                signal.signal(signal.SIGINT, raise_it)
                done.append(send(signal.SIGINT, 0.05))
        done = []
        guest = runwell.Instance(runwell.Module(WAT), {"env": {"call": install}})
        try:
            guest.exports.callbacks()
        except ZeroDivisionError:
            print("raised")
        wat = '''(module (import "" "f" (func $f))
            (func (export "g") (call $f) (loop $l (br $l))))'''
        def late():
            signal.signal(signal.SIGINT, signal.default_int_handler)
            send(signal.SIGINT, 0.05)
        guest = runwell.Instance(runwell.Module(wat), {"": {"f": late}})
        try:
            guest.exports.g()
        except KeyboardInterrupt:
            print("interrupted")
        print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
    """)
    assert printed == "raised\ninterrupted\nTrue\n"


def test_default_actions_still_end_the_process() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            PRELUDE
            + "signal.signal(signal.SIGINT, signal.SIG_DFL); send(signal.SIGINT, 0.05)\n"
            + "instance().exports.loop()",
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])},
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGINT


def test_a_guest_in_another_thread_does_not_keep_python_from_signals() -> None:
    printed = run("""
        guest = instance(deadline_s=5)
        thread = threading.Thread(target=lambda: guest.exports.loop(), daemon=True)
        thread.start()
        send(signal.SIGINT, 0.05)
        try:
            time.sleep(3)
        except KeyboardInterrupt:
            print("interrupted")
        sys.stdout.flush()
        os._exit(0)
    """)
    assert printed == "interrupted\n"


def test_asyncio_keeps_its_signals() -> None:
    printed = run("""
        import asyncio
        async def main():
            loop = asyncio.get_running_loop()
            stopped = asyncio.Event()
            loop.add_signal_handler(signal.SIGUSR1, stopped.set)
            guest = instance(deadline_s=0.1)
            send(signal.SIGUSR1, 0.02)
            try:
                guest.exports.loop()
            except runwell.DeadlineExceeded:
                print("deadline")
            await asyncio.wait_for(stopped.wait(), 5)
            print("signal")
        asyncio.run(main())
    """)
    assert printed == "deadline\nsignal\n"


def test_forked_processes_listen_too() -> None:
    printed = run("""
        guest = instance(deadline_s=5)
        guest.exports.count(1_000_000)
        child = os.fork()
        if child == 0:
            try:
                send(signal.SIGINT, 0.02)
                guest.exports.loop()
            except KeyboardInterrupt:
                guest.deadline_s = 0.02
                try:
                    guest.exports.recursion()
                except runwell.DeadlineExceeded:
                    os._exit(7)
            os._exit(1)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """)
    assert printed == "7\n"
