"""Signals reach Python's handler and the watcher; in processes of their own."""

import os
import subprocess
import sys

import pytest

HEAD = """
import ctypes, os, signal
from runwell.codegen.testing import bind
from runwell.kernel.types import ctype_of
from runwell.runtime import chain_kernels
from runwell.runtime.chain_kernels import Watch

kernels = bind(chain_kernels.chain_signals, chain_kernels.learn_handler,
    chain_kernels.on_signal, chain_kernels.watch)
watch = ctype_of(Watch).from_address(kernels.address("watch"))
got = []

def handle(number, frame):
    got.append(number)

def handler_of(number):
    buffer = (ctypes.c_uint64 * 20)()
    assert ctypes.CDLL(None).sigaction(number, None, buffer) == 0
    return buffer[0]

def send(number):
    os.kill(os.getpid(), number)
    for _ in range(1000):
        pass
"""


@pytest.fixture(scope="module")
def run():
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

    return run


def test_nothing_changes_before_a_handler_is_known(run):
    assert run(
        """
signal.signal(signal.SIGUSR1, handle)
before = handler_of(signal.SIGUSR1)
print(kernels.chain_signals(True), handler_of(signal.SIGUSR1) == before)
send(signal.SIGUSR1)
print(len(got), watch.signals)
"""
    ) == ["False", "True", "1", "0"]


def test_pythons_handler_is_called_and_the_watcher_told(run):
    assert (
        run(
            """
signal.signal(signal.SIGUSR1, handle)
kernels.learn_handler(signal.SIGUSR1)
print(watch.python_handler == handler_of(signal.SIGUSR1))
print(kernels.chain_signals(False), handler_of(signal.SIGUSR1) == watch.python_handler)
print(kernels.chain_signals(True), handler_of(signal.SIGUSR1) == watch.python_handler)
print(kernels.chain_signals(True))
for n in range(3):
    send(signal.SIGUSR1)
print(got == [signal.SIGUSR1] * 3, watch.signals, watch.word)
"""
        )
        == "True True True True False False True 3 3".split()
    )


def test_only_what_python_handles_is_changed(run):
    assert run(
        """
signal.signal(signal.SIGUSR1, handle)
signal.signal(signal.SIGUSR2, signal.SIG_IGN)
kernels.learn_handler(signal.SIGUSR1)
others = [n for n in range(1, 65) if n not in (9, 19, 32, 33)
    and handler_of(n) != watch.python_handler]
before = [handler_of(n) for n in others]
kernels.chain_signals(True)
print(before == [handler_of(n) for n in others], signal.SIGUSR2 in others)
"""
    ) == ["True", "True"]


def test_a_handler_that_is_set_later_is_noticed(run):
    assert (
        run(
            """
signal.signal(signal.SIGUSR1, handle)
kernels.learn_handler(signal.SIGUSR1)
kernels.chain_signals(True)
later = []
signal.signal(signal.SIGUSR1, lambda number, frame: later.append(number))
print(kernels.chain_signals(False))
send(signal.SIGUSR1)
print(len(later), watch.signals)
kernels.chain_signals(True)
send(signal.SIGUSR1)
print(len(later), watch.signals, len(got))
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
print(kernels.chain_signals(True))
"""
        )
        == "True 1 0 2 1 0 False".split()
    )


def test_learning_from_our_own_handler_changes_nothing(run):
    assert run(
        """
signal.signal(signal.SIGUSR1, handle)
kernels.learn_handler(signal.SIGUSR1)
known = watch.python_handler
kernels.chain_signals(True)
kernels.learn_handler(signal.SIGUSR1)
print(watch.python_handler == known != 0)
"""
    ) == ["True"]


def test_the_error_number_survives(run):
    assert run(
        """
signal.signal(signal.SIGUSR1, handle)
kernels.learn_handler(signal.SIGUSR1)
kernels.chain_signals(True)
libc = ctypes.CDLL(None, use_errno=True)
ctypes.set_errno(0)
libc.close(-1)
libc.raise_(signal.SIGUSR1) if hasattr(libc, "raise_") else libc["raise"](signal.SIGUSR1)
print(ctypes.get_errno() in (0, 9))
place = libc.__errno_location
place.restype = ctypes.POINTER(ctypes.c_int)
place()[0] = 77
kernels.on_signal(signal.SIGUSR1)
print(place()[0])
"""
    ) == ["True", "77"]
