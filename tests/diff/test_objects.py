"""Random programs with a collected heap do here what they do in wasmtime."""

import importlib.util
from pathlib import Path

import pytest

import runwell
from runwell.text.parser import parse

wasmtime = pytest.importorskip("wasmtime")

_spec = importlib.util.spec_from_file_location(
    "random_objects", Path(__file__).parent / "objects.py"
)
assert _spec is not None
assert _spec.loader is not None
objects = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(objects)

PROGRAMS, PARTS = 60, 2


def elsewhere(binary):
    config = wasmtime.Config()
    for feature in ("reference_types", "function_references", "gc"):
        setattr(config, f"wasm_{feature}", True)
    store = wasmtime.Store(wasmtime.Engine(config))
    instance = wasmtime.Instance(store, wasmtime.Module(store.engine, binary), [])
    return instance.exports(store)["run"](store)


@pytest.mark.parametrize(("engine", "step"), [("interpreter", 1), ("jit", 10)])
@pytest.mark.parametrize("part", range(PARTS))
def test_programs_do_the_same_as_elsewhere(part, engine, step):
    own = runwell.Engine(runwell.Config(engine=engine, max_heap_bytes=4 << 20))
    for seed in range(part * PROGRAMS // PARTS, (part + 1) * PROGRAMS // PARTS, step):
        binary = parse(objects.program(seed))
        instance = runwell.Instance(runwell.Module(binary, engine=own))
        assert instance.exports.run() == elsewhere(binary), seed
