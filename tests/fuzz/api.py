"""Random use of the public API, beside a model of what must come of it.

    python -m tests.fuzz.api --examples 200 --steps 50
    python -m tests.fuzz.api --threads 4 --seconds 10

The first is a state machine of Hypothesis in one thread, where every result is known; the second
has threads do the same kinds of things to the same objects, where only crashes, hangs and errors of
other kinds than are documented count.  Both are meant for a process of their own.
"""

import argparse
import faulthandler
import gc
import random
import sys
import threading
import time

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

import runwell

WAT = """(module
  (type $box (struct (field (mut externref)) (field (mut (ref null $box)))))
  (type $unary (func (param i32) (result i32)))
  (import "env" "call" (func $call (param i32 externref) (result externref)))
  (tag $e (export "tag") (param i32 externref))
  (memory (export "memory") 1 20)
  (table $t (export "things") 4 60 externref)
  (table $f (export "functions") 4 60 funcref)
  (global $n (export "number") (mut i64) (i64.const 0))
  (global $x (export "thing") (mut externref) (ref.null extern))
  (global $list (mut (ref null $box)) (ref.null $box))
  (data (i32.const 8) "begin")
  (func $add (export "add") (type $unary) (i32.add (local.get 0) (i32.const 1)))
  (func (export "put") (param i32 externref) (table.set $t (local.get 0) (local.get 1)))
  (func (export "get") (param i32) (result externref) (table.get $t (local.get 0)))
  (func (export "grow_table") (param externref i32) (result i32)
    (table.grow $t (local.get 0) (local.get 1)))
  (func (export "push") (param externref)
    (global.set $list (struct.new $box (local.get 0) (global.get $list))))
  (func (export "pop") (result externref) (local $top (ref null $box))
    (local.set $top (global.get $list))
    (global.set $list (struct.get $box 1 (local.get $top)))
    (struct.get $box 0 (local.get $top)))
  (func (export "garbage") (param i32)
    (loop $l (drop (struct.new $box (global.get $x) (ref.null $box)))
      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
  (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
  (func (export "store") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "indirect") (param i32 i32) (result i32)
    (call_indirect $f (type $unary) (local.get 1) (local.get 0)))
  (func (export "call") (param i32 externref) (result externref)
    (call $call (local.get 0) (local.get 1)))
  (func (export "throw") (param i32 externref) (throw $e (local.get 0) (local.get 1)))
  (func (export "catch") (param i32 externref) (result i32 externref)
    (block $h (result i32 externref)
      (try_table (catch $e $h)
        (call $call (local.get 0) (local.get 1)) (drop))
      (i32.const -1) (ref.null extern)))
  (func $deep (export "deep") (param i32) (result i32)
    (if (result i32) (local.get 0)
      (then (call $deep (i32.sub (local.get 0) (i32.const 1))))
      (else (i32.const 5))))
)"""
LINKED = """(module
  (import "other" "memory" (memory 1 20))
  (import "other" "things" (table $t 4 60 externref))
  (import "other" "number" (global $n (mut i64)))
  (import "other" "add" (func $add (param i32) (result i32)))
  (import "other" "put" (func $put (param i32 externref)))
  (func (export "add2") (param i32) (result i32) (call $add (call $add (local.get 0))))
  (func (export "put") (param i32 externref) (call $put (local.get 0) (local.get 1)))
  (func (export "get") (param i32) (result externref) (table.get $t (local.get 0)))
  (func (export "count") (global.set $n (i64.add (global.get $n) (i64.const 1))))
  (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0))))"""
# What a use of the API may end with.
EXPECTED = (
    runwell.RunwellError,
    TypeError,
    ValueError,
    OverflowError,
    IndexError,
    ReferenceError,
    AttributeError,
    KeyError,
    BufferError,
    RecursionError,
    MemoryError,
    TimeoutError,
)


class Thing:
    """An object that guests have; its end may do something."""

    last = None

    def __del__(self):
        if self.last is not None:
            self.last()


class BoomError(Exception):
    """What callbacks raise."""


def modules():
    """The modules, prepared by each engine."""
    found = []
    for engine in ("interpreter", "tiered", "jit"):
        configured = runwell.Engine(runwell.Config(engine=engine, max_heap_bytes=4 << 20))
        found.append([runwell.Module(wat, engine=configured) for wat in (WAT, LINKED)])
    return found


MODULES = modules()


class Guest:
    """An instance, and what it must be like."""

    def __init__(self, engine, call):
        self.engine = engine
        self.instance = runwell.Instance(MODULES[engine][0], {"env": {"call": call}})
        self.exports = self.instance.exports
        self.things, self.functions = [None] * 4, [None] * 4
        self.stack, self.memory, self.pages = [], {8 + i: c for i, c in enumerate(b"begin")}, 1
        self.number, self.thing = 0, None
        self.views = []
        self.is_lent = False


class Machine(RuleBasedStateMachine):
    """One thread: all results are known."""

    def __init__(self):
        super().__init__()
        self.guests, self.linked, self.errors = [], [], []
        self.action = None

    def teardown(self):
        for guest in self.guests:
            guest.views.clear()
        self.guests.clear()
        self.linked.clear()
        self.errors.clear()
        gc.collect()

    def guest(self, data):
        if not self.guests:
            self.new(0)
        return self.guests[data % len(self.guests)]

    def called(self, how, thing):
        """What the guests import."""
        if self.action is not None:
            action, self.action = self.action, None
            action()
        if how == 1:
            raise BoomError
        return thing

    @rule(engine=st.integers(0, 2))
    def new(self, engine):
        if len(self.guests) < 5:
            self.guests.append(Guest(engine, self.called))

    @rule(which=st.integers(0, 9))
    def drop(self, which):
        if self.guests:
            self.guests.pop(which % len(self.guests))

    @rule(which=st.integers(0, 9), again=st.booleans())
    def close(self, which, again):
        if self.guests:
            guest = self.guests.pop(which % len(self.guests))
            add, memory = guest.exports.add, guest.exports.memory
            guest.instance.close()
            if again:
                guest.instance.close()
            uses = [lambda: add(1), guest.instance.collect, lambda: memory.read(0, 1)]
            # What another one has imported lives on.
            for use in uses[: 2 + (not guest.is_lent)]:
                refused(use, runwell.ClosedError)
            for view, start, content in guest.views:
                assert bytes(view[start : start + len(content)]) == content
            for other, theirs in self.linked:
                if theirs is guest:
                    assert other.exports.add2(3) == 5

    @rule(which=st.integers(0, 9), n=st.integers(-(2**31), 2**31 - 2))
    def add(self, which, n):
        assert self.guest(which).exports.add(n) == n + 1

    @rule(which=st.integers(0, 9), i=st.integers(0, 70), by_python=st.booleans())
    def put(self, which, i, by_python):
        guest, thing = self.guest(which), Thing()
        if i < len(guest.things):
            if by_python:
                guest.exports.things[i] = thing
            else:
                guest.exports.put(i, thing)
            guest.things[i] = thing
        elif by_python:
            refused(lambda: guest.exports.things[i], IndexError)
        else:
            refused(lambda: guest.exports.put(i, thing), runwell.Trap)

    @rule(which=st.integers(0, 9))
    def look(self, which):
        guest = self.guest(which)
        for i, thing in enumerate(guest.things):
            assert guest.exports.get(i) is thing
            assert guest.exports.things[i] is thing
        assert guest.exports.thing.value is guest.thing
        assert guest.exports.number.value == guest.number
        for at, byte in guest.memory.items():
            assert guest.exports.load(at) == byte
        assert len(guest.exports.memory) == guest.pages << 16

    @rule(which=st.integers(0, 9), by=st.integers(0, 30), by_python=st.booleans())
    def grow_things(self, which, by, by_python):
        guest, thing = self.guest(which), Thing()
        old = len(guest.things)
        if by_python:
            grown = True
            try:
                guest.exports.things.grow(by, thing)
            except runwell.RunwellError:
                grown = False
        else:
            grown = guest.exports.grow_table(thing, by) == old
        assert grown == (old + by <= 60)
        if grown:
            guest.things += [thing] * by

    @rule(which=st.integers(0, 9))
    def push(self, which):
        guest, thing = self.guest(which), Thing()
        guest.exports.push(thing)
        guest.stack.append(thing)

    @rule(which=st.integers(0, 9))
    def pop(self, which):
        guest = self.guest(which)
        if guest.stack:
            assert guest.exports.pop() is guest.stack.pop()
        else:
            refused(guest.exports.pop, runwell.Trap)

    @rule(which=st.integers(0, 9))
    def set_globals(self, which):
        guest = self.guest(which)
        guest.thing, guest.number = Thing(), random.getrandbits(63)
        guest.exports.thing.value, guest.exports.number.value = guest.thing, guest.number

    @rule(which=st.integers(0, 9), n=st.integers(1, 20_000))
    def garbage(self, which, n):
        self.guest(which).exports.garbage(n)

    @rule(which=st.integers(0, 9), n=st.integers(1, 3000))
    def many_things(self, which, n):
        exports = self.guest(which).exports
        for _ in range(n):
            exports.call(0, Thing())

    @rule(which=st.integers(0, 9))
    def collect(self, which):
        self.guest(which).instance.collect()

    @rule()
    def collect_cycles(self):
        gc.collect()

    @rule(which=st.integers(0, 9), at=st.integers(0, 21 << 16), byte=st.integers(0, 255))
    def store(self, which, at, byte):
        guest = self.guest(which)
        if at < guest.pages << 16:
            guest.exports.store(at, byte)
            guest.memory[at] = byte
            # Views show what the guest writes.
            guest.views = [v for v in guest.views if not v[1] <= at < v[1] + len(v[2])]
        else:
            refused(lambda: guest.exports.store(at, byte), runwell.Trap)
            refused(lambda: guest.exports.memory.read(at, 1), IndexError)

    @rule(which=st.integers(0, 9), by=st.integers(0, 8))
    def grow(self, which, by):
        guest = self.guest(which)
        fits = guest.pages + by <= 20
        assert guest.exports.grow(by) == (guest.pages if fits else -1)
        guest.pages += by * fits

    @rule(which=st.integers(0, 9), at=st.integers(0, 60_000), content=st.binary(max_size=20))
    def view(self, which, at, content):
        guest = self.guest(which)
        view = memoryview(guest.exports.memory).cast("B")
        assert len(view) == guest.pages << 16
        view[at : at + len(content)] = content
        guest.memory.update({at + i: c for i, c in enumerate(content)})
        end = at + len(content)
        kept = [v for v in guest.views if v[1] + len(v[2]) <= at or end <= v[1]]
        guest.views = [*kept[-4:], (view, at, content)]

    @rule(which=st.integers(0, 9), other=st.integers(0, 9), i=st.integers(0, 3))
    def put_function(self, which, other, i):
        guest = self.guest(which)
        guest.exports.functions[i] = self.guest(other).exports.add
        guest.functions[i] = True

    @rule(which=st.integers(0, 9), i=st.integers(0, 3), n=st.integers(0, 99))
    def indirect(self, which, i, n):
        guest = self.guest(which)
        if guest.functions[i]:
            assert guest.exports.indirect(i, n) == n + 1
        else:
            refused(lambda: guest.exports.indirect(i, n), runwell.Trap)

    @rule(which=st.integers(0, 9), engine=st.integers(0, 2))
    def link(self, which, engine):
        guest = self.guest(which)
        made = runwell.Instance(MODULES[engine][1], {"other": guest.instance})
        guest.is_lent = True
        made.exports.put(2, thing := Thing())
        guest.things[2] = thing
        made.exports.count()
        guest.number += 1
        guest.number -= (guest.number >= 1 << 63) << 64
        assert made.exports.get(2) is guest.exports.get(2) is thing
        assert made.exports.add2(5) == 7
        self.linked = [*self.linked[-3:], (made, guest)]

    @rule(which=st.integers(0, 9), kind=st.integers(0, 7), how=st.integers(0, 1))
    def callback(self, which, kind, how):
        guest, thing = self.guest(which), Thing()
        exports = guest.exports
        actions = [
            lambda: exports.add(1),
            guest.instance.collect,
            gc.collect,
            lambda: exports.put(0, None),
            lambda: [exports.call(0, Thing()) for _ in range(1500)],
            lambda: self.guest(which + 1).exports.garbage(5000),
            lambda: self.new(2),
            lambda: refused(lambda: exports.deep(10**6), runwell.ExhaustionError),
        ]
        if kind == 3:
            guest.things[0] = None
        self.action = actions[kind]
        if how:
            refused(lambda: exports.call(1, thing), BoomError)
        else:
            assert exports.call(0, thing) is thing

    @rule(which=st.integers(0, 9), how=st.integers(0, 2))
    def the_last_one_goes_during_a_call(self, which, how):
        """The instance is closed, or dropped, by what it calls."""
        if not self.guests:
            return
        guest = self.guests.pop(which % len(self.guests))
        call, thing = guest.exports.call, Thing()
        instance = [guest.instance]
        del guest

        def action():
            if how == 0:
                instance[0].close()
            instance.clear()
            gc.collect()

        self.action = action
        assert call(0, thing) is thing
        if how == 0:
            refused(lambda: call(0, thing), runwell.ClosedError)
        else:
            assert call(0, thing) is thing

    @rule(which=st.integers(0, 9), n=st.integers(0, 9))
    def throw(self, which, n):
        guest, thing = self.guest(which), Thing()
        try:
            guest.exports["throw"](n, thing)
        except runwell.WasmException as e:
            error = e
        assert error.values == (n, thing)
        self.errors = [*self.errors[-5:], (guest, error, n, thing)]

    @rule(which=st.integers(0, 99))
    def throw_again(self, which):
        """An exception of a guest comes to it, or to another one, from a callback."""
        if not self.errors:
            return
        thrower, error, n, thing = self.errors[which % len(self.errors)]

        def action():
            raise error

        self.action = action
        if thrower in self.guests:
            number, found = thrower.exports["catch"](0, None)
            assert number == n
            assert found is thing
        else:
            self.action = None
            assert error.values == (n, thing)

    @rule(which=st.integers(0, 9))
    def finalizers(self, which):
        guest, thing = self.guest(which), Thing()
        exports = guest.exports
        done = []

        def last():
            exports.call(0, Thing())
            exports.garbage(10)
            done.append(exports.add(1))

        thing.last = last
        exports.call(0, thing)
        del thing
        guest.instance.collect()
        assert done == [2]

    @rule(which=st.integers(0, 9), kind=st.integers(0, 8))
    def misuse(self, which, kind):
        exports = self.guest(which).exports
        uses = [
            exports.add,
            lambda: exports.add(1, 2),
            lambda: exports.add("1"),
            lambda: exports.add(2**32),
            lambda: exports.add(n=1),
            lambda: exports.functions.__setitem__(0, 5),
            lambda: exports.memory.write(0, 5),
            lambda: runwell.Instance(MODULES[0][0], {"env": {}}),
            lambda: setattr(exports.number, "value", "5"),
        ]
        refused(uses[kind], EXPECTED)


def refused(use, error):
    """Something must not be possible."""
    try:
        use()
    except error:
        return
    raise AssertionError(f"no {error} was raised")


def run_machine(examples, steps, seed):
    """Use the API in one thread."""
    from hypothesis import seed as with_seed

    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    with_seed(seed)(Machine)
    run_state_machine_as_test(Machine, settings=chosen)


class Shared:
    """What threads do to the same guests."""

    def __init__(self, seconds, seed):
        self.end, self.seed = time.monotonic() + seconds, seed
        self.guests = [self.make(i % 3) for i in range(6)]
        self.failed, self.counts = [], [0, 0]

    def make(self, engine):
        return runwell.Instance(MODULES[engine][0], {"env": {"call": self.called}})

    def called(self, how, thing):
        if how == 1:
            raise BoomError
        if how == 2:
            random.choice(self.guests).exports.add(1)
        elif how == 3:
            random.choice(self.guests).collect()
        elif how == 4:
            self.replace(random.Random())
        return thing

    def replace(self, rng):
        at = rng.randrange(len(self.guests))
        old, self.guests[at] = self.guests[at], self.make(rng.randrange(3))
        if rng.random() < 0.5:
            old.close()

    def work(self, number):
        rng = random.Random(self.seed * 100 + number)
        kept = []
        while time.monotonic() < self.end and not self.failed:
            try:
                self.step(rng, kept)
                self.counts[0] += 1
            except (*EXPECTED, BoomError):
                self.counts[1] += 1
            except BaseException as e:  # noqa: BLE001 - shown by the main thread
                self.failed.append(e)

    def step(self, rng, kept):
        instance = rng.choice(self.guests)
        exports = instance.exports
        match rng.randrange(18):
            case 0:
                exports.add(rng.randrange(100))
            case 1:
                exports.put(rng.randrange(5), Thing())
            case 2:
                kept.append(exports.get(rng.randrange(5)))
            case 3:
                exports.push(Thing())
            case 4:
                exports.pop()
            case 5:
                exports.garbage(rng.randrange(1, 3000))
            case 6:
                exports.things[rng.randrange(5)] = Thing()
            case 7:
                kept.append(exports.things[rng.randrange(5)])
            case 8:
                exports.call(rng.randrange(5), Thing())
            case 9:
                instance.collect()
            case 10:
                kept.append(memoryview(exports.memory))
            case 11:
                bytes(kept[rng.randrange(len(kept))] if kept else b"")[:10]
            case 12:
                exports.grow(1)
            case 13:
                self.replace(rng)
            case 14:
                exports.functions[rng.randrange(4)] = rng.choice(self.guests).exports.add
            case 15:
                exports.indirect(rng.randrange(5), 1)
            case 16:
                kept.append(runwell.Instance(MODULES[0][1], {"other": instance}))
            case 17:
                try:
                    exports["throw"](1, Thing())
                except runwell.WasmException as e:
                    kept.append(e)
        if len(kept) > 20:
            del kept[: rng.randrange(20)]


def run_threads(threads, seconds, seed):
    """Use the API in several threads."""
    sys.setswitchinterval(1e-4)
    shared = Shared(seconds, seed)
    workers = [threading.Thread(target=shared.work, args=(i,)) for i in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(seconds + 60)
        if worker.is_alive():
            faulthandler.dump_traceback()
            raise SystemExit("a thread hangs")
    if shared.failed:
        raise shared.failed[0]
    shared.guests.clear()
    gc.collect()
    sys.stdout.write(f"{shared.counts[0]} {shared.counts[1]}\n")


def main():
    """Read the command line."""
    faulthandler.enable()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=100)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=5)
    chosen = parser.parse_args()
    if chosen.threads:
        run_threads(chosen.threads, chosen.seconds, chosen.seed)
    else:
        run_machine(chosen.examples, chosen.steps, chosen.seed)


if __name__ == "__main__":
    main()
