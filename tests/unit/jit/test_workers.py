"""Compiler processes: what they answer, and how they end."""

import contextlib
import errno
import gc
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from queue import Empty, SimpleQueue

import pytest
from tests.unit.jit.jobs import FUNCTION, job

from runwell.elf.movable import Movable
from runwell.jit import process as process_module
from runwell.jit import workers as workers_module
from runwell.jit.compiler import Outcome, Status, close_shared
from runwell.jit.workers import Workers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes as Linux has them")

PATIENCE_S = 60


class Pool:
    """Workers whose outcomes are waited for."""

    def __init__(self, jobs: int = 1, **settings) -> None:
        self.workers = Workers(FUNCTION, jobs, **settings)
        self.outcomes: SimpleQueue[tuple[object, Outcome]] = SimpleQueue()

    def submit(self, what: str = "compile", budget_s: float = 100, mark: object = None, **job_):
        return self.workers.submit(
            job(what, **job_), budget_s, lambda outcome: self.outcomes.put((mark, outcome))
        )

    def take(self) -> Outcome:
        return self.outcomes.get(timeout=PATIENCE_S)[1]

    def compile(self) -> Outcome:
        self.submit()
        return self.take()


@contextlib.contextmanager
def opened(jobs: int = 1, **settings):
    pool = Pool(jobs, **settings)
    try:
        yield pool
    finally:
        pids = pool.workers.pids()
        pool.workers.close()
        assert not any(is_alive(pid) for pid in pids)


def is_alive(pid: int) -> bool:
    """Also for a zombie, unless it is nobody's."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state[0] != "Z" or int(state[1]) == os.getpid()


def wait_until(condition) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_compiles():
    with opened() as pool:
        assert pool.workers.pids() == []
        outcome = pool.compile()
        assert outcome.status is Status.DONE
        assert [s.name for s in Movable(outcome.code).symbols] == ["f"]
        assert outcome.cpu_s >= 0
        first = pool.workers.pids()
        assert pool.compile().status is Status.DONE
        assert pool.workers.pids() == first


def test_several_processes():
    with opened(jobs=2) as pool:
        for n in range(20):
            pool.submit(mark=n)
        marks = {pool.outcomes.get(timeout=PATIENCE_S)[0] for _ in range(20)}
        assert marks == set(range(20))
        assert len(pool.workers.pids()) == 2


def test_large_jobs():
    """Larger than what a socket holds, both ways."""
    text = b"".join(
        b"define i64 @f%d(i64 %%x) {\n  %%y = add i64 %%x, %d\n  ret i64 %%y\n}\n" % (n, n)
        for n in range(6000)
    )
    with opened() as pool:
        pool.submit(text=text)
        outcome = pool.take()
        assert outcome.status is Status.DONE
        assert len(Movable(outcome.code).symbols) == 6000


def test_refusals():
    with opened() as pool:
        pool.submit("refuse")
        assert pool.take()[:3] == (Status.REFUSED, b"", "ValueError: not this one")
        pool.submit(text=b"nonsense")
        outcome = pool.take()
        assert outcome.status is Status.REFUSED
        assert "expected top-level entity" in outcome.message
        assert pool.compile().status is Status.DONE
        assert pool.workers.started == 1


def test_a_crash_is_one_jobs_failure():
    with opened() as pool:
        pool.submit("abort")
        pool.submit("compile")
        outcome = pool.take()
        assert outcome.status is Status.CRASHED
        assert outcome.message.startswith(f"signal {signal.SIGABRT.value}: ")
        assert "about to die" in outcome.message
        assert pool.take().status is Status.DONE
        assert pool.workers.started == 2


def test_a_fatal_error_of_llvm_is_one_jobs_failure():
    """It ends the process over assembly that it cannot read."""
    text = b'define void @f() {\n  call void asm sideeffect "nonsense", ""()\n  ret void\n}\n'
    with opened() as pool:
        pool.submit(text=text)
        outcome = pool.take()
        assert outcome.status is Status.CRASHED
        assert "invalid instruction mnemonic" in outcome.message
        assert pool.compile().status is Status.DONE


def test_killed_from_outside():
    with opened() as pool:
        pool.submit("hang")
        wait_until(pool.workers.pids)
        pid = pool.workers.pids()[0]
        wait_until(lambda: Path(f"/proc/{pid}/comm").read_text() == "runwell-jit\n")
        # Ready means that it has the job; before that, the job would go to the next process.
        wait_until(pool.workers.are_ready)
        os.kill(pid, signal.SIGKILL)
        outcome = pool.take()
        assert (outcome.status, outcome.message) == (Status.CRASHED, "signal 9")
        assert not is_alive(pid)
        assert pool.compile().status is Status.DONE


def test_pauses_between_crashes_grow(monkeypatch):
    monkeypatch.setattr(workers_module, "PAUSE_S", 0.05)
    with opened() as pool:
        times = []
        for _ in range(4):
            pool.submit("abort")
            assert pool.take().status is Status.CRASHED
            times.append(pool.workers.pause_s())
        assert times[0] < times[1] < times[2] < times[3]
        assert pool.compile().status is Status.DONE


@pytest.mark.parametrize("what", ["hang", "sleep"])
def test_overrun_is_killed(what, monkeypatch):
    """Of processor time; one that uses none is stuck sooner or later."""
    monkeypatch.setattr(process_module, "_STUCK_S", 0.5)
    with opened() as pool:
        assert pool.compile().status is Status.DONE
        pid = pool.workers.pids()[0]
        pool.submit(what, budget_s=0.05)
        outcome = pool.take()
        assert outcome.status is Status.OVERRUN
        assert outcome.cpu_s >= (0.05 if what == "hang" else 0)
        assert not is_alive(pid)
        assert pool.compile().status is Status.DONE


def test_starting_is_not_the_jobs_time():
    with opened() as pool:
        pool.submit(budget_s=0.03, text=b"define void @f() { ret void }")
        assert pool.take().status is Status.DONE


def test_cancelled_while_it_runs():
    with opened() as pool:
        ticket = pool.submit("hang")
        waiting = pool.submit("compile", mark="waiting")
        wait_until(pool.workers.are_ready)
        pool.workers.cancel(ticket)
        assert pool.take().status is Status.CANCELLED
        assert pool.take().status is Status.DONE
        del waiting


def test_cancelled_while_it_waits():
    with opened() as pool:
        running = pool.submit("hang")
        waiting = pool.submit("compile")
        pool.workers.cancel(waiting)
        assert pool.take().status is Status.CANCELLED
        pool.workers.cancel(running)
        assert pool.take().status is Status.CANCELLED


def test_memory_is_limited():
    with opened(memory_bytes=500 << 20) as pool:
        pool.submit("grow")
        outcome = pool.take()
        assert outcome.status in (Status.REFUSED, Status.CRASHED)
        if outcome.status is Status.REFUSED:
            assert "MemoryError" in outcome.message
        assert pool.compile().status is Status.DONE


def test_processes_that_keep_much_are_replaced(monkeypatch):
    monkeypatch.setattr(workers_module, "RESIDENT_BYTES", 1)
    with opened() as pool:
        assert pool.compile().status is Status.DONE
        assert pool.compile().status is Status.DONE
        assert pool.workers.started == 2


def test_idle_processes_end():
    with opened(idle_s=0.05) as pool:
        assert pool.compile().status is Status.DONE
        wait_until(lambda: not pool.workers.pids())
        assert pool.compile().status is Status.DONE


def test_warming_up():
    with opened() as pool:
        pool.workers.warm()
        wait_until(pool.workers.are_ready)
        pool.workers.warm()
        assert pool.compile().status is Status.DONE
        assert pool.workers.started == 1


def test_who_warms_up_goes_on_when_the_process_is_started(monkeypatch):
    monkeypatch.setattr(workers_module, "LOOK_S", PATIENCE_S)
    with opened() as pool:
        pool.workers.warm()
        assert len(pool.workers.pids()) == pool.workers.started == 1
        pool.workers.warm()
        pool.workers.close()
        pool.workers.warm()
        assert len(pool.workers.pids()) == 1


def test_who_warms_up_does_not_wait_for_a_thread_that_cannot_be_started(monkeypatch):
    def refuse(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(workers_module, "start_new_thread", refuse)
    pool = Pool()
    pool.workers.warm()
    assert pool.workers.pids() == []
    pool.workers.forget()


def test_pools_are_forgotten_with_their_owners():
    before = len(workers_module._pools)
    pool = Pool()
    assert len(workers_module._pools) == before + 1
    del pool
    gc.collect()
    assert len(workers_module._pools) <= before


def test_closing_in_the_middle_and_using_it_again():
    pool = Pool()
    pool.submit("hang")
    wait_until(pool.workers.are_ready)
    pids = pool.workers.pids()
    pool.workers.close()
    assert not any(is_alive(pid) for pid in pids)
    assert pool.compile().status is Status.DONE
    pool.workers.close()
    pool.workers.close()
    with pytest.raises(Empty):
        pool.outcomes.get_nowait()


def test_nothing_of_the_host_is_passed_on(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "x")
    leak = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(leak, True)
    try:
        with opened() as pool:
            pool.submit("files")
            # The connection, what it prints to, our modules if they are in one file, and the
            # directory that lists them.
            assert pool.take().message in ("ValueError: 0 1 2 3", "ValueError: 0 1 2 3 4")
            pool.submit("environment")
            assert "SECRET" not in pool.take().message
    finally:
        os.close(leak)


def test_what_can_wait_is_done_last():
    with opened() as pool:
        names, held = SimpleQueue(), threading.Event()

        def ask(name: str, *, is_urgent: bool) -> None:
            pool.workers.submit(job("refuse"), 100, lambda _: names.put(name), is_urgent=is_urgent)

        # Whoever tells outcomes gives no job away meanwhile.
        pool.workers.submit(job("refuse"), 100, lambda _: held.wait(PATIENCE_S))
        ask("later", is_urgent=False)
        ask("soon", is_urgent=True)
        ask("sooner", is_urgent=True)
        held.set()
        assert [names.get(timeout=PATIENCE_S) for _ in range(3)] == ["soon", "sooner", "later"]
        assert pool.workers.used_s() == 0


def test_what_can_wait_gives_way_to_what_follows(monkeypatch):
    monkeypatch.setattr("runwell.jit.workers.LEISURE_S", 3.0)
    with opened() as pool:
        names = SimpleQueue()

        def ask(name: str, *, is_urgent: bool = True) -> None:
            pool.workers.submit(job("refuse"), 100, lambda _: names.put(name), is_urgent=is_urgent)

        ask("first")
        ask("later", is_urgent=False)
        assert names.get(timeout=PATIENCE_S) == "first"
        ask("next")
        assert [names.get(timeout=PATIENCE_S) for _ in range(2)] == ["next", "later"]
        assert len(pool.workers.pids()) == 1


def test_files_are_closed():
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    close_shared()  # of tests before
    before = count()
    for _ in range(3):
        with opened(jobs=2) as pool:
            for what in ("compile", "abort", "compile"):
                pool.submit(what)
                pool.take()
    assert count() == before


def test_an_interrupt_from_the_keyboard_is_the_hosts():
    with opened() as pool:
        pool.submit("sleep")
        wait_until(pool.workers.pids)
        pid = pool.workers.pids()[0]
        os.kill(pid, signal.SIGINT)  # also while it starts
        wait_until(pool.workers.are_ready)
        os.kill(pid, signal.SIGINT)
        time.sleep(0.05)
        assert is_alive(pid)


HOST = """
import os, sys, time
from runwell.jit.workers import Workers
from tests.unit.jit.jobs import FUNCTION, job
workers = Workers(FUNCTION, 2)
for what in {what}:
    workers.submit(job(what), 100, lambda outcome: None)
while len(workers.pids()) < 2 or not workers.are_ready():
    time.sleep(0.01)
print(*workers.pids(), flush=True)
{then}
"""


def start_host(then: str, what: tuple[str, ...] = ("hang", "sleep")):
    host = subprocess.Popen(
        [sys.executable, "-c", HOST.format(then=then, what=what)], stdout=subprocess.PIPE, text=True
    )
    assert host.stdout is not None
    pids = [int(pid) for pid in host.stdout.readline().split()]
    assert len(pids) == 2
    return host, pids


@pytest.mark.parametrize(
    ("then", "code"),
    [
        ("time.sleep(1000)", -signal.SIGKILL),
        ("os._exit(3)", 3),
        ("sys.exit(4)", 4),
        ("raise ValueError", 1),
        ("os.abort()", -signal.SIGABRT),
        ("os.execv(sys.executable, [sys.executable, '-c', 'raise SystemExit(5)'])", 5),
    ],
)
def test_no_process_outlives_its_host(then, code):
    host, pids = start_host(f"sys.stderr = open(os.devnull, 'w')\n{then}")
    if code == -signal.SIGKILL:
        assert all(map(is_alive, pids))
        host.kill()
    assert host.wait(PATIENCE_S) == code
    host.stdout.close()
    wait_until(lambda: not any(map(is_alive, pids)))


REAPED = """
import os, signal, sys
from queue import SimpleQueue
from runwell.jit.workers import Workers
from tests.unit.jit.jobs import FUNCTION, job
def reap(*_):
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
signal.signal(signal.SIGCHLD, {action})
workers, done = Workers(FUNCTION, 1), SimpleQueue()
for what in ("compile", "abort", "hang", "compile"):
    workers.submit(job(what), 0.2, done.put)
    print(done.get(timeout=60).status.name.lower(), flush=True)
workers.close()
"""


@pytest.mark.parametrize("action", ["reap", "signal.SIG_IGN", "signal.SIG_DFL"])
def test_a_host_that_waits_for_all_children_itself(action):
    done = subprocess.run(
        [sys.executable, "-c", REAPED.format(action=action)],
        capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.stdout.split() == ["done", "crashed", "overrun", "done"], done.stderr
    assert done.stderr == ""


FORK = """
pid = os.fork()
if pid == 0:
    assert workers.pids() == []
    from queue import SimpleQueue
    done = SimpleQueue()
    workers.submit(job(), 100, done.put)
    outcome = done.get(timeout=60)
    mine = workers.pids()
    print(outcome.status.name.lower(), *mine, flush=True)
    {child}
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
print(*workers.pids(), flush=True)
done = []
workers.submit(job(), 100, done.append)
while not done:
    time.sleep(0.01)
print(done[0].status.name.lower(), flush=True)
"""


@pytest.mark.parametrize("child", ["os._exit(7)", "sys.exit(7)", "os.kill(os.getpid(), 9)"])
def test_a_forked_child_starts_its_own(child):
    host, pids = start_host(FORK.format(child=child), ("compile", "compile"))
    lines = host.stdout.read().split("\n")
    host.stdout.close()
    assert host.wait(PATIENCE_S) == 0
    status, *mine = lines[0].split()
    assert status == "done"
    assert mine
    assert not set(map(int, mine)) & set(pids)
    assert lines[1] == ("-9" if "kill" in child else "7")
    assert lines[2].split() == [str(pid) for pid in pids]
    assert lines[3] == "done"
    wait_until(lambda: not any(is_alive(int(pid)) for pid in [*mine, *pids]))


def test_without_a_python_to_start_a_thread_compiles(monkeypatch):
    monkeypatch.setattr(workers_module, "find_python", lambda: None)
    with opened() as pool:
        assert pool.compile().status is Status.DONE
        assert pool.workers.problem == "there is no Python program to start"
        pool.submit("refuse")
        assert pool.take().status is Status.REFUSED
        assert pool.workers.pids() == []


@pytest.mark.parametrize("line", [["/nonexistent"], [sys.executable, "-c", "print('no', 1 / 0)"]])
def test_processes_that_do_not_start(line, monkeypatch):
    monkeypatch.setattr(workers_module, "command", lambda python, code: line)
    monkeypatch.setattr(workers_module, "PAUSE_S", 0.01)
    with opened() as pool:
        assert pool.compile().status is Status.DONE
        assert ("ZeroDivisionError" if len(line) > 1 else "No such file") in pool.workers.problem
        assert pool.compile().status is Status.DONE


def test_processes_that_are_killed_while_they_start(monkeypatch):
    """No thread takes over: who kills them has a reason."""
    monkeypatch.setattr(workers_module, "PAUSE_S", 0.001)
    command, killed = workers_module.command, []

    def kill_some(python, code):
        if len(killed) < 5:
            killed.append(1)
            return [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]
        return command(python, code)

    monkeypatch.setattr(workers_module, "command", kill_some)
    with opened() as pool:
        assert pool.compile().status is Status.DONE
        assert pool.workers.problem == ""
        assert pool.workers.started == 6


def test_a_start_that_fails_for_a_moment(monkeypatch):
    calls = []
    start = workers_module.Process

    def fail_once(line):
        calls.append(line)
        if len(calls) == 1:
            raise OSError(errno.EAGAIN, "no room")
        return start(line)

    monkeypatch.setattr(workers_module, "Process", fail_once)
    with opened() as pool:
        assert pool.compile().status is Status.DONE
        assert pool.workers.problem == ""
        assert len(pool.workers.pids()) == 1


def test_who_is_told_may_fail(monkeypatch):
    seen = SimpleQueue()
    monkeypatch.setattr(sys, "excepthook", lambda *error: seen.put(error[0]))
    with opened() as pool:
        pool.workers.submit(job(), 100, lambda outcome: 1 / 0)
        assert seen.get(timeout=PATIENCE_S) is ZeroDivisionError
        assert pool.compile().status is Status.DONE


def test_jobs():
    with pytest.raises(ValueError, match="at least 1"):
        Workers(FUNCTION, 0)


def test_every_job_has_one_outcome_whatever_happens(monkeypatch):
    """Some crash, some overrun, some are cancelled at any time, processes are killed in between."""
    monkeypatch.setattr(workers_module, "PAUSE_S", 0.001)
    monkeypatch.setattr(workers_module, "LONGEST_PAUSE_S", 0.01)
    chance = random.Random(3)
    kinds = ["compile"] * 6 + ["refuse", "abort", "hang"]
    with opened(jobs=2) as pool:
        tickets = []
        for n in range(60):
            what = chance.choice(kinds)
            budget_s = 0.02 if what == "hang" else 100
            tickets.append((pool.submit(what, budget_s, mark=n), what))
            if chance.random() < 0.2:
                pool.workers.cancel(chance.choice(tickets)[0])
            if chance.random() < 0.05 and pool.workers.are_ready():
                for pid in pool.workers.pids():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            time.sleep(chance.random() * 0.02)
        outcomes = dict(pool.outcomes.get(timeout=PATIENCE_S) for _ in tickets)
        assert set(outcomes) == set(range(60))
        assert all(ticket.data == b"" for ticket, _ in tickets)
        for n, (_, what) in enumerate(tickets):
            allowed = {
                "compile": {Status.DONE},
                "refuse": {Status.REFUSED},
                "abort": {Status.CRASHED},
                "hang": {Status.OVERRUN},
            }[what] | {Status.CANCELLED, Status.CRASHED}
            assert outcomes[n].status in allowed
        assert pool.compile().status is Status.DONE
    with pytest.raises(Empty):
        pool.outcomes.get_nowait()
