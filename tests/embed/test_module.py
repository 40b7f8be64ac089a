"""``runwell.Module`` and ``runwell.Config``."""

import pathlib
import pickle
import threading

import pytest

import runwell

ADD = """(module $adder
  (import "env" "log" (func (param i32)))
  (memory (export "memory") 1)
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))"""
EMPTY = b"\0asm\1\0\0\0"
BAD = '(module (func (export "f") (result i32)))'


def test_from_bytes():
    for data in (EMPTY, bytearray(EMPTY), memoryview(EMPTY)):
        assert runwell.Module(data).exports == ()


def test_from_text():
    assert runwell.Module("(module)").imports == ()
    assert runwell.Module("  ;; a comment\n(module)").imports == ()


def test_from_files(tmp_path: pathlib.Path):
    binary, text = tmp_path / "m.wasm", tmp_path / "m.wat"
    binary.write_bytes(EMPTY)
    text.write_text(ADD)
    assert runwell.Module(binary).exports == ()
    assert runwell.Module(str(binary)).exports == ()
    assert runwell.Module(text).exports[1].name == "add"
    text.write_bytes(EMPTY)
    assert runwell.Module(text).exports == ()


def test_from_nothing(tmp_path: pathlib.Path):
    with pytest.raises(FileNotFoundError):
        runwell.Module(tmp_path / "missing.wasm")
    with pytest.raises(FileNotFoundError):
        runwell.Module("")
    for source in (5, None, 1.5, object()):
        with pytest.raises(TypeError, match="a module is bytes, a path, or text"):
            runwell.Module(source)


def test_malformed(tmp_path: pathlib.Path):
    with pytest.raises(runwell.MalformedError, match=r"^unexpected end"):
        runwell.Module(b"")
    with pytest.raises(runwell.MalformedError, match=r"^magic header not detected"):
        runwell.Module(b"garbage!")
    with pytest.raises(runwell.MalformedError):
        runwell.Module("(module (func i32.nothing))")


def test_invalid():
    with pytest.raises(runwell.InvalidError, match=r"^type mismatch"):
        runwell.Module(BAD)
    with pytest.raises(runwell.InvalidError, match=r"^type mismatch"):
        runwell.Module.validate(BAD)
    runwell.Module.validate(ADD)


def test_what_it_says_of_itself():
    module = runwell.Module(ADD)
    (log,) = module.imports
    assert (log.module, log.name, log.kind) == ("env", "log", runwell.ExternKind.FUNC)
    assert str(log.type) == "[i32] -> []"
    memory, add = module.exports
    assert (memory.name, memory.kind) == ("memory", runwell.ExternKind.MEMORY)
    assert memory.type == runwell.MemoryType(1)
    assert str(add.type) == "[i32 i32] -> [i32]"
    assert module.name == "adder"
    assert repr(module) == "<runwell.Module adder: 1 imports, 2 exports>"
    assert module.custom_section("nothing") is None
    assert module.custom_section("name") is not None


def test_pickling():
    engine = runwell.Engine(runwell.Config(bounds="explicit", max_memory_bytes=1 << 20))
    module = pickle.loads(pickle.dumps(runwell.Module(ADD, engine=engine)))
    assert module.name == "adder"
    assert module.engine.config == engine.config
    assert runwell.Instance(module, {"env": {"log": print}}).exports.add(1, 2) == 3


def test_shared_by_threads():
    module = runwell.Module(ADD)
    results = []

    def work():
        for i in range(50):
            instance = runwell.Instance(module, {"env": {"log": print}})
            results.append(instance.exports.add(i, 1) == i + 1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 200


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"engine": "warp"}, ValueError, "not 'warp'"),
        ({"bounds": "none"}, ValueError, "bounds is 'guard' or 'explicit'"),
        ({"max_memory_bytes": "1"}, TypeError, "max_memory_bytes must be an int"),
        ({"max_memory_bytes": -1}, ValueError, "cannot be negative"),
        ({"max_table_elements": 1.5}, TypeError, "max_table_elements must be an int"),
        ({"max_frames": -1}, ValueError, "max_frames cannot be negative"),
        ({"max_frames": 10**6}, ValueError, "max_frames is at most 100000"),
        ({"features": "flying"}, ValueError, "unknown feature 'flying'"),
    ],
)
def test_bad_configurations(arguments, error, message):
    with pytest.raises(error, match=message):
        runwell.Config(**arguments)


def test_configurations_compare_and_print():
    config = runwell.Config(bounds="explicit")
    assert config == runwell.Config(bounds="explicit") != runwell.Config()
    assert hash(config) == hash(runwell.Config(bounds="explicit"))
    assert "bounds='explicit'" in repr(runwell.Engine(config))


def test_wrong_arguments():
    with pytest.raises(TypeError, match=r"engine must be a runwell.Engine"):
        runwell.Module("(module)", engine="interpreter")
    with pytest.raises(TypeError, match=r"config must be a runwell.Config"):
        runwell.Engine("interpreter")
    with pytest.raises(ValueError, match="validation is 'eager' or 'lazy'"):
        runwell.Module("(module)", validation="never")


def test_limits():
    engine = runwell.Engine(runwell.Config(max_memory_bytes=2 * 65536, max_table_elements=10))
    text = '(module (memory (export "m") 1) (table (export "t") 5 funcref))'
    exports = runwell.Instance(runwell.Module(text, engine=engine)).exports
    assert exports.m.grow(1) == 1
    with pytest.raises(MemoryError):
        exports.m.grow(1)
    assert exports.t.grow(5) == 5
    with pytest.raises(MemoryError):
        exports.t.grow(1)


@pytest.mark.parametrize("frames", [1, 2, 100, 5000])
def test_the_limit_of_frames_is_exact(frames):
    text = """(module
      (func $down (export "down") (param i32) (result i32)
        (if (result i32) (local.get 0)
          (then (i32.add (i32.const 1) (call $down (i32.sub (local.get 0) (i32.const 1)))))
          (else (i32.const 0)))))"""
    config = runwell.Config(max_frames=frames)
    limited = runwell.Instance(runwell.Module(text, engine=runwell.Engine(config))).exports.down
    free = runwell.Instance(runwell.Module(text)).exports.down
    for _ in range(2):
        assert limited(frames - 1) == frames - 1
        with pytest.raises(runwell.ExhaustionError, match=r"^call stack exhausted"):
            limited(frames)
        assert free(frames) == frames
    assert free(99_999) == 99_999
    with pytest.raises(runwell.ExhaustionError):
        free(100_000)


def test_features_can_be_turned_off():
    text = "(module (func (param i32) (result i32) (i32.extend8_s (local.get 0))))"
    runwell.Module.validate(text)
    engine = runwell.Engine(runwell.Config(features="-sign-extension"))
    with pytest.raises((runwell.InvalidError, runwell.MalformedError)):
        runwell.Module.validate(text, engine=engine)


@pytest.mark.parametrize("bounds", ["guard", "explicit"])
def test_both_ways_of_bounding_memory(bounds):
    text = """(module (memory 1)
      (func (export "load") (param i32) (result i32) (i32.load (local.get 0))))"""
    module = runwell.Module(text, engine=runwell.Engine(runwell.Config(bounds=bounds)))
    load = runwell.Instance(module).exports.load
    assert load(65532) == 0
    for address in (65533, 65536, 2**31, 2**32 - 1):
        with pytest.raises(runwell.Trap, match=r"^out of bounds memory access"):
            load(address)


def test_a_lazily_validated_function_is_refused_at_its_call():
    text = """(module
      (func $bad (export "bad") (result i32) (i64.const 1))
      (func (export "calls") (result i32) (call $bad))
      (func (export "good") (result i32) (i32.const 7)))"""
    instance = runwell.Instance(runwell.Module(text, validation="lazy"))
    assert instance.exports.good() == 7
    for name in ("bad", "calls"):
        with pytest.raises(runwell.InvalidError, match="type mismatch") as info:
            instance.exports[name]()
        assert (info.value.function, info.value.name) == (0, "bad")
