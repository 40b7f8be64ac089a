"""Whatever can be called lives: instances linked at random, dropped at random, and called.

In a process of its own whose freed memory is overwritten, so that what is used after it was freed
does not work by chance.
"""

import os
import subprocess
import sys

import pytest

PROGRAM = r'''
import gc, random, sys
import runwell
from runwell.runtime.instance import InstanceBody

rng = random.Random(int(sys.argv[1]))
OWNER = """(module (table (export "t") 8 funcref) (type $r (func (result i32)))
  (global (export "g") (mut funcref) (ref.null func))
  (func (export "take") (param funcref i32) (table.set (local.get 1) (local.get 0)))
  (func (export "give") (param i32) (result funcref) (table.get (local.get 0)))
  (func (export "call") (param i32) (result i32)
    (if (result i32) (ref.is_null (table.get (local.get 0)))
      (then (i32.const -1)) (else (call_indirect (type $r) (local.get 0))))))"""
USER = """(module (import "o" "t" (table 8 funcref)) (memory 1) (data (i32.const 0) "*")
  (global $n (mut i32) (i32.const 0))
  (func $f (export "f") (result i32) (global.set $n (i32.add (global.get $n) (i32.const 1)))
    (i32.add (i32.load8_u (i32.const 0)) (i32.const %d)))
  (elem (i32.const %d) $f))"""
RELAY = """(module (import "o" "f" (func $f (result i32)))
  (func (export "f") (result i32) (call $f)))"""
GIVER = """(module (import "o" "take" (func $t (param funcref i32)))
  (func $f (export "f") (result i32) i32.const 77) (elem declare func $f)
  (func (export "go") (param i32) (call $t (ref.func $f) (local.get 0))))"""
modules, live = {}, []


def make(text, owner=None):
    if text not in modules:
        modules[text] = runwell.Module(text)
    return runwell.Instance(modules[text], {"o": owner} if owner else {})


def pick(name):
    found = [x for x in live if isinstance(x, runwell.Instance) and name in x.exports]
    return rng.choice(found) if found else None


def act():
    n = rng.randrange(8)
    op = rng.randrange(10)
    owner, user, taker = pick("t"), pick("f"), pick("take")
    if op < 2:
        live.append(make(OWNER))
    elif op == 2 and owner:
        live.append(make(USER % (rng.randrange(4), n), owner))
    elif op == 3 and user:
        live.append(make(RELAY, user))
    elif op == 4 and taker:
        giver = make(GIVER, taker)
        giver.exports.go(n)
        if rng.random() < 0.5:
            live.append(giver)
    elif op == 5 and taker and user:
        taker.exports.take(user.exports.f, n)
    elif op == 6 and owner:
        f = owner.exports.give(n)
        if f is not None:
            live.append(f)
    elif op == 7 and owner and user:
        owner.exports.g.value = user.exports.f
    elif op == 8 and owner:
        live.append(owner.exports.t)
    elif op == 9 and owner:
        owner.exports.t[n] = runwell.Func(lambda: 5, "() -> i32")


def use(x):
    if isinstance(x, runwell.Instance):
        if "call" in x.exports:
            return [x.exports.call(k) for k in range(8)]
        return [x.exports.f()]
    if isinstance(x, runwell.Func):
        return [x()]
    return [-1 if f is None else f() for f in x]


for _ in range(600):
    act()
    while len(live) > 25 or (live and rng.random() < 0.3):
        live.pop(rng.randrange(len(live)))
    if rng.random() < 0.02:
        gc.collect()
    for x in live:
        assert all(r in (-1, 5, 42, 43, 44, 45, 77) for r in use(x))
del live, x
gc.collect()
print(sum(isinstance(x, InstanceBody) for x in gc.get_objects()))
'''


@pytest.mark.parametrize("seed", range(3))
def test_what_can_be_called_lives(seed):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(seed)],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "PYTHONMALLOC": "malloc",
            "MALLOC_PERTURB_": "165",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr
