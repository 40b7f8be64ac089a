"""What Runwell tells ``logging``, and that it leaves programs alone that have no use for it."""

import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest

import runwell
from runwell.base import log
from runwell.jit.workers import Workers

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
LOOP = """(func (export "spin") (param $n i64) (result i64) (local $i i64)
  (loop $l
    (local.set $i (i64.add (local.get $i) (i64.const 1)))
    (br_if $l (i64.lt_u (local.get $i) (local.get $n))))
  (local.get $i))
(func (export "deep") (call 1))
(func (export "fail") unreachable)"""


def unseen(name: str = "plugin") -> str:
    """A module that nobody has compiled before."""
    return f'(module ${name} (@custom "unique" "{uuid4()}") {LOOP})'


def instance(text: str, **config) -> runwell.Instance:
    engine = runwell.Engine(runwell.Config(**config))
    return runwell.Instance(runwell.Module(text, engine=engine))


@pytest.fixture
def records(caplog):
    log.flush()  # what is left of others
    caplog.set_level(logging.DEBUG, "runwell")
    return caplog


def messages(records, logger: str) -> list[tuple[str, str]]:
    """Level and text of what a logger got; others in this process may still be compiled."""
    return [
        (r.levelname, r.getMessage())
        for r in records.records
        if r.name == f"runwell.{logger}" and "a module of " not in r.getMessage()
    ]


def test_modules(records):
    runwell.Module(unseen())
    ((level, text),) = messages(records, "module")
    assert level == "INFO"
    assert text.startswith("plugin: 3 functions, ready in ")


def test_compilation_of_a_whole_module(records):
    text = unseen()
    instance(text, engine="jit")
    (unit, summary) = messages(records, "jit")
    assert unit[0] == "DEBUG"
    assert unit[1].startswith("compiled spin and 2 more of plugin at BEST in ")
    assert summary[0] == "INFO"
    assert summary[1].startswith("plugin: compiled all that can be in ")
    records.clear()
    instance(text, engine="jit")
    assert messages(records, "jit")[0] == (
        "INFO", "plugin: 1 pieces of compiled code from the cache"
    )  # fmt: skip


def test_compiler_processes(records):
    workers = Workers("runwell.jit.compile:compile_encoded", 1)
    workers.warm()
    end = time.monotonic() + 60
    while not workers.are_ready():
        time.sleep(0.01)
        assert time.monotonic() < end
    (pid,) = workers.pids()
    workers.close()
    said = messages(records, "jit.workers")
    assert ("DEBUG", f"started compiler process {pid}") in said
    assert ("DEBUG", f"ended compiler process {pid}: signal 9") in said


def test_compiler_processes_that_cannot_be_started(records, monkeypatch):
    monkeypatch.setattr("runwell.jit.workers.find_python", lambda: None)
    workers = Workers("runwell.jit.compile:compile_encoded", 1)
    workers.warm()
    end = time.monotonic() + 60
    while not workers.problem:
        time.sleep(0.01)
        assert time.monotonic() < end
    workers.close()
    text = "there is no Python program to start; code is compiled in a thread from now on"
    assert ("WARNING", text) in messages(records, "jit.workers")


def test_compilation_of_what_is_hot(records):
    guest = instance(unseen(), compiler="thread")
    end = time.monotonic() + 60
    while not any("compiled spin" in text for _, text in messages(records, "jit")):
        guest.exports.spin(1_000_000)
        assert time.monotonic() < end


def test_functions_that_are_given_up(records, monkeypatch):
    from runwell.jit import compiler

    monkeypatch.setattr(compiler, "FUNCTION", "runwell.jit.compile:no_such_function")
    monkeypatch.setattr(compiler, "_shared", {})
    instance(unseen(), engine="jit", compiler="thread")
    given_up = [text for level, text in messages(records, "jit") if level == "INFO"]
    assert given_up[0].startswith("gave up on spin and 2 more of plugin at BEST after ")
    assert "AttributeError" in given_up[0]


def test_traps_and_limits(records):
    guest = instance(unseen(), deadline_s=0.02, max_frames=100)
    for name, arguments in (("spin", (1 << 62,)), ("deep", ()), ("fail", ())):
        with pytest.raises(runwell.Trap):
            guest.exports[name](*arguments)
    with pytest.raises(runwell.OutOfFuel):
        instance(unseen(), fuel=100).exports.spin(1000)
    assert messages(records, "limit") == [
        ("INFO", "stopped: deadline exceeded"),
        ("INFO", "stopped: call stack exhausted"),
        ("INFO", "stopped: all fuel consumed"),
    ]
    assert messages(records, "trap") == [("DEBUG", "stopped: unreachable")]


def test_instances(records):
    guest = instance(unseen())
    address = f"{guest._native.address:#x}"
    guest.close()
    del guest
    texts = [text for _, text in messages(records, "instance")]
    assert f"closing the instance at {address} of plugin" in texts
    assert f"freed the instance at {address}" in texts


def test_instances_that_are_too_many(records):
    engine = runwell.Engine(runwell.Config(max_instances=1))
    module = runwell.Module("(module)", engine=engine)
    kept = runwell.Instance(module)
    with pytest.raises(runwell.LinkError):
        runwell.Instance(module)
    assert ("INFO", "refused an instance: the engine allows 1 at once") in messages(
        records, "limit"
    )
    kept.close()


def test_pools(records):
    with runwell.Module(unseen()).instantiate_pool(1) as pool:
        lent = pool.acquire()
        with pytest.raises(TimeoutError):
            pool.acquire(0)
        spin = lent.exports.spin
        view = lent.exports
        lent.close()
        del spin, view
    assert messages(records, "pool")[0] == ("DEBUG", "made 1 instances of plugin")
    assert messages(records, "limit") == [("INFO", "all 1 instances of a pool are in use")]


UNINVOLVED = """
import sys
import runwell
text = '''(module (func $f (export "f") (param i32) (result i32)
  (if (result i32) (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1))))
    (else unreachable))))'''
for engine in "interpreter", "tiered", "jit":
    config = runwell.Config(engine=engine, deadline_s=1.0, max_frames=10)
    guest = runwell.Instance(runwell.Module(text, engine=runwell.Engine(config)))
    for n in 1, 100:
        try:
            guest.exports.f(n)
        except runwell.Trap as trap:
            print(trap.code.name)
    guest.close()
assert "logging" not in sys.modules
"""


def test_it_is_not_imported_for_us():
    done = subprocess.run(
        [sys.executable, "-c", UNINVOLVED], env=ENVIRONMENT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "UNREACHABLE\nSTACK_EXHAUSTED\n" * 3


CONFIGURED = """
import logging
import runwell
guest = runwell.Instance(runwell.Module("(module)"))
guest.close()
del guest
assert not logging.getLogger("runwell").handlers and not logging.getLogger().handlers
assert logging.getLogger("runwell").level == logging.NOTSET
"""


def test_nothing_is_configured():
    done = subprocess.run(
        [sys.executable, "-c", CONFIGURED], env=ENVIRONMENT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


FORKS = """
import logging, os, sys, time
import runwell
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
text = '''(module (@custom "unique" "UNIQUE") (func (export "f") (param i32)
  (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))'''
for n in range(15):
    module = runwell.Module(text.replace("UNIQUE", f"UNIQUE {n}"))
    runwell.Instance(module).exports.f(3_000_000)
    child = os.fork()
    if child == 0:
        runwell.Instance(module).exports.f(1000)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
print("done")
"""


def test_forks_while_compilers_log():
    done = subprocess.run(
        [sys.executable, "-c", FORKS.replace("UNIQUE", str(uuid4()), 1)], env=ENVIRONMENT,
        capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
