"""Closing instances: what is left afterwards says so, or goes on safely."""

import gc
import sys
import threading
import weakref

import pytest

import runwell

TEXT = """
(memory (export "memory") 1 4)
(table (export "table") 3 funcref)
(global (export "global") (mut i32) (i32.const 5))
(func $f (export "f") (param i32) (result i32) (i32.load8_u (local.get 0)))
(func (export "loop") (param i32)
  (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
(elem (i32.const 0) $f)
(data (i32.const 0) "abc")
"""


def test_a_context_manager(make):
    with make(TEXT) as instance:
        assert instance.exports.f(1) == ord("b")
        assert not instance.closed
    assert instance.closed
    instance.close()
    with pytest.raises(runwell.ClosedError, match="the instance is closed"), instance:
        pass


def test_whatever_it_exported_says_that_it_is_closed(make):
    instance = make(TEXT)
    exports = instance.exports
    f, memory, table, value = exports.f, exports.memory, exports.table, exports["global"]
    from_table = table[0]
    instance.close()
    uses = [
        lambda: f(1),
        lambda: from_table(1),
        lambda: memory.read(0, 1),
        lambda: memory.write(0, b"x"),
        lambda: memory[0],
        lambda: memoryview(memory),
        lambda: bytes(memory),
        lambda: memory.grow(1),
        lambda: memory.size,
        lambda: len(memory),
        lambda: table[0],
        lambda: table.grow(1),
        lambda: len(table),
        lambda: value.value,
        lambda: setattr(value, "value", 3),
        lambda: exports.f,
        lambda: exports["f"],
        lambda: list(exports),
        lambda: "f" in exports,
        lambda: len(exports),
        lambda: instance.exports.memory,
        instance.run,
    ]
    for use in uses:
        with pytest.raises(runwell.ClosedError, match="closed"):
            use()
    assert repr(f) == "<runwell.Func f: (i32) -> i32>"
    for thing in memory, table, value, exports, instance:
        assert repr(thing).endswith("closed>")


def test_a_closed_function_cannot_be_given_away(make):
    instance, other = make(TEXT), make(TEXT + '(func (export "take") (param funcref))')
    f = instance.exports.f
    instance.close()
    with pytest.raises(runwell.ClosedError, match="closed"):
        other.exports.take(f)
    with pytest.raises(runwell.ClosedError, match="closed"):
        other.exports.table[1] = f
    with pytest.raises(runwell.ClosedError, match="closed"):
        make('(import "m" "f" (func (param i32) (result i32)))', {"m": {"f": f}})


def test_memory_is_given_back_at_once(make):
    instance = make(TEXT)
    natives = weakref.ref(instance._native), weakref.ref(instance._native.memories[0])
    kept = instance.exports, instance.exports.f, instance.exports.memory, instance.exports.table
    gc.disable()
    try:
        instance.close()
        assert [native() for native in natives] == [None, None]
    finally:
        gc.enable()
    assert len(kept) == 4


def test_views_stay_valid_and_keep_the_memory(make):
    instance = make(TEXT)
    view = memoryview(instance.exports.memory)
    part = view[1:3]
    native = weakref.ref(instance._native.memories[0])
    instance.close()
    assert bytes(part) == b"bc"
    view[0] = 1
    with pytest.raises(runwell.ClosedError):
        memoryview(view.obj)
    view.release()
    assert native() is not None
    part.release()
    assert native() is None


def test_what_others_import_lives_on_with_them(make):
    giver = make(TEXT)
    taker = make(
        """(import "g" "memory" (memory 1)) (import "g" "global" (global $g (mut i32)))
        (import "g" "table" (table 1 funcref))
        (import "g" "f" (func $f (param i32) (result i32)))
        (export "memory" (memory 0)) (export "global" (global 0)) (export "table" (table 0))
        (func (export "both") (param i32) (result i32)
          (i32.add (global.get $g) (call $f (local.get 0))))""",
        {"g": giver},
    )
    memory, f = giver.exports.memory, giver.exports.f
    giver.close()
    gc.collect()
    assert taker.exports.both(0) == 5 + ord("a")
    assert taker.exports.memory is memory
    assert memory.read(0, 3) == b"abc"
    assert taker.exports["global"].value == 5
    assert taker.exports.table[0](1) == ord("b")
    with pytest.raises(runwell.ClosedError):
        f(0)
    taker.close()
    with pytest.raises(runwell.ClosedError):
        taker.exports.both(0)


def test_what_was_imported_is_not_closed(make):
    memory, table = runwell.Memory(1), runwell.Table("externref", 2)
    value = runwell.Global("i32", 3, mutable=True)
    text = """(import "m" "m" (memory 1)) (import "m" "t" (table 2 externref))
      (import "m" "g" (global (mut i32))) (export "m" (memory 0)) (export "t" (table 0))
      (export "g" (global 0))"""
    with make(text, {"m": {"m": memory, "t": table, "g": value}}) as instance:
        assert instance.exports.m is memory
    assert (memory.size, len(table), value.value) == (1, 2, 3)


@pytest.mark.parametrize("way", ["return", "raise", "trap"])
def test_closing_a_running_instance(make, way):
    """The call goes on, and what it returns is there when the instance is not."""
    natives = []

    def f(thing):
        natives.append(weakref.ref(instance._native))
        instance.close()
        gc.collect()
        with pytest.raises(runwell.ClosedError):
            g(None)
        if way == "raise":
            raise KeyError
        return thing

    instance = make(
        f"""(import "m" "f" (func $f (param externref) (result externref))) (memory 1)
        (func (export "g") (param externref) (result externref)
          (local.set 0 (call $f (local.get 0))) (i32.store (i32.const 0) (i32.const 7))
          {"unreachable" if way == "trap" else ""} (local.get 0))""",
        {"m": {"f": f}},
    )
    g = instance.exports.g
    gc.disable()
    try:
        if way == "return":
            assert g(["x"]) == ["x"]
        else:
            with pytest.raises(KeyError if way == "raise" else runwell.Trap):
                g(["x"])
        assert natives[0]() is None
    finally:
        gc.enable()


def test_after_traps_and_errors_it_can_be_closed(make):
    def f():
        raise KeyError

    instance = make(
        """(import "m" "f" (func $f)) (func (export "g") (call $f))
        (func (export "brief") unreachable)
        (func (export "late") (loop (br_if 0 (i32.const 0))) unreachable)
        (func $deep (export "deep") (call $deep))""",
        {"m": {"f": f}},
    )
    for name, error in (
        ("g", KeyError),
        ("brief", runwell.Trap),
        ("late", runwell.Trap),
        ("deep", runwell.Trap),
    ):
        for _ in range(3):
            with pytest.raises(error):
                instance.exports[name]()
    instance.close()


def test_closing_while_threads_call(make):
    """Some get an answer, the others are told; nothing else happens."""
    module = runwell.Module(f"(module {TEXT})")
    for _ in range(20):
        instance = runwell.Instance(module)
        exports, seen = instance.exports, []

        def call(exports=exports, seen=seen):
            while True:
                try:
                    exports.loop(2000)
                except runwell.ThreadError:
                    pass
                except runwell.ClosedError:
                    seen.append(True)
                    return

        threads = [threading.Thread(target=call) for _ in range(4)]
        for thread in threads:
            thread.start()
        native = weakref.ref(instance._native)
        instance.close()
        for thread in threads:
            thread.join()
        assert len(seen) == 4
        assert native() is None


def test_closing_wasi_closes_its_files(tmp_path):
    text = '(module (memory (export "memory") 1) (func (export "_start")))'
    wasi = runwell.WasiConfig(preopens={"/": str(tmp_path)})
    with runwell.Instance(runwell.Module(text), wasi=wasi) as instance:
        world = instance._wasi._world
    assert world._memory is None


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_many_instances_closed_stay_flat(make):
    module = runwell.Module(
        """(module (memory (export "m") 1)
        (func (export "f") (i32.store (i32.const 0) (i32.const 1))))"""
    )
    kept = []

    def once():
        with runwell.Instance(module) as instance:
            instance.exports.f()
            kept.append(instance.exports.f)

    def resident_kb():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * 4

    for _ in range(500):
        once()
    before = resident_kb()
    for _ in range(10_000):
        once()
    # The functions that were kept are some 200 bytes each.
    assert resident_kb() - before < 20_000
