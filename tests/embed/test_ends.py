"""However a program ends whose functions are being compiled, nothing of it is left."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest

# Big enough that compilers have something to do, and hot at once; new in each process.
HOST = """
import os, random, signal, sys, threading, time
import runwell
seed, engine, how = int(sys.argv[1]), sys.argv[2], sys.argv[3]
rng = random.Random(seed)
steps = "".join(
    f"(local.set {1 + i % 8} (i32.add (i32.mul (local.get {1 + i * 3 % 8}) (i32.const {i + 3}))"
    f" (local.get {1 + i * 5 % 8})))" for i in range(400)
)
functions = "".join(
    f'''(func $f{n} (export "f{n}") (param i32) (result i32)
      (local i32 i32 i32 i32 i32 i32 i32 i32)
      (local.set 3 (i32.const {rng.randrange(1 << 30)}))
      (loop $l {steps} (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
      (i32.div_u (local.get 1) (local.get 0)))''' for n in range(6)
)
text = f"(module {functions})"

def end():
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "exit":
        os._exit(3)
    if how == "interrupt":
        os.kill(os.getpid(), signal.SIGINT)
    if how == "fork":
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        os._exit(3)

def main():
    print("ready", flush=True)
    if how in ("kill", "exit", "interrupt", "fork"):
        threading.Timer(rng.random() * 0.6, end).start()
    engine_ = runwell.Engine(runwell.Config(engine=engine))
    while True:
        module = runwell.Module(text, engine=engine_)
        instance = runwell.Instance(module)
        until = time.monotonic() + 0.3 * rng.random()
        while time.monotonic() < until or how not in ("trap", "close"):
            for n in range(6):
                try:
                    instance.exports[f"f{n}"](2000)
                except runwell.Trap as trap:
                    if how == "trap" and time.monotonic() > until:
                        raise
                    assert trap.code.name == "INTEGER_DIVIDE_BY_ZERO", trap
        instance.close()
        del instance, module
        if how == "close":
            return

runwell.Instance(runwell.Module("(module)"))
main()
"""
ENDS = {"kill": -signal.SIGKILL, "exit": 3, "interrupt": None, "fork": 3, "trap": 1, "close": 0}


def members(session):
    """Processes of a session that are still there."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(int(entry.name))
    return found


@pytest.mark.parametrize("engine", ["tiered", "jit"])
@pytest.mark.parametrize("how", ENDS)
def test_nothing_is_left(how, engine, tmp_path):
    seed = random.Random(f"{how} {engine} {uuid4()}").randrange(1 << 30)
    shared = sorted(os.listdir("/dev/shm"))
    host = subprocess.Popen(
        [sys.executable, "-c", HOST, str(seed), engine, how],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        start_new_session=True,
    )
    _, errors = host.communicate(timeout=120)
    wanted = ENDS[how]
    if wanted is None:
        assert host.returncode in (1, -signal.SIGINT), (seed, errors)
    else:
        assert host.returncode == wanted, (seed, errors)
    end = time.monotonic() + 30
    while members(host.pid):
        assert time.monotonic() < end, (seed, members(host.pid))
        time.sleep(0.05)
    assert list(tmp_path.iterdir()) == []
    # Others come and go, but nothing is called like us.
    assert not [x for x in os.listdir("/dev/shm") if x not in shared and "runwell" in x]


FLAT = """
import gc, json, os, runwell
from runwell.jit.installed import totals
from runwell.jit.watch import watch
engine = runwell.Engine(runwell.Config(engine="jit"))

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

def maps():
    with open("/proc/self/maps") as file:
        return len(file.readlines())

def one(n):
    text = f'''(module (func (export "f") (param i32) (result i32)
      (i32.add (local.get 0) (i32.const {n}))))'''
    instance = runwell.Instance(runwell.Module(text, engine=engine))
    assert instance.exports.f(1) == n + 1
    assert instance.module.code.tier.function(0).level is not None

def after(first, last):
    for n in range(first, last):
        one(n)
    gc.collect()
    return totals().mapped_bytes, totals().blocks, len(watch._modules), maps(), resident()

some = after(0, 200)
more = after(200, 1000)
files = len(os.listdir("/proc/self/fd"))
print(json.dumps([*(b - a for a, b in zip(some, more)), files]))
"""


def test_a_thousand_compiled_modules_stay_flat():
    done = subprocess.run([sys.executable, "-c", FLAT], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    mapped, blocks, watched, maps, resident, files = json.loads(done.stdout)
    assert (mapped, blocks, watched) == (0, 0, 0), done.stdout
    assert maps < 20
    assert resident < 16 << 20
    assert files < 40
