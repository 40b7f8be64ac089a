"""Shared memories: guests in several threads that exchange data and wait for each other."""

import threading
import time

import pytest
from tests.embed.test_threads import in_threads

import runwell
from runwell.isa.table import TABLE
from runwell.runtime.context import current_context
from runwell.text.parser import parse

# How accesses are checked: the address type, what comes before the memory, the configuration.
MODES = {
    "guard": ("i32", "", {}),
    "explicit": ("i32", "", {"bounds": "explicit"}),
    "second": ("i32", '(import "env" "other" (memory 1))', {}),
    "memory64": ("i64", "", {}),
}

# A lock word at 0: 0 free, 1 held, 2 held and somebody waits.  The counter at 64 is not atomic.
MUTEX = """
BEFORE (import "env" "memory" (memory $m ADDR 1 64 shared))
(func $lock
  (local $c i32)
  (if (local.tee $c (i32.atomic.rmw.cmpxchg $m (ADDR.const 0) (i32.const 0) (i32.const 1)))
    (then
      (if (i32.ne (local.get $c) (i32.const 2))
        (then (local.set $c (i32.atomic.rmw.xchg $m (ADDR.const 0) (i32.const 2)))))
      (block $done (loop $again
        (br_if $done (i32.eqz (local.get $c)))
        (drop (memory.atomic.wait32 $m (ADDR.const 0) (i32.const 2) (i64.const -1)))
        (local.set $c (i32.atomic.rmw.xchg $m (ADDR.const 0) (i32.const 2)))
        (br $again))))))
(func $unlock
  (if (i32.ne (i32.atomic.rmw.sub $m (ADDR.const 0) (i32.const 1)) (i32.const 1))
    (then
      (i32.atomic.store $m (ADDR.const 0) (i32.const 0))
      (drop (memory.atomic.notify $m (ADDR.const 0) (i32.const 1))))))
(func (export "locked") (param $n i32)
  (loop $again
    (call $lock)
    (i64.store $m (ADDR.const 64) (i64.add (i64.load $m (ADDR.const 64)) (i64.const 1)))
    (call $unlock)
    (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
(func (export "spinning") (param $n i32)
  (loop $again
    (loop $spin
      (br_if $spin (i32.atomic.rmw8.xchg_u $m (ADDR.const 4) (i32.const 1))))
    (i64.store $m (ADDR.const 64) (i64.add (i64.load $m (ADDR.const 64)) (i64.const 1)))
    (i32.atomic.store8 $m (ADDR.const 4) (i32.const 0))
    (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
(func (export "adding") (param $n i32)
  (loop $again
    (drop (i64.atomic.rmw.add $m (ADDR.const 64) (i64.const 1)))
    (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
(func (export "exchanging") (param $n i32) (local $old i64)
  (loop $again
    (local.set $old (i64.atomic.load $m (ADDR.const 64)))
    (br_if $again (i64.ne (local.get $old)
      (i64.atomic.rmw.cmpxchg $m (ADDR.const 64)
        (local.get $old) (i64.add (local.get $old) (i64.const 1)))))
    (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
(func (export "growing") (result ADDR) (memory.grow $m (ADDR.const 1)))
"""

# A ring of 8 cells at 64: how many were put at 0, how many taken at 4; waits on either.
RING = """
(import "env" "memory" (memory 1 1 shared))
(func $await (param $at i32) (param $seen i32)
  (if (i32.eq (memory.atomic.wait32 (local.get $at) (local.get $seen) (i64.const 10000000000))
              (i32.const 2))
    (then unreachable)))
(func $cell (param $i i32) (result i32)
  (i32.add (i32.const 64) (i32.shl (i32.and (local.get $i) (i32.const 7)) (i32.const 3))))
(func (export "produce") (param $n i32) (local $i i32) (local $taken i32)
  (loop $next
    (block $room (loop $full
      (local.set $taken (i32.atomic.load (i32.const 4)))
      (br_if $room (i32.lt_u (i32.sub (local.get $i) (local.get $taken)) (i32.const 8)))
      (call $await (i32.const 4) (local.get $taken))
      (br $full)))
    (i64.store (call $cell (local.get $i))
      (i64.mul (i64.extend_i32_u (local.get $i)) (i64.const 3)))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (i32.atomic.store (i32.const 0) (local.get $i))
    (drop (memory.atomic.notify (i32.const 0) (i32.const 1)))
    (br_if $next (i32.lt_u (local.get $i) (local.get $n)))))
(func (export "consume") (param $n i32) (result i64) (local $i i32) (local $sum i64)
  (loop $next
    (block $some (loop $empty
      (br_if $some (i32.ne (i32.atomic.load (i32.const 0)) (local.get $i)))
      (call $await (i32.const 0) (local.get $i))
      (br $empty)))
    (local.set $sum (i64.add (local.get $sum) (i64.load (call $cell (local.get $i)))))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (i32.atomic.store (i32.const 4) (local.get $i))
    (drop (memory.atomic.notify (i32.const 4) (i32.const 1)))
    (br_if $next (i32.lt_u (local.get $i) (local.get $n))))
  (local.get $sum))
"""

WAIT = """
(import "env" "memory" (memory 1 1 shared))
(func (export "wait32") (param i32 i32 i64) (result i32)
  (memory.atomic.wait32 (local.get 0) (local.get 1) (local.get 2)))
(func (export "wait64") (param i32 i64 i64) (result i32)
  (memory.atomic.wait64 offset=8 (local.get 0) (local.get 1) (local.get 2)))
(func (export "notify") (param i32 i32) (result i32)
  (memory.atomic.notify (local.get 0) (local.get 1)))
"""


@pytest.fixture(params=MODES)
def mutex(request):
    """A memory, and a way to make instances that share it."""
    address, before, options = MODES[request.param]
    text = MUTEX.replace("BEFORE", before).replace("ADDR", address)
    engine = runwell.Engine(runwell.Config(**options))
    module = runwell.Module(f"(module {text})", engine=engine)
    memory = runwell.Memory(1, 64, is_64=address == "i64", shared=True)

    def instantiate():
        # What is not shared each has for itself.
        imports = {"env": {"memory": memory, "other": runwell.Memory(1)}}
        return runwell.Instance(module, imports).exports

    return memory, instantiate


@pytest.fixture
def shared(make):
    """Instances of a text over one memory."""

    def instantiate(text, n=2):
        memory = runwell.Memory(1, 1, shared=True)
        return memory, [make(text, {"env": {"memory": memory}}).exports for _ in range(n)]

    return instantiate


def counter(memory):
    return int.from_bytes(memory.read(64, 8), "little")


@pytest.mark.parametrize("how", ["locked", "spinning", "adding", "exchanging"])
def test_counting_together(mutex, how):
    """No increment is lost, whatever guards it."""
    memory, instantiate = mutex
    instances = [instantiate() for _ in range(4)]
    in_threads(4, lambda i: instances[i][how](10_000))
    assert counter(memory) == 40_000
    assert memory.read(0, 5) == bytes(5)


def test_growing_together(mutex):
    """Every page is given once, and who is refused changes nothing."""
    memory, instantiate = mutex
    instances = [instantiate() for _ in range(4)]
    sizes = in_threads(4, lambda i: [instances[i].growing() for _ in range(20)])
    flat = sorted(size for each in sizes for size in each)
    assert flat == [-1] * 17 + list(range(1, 64))
    assert memory.size == 64
    memory.write(64 * 65536 - 1, b"!")


@pytest.mark.parametrize("n", [1, 8, 3000])
def test_producer_and_consumer(shared, n):
    _, (producer, consumer) = shared(RING)
    sums = in_threads(2, lambda i: producer.produce(n) if i else consumer.consume(n))
    assert sum(filter(None, sums)) == 3 * n * (n - 1) // 2


def test_waiting(shared):
    memory, (a, b) = shared(WAIT)
    memory.write(16, b"\1")
    assert a.wait32(16, 0, -1) == 1
    assert a.wait64(8, 0, -1) == 1
    assert a.wait32(16, 1, 0) == a.wait64(8, 1, 1000) == 2
    assert b.notify(16, -1) == 0
    started = time.perf_counter()
    assert a.wait32(16, 1, 20_000_000) == 2
    assert time.perf_counter() - started >= 0.02


@pytest.mark.parametrize("wait", ["wait32", "wait64"])
def test_waiters_sleep_until_they_are_notified(shared, wait):
    """The first call of a function is like all others."""
    _, exports = shared(WAIT, 4)
    results = []
    threads = [
        threading.Thread(target=lambda e=e: results.append(e[wait](0, 0, -1))) for e in exports[1:]
    ]
    for thread in threads:
        thread.start()
    at = 8 if wait == "wait64" else 0
    woken, end = 0, time.monotonic() + 20
    while woken < 3 and time.monotonic() < end:
        one = exports[0].notify(at, 1)
        assert one <= 1
        woken += one
    for thread in threads:
        thread.join(20)
    assert results == [0, 0, 0]
    assert exports[0].notify(at, 1) == 0


def test_waiting_traps(make, shared):
    _, (exports, _) = shared(WAIT)
    for call, message in (
        (lambda: exports.wait32(2, 0, 0), "unaligned atomic"),
        (lambda: exports.wait64(4, 0, 0), "unaligned atomic"),
        (lambda: exports.notify(1, 0), "unaligned atomic"),
        (lambda: exports.wait32(65536, 0, 0), "out of bounds memory access"),
        (lambda: exports.wait64(65528, 0, 0), "out of bounds memory access"),
        (lambda: exports.wait64(-8, 0, 0), "out of bounds memory access"),
        (lambda: exports.notify(-4, 0), "out of bounds memory access"),
    ):
        with pytest.raises(runwell.Trap, match=message):
            call()
    alone = make(WAIT.replace('(import "env" "memory" (memory 1 1 shared))', "(memory 1 1)"))
    assert alone.exports.notify(0, 1) == 0
    with pytest.raises(runwell.Trap, match="expected shared memory"):
        alone.exports.wait32(0, 0, 0)


INSTRUCTIONS = {op.mnemonic: op for op in TABLE}
ACCESSES = [
    ("i32.atomic.load", "i32", 4),
    ("i64.atomic.load16_u", "i64", 2),
    ("i32.atomic.rmw.add", "i32", 4),
    ("i64.atomic.rmw8.xor_u", "i64", 1),
    ("i64.atomic.rmw.cmpxchg", "i64", 8),
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("name", "type_", "width"), ACCESSES)
def test_a_trap_says_where_it_was(name, type_, width, mode):
    """The offset is that of the access, which is neither first nor last."""
    address, before, options = MODES[mode]
    values = {"load": 0, "rmw": 1, "rmw8": 1}[name.split(".")[2].partition("1")[0]]
    values += name.endswith("cmpxchg")
    operands = f"({type_}.const 1)" * values
    text = f"""(module {before} (memory $m {address} 1 1)
        (func (export "f") (param {address}) (result {type_})
          (local $x {type_})
          (local.set $x ({name} $m ({address}.const 0) {operands}))
          (local.set $x ({name} $m (local.get 0) {operands}))
          (local.set $x ({name} $m ({address}.const 8) {operands}))
          (local.get $x)))"""
    engine = runwell.Engine(runwell.Config(**options))
    module = runwell.Module(text, engine=engine)
    f = runwell.Instance(module, {"env": {"other": runwell.Memory(1)}}).exports.f
    f(16)
    with pytest.raises(runwell.Trap, match="out of bounds memory access") as outside:
        f(65536)
    offsets = [outside.value.backtrace[0].offset]
    if width > 1:
        # Where it is not aligned is looked at first.
        with pytest.raises(runwell.Trap, match="unaligned atomic") as odd:
            f(65536 + width // 2)
        offsets.append(odd.value.backtrace[0].offset)
    code = INSTRUCTIONS[name].code
    access = bytes([0xFE, code])
    binary = parse(text)
    first = binary.index(access)
    assert set(offsets) == {binary.index(access, first + 1)}


ALIGNED = "(module (memory 1) (func (drop (i32.atomic.load align={} (i32.const 0)))))"


def test_alignment_must_be_natural():
    for align in (1, 2):
        with pytest.raises(runwell.InvalidError, match="atomic alignment must be natural"):
            runwell.Module(ALIGNED.format(align))
    with pytest.raises(runwell.InvalidError, match="alignment must not be larger than natural"):
        runwell.Module(ALIGNED.format(8))


def test_a_shared_memory_needs_a_maximum():
    with pytest.raises(ValueError, match="needs a maximum"):
        runwell.Memory(1, shared=True)
    with pytest.raises(runwell.RunwellError, match="shared memory must have maximum"):
        runwell.Module("(module (memory 1 shared))")


def test_shared_and_unshared_memories_do_not_match(make):
    for memory in (runwell.Memory(1, 1), runwell.Memory(1, 2, shared=True)):
        with pytest.raises(runwell.LinkError, match="incompatible import type"):
            make(WAIT, {"env": {"memory": memory}})


def test_interrupting_a_waiter(shared):
    """It traps at once, in that thread only, and the next call is like any other."""
    _, (b, *waiting) = shared(WAIT, 3)
    contexts, results = [], []

    def run(a):
        contexts.append(current_context())
        try:
            a.wait32(0, 0, -1)
        except runwell.Trap as trap:
            results.append(trap.code)
        results.append(a.wait32(0, 0, 1000))

    threads = [threading.Thread(target=run, args=(a,)) for a in waiting]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 20
    while len(contexts) < 2:
        assert time.monotonic() < end
    contexts[0].interrupt(runwell.TrapCode.INTERRUPTED)
    while len(results) < 2:
        assert time.monotonic() < end
    assert results == [runwell.TrapCode.INTERRUPTED, 2]
    while not b.notify(0, 2):
        assert time.monotonic() < end
    for thread in threads:
        thread.join(20)
    assert results[2:] == [2]


def test_a_host_function_wakes_a_waiter(shared, make):
    """The interpreter lock is free while a guest waits, also below a host function."""
    _, (a, b) = shared(WAIT)
    text = '(import "m" "f" (func (result i32))) (func (export "g") (result i32) (call 0))'
    outer = make(text, {"m": {"f": lambda: a.wait32(0, 0, -1)}})
    results = []
    thread = threading.Thread(target=lambda: results.append(outer.exports.g()))
    thread.start()
    end = time.monotonic() + 20
    while not b.notify(0, 1):
        assert time.monotonic() < end
    thread.join(20)
    assert results == [0]
