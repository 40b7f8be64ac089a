"""What keeps what alive, and that nothing is kept for longer."""

import gc
import os
import subprocess
import sys
import weakref

import pytest

import runwell

ADDER = '(memory 1) (func (export "f") (param i32) (result i32) (i32.load8_u (local.get 0)))'
STORE = """
(table 10 externref) (table $f 10 funcref)
(global $g (mut externref) (ref.null extern))
(func (export "keep") (param i32 externref) (table.set (local.get 0) (local.get 1)))
(func (export "give") (param i32) (result externref) (table.get (local.get 0)))
(func (export "keep_global") (param externref) (global.set $g (local.get 0)))
(func (export "give_global") (result externref) (global.get $g))
(func (export "keep_func") (param i32 funcref) (table.set $f (local.get 0) (local.get 1)))
(func (export "give_func") (param i32) (result funcref) (table.get $f (local.get 0)))
(func (export "call") (param i32) (result i32) (call_indirect $f (result i32) (local.get 0)))
"""


class Thing:
    pass


def test_functions_outlive_their_instance(make):
    f = make(ADDER).exports.f
    gc.collect()
    assert f(0) == 0
    assert f.type.params == (runwell.ValType.I32,)


def test_an_instance_goes_at_once(make):
    gc.disable()
    try:
        instance = make(ADDER)
        instance.exports.f(0)
        gone = weakref.ref(instance), weakref.ref(instance.exports), weakref.ref(instance.exports.f)
        del instance
        assert [r() for r in gone] == [None, None, None]
    finally:
        gc.enable()


def test_the_callable_goes_with_the_instance(make):
    def f():
        pass

    gone = weakref.ref(f)
    instance = make('(import "m" "f" (func)) (func (export "g") (call 0))', {"m": {"f": f}})
    del f
    instance.exports.g()
    assert gone() is not None
    del instance
    assert gone() is None


def test_a_callable_that_knows_its_instance_is_collected(make):
    def build():
        instance = None

        def f():
            return instance

        instance = make('(import "m" "f" (func)) (func (export "g") (call 0))', {"m": {"f": f}})
        instance.exports.g()
        return weakref.ref(instance), weakref.ref(f), weakref.ref(instance.exports.g)

    gone = build()
    gc.collect()
    assert [r() for r in gone] == [None, None, None]


def test_objects_are_held_while_the_guest_may_refer_to_them(make):
    exports = make(STORE).exports
    thing = Thing()
    gone = weakref.ref(thing)
    exports.keep(3, thing)
    del thing
    gc.collect()
    assert exports.give(3) is gone()
    exports.keep(3, None)
    exports.keep_global(exports.give(3))
    assert exports.give_global() is None
    del exports
    gc.collect()
    assert gone() is None


def test_objects_that_host_functions_return_are_held(make):
    text = """(import "m" "new" (func $new (result externref))) (table 1 externref)
    (func (export "keep") (table.set (i32.const 0) (call $new)))
    (func (export "give") (result externref) (table.get (i32.const 0)))"""
    instance = make(text, {"m": {"new": Thing}})
    instance.exports.keep()
    gc.collect()
    gone = weakref.ref(instance.exports.give())
    assert isinstance(gone(), Thing)
    del instance
    gc.collect()
    assert gone() is None


def test_functions_are_held_while_the_guest_may_refer_to_them(make):
    exports = make(STORE).exports
    exports.keep_func(0, make('(func (export "f") (result i32) (i32.const 5))').exports.f)
    exports.keep_func(1, runwell.Func(lambda: 6, "() -> i32"))
    gc.collect()
    assert exports.call(0) == 5
    assert exports.call(1) == 6
    assert exports.give_func(0) is exports.give_func(0)
    assert exports.give_func(1)() == 6


def test_references_cross_between_linked_instances(make):
    """An object given to one instance lives on in the other."""
    keeper = make(STORE)
    giver = make(
        """(import "k" "keep" (func $keep (param i32 externref)))
        (func (export "pass") (param externref) (call $keep (i32.const 7) (local.get 0)))""",
        {"k": keeper},
    )
    thing = Thing()
    gone = weakref.ref(thing)
    giver.exports["pass"](thing)
    del thing, giver
    gc.collect()
    assert keeper.exports.give(7) is gone()
    assert gone() is not None
    del keeper
    gc.collect()
    assert gone() is None


def test_a_table_keeps_the_functions_in_it(make):
    table = runwell.Table("funcref", 2)
    table[0] = make('(func (export "f") (result i32) (i32.const 5))').exports.f
    table[1] = runwell.Func(lambda: 6, "() -> i32")
    gc.collect()
    assert [f() for f in table] == [5, 6]


def test_linked_instances_go_together(make):
    one = make('(func (export "f") (result i32) (i32.const 1)) (table (export "t") 1 funcref)')
    two = make(
        '(import "o" "f" (func (result i32))) (import "o" "t" (table 1 funcref)) '
        '(elem (i32.const 0) $g) (func $g (export "g") (result i32) (call 0))',
        {"o": one},
    )
    g = two.exports.g
    gone = weakref.ref(one), weakref.ref(two)
    table = one.exports.t
    del one, two
    gc.collect()
    assert g() == 1
    assert table[0] is g
    del g, table
    gc.collect()
    assert [r() for r in gone] == [None, None]


def test_dropping_the_last_reference_in_a_callback(make):
    holder = []

    def f():
        holder.clear()
        gc.collect()
        return 7

    text = """(import "m" "f" (func (result i32))) (memory 1)
    (func (export "g") (result i32) (i32.add (call 0) (i32.load8_u (i32.const 0))))"""
    holder.append(make(text, {"m": {"f": f}}))
    del f
    assert holder[0].exports.g() == 7
    assert holder == []


def test_calls_in_finalizers_of_garbage(make):
    """The finalizer of an object in a cycle may use an instance that is garbage, too."""
    results = []

    class Plugin:
        def __init__(self):
            self.instance = make(
                """(import "m" "f" (func (param i32) (result i32))) (memory (export "m") 1)
                (func (export "g") (param i32) (result i32)
                  (i32.store8 (i32.const 0) (i32.const 40))
                  (i32.add (call 0 (local.get 0)) (i32.load8_u (i32.const 0))))""",
                {"m": {"f": self.f}},
            )
            self.instance.exports.g(0)

        def f(self, x):
            return x + 1

        def __del__(self):
            results.append(self.instance.exports.g(1))
            results.append(self.instance.exports.m[0])

    for _ in range(5):
        Plugin()
    gc.collect()
    assert results == [42, 40] * 5


FINALIZERS = """
import gc, sys, threading
import runwell

engine = runwell.Engine(runwell.Config(engine=sys.argv[1], compiler="thread"))
results = []

class Plugin:
    def __init__(self):
        module = runwell.Module('''(module
          (import "m" "f" (func (param i32) (result i32))) (memory (export "m") 1)
          (func (export "g") (param i32) (result i32) (local i32)
            (loop $l
              (local.set 1 (i32.add (local.get 1) (i32.const 1)))
              (br_if $l (i32.lt_u (local.get 1) (i32.const 300000))))
            (i32.store8 (i32.const 0) (i32.const 40))
            (i32.add (call 0 (local.get 0)) (i32.load8_u (i32.const 0)))))''', engine=engine)
        self.instance = runwell.Instance(module, {"m": {"f": self.f}})
        self.instance.exports.g(0)
    def f(self, x):
        return x + 1
    def __del__(self):
        results.append((self.instance.exports.g(1), self.instance.exports.m[0]))

# Some are collected while others are made, some here, some when Python ends.
for _ in range(4):
    for _ in range(5):
        Plugin()
    gc.collect()
while len(results) < 20:  # another thread is still collecting
    gc.collect()
print(set(results))
kept, sys.kept, threading.kept = Plugin(), Plugin(), [Plugin()]
"""


def _run(program, argument):
    """What a program prints that runs in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", program, argument],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("engine", ["interpreter", "jit", "tiered"])
def test_finalizers_call_guests_while_memory_is_given_back(engine):
    assert _run(FINALIZERS, engine) == "{(42, 40)}\n"


# What other tests leave behind grows and shrinks as it likes; so this is a process of its own.
FLAT = """
import gc, sys
import runwell

def resident_kb():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4

module = runwell.Module('''(module
    (import "m" "f" (func (param externref) (result i32)))
    (memory 1) (table 1 funcref)
    (func (export "g") (param externref) (result i32)
      (i32.store (i32.const 0) (i32.const 1)) (call 0 (local.get 0))))''',
    validation="lazy", engine=runwell.Engine(runwell.Config(engine="interpreter")))

def once():
    keep = []
    instance = runwell.Instance(module, {"m": {"f": lambda x: len(keep)}})
    assert instance.exports.g([]) == 0
    if sys.argv[1] == "True":
        keep.append(instance)

for _ in range(300):
    once()
gc.collect()
before, objects = resident_kb(), len(gc.get_objects())
# Enough of them that a page for each would be far beyond what Python's own heap may grow by.
for _ in range(5000):
    once()
gc.collect()
print(len(gc.get_objects()) - objects < 50, resident_kb() - before < 2000)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("cyclic", [False, True])
def test_many_instances_stay_flat(cyclic):
    assert _run(FLAT, str(cyclic)) == "True True\n"


def test_many_modules_stay_flat(make):
    def once(i):
        text = f'(func (export "f") (param {"i32 " * (i % 7)}) (result i32) (i32.const {i}))'
        assert make(text).exports.f(*range(i % 7)) == i

    for i in range(100):
        once(i)
    gc.collect()
    objects = len(gc.get_objects())
    for i in range(200):
        once(i)
    gc.collect()
    assert len(gc.get_objects()) - objects < 50


def test_calls_leave_no_references(make):
    two = """(func (export "two") (result externref i64)
        (table.get (i32.const 0)) (i64.const 77777777777))"""
    instance = make(STORE + two)
    exports = instance.exports
    thing, number = Thing(), 2**40
    exports.keep(0, thing)
    calls = [
        lambda: exports.give(0),
        exports.two,
        lambda: exports.keep(0, thing),
        lambda: exports.keep_func(0, exports.keep_func),
        lambda: exports.give_func(0),
    ]
    for call in calls:
        call()
    instance.collect()
    counts = [sys.getrefcount(x) for x in (thing, number, exports.keep_func)]
    for _ in range(100):
        for call in calls:
            call()
    instance.collect()
    assert [sys.getrefcount(x) for x in (thing, number, exports.keep_func)] == counts


def test_wrong_calls_leave_no_references(make):
    exports = make(ADDER).exports
    thing, f = Thing(), exports.f

    def wrong():
        for args in ((thing,), (thing, thing), (), (2**40,)):
            with pytest.raises((TypeError, OverflowError)):
                f(*args)
        with pytest.raises(TypeError):
            f(x=thing)
        with pytest.raises(runwell.Trap):
            f(2**31)

    wrong()
    gc.collect()
    counts = sys.getrefcount(thing), sys.getrefcount(f)
    for _ in range(20):
        wrong()
    gc.collect()
    assert (sys.getrefcount(thing), sys.getrefcount(f)) == counts
