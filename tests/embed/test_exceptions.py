"""Exceptions between guests and Python."""

import gc
import threading
import weakref

import pytest

import runwell

THROWER = """(module
  (tag $e (export "e") (param i32 f64))
  (tag $r (export "r") (param externref))
  (func (export "throw") (param i32) (throw $e (local.get 0) (f64.const 1.5)))
  (func (export "throw_object") (param externref) (throw $r (local.get 0)))
  (func $deep (param i32)
    (if (local.get 0)
      (then (call $deep (i32.sub (local.get 0) (i32.const 1))))
      (else (throw $e (i32.const 9) (f64.const 0)))))
  (func (export "deep") (param i32) (call $deep (local.get 0)))
)"""

CATCHER = """(module
  (import "host" "e" (tag $e (param i32 f64)))
  (import "host" "f" (func $f (param i32)))
  (tag $own)
  (global $kept (mut exnref) (ref.null exn))
  (table $t 4 exnref)
  (func (export "catch") (param i32) (result i32)
    (block $h (result i32 f64)
      (try_table (catch $e $h) (call $f (local.get 0)))
      (return (i32.const -1)))
    (drop))
  (func (export "catch_all") (param i32) (result i32)
    (block $h
      (try_table (catch_all $h) (call $f (local.get 0)))
      (return (i32.const 0)))
    (i32.const 1))
  (func (export "catch_ref") (param i32) (result exnref)
    (block $h (result exnref)
      (try_table (catch_all_ref $h) (call $f (local.get 0)))
      (ref.null exn)))
  (func (export "through") (param i32) (call $f (local.get 0)))
  (func (export "rethrow") (param exnref) (throw_ref (local.get 0)))
  (func (export "keep") (param i32) (global.set $kept (call $catch (local.get 0))))
  (func (export "kept") (result exnref) (global.get $kept))
  (func $catch (param i32) (result exnref)
    (block $h (result exnref)
      (try_table (catch_all_ref $h) (call $f (local.get 0)))
      (ref.null exn)))
  (func (export "put") (param i32 i32)
    (table.set $t (local.get 0) (call $catch (local.get 1))))
  (func (export "get") (param i32) (result exnref) (table.get $t (local.get 0)))
  (func (export "fill") (param exnref) (table.fill $t (i32.const 0) (local.get 0) (i32.const 4)))
  (func (export "shift") (table.copy $t $t (i32.const 1) (i32.const 0) (i32.const 3)))
  (table (export "table") 2 exnref)
  (global (export "global") (mut exnref) (ref.null exn))
)"""


@pytest.fixture
def tag():
    return runwell.Tag("i32 f64")


def catcher(tag, function):
    return runwell.Instance(runwell.Module(CATCHER), {"host": {"e": tag, "f": function}}).exports


def test_an_uncaught_exception_reaches_python():
    exports = runwell.Instance(runwell.Module(THROWER)).exports
    with pytest.raises(runwell.WasmException) as caught:
        exports.throw(7)
    error = caught.value
    assert error.tag is exports.e
    assert error.values == (7, 1.5)
    assert [frame.name for frame in error.backtrace] == ["throw"]
    assert "(7, 1.5)" in str(error)
    assert error.backtrace[0].offset is not None


def test_frames_are_as_before_after_an_exception():
    exports = runwell.Instance(runwell.Module(THROWER)).exports
    for _ in range(3):
        with pytest.raises(runwell.WasmException) as caught:
            exports.deep(90_000)
        assert caught.value.values == (9, 0.0)
    assert len(caught.value.backtrace) < 100


def test_a_guest_catches_what_a_host_function_raises(tag):
    def function(n):
        raise runwell.WasmException(tag, (n, 0.5))

    exports = catcher(tag, function)
    assert exports.catch(5) == 5
    assert exports.catch_all(5) == 1


def test_what_nobody_catches_stays_the_object_it_is():
    error = runwell.WasmException(runwell.Tag("i32"), (3,))

    def function(n):
        raise error

    exports = catcher(runwell.Tag("i32 f64"), function)
    with pytest.raises(runwell.WasmException) as caught:
        exports.catch(1)
    assert caught.value is error
    assert any("catch" in note for note in error.__notes__)
    with pytest.raises(runwell.WasmException):
        exports.through(1)


def test_other_errors_and_traps_are_not_caught(tag):
    def fail(n):
        raise KeyError(n)

    with pytest.raises(KeyError):
        catcher(tag, fail).catch_all(1)
    trapping = runwell.Instance(runwell.Module('(module (func (export "f") unreachable))')).exports
    with pytest.raises(runwell.Trap, match="unreachable"):
        catcher(tag, lambda n: trapping.f()).catch_all(1)
    with pytest.raises(runwell.WasmException):
        catcher(tag, lambda n: catcher(tag, fail_with(tag)).through(n)).through(1)


def fail_with(tag):
    def function(n):
        raise runwell.WasmException(tag, (n, 0.0))

    return function


def test_an_exception_passes_through_a_host_function():
    thrower = runwell.Instance(runwell.Module(THROWER)).exports
    seen = []

    def function(n):
        try:
            thrower.throw(n)
        except runwell.WasmException as e:
            seen.append(e)
            raise

    exports = catcher(thrower.e, function)
    assert exports.catch(4) == 4
    assert exports.catch_all(4) == 1
    error = exports.catch_ref(6)
    assert error.values == seen[-1].values == (6, 1.5)
    assert error.tag is thrower.e
    with pytest.raises(runwell.WasmException) as caught:
        exports.rethrow(error)
    assert caught.value.values == (6, 1.5)


def test_instances_catch_across_each_other():
    thrower = runwell.Instance(runwell.Module(THROWER)).exports
    exports = catcher(thrower.e, thrower.throw)
    for n in range(100):
        assert exports.catch(n) == n
    assert exports.catch_ref(3).values == (3, 1.5)
    with pytest.raises(runwell.WasmException) as caught:
        exports.through(3)
    assert [frame.name for frame in caught.value.backtrace] == ["throw", "through"]


def test_tags_are_told_apart(tag):
    thrower = runwell.Instance(runwell.Module(THROWER)).exports
    exports = catcher(runwell.Tag("i32 f64"), thrower.throw)
    with pytest.raises(runwell.WasmException):
        exports.catch(1)
    assert exports.catch_all(1) == 1


def test_exceptions_in_globals_and_tables(tag):
    exports = catcher(tag, fail_with(tag))
    assert exports.kept() is None
    for n in range(2000):
        exports.keep(n)
        exports.put(n % 4, n)
    assert exports.kept().values == (1999, 0.0)
    assert [exports.get(i).values[0] for i in range(4)] == [1996, 1997, 1998, 1999]
    exports.shift()
    assert [exports.get(i).values[0] for i in range(4)] == [1996, 1996, 1997, 1998]
    error = exports.get(3)
    exports.fill(error)
    assert [exports.get(i).values[0] for i in range(4)] == [1998] * 4
    exports.fill(None)
    assert exports.get(0) is None
    assert error.values == (1998, 0.0)


def test_python_reads_and_writes_exceptions(tag):
    exports = catcher(tag, fail_with(tag))
    error = runwell.WasmException(tag, (8, 2.0))
    exports.table[1] = error
    assert exports.table[0] is None
    assert exports.table[1].values == (8, 2.0)
    exports["global"].value = error
    assert exports["global"].value.values == (8, 2.0)
    exports["global"].value = None
    assert exports["global"].value is None
    own = runwell.Global("exnref", error, mutable=True)
    assert own.value.tag is tag
    assert runwell.Table("exnref", 2, init=error)[1].values == (8, 2.0)
    with pytest.raises(TypeError, match="WasmException"):
        exports["global"].value = 5


def test_references_in_exceptions_stay_alive():
    class Thing:
        pass

    thrower = runwell.Instance(runwell.Module(THROWER)).exports
    thing = Thing()
    alive = weakref.ref(thing)
    with pytest.raises(runwell.WasmException) as caught:
        thrower.throw_object(thing)
    error = caught.value
    del caught
    error.__traceback__ = None
    assert error.values == (thing,)
    exports = catcher(thrower.e, raise_it(error))
    kept = exports.catch_ref(0)
    del thing, error, thrower
    gc.collect()
    assert isinstance(kept.values[0], Thing)
    del kept, exports
    gc.collect()
    assert alive() is None


def raise_it(error):
    def function(n):
        raise error

    return function


def test_an_exception_outlives_its_tag():
    exports = catcher(runwell.Tag("i32 f64"), lambda n: None)
    tag = runwell.Tag("i64")
    exports["global"].value = runwell.WasmException(tag, (1 << 40,))
    del tag
    gc.collect()
    for _ in range(50):
        runwell.Tag("i64")
    error = exports["global"].value
    assert error.values == (1 << 40,)
    assert error.tag.type.type.params == (runwell.ValType.I64,)


NESTED = """(module
  (tag $e (param i32))
  (tag $outer (param exnref))
  (func $throw (param i32) (throw $e (local.get 0)))
  (func $catch (param i32) (result exnref)
    (block $h (result exnref)
      (try_table (catch_all_ref $h) (call $throw (local.get 0)))
      unreachable))
  (func (export "nest") (param i32) (result exnref)
    (local $x exnref)
    (loop $l
      (block $h (result exnref)
        (try_table (catch_all_ref $h) (throw $outer (local.get $x)))
        unreachable)
      (local.set $x)
      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get $x))
  (func (export "many") (param i32)
    (loop $l
      (drop (call $catch (local.get 0)))
      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
  (func (export "inner") (result i32)
    (block $i (result i32)
      (try_table (catch $e $i)
        (block $h (result exnref)
          (try_table (catch $outer $h) (throw $outer (call $catch (i32.const 5))))
          unreachable)
        throw_ref)
      unreachable))
  (func (export "spin") (loop $l (try_table (catch_all $l) (throw $e (i32.const 0)))))
)"""


def test_memory_is_bounded():
    exports = runwell.Instance(runwell.Module(NESTED)).exports
    exports.many(1000)
    before = resident()
    exports.many(1_000_000)
    assert resident() - before < 4 << 20


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def test_a_long_chain_of_exceptions_is_freed():
    exports = runwell.Instance(runwell.Module(NESTED)).exports
    outer = exports.nest(300_000)
    assert outer.values[0].values[0].tag is outer.tag
    del outer
    exports.many(2000)


def test_an_exception_within_an_exception():
    assert runwell.Instance(runwell.Module(NESTED)).exports.inner() == 5


def test_threads_share_exceptions(tag):
    exports = catcher(tag, fail_with(tag))
    errors = []
    turn = threading.Lock()

    def work():
        try:
            for n in range(300):
                with turn:
                    exports.keep(n)
                    found = exports.kept()
                assert found.values[1] == 0.0
                with turn:
                    exports.put(n % 4, n)
                    exports.shift()
        except BaseException as e:  # noqa: BLE001
            errors.append(e)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_throwing_without_end_can_be_interrupted():
    from runwell.runtime.context import current_context

    exports = runwell.Instance(runwell.Module(NESTED)).exports
    context = current_context()
    timer = threading.Timer(0.1, context.interrupt, (runwell.TrapCode.INTERRUPTED,))
    timer.start()
    with pytest.raises(runwell.Trap, match="interrupted"):
        exports.spin()


def test_tag_says_what_it_takes(tag):
    with pytest.raises(TypeError, match="2 values"):
        runwell.WasmException(tag, (1,))
    with pytest.raises(TypeError, match="value 1"):
        runwell.WasmException(tag, ("x", 1.0))
    with pytest.raises(OverflowError):
        runwell.WasmException(tag, (1 << 40, 1.0))
    with pytest.raises(ValueError, match="no value type"):
        runwell.Tag("i33")
    assert repr(runwell.Tag(["i32", "exnref"])) == "<runwell.Tag: i32 exnref>"
    imported = runwell.Module(CATCHER).imports[0].type
    assert runwell.Tag(imported).type == imported


def test_a_tag_must_be_one(tag):
    with pytest.raises(runwell.LinkError, match="incompatible import type"):
        catcher(runwell.Tag("i32"), lambda n: None)
    with pytest.raises(runwell.LinkError, match="incompatible import type"):
        catcher(5, lambda n: None)


def test_a_tag_of_the_type_that_an_import_declares():
    module = runwell.Module("""(module
      (rec (type $other (struct)) (type $t (func (param i32))))
      (import "m" "t" (tag $tag (type $t)))
      (func (export "f") (throw $tag (i32.const 7))))""")
    tag = runwell.Tag(module.imports[0].type)
    guest = runwell.Instance(module, {"m": {"t": tag}}).exports
    with pytest.raises(runwell.WasmException) as caught:
        guest.f()
    assert caught.value.tag is tag
    assert caught.value.values == (7,)
    # One that only looks the same is another type.
    with pytest.raises(runwell.LinkError):
        runwell.Instance(module, {"m": {"t": runwell.Tag("i32")}})
