"""Objects of Python that guests have: alive as long as a guest can get at them, and no longer."""

import asyncio
import gc
import sys
import threading
import weakref
from contextlib import suppress

import pytest

import runwell

KEEPER = """(module
  (type $box (struct (field (mut externref))))
  (type $row (array (mut externref)))
  (type $any (struct (field anyref)))
  (import "env" "make" (func $make (result externref)))
  (import "env" "use" (func $use (param externref)))
  (import "env" "look" (func $look))
  (table $t (export "table") 4 20 externref)
  (global $g (export "global_") (mut externref) (ref.null extern))
  (global $box (mut (ref null $box)) (ref.null $box))
  (global $row (mut (ref null $row)) (ref.null $row))
  (global $any (mut anyref) (ref.null any))
  (global $exception (mut exnref) (ref.null exn))
  (tag $e (export "e") (param externref))
  (func (export "put_table") (param externref) (table.set $t (i32.const 2) (local.get 0)))
  (func (export "get_table") (result externref) (table.get $t (i32.const 2)))
  (func (export "grow") (param externref)
    (drop (table.grow $t (local.get 0) (i32.const 1))))
  (func (export "shrunk") (table.fill $t (i32.const 4)
    (ref.null extern) (i32.sub (table.size $t) (i32.const 4))))
  (func (export "put_global") (param externref) (global.set $g (local.get 0)))
  (func (export "get_global") (result externref) (global.get $g))
  (func (export "put_struct") (param externref)
    (if (ref.is_null (local.get 0))
      (then (global.set $box (ref.null $box)))
      (else (global.set $box (struct.new $box (local.get 0))))))
  (func (export "get_struct") (result externref) (struct.get $box 0 (global.get $box)))
  (func (export "put_array") (param externref)
    (if (ref.is_null (local.get 0))
      (then (array.set $row (global.get $row) (i32.const 5) (ref.null extern)))
      (else (global.set $row (array.new $row (local.get 0) (i32.const 9))))
    ))
  (func (export "clear_array") (global.set $row (ref.null $row)))
  (func (export "get_array") (result externref)
    (array.get $row (global.get $row) (i32.const 8)))
  (func (export "put_any") (param externref)
    (global.set $any (any.convert_extern (local.get 0))))
  (func (export "get_any") (result externref) (extern.convert_any (global.get $any)))
  (func (export "put_exception") (param externref)
    (block $h (result externref exnref)
      (try_table (catch_ref $e $h) (throw $e (local.get 0)))
      unreachable)
    (global.set $exception) (drop))
  (func (export "get_exception") (result externref)
    (block $h (result externref)
      (try_table (catch $e $h) (throw_ref (global.get $exception)))
      unreachable))
  (func (export "clear_exception") (global.set $exception (ref.null exn)))
  (func (export "throw") (param externref) (throw $e (local.get 0)))
  (func (export "pass") (param externref) (result externref) (local.get 0))
  (func (export "during") (param externref) (result externref) (call $look) (local.get 0))
  (func (export "loop") (param $n i32) (local $x externref)
    (loop $again
      (local.set $x (call $make))
      (call $use (local.get $x))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
  (func (export "garbage") (param $n i32)
    (loop $again
      (drop (array.new_default $row (i32.const 1000)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
  (func (export "kind") (param externref) (result i32) (local $x anyref)
    (local.set $x (any.convert_extern (local.get 0)))
    (i32.or (i32.or (i32.or (i32.or (i32.or
      (ref.is_null (local.get $x))
      (i32.shl (ref.test (ref any) (local.get $x)) (i32.const 1)))
      (i32.shl (ref.test (ref eq) (local.get $x)) (i32.const 2)))
      (i32.shl (ref.test (ref i31) (local.get $x)) (i32.const 3)))
      (i32.shl (ref.test (ref struct) (local.get $x)) (i32.const 4)))
      (i32.shl (i32.or (ref.test (ref array) (local.get $x))
        (i32.or (ref.test (ref $box) (local.get $x)) (ref.test (ref $any) (local.get $x))))
        (i32.const 5))))
  (func (export "cast") (param externref)
    (drop (ref.cast (ref eq) (any.convert_extern (local.get 0)))))
)"""


class Count:
    """How many things a test has."""

    def __init__(self):
        self.alive = self.most = 0


counts = [Count()]


class Thing:
    """An object that is counted."""

    def __init__(self):
        self.count = counts[0]
        self.count.alive += 1
        self.count.most = max(self.count.most, self.count.alive)

    def __del__(self):
        self.count.alive -= 1


@pytest.fixture(autouse=True)
def count():
    counts[0] = Count()
    return counts[0]


@pytest.fixture(params=["interpreter", "jit"])
def module(request):
    return runwell.Module(KEEPER, engine=runwell.Engine(runwell.Config(engine=request.param)))


def instantiate(module, **functions):
    found = {"make": Thing, "use": lambda x: None, "look": lambda: None} | functions
    return runwell.Instance(module, {"env": found})


def test_a_million_in_a_loop_stay_few(module):
    instance = instantiate(module)
    pass_ = instance.exports["pass"]
    for _ in range(20_000):
        pass_(Thing())
    assert counts[0].most < 4000
    counts[0].most = 0
    instance.exports.loop(20_000)
    assert counts[0].most < 4000
    instance.collect()
    assert counts[0].alive <= 1


PLACES = ["table", "global", "struct", "array", "any", "exception"]


@pytest.mark.parametrize("place", PLACES)
def test_what_a_guest_has_is_kept_and_then_let_go(module, place):
    instance = instantiate(module)
    exports = instance.exports
    put, get = exports[f"put_{place}"], exports[f"get_{place}"]
    known = weakref.ref(Thing())
    assert known() is None
    thing = Thing()
    known = weakref.ref(thing)
    put(thing)
    del thing
    for _ in range(3):
        instance.collect()
        assert known() is not None
        assert get() is known()
    if place == "array":
        exports.clear_array()
    elif place == "exception":
        exports.clear_exception()
    else:
        put(None)
    instance.collect()
    assert known() is None


def test_elements_that_were_grown_and_overwritten(module):
    instance = instantiate(module)
    instance.exports.grow(Thing())
    instance.collect()
    assert counts[0].alive == 1
    instance.exports.shrunk()
    instance.collect()
    assert counts[0].alive == 0


def test_what_python_writes(module):
    instance = instantiate(module)
    exports = instance.exports
    exports.table[1] = Thing()
    exports.global_.value = Thing()
    exports.table.grow(2, Thing())
    own = runwell.Table("externref", 2, init=Thing()), runwell.Global("externref", Thing())
    instance.collect()
    assert counts[0].alive == 5
    assert all(isinstance(exports.table[i], Thing) for i in (1, 4, 5))
    assert isinstance(exports.global_.value, Thing)
    exports.table[1] = exports.table[4] = exports.table[5] = exports.global_.value = None
    instance.collect()
    assert counts[0].alive == 2
    assert own[0][0] is own[0][1]
    assert isinstance(own[1].value, Thing)
    del own
    assert counts[0].alive == 0


def test_they_go_with_the_instance(module):
    instance = instantiate(module)
    for place in PLACES:
        instance.exports[f"put_{place}"](Thing())
    instance.collect()
    assert counts[0].alive == len(PLACES)
    del instance
    assert counts[0].alive == 0
    with instantiate(module) as instance:
        instance.exports.put_global(Thing())
    assert counts[0].alive == 0


def test_the_stack_of_a_guest_keeps_them(module):
    seen = []

    def look():
        instance.collect()
        seen.append(counts[0].alive)

    instance = instantiate(module, look=look)
    assert isinstance(instance.exports.during(Thing()), Thing)
    assert seen == [1]
    instance.collect()
    assert counts[0].alive == 0


def test_errors_let_go(module):
    instance = instantiate(module)
    for _ in range(10):
        with pytest.raises(runwell.Trap):
            instance.exports.cast(Thing())
    instance.exports.put_global(None)
    instance.collect()
    assert counts[0].alive == 0


def test_exceptions_keep_what_they_carry(module):
    instance = instantiate(module)
    thing = Thing()
    with pytest.raises(runwell.WasmException) as caught:
        instance.exports["throw"](thing)
    del thing
    instance.collect()
    assert isinstance(caught.value.values[0], Thing)
    del caught
    gc.collect()
    instance.exports.put_global(None)
    instance.collect()
    assert counts[0].alive == 0


def test_exceptions_made_by_python(module):
    def raise_it(thing):
        error = runwell.WasmException(instance.exports.e, (thing,))
        del thing
        instance.collect()
        raise error

    instance = instantiate(module, use=raise_it, make=Thing)
    with pytest.raises(runwell.WasmException) as caught:
        instance.exports.loop(1)
    instance.collect()
    assert isinstance(caught.value.values[0], Thing)


def test_what_they_are_to_a_guest(module):
    kind = instantiate(module).exports.kind
    assert kind(None) == 1
    assert kind(Thing()) == 2
    assert kind(5) == 2


def test_a_cycle_through_a_guest_is_found(module):
    def build():
        instance = instantiate(module)
        thing = Thing()
        thing.instance = instance
        instance.exports.put_struct(thing)
        return weakref.ref(instance)

    gone = build()
    assert gone() is not None
    gc.collect()
    assert gone() is None
    assert counts[0].alive == 0


def test_a_guest_that_python_still_has_is_no_garbage(module):
    instance = instantiate(module)
    thing = Thing()
    thing.instance = instance
    instance.exports.put_struct(thing)
    del thing
    gc.collect()
    assert instance.exports.get_struct().instance is instance
    instance.exports.put_struct(None)


class Final:
    """An object that does something when it goes."""

    def __init__(self, last):
        self.last = last

    def __del__(self):
        self.last()


def test_finalizers_may_call_the_guest(module):
    instance = instantiate(module)
    done = []

    def last():
        instance.exports.put_global(Thing())
        instance.exports.loop(10)
        instance.collect()
        done.append(instance.exports.get_global())

    for _ in range(5):
        instance.exports["pass"](Final(last))
        instance.collect()
    assert len(done) == 5
    many = 3000
    for _ in range(many):
        instance.exports["pass"](Final(last))
    instance.collect()
    assert len(done) == 5 + many


def test_finalizers_run_between_callbacks(module):
    """In a guest that runs long, and collects on its own."""
    done = []
    instance = instantiate(module, make=lambda: Final(lambda: done.append(1)))
    at_callbacks = []

    def use(thing):
        at_callbacks.append(len(done))

    instance2 = instantiate(module, make=lambda: Final(lambda: done.append(1)), use=use)
    instance2.exports.loop(5000)
    assert at_callbacks[-1] > 1000
    instance.exports.loop(1)
    instance.exports.garbage(20_000)
    assert not done or len(done) >= 1000
    instance.exports.put_global(None)
    assert len(done) >= 1000


def test_a_finalizer_that_raises(module):
    def fail():
        raise ValueError("gone")

    raised = []
    before, sys.unraisablehook = sys.unraisablehook, raised.append
    try:
        instance = instantiate(module)
        assert instance.exports["pass"](Final(fail)) is not None
        instance.collect()
        assert instance.exports.kind(None) == 1
    finally:
        sys.unraisablehook = before
    assert [type(x.exc_value) for x in raised] == [ValueError]


def test_host_functions_called_by_python():
    function = runwell.Func(lambda x: x, "(externref) -> externref")
    assert isinstance(function(Thing()), Thing)
    assert counts[0].alive == 0
    function = runwell.Func(
        lambda x, y: (y, x, Thing()), "(externref, i32) -> (i32, externref, externref)"
    )
    number, thing, other = function(Thing(), 5)
    assert number == 5
    assert counts[0].alive == 2
    del thing, other
    assert counts[0].alive == 0


def test_one_function_for_two_instances(module):
    """What it returns belongs to who called it."""
    make = runwell.Func(Thing, "() -> externref")
    kept = []
    one = instantiate(module, make=make, use=kept.append)
    two = instantiate(module, make=make)
    one.exports.loop(1)
    two.exports.loop(1)
    one.exports.put_global(kept.pop())
    one.collect()
    two.collect()
    assert counts[0].alive == 1
    del one
    assert counts[0].alive == 0


def test_connected_instances(module):
    one = instantiate(module)
    two = instantiate(module, use=one.exports.put_table)
    two.exports.loop(1)
    two.collect()
    assert counts[0].alive == 1
    del two
    gc.collect()
    one.collect()
    assert isinstance(one.exports.get_table(), Thing)
    one.exports.put_table(None)
    one.collect()
    assert counts[0].alive == 0


def test_threads(module):
    """Guests in threads of their own, while another collects all of them."""
    instances = [instantiate(module) for _ in range(3)]
    failed, over = [], threading.Event()

    def work(instance):
        try:
            exports = instance.exports
            for i in range(300):
                things = [Thing() for _ in PLACES]
                for place, thing in zip(PLACES, things, strict=True):
                    exports[f"put_{place}"](thing)
                for place, thing in zip(PLACES, things, strict=True):
                    assert exports[f"get_{place}"]() is thing
                exports.loop(20)
                if i % 10 == 0:
                    exports.garbage(50)
        except BaseException as e:  # noqa: BLE001 - shown below
            failed.append(e)

    def collect():
        while not over.is_set():
            for instance in instances:
                instance.collect()

    threads = [threading.Thread(target=work, args=(i,)) for i in instances]
    collector = threading.Thread(target=collect)
    for thread in (*threads, collector):
        thread.start()
    for thread in threads:
        thread.join()
    over.set()
    collector.join()
    assert not failed
    instances.clear()
    del threads, collector
    gc.collect()
    assert counts[0].alive <= 3  # what is left on the stacks of threads


def test_a_guest_that_waits_keeps_what_it_has():
    module = runwell.Module(
        """(module (import "env" "wait" (func $wait (param externref) (result i32)))
        (func (export "f") (param externref) (result externref)
          (drop (call $wait (ref.null extern))) (local.get 0)))"""
    )
    seen = []

    async def wait(_):
        await asyncio.sleep(0)
        instance.collect()
        seen.append(counts[0].alive)
        return 0

    instance = runwell.Instance(module, {"env": {"wait": wait}})

    async def main():
        assert isinstance(await instance.exports.f.call_async(Thing()), Thing)

    asyncio.run(main())
    assert seen == [1]


def test_a_guest_without_fuel_keeps_what_it_has():
    module = runwell.Module(
        """(module (func (export "f") (param externref) (result externref)
          (local $i i32) (local.set $i (i32.const 100))
          (loop $again (br_if $again (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
          (local.get 0)))""",
        engine=runwell.Engine(runwell.Config(fuel=True)),
    )
    instance = runwell.Instance(module, fuel=50)
    with pytest.raises(runwell.OutOfFuel) as caught:
        instance.exports.f(Thing())
    instance.collect()
    assert counts[0].alive == 1
    instance.fuel = 10_000
    assert isinstance(caught.value.resume(), Thing)


def test_pools_let_go_of_what_a_user_gave(module):
    imports = {"env": {"make": Thing, "use": lambda x: None, "look": lambda: None}}

    def prepare(instance):
        instance.exports.put_global(Thing())

    with module.instantiate_pool(1, imports, init=prepare) as pool:
        for _ in range(5):
            with pool.acquire() as instance:
                first = instance.exports.get_global()
                assert isinstance(first, Thing)
                instance.exports.put_table(Thing())
                instance.exports.put_global(Thing())
            assert counts[0].alive == 1
    del first, pool
    gc.collect()


def test_closed_instances_cannot_be_collected(module):
    instance = instantiate(module)
    instance.close()
    with pytest.raises(runwell.ClosedError):
        instance.collect()


def test_an_instance_that_goes_while_another_thread_collects():
    module = runwell.Module(KEEPER)
    newest, over = [], threading.Event()

    def collect():
        while not over.is_set():
            for instance in newest[-1:]:
                with suppress(runwell.ClosedError):
                    instance.collect()

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    collector = threading.Thread(target=collect)
    collector.start()
    try:
        for _ in range(1500):
            instance = instantiate(module)
            instance.exports.put_struct(Thing())
            newest[:] = [instance]
            instance.close()
    finally:
        over.set()
        collector.join()
        sys.setswitchinterval(before)
    newest.clear()
    assert counts[0].alive == 0
