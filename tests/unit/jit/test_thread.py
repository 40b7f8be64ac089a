"""The compiler in a thread."""

import os
import threading
import time
from queue import SimpleQueue

import pytest
from tests.unit.jit.jobs import FUNCTION, job

from runwell.elf.movable import Movable
from runwell.jit.compiler import Outcome, Status
from runwell.jit.thread import ThreadCompiler

PATIENCE_S = 60


@pytest.fixture
def compiler():
    compiler = ThreadCompiler(FUNCTION)
    yield compiler
    compiler.close()


def ask(compiler: ThreadCompiler, data: bytes) -> Outcome:
    done: SimpleQueue[Outcome] = SimpleQueue()
    compiler.submit(data, 100, done.put)
    return done.get(timeout=PATIENCE_S)


def test_compiles(compiler):
    outcome = ask(compiler, job())
    assert outcome.status is Status.DONE
    assert [s.name for s in Movable(outcome.code).symbols] == ["f"]
    assert outcome.cpu_s > 0
    assert ask(compiler, job("refuse"))[:3] == (Status.REFUSED, b"", "ValueError: not this one")
    assert ask(compiler, job()).status is Status.DONE
    compiler.close()
    assert ask(compiler, job()).status is Status.DONE


def test_its_processor_time_is_known(compiler):
    assert compiler.used_s() == 0
    first = ask(compiler, job()).cpu_s
    used = compiler.used_s()
    assert used >= first
    assert ask(compiler, job()).cpu_s + used <= compiler.used_s()


def test_cancelled(compiler):
    """A job that waits is not begun."""
    held, begun = threading.Event(), threading.Event()

    def hold(outcome: Outcome) -> None:
        begun.set()
        held.wait(PATIENCE_S)

    compiler.submit(job(), 100, hold)
    begun.wait(PATIENCE_S)
    done: SimpleQueue[Outcome] = SimpleQueue()
    compiler.cancel(compiler.submit(job(), 100, done.put))
    held.set()
    assert done.get(timeout=PATIENCE_S).status is Status.CANCELLED


def test_a_forked_child_has_its_own(compiler):
    assert ask(compiler, job()).status is Status.DONE
    pid = os.fork()
    if pid == 0:
        done: list[Outcome] = []
        compiler.submit(b"refuse\n", 100, done.append)
        while not done:
            time.sleep(0.001)
        os._exit(done[0].status is Status.REFUSED)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
    assert ask(compiler, job()).status is Status.DONE
