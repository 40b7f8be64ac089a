"""Modules as bytes, and in other processes."""

import concurrent.futures
import multiprocessing
import pickle
import subprocess
import sys

import pytest

import runwell
from runwell.embed import container

TEXT = """(module $m (memory (export "memory") 1) (data (i32.const 0) "abc")
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))"""


@pytest.fixture(scope="module")
def data():
    return runwell.Module(TEXT).serialize()


def test_there_and_back(data):
    assert isinstance(data, bytes)
    for copy in data, bytearray(data), memoryview(data):
        module = runwell.Module.deserialize(copy)
        assert module.name == "m"
        instance = runwell.Instance(module)
        assert instance.exports.add(3, 4) == 7
        assert instance.exports.memory[:3] == b"abc"
        assert module.serialize() == data


def test_the_configuration_comes_along():
    engine = runwell.Engine(runwell.Config(bounds="explicit", max_frames=50, features="-simd"))
    data = runwell.Module(TEXT, engine=engine).serialize()
    assert runwell.Module.deserialize(data).engine.config == engine.config
    other = runwell.Engine(
        runwell.Config(bounds="explicit", features="-simd", max_memory_bytes=1 << 20)
    )
    assert runwell.Module.deserialize(data, engine=other).engine is other


@pytest.mark.parametrize("config", [{"bounds": "explicit"}, {"features": "-simd"}, {"fuel": True}])
def test_for_another_engine(data, config):
    with pytest.raises(runwell.DeserializeError, match="differs from the engine's"):
        runwell.Module.deserialize(data, engine=runwell.Engine(runwell.Config(**config)))


def test_foreign_data(data):
    for other in b"", b"\0asm\1\0\0\0", b"x" * 1000, data[:20], pickle.dumps(3):
        with pytest.raises(runwell.DeserializeError, match="no serialized module"):
            runwell.Module.deserialize(other)
    with pytest.raises(TypeError):
        runwell.Module.deserialize("text")
    with pytest.raises(TypeError):
        runwell.Module.deserialize(None)


def test_damaged_data(data):
    for size in range(32, len(data)):
        with pytest.raises(runwell.DeserializeError):
            runwell.Module.deserialize(data[:size])
    for at in range(len(data)):
        with pytest.raises(runwell.DeserializeError):
            runwell.Module.deserialize(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    with pytest.raises(runwell.DeserializeError, match="torn"):
        runwell.Module.deserialize(data + b"\0")


def test_other_versions(data, monkeypatch):
    monkeypatch.setattr(runwell, "__version__", "99.0")
    with pytest.raises(runwell.DeserializeError, match=r"serialized by version .*99\.0 cannot use"):
        runwell.Module.deserialize(data)


def test_containers_may_have_more_sections(data):
    sections = {
        name: bytes(content) for name, content in container.unpack(memoryview(data)).items()
    }
    more = container.pack({"code/x86": b"1234", **sections, "empty": b""})
    assert runwell.Instance(runwell.Module.deserialize(more)).exports.add(1, 2) == 3
    found = container.unpack(memoryview(more))
    assert list(found) == ["code/x86", "version", "config", "wasm", "empty"]
    assert bytes(found["code/x86"]) == b"1234"


def test_functions_are_validated_again():
    """Somebody may compute the checksum of something else."""
    wasm = bytearray(
        runwell.Module('(module (func (export "f") (drop (i32.const 1))))')._decoded.data
    )
    wasm[wasm.index(b"\x41\x01\x1a")] = 0x42
    wasm[wasm.index(b"\x42\x01\x1a") + 2] = 0x45
    sections = container.unpack(memoryview(runwell.Module(TEXT).serialize()))
    changed = {name: bytes(content) for name, content in sections.items()} | {"wasm": bytes(wasm)}
    module = runwell.Module.deserialize(container.pack(changed))
    with pytest.raises(runwell.InvalidError):
        runwell.Instance(module).exports.f()


def run(module, *args):
    return runwell.Instance(module).exports.add(*args)


def trap(module):
    return runwell.Instance(module).exports.memory.read(1 << 20, 1)


def test_other_processes():
    context = multiprocessing.get_context("spawn")
    module = runwell.Module(TEXT)
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        assert pool.submit(run, module, 3, 4).result() == 7
        with pytest.raises(OverflowError):
            pool.submit(run, module, 3, 2**40).result()
        with pytest.raises(IndexError):
            pool.submit(trap, module).result()


def test_forked_processes():
    program = f"""if 1:
        import os, runwell
        module = runwell.Module({TEXT!r})
        instance = runwell.Instance(module)
        instance.exports.add(1, 2)
        child = os.fork()
        assert instance.exports.add(3, 4) == 7
        assert runwell.Instance(module).exports.add(5, 6) == 11
        if child:
            assert os.waitpid(child, 0)[1] == 0
            print("fine")
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "fine\n"), done.stderr


def test_subinterpreters_are_refused():
    program = """if 1:
        import _xxsubinterpreters as interpreters
        import runwell
        f = runwell.Func(abs, "(i32) -> i32")
        inner = '''if 1:
            import runwell
            try:
                runwell.Module("(module)")
            except ImportError as e:
                print(e, flush=True)
        '''
        interpreters.run_string(interpreters.create(), inner)
        print(f(-1))
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    refusal = "Runwell works in Python's main interpreter, not in a subinterpreter"
    assert done.stdout == f"{refusal}\n1\n", done.stderr
