"""Programs written for wasmtime-py."""

import gc
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import runwell
from runwell.compat import wasmtime

SOURCES = Path(runwell.__file__).parents[1]
I32 = wasmtime.ValType.i32()


def instance_of(text, *imports, store=None):
    store = store or wasmtime.Store()
    return wasmtime.Instance(store, wasmtime.Module(store.engine, text), imports), store


def test_calls_and_callbacks():
    store = wasmtime.Store()
    seen = []
    log = wasmtime.Func(store, wasmtime.FuncType([I32], []), seen.append)
    instance, _ = instance_of(
        """(module (import "a" "log" (func $log (param i32)))
             (func (export "add") (param i32 i32) (result i32)
               (call $log (i32.const 7)) (i32.add (local.get 0) (local.get 1)))
             (func (export "two") (result i32 i64) (i32.const 1) (i64.const 2)))""",
        log,
        store=store,
    )
    exports = instance.exports(store)
    assert exports["add"](store, 2**32 + 3, wasmtime.Val.i32(4)) == 7
    assert exports["two"](store) == [1, 2]
    assert seen == [7]
    assert exports.by_index[0] == exports["add"]
    assert exports["add"].type(store).params == [I32, I32]
    with pytest.raises(wasmtime.WasmtimeError, match="1 params given, 2 expected"):
        exports["add"](store, 1)
    with pytest.raises(TypeError):
        exports["add"](store, 1, 2.0)
    with pytest.raises(TypeError, match="wrong type of val"):
        exports["add"](store, 1, wasmtime.Val.i64(2))


def test_errors_of_callbacks_pass_through():
    store = wasmtime.Store()

    def fail():
        raise LookupError("mine")

    for result, error in ((fail, LookupError), (lambda: 5, wasmtime.WasmtimeError)):
        func = wasmtime.Func(store, wasmtime.FuncType([], []), result)
        instance, _ = instance_of(
            '(module (import "" "" (func)) (func (export "f") (call 0)))', func, store=store
        )
        with pytest.raises(error):
            instance.exports(store)["f"](store)


def test_traps_say_where():
    instance, store = instance_of(
        """(module $plugin (func (export "run") (call $inner))
             (func $inner (drop (i32.div_s (i32.const 1) (i32.const 0)))))"""
    )
    with pytest.raises(wasmtime.Trap) as caught:
        instance.exports(store)["run"](store)
    trap = caught.value
    assert trap.trap_code == wasmtime.TrapCode.INTEGER_DIVISION_BY_ZERO
    assert [(f.func_index, f.module_name) for f in trap.frames] == [(1, "plugin"), (0, "plugin")]
    assert str(trap).endswith("Caused by:\n    wasm trap: integer divide by zero\n")
    assert wasmtime.Trap("mine").trap_code is None


def test_memories_are_read_by_slices():
    instance, store = instance_of('(module (memory (export "m") 1 2))')
    memory = instance.exports(store)["m"]
    assert memory.write(store, b"abc", -3) == 3
    assert memory.read(store, -3) == bytearray(b"abc")
    assert memory.read(store, 5, 4) == bytearray()
    assert memory.data_ptr(store)[65535] == ord("c")
    assert bytes(memory.get_buffer_ptr(store, 3, 65533)) == b"abc"
    with pytest.raises(IndexError):
        memory.write(store, b"abc", 65534)
    with pytest.raises(IndexError):
        memory.get_buffer_ptr(store, 4, 65533)
    assert memory.grow(store, 1) == 1
    with pytest.raises(wasmtime.WasmtimeError):
        memory.grow(store, 1)


def test_linkers_tell_stores_apart():
    engine = wasmtime.Engine()
    linker = wasmtime.Linker(engine)
    linker.define_func("a", "b", wasmtime.FuncType([], [I32]), lambda: 5)
    with pytest.raises(wasmtime.WasmtimeError, match="defined twice"):
        linker.define_func("a", "b", wasmtime.FuncType([], [I32]), lambda: 6)
    module = wasmtime.Module(
        engine, '(module (import "a" "b" (func (result i32))) (export "f" (func 0)))'
    )
    for _ in range(2):
        store = wasmtime.Store(engine)
        assert linker.instantiate_pre(module).instantiate(store).exports(store)["f"](store) == 5
    missing = wasmtime.Module(engine, '(module (import "a" "c" (func (result i32))))')
    with pytest.raises(wasmtime.WasmtimeError, match="`a::c` has not been defined"):
        linker.instantiate(wasmtime.Store(engine), missing)
    store = wasmtime.Store(engine)
    linker.define_unknown_imports_as_default_values(store, missing)
    assert linker.get(store, "a", "c")(store) == 0


def test_epochs_stop_guests_of_other_threads():
    config = wasmtime.Config()
    config.epoch_interruption = True
    engine = wasmtime.Engine(config)
    store = wasmtime.Store(engine)
    store.set_epoch_deadline(1)
    instance, _ = instance_of('(module (func (export "f") (loop (br 0))))', store=store)
    timer = threading.Timer(0.05, engine.increment_epoch)
    timer.start()
    with pytest.raises(wasmtime.Trap) as caught:
        instance.exports(store)["f"](store)
    timer.join()
    assert caught.value.trap_code == wasmtime.TrapCode.INTERRUPT


def test_limits_of_stores():
    store = wasmtime.Store()
    store.set_limits(memory_size=100_000, instances=1)
    with pytest.raises(wasmtime.WasmtimeError):
        wasmtime.Memory(store, wasmtime.MemoryType(wasmtime.Limits(2, None)))
    instance_of("(module)", store=store)
    with pytest.raises(wasmtime.WasmtimeError, match="too many instances"):
        instance_of("(module)", store=store)


def test_limits_of_stores_hold_for_what_instances_have():
    store = wasmtime.Store()
    store.set_limits(memory_size=200_000, table_elements=10, memories=2)
    instance, _ = instance_of(
        """(module (memory (export "m") 1) (table (export "t") 1 funcref)
             (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))""",
        store=store,
    )
    exports = instance.exports(store)
    assert exports["grow"](store, 2) == 1
    assert exports["grow"](store, 1) == -1
    with pytest.raises(wasmtime.WasmtimeError):
        exports["t"].grow(store, 10, None)
    with pytest.raises(wasmtime.WasmtimeError):
        instance_of("(module (memory 4))", store=store)
    with pytest.raises(wasmtime.WasmtimeError, match="too many memories"):
        instance_of("(module (memory 1))", store=store)


COUNTERS = """
(module
  (import "" "other" (func $other (param i32) (result i32)))
  (func (export "count") (param $n i32) (result i32) (local $i i32)
    (loop $l
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $l (i32.lt_u (local.get $i) (local.get $n))))
    (local.get $i))
  (func (export "both") (param $n i32) (result i32)
    (loop $l
      (drop (call $other (i32.const 10)))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.const 5)))
"""


def metered():
    config = wasmtime.Config()
    config.consume_fuel = True
    store = wasmtime.Store(wasmtime.Engine(config))
    i32_to_i32 = wasmtime.FuncType([I32], [I32])
    none = wasmtime.Func(store, i32_to_i32, lambda n: n)
    first, _ = instance_of(COUNTERS, none, store=store)
    second, _ = instance_of(COUNTERS, first.exports(store)["count"], store=store)
    return store, first.exports(store), second.exports(store)


def test_instances_of_a_store_share_its_fuel():
    store, _, second = metered()
    store.set_fuel(1_000_000)
    assert second["both"](store, 100) == 5
    cost = 1_000_000 - store.get_fuel()
    assert cost > 100 * 10
    # However it is spread, there is enough of it or not.
    for fuel in (cost, cost + 1):
        store.set_fuel(fuel)
        assert second["both"](store, 100) == 5
        assert store.get_fuel() == fuel - cost
    store.set_fuel(cost - 1)
    with pytest.raises(wasmtime.Trap) as caught:
        second["both"](store, 100)
    assert caught.value.trap_code == wasmtime.TrapCode.OUT_OF_FUEL
    assert store.get_fuel() == 0


def test_host_functions_change_the_fuel():
    store, _, _ = metered()
    store.set_fuel(10_000)
    seen = []

    def refuel(caller, n):
        seen.append(store.get_fuel())
        store.set_fuel(500)
        return n

    func = wasmtime.Func(store, wasmtime.FuncType([I32], [I32]), refuel, access_caller=True)
    instance, _ = instance_of(COUNTERS, func, store=store)
    assert instance.exports(store)["both"](store, 3) == 5
    assert 9_900 < seen[0] < 10_000
    assert 490 < seen[1] < 500 > store.get_fuel() > 490


def test_start_functions_burn_fuel():
    store, first, _ = metered()
    store.set_fuel(1000)
    with pytest.raises(wasmtime.Trap) as caught:
        instance_of("(module (func $f (loop (br 0))) (start $f))", store=store)
    assert caught.value.trap_code == wasmtime.TrapCode.OUT_OF_FUEL
    assert store.get_fuel() == 0
    store.set_fuel(1000)
    with pytest.raises(wasmtime.Trap):
        instance_of("(module (func $f unreachable) (start $f))", store=store)
    assert 990 < store.get_fuel() < 1000
    assert first["count"](store, 50) == 50


def test_epochs_stop_guests_that_were_refuelled():
    config = wasmtime.Config()
    config.consume_fuel = config.epoch_interruption = True
    engine = wasmtime.Engine(config)
    store = wasmtime.Store(engine)
    store.set_epoch_deadline(1)
    instance, _ = instance_of('(module (func (export "f") (loop (br 0))))', store=store)
    store.set_fuel(1 << 40)  # is handed out when the guest asks for it
    timer = threading.Timer(0.05, engine.increment_epoch)
    timer.start()
    with pytest.raises(wasmtime.Trap) as caught:
        instance.exports(store)["f"](store)
    timer.join()
    assert caught.value.trap_code == wasmtime.TrapCode.INTERRUPT


def test_callers_show_what_they_export():
    store = wasmtime.Store()
    kept = []

    def log(caller, at):
        memory = caller["m"]
        kept.append((caller, memory.read(caller, at, at + 5)))
        assert caller.get("none") is None
        with pytest.raises(KeyError):
            caller["none"]

    func = wasmtime.Func(store, wasmtime.FuncType([I32], []), log, access_caller=True)
    text = """(module (import "" "" (func (param i32))) (memory (export "m") 1)
        (data (i32.const 8) "hello") (func (export "f") (call 0 (i32.const 8))) {})"""
    instance, _ = instance_of(text.format(""), func, store=store)
    instance.exports(store)["f"](store)
    instance_of(text.format("(func $s (call 0 (i32.const 8))) (start $s)"), func, store=store)
    assert [data for _, data in kept] == [b"hello"] * 2
    assert kept[0][0].get("m") is None


def test_modules_are_serialized(tmp_path):
    engine = wasmtime.Engine()
    text = '(module (func (export "f") (result i32) (i32.const 42)))'
    data = wasmtime.Module(engine, text).serialize()
    (tmp_path / "module").write_bytes(data)
    for module in (
        wasmtime.Module.deserialize(engine, data),
        wasmtime.Module.deserialize_file(engine, str(tmp_path / "module")),
    ):
        store = wasmtime.Store(engine)
        assert wasmtime.Instance(store, module, []).exports(store)["f"](store) == 42
    with pytest.raises(wasmtime.WasmtimeError):
        wasmtime.Module.deserialize(engine, b"\x7fELF" + data)


def test_directories_to_be_read(tmp_path):
    wasi = wasmtime.WasiConfig()
    with pytest.raises(wasmtime.WasmtimeError, match="READ_ONLY or READ_WRITE"):
        wasi.preopen_dir(str(tmp_path), "/", wasmtime.DirPerms.WRITE_ONLY)
    for dir_perms, file_perms, is_read_only in (
        (wasmtime.DirPerms.READ_WRITE, wasmtime.FilePerms.READ_WRITE, False),
        (wasmtime.DirPerms.READ_ONLY, wasmtime.FilePerms.READ_WRITE, True),
        (wasmtime.DirPerms.READ_WRITE, wasmtime.FilePerms.READ_ONLY, True),
    ):
        wasi.preopen_dir(str(tmp_path), "/", dir_perms, file_perms)
        directory = wasi.native(deterministic=False).preopens["/"]
        if is_read_only:
            with pytest.raises(OSError, match="Read-only"):
                directory.make_directory("made")
        else:
            directory.make_directory("made")


def test_wasi_programs_exit(tmp_path):
    engine = wasmtime.Engine()
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    module = wasmtime.Module(
        engine,
        """(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
             (import "wasi_snapshot_preview1" "fd_write"
               (func $write (param i32 i32 i32 i32) (result i32)))
             (memory (export "memory") 1)
             (data (i32.const 16) "hello")
             (data (i32.const 0) "\\10\\00\\00\\00\\05\\00\\00\\00")
             (func (export "_start")
               (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
               (call $exit (i32.const 3))))""",
    )
    for way in ("file", "function"):
        store = wasmtime.Store(engine)
        wasi = wasmtime.WasiConfig()
        wasi.argv = ["program"]
        wasi.preopen_dir(str(tmp_path), "/")
        written = []
        if way == "file":
            wasi.stdout_file = tmp_path / "out"
        else:
            wasi.stdout_custom = written.append
        store.set_wasi(wasi)
        instance = linker.instantiate(store, module)
        with pytest.raises(wasmtime.ExitTrap) as caught:
            instance.exports(store)["_start"](store)
        assert caught.value.code == 3
        assert b"".join(written) == (b"" if way == "file" else b"hello")
    gc.collect()
    assert (tmp_path / "out").read_bytes() == b"hello"
    with pytest.raises(wasmtime.WasmtimeError, match="failed to add preopen"):
        wasmtime.WasiConfig().preopen_dir(str(tmp_path / "none"), "/")


def test_options_that_do_not_exist():
    config = wasmtime.Config()
    config.cranelift_opt_level = "speed"
    with pytest.raises(wasmtime.WasmtimeError, match="strategy"):
        config.strategy = "magic"
    with pytest.raises(AttributeError):
        config.no_such_option = True
    config.wasm_simd = False
    engine = wasmtime.Engine(config)
    with pytest.raises(ValueError, match="closed"):
        config.wasm_gc = True
    with pytest.raises(wasmtime.WasmtimeError, match="simd"):
        wasmtime.Module(engine, "(module (func (drop (v128.const i64x2 0 0))))")


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("profiler", "perfmap", "RUNWELL_PERF_MAP=1"),
        ("wasm_stack_switching", True, "stack switching is not supported"),
        ("target", "riscv64gc-unknown-linux-gnu", "code is made for this machine"),
        ("cache", False, "cannot be explicitly disabled"),
        ("cache", "/no/such/file", "failed to read"),
        ("max_wasm_stack", 0, "must be positive"),
        ("cranelift_opt_level", "most", "it is none, speed, speed_and_size"),
    ],
)
def test_options_that_cannot_be_had(name, value, problem):
    with pytest.raises(wasmtime.WasmtimeError, match=problem):
        engine_of(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [("wasm_simd", 1), ("consume_fuel", None), ("strategy", True), ("max_wasm_stack", True),
     ("memory_reservation", "1"), ("cache", 3)],
)  # fmt: skip
def test_options_of_a_wrong_type(name, value):
    with pytest.raises(TypeError, match=f"{name} is a .*, not {type(value).__name__}"):
        setattr(wasmtime.Config(), name, value)


def engine_of(**options):
    config = wasmtime.Config()
    for name, value in options.items():
        setattr(config, name, value)
    return wasmtime.Engine(config)


def test_what_options_become():
    assert engine_of().native.config == runwell.Config()
    for options, config in (
        ({"cranelift_nan_canonicalization": True}, {"deterministic": True}),
        ({"signals_based_traps": False}, {"bounds": "explicit"}),
        ({"max_wasm_stack": 6400}, {"max_frames": 100}),
        ({"max_wasm_stack": 1 << 40}, {"max_frames": 100_000}),
        ({"consume_fuel": True}, {"fuel": True}),
        ({"gc_support": False}, {"features": "-gc"}),
        ({"gc_support": True, "wasm_simd": False}, {"features": "-simd"}),
        ({"cache": True, "strategy": "cranelift", "cranelift_opt_level": "none"}, {}),
    ):
        assert engine_of(**options).native.config == runwell.Config(**config)


def test_stacks_are_limited():
    engine = engine_of(max_wasm_stack=64 * 50)
    text = """(module (func $f (export "f") (param i32) (result i32)
      (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 5))
        (else (call $f (i32.sub (local.get 0) (i32.const 1)))))))"""
    instance, store = instance_of(text, store=wasmtime.Store(engine))
    f = instance.exports(store)["f"]
    assert f(store, 40) == 5
    with pytest.raises(wasmtime.Trap) as caught:
        f(store, 60)
    assert caught.value.trap_code == wasmtime.TrapCode.STACK_OVERFLOW


def test_canonical_nans_leave_the_clock_alone():
    engine = engine_of(cranelift_nan_canonicalization=True)
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    store = wasmtime.Store(engine)
    store.set_wasi(wasmtime.WasiConfig())
    module = wasmtime.Module(
        engine,
        """(module (import "wasi_snapshot_preview1" "clock_time_get"
             (func $now (param i32 i64 i32) (result i32)))
           (import "wasi_snapshot_preview1" "random_get"
             (func $random (param i32 i32) (result i32)))
           (memory (export "memory") 1)
           (func (export "now") (result i64)
             (drop (call $now (i32.const 0) (i64.const 1) (i32.const 8))) (i64.load (i32.const 8)))
           (func (export "random") (result i64)
             (drop (call $random (i32.const 16) (i32.const 8))) (i64.load (i32.const 16)))
           (func (export "nan") (param f64) (result i64)
             (i64.reinterpret_f64 (f64.sub (local.get 0) (local.get 0)))))""",
    )
    exports = linker.instantiate(store, module).exports(store)
    assert exports["now"](store) > 10**18
    others = linker.instantiate(store, module).exports(store)
    assert exports["random"](store) != others["random"](store)
    assert exports["nan"](store, float("inf")) == 0x7FF8 << 48


def test_stores_keep_something_for_the_program():
    assert wasmtime.Store(data={"a": 1}).data() == {"a": 1}
    assert wasmtime.Store().data() is None


def test_values_can_be_closed():
    with wasmtime.FuncType([I32], []) as type_:
        type_.close()
    assert type_.params == [I32]


def test_values_wrap():
    assert wasmtime.Val.i32(0xFFFFFFFF).as_i32() == -1
    assert wasmtime.Val.i64(1 << 64).as_i64() == 0
    assert wasmtime.Val.f64(1.0).as_i32() is None
    with pytest.raises(TypeError):
        wasmtime.Val.f32(1)


def test_unchanged_programs_find_it(tmp_path):
    (tmp_path / "plugin.wat").write_text('(module (func (export "f") (result i32) i32.const 5))')
    code = """
import runwell.compat.wasmtime
runwell.compat.wasmtime.install()
import wasmtime
import wasmtime.loader
print(wasmtime.__name__, wasmtime.wat2wasm("(module)"))
import plugin
print(plugin.f())
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(SOURCES)},
        cwd=tmp_path,
    )
    expected = "runwell.compat.wasmtime bytearray(b'\\x00asm\\x01\\x00\\x00\\x00')\n5\n"
    assert (done.stdout, done.stderr) == (expected, "")
