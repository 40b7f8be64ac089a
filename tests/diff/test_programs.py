"""Random programs do here what they do in wasmtime."""

import importlib.util
import struct
from pathlib import Path

import pytest

import runwell
from runwell.text.parser import parse

wasmtime = pytest.importorskip("wasmtime")

_spec = importlib.util.spec_from_file_location(
    "random_programs", Path(__file__).parent / "programs.py"
)
assert _spec is not None
assert _spec.loader is not None
programs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(programs)

PROGRAMS, CALLS, PARTS = 240, 4, 4


def bits(values, types):
    """Results that can be compared: numbers by their bits, but all NaN are one."""
    found = []
    several = values if isinstance(values, (tuple, list)) else (values,)
    for value, t in zip(several, types, strict=True):
        if t in (programs.F32, programs.F64):
            found.append("nan" if value != value else struct.pack("<d", value))
        else:
            found.append(value & (1 << (32 if t == programs.I32 else 64)) - 1)
    return found


# What takes time is compiling.
@pytest.mark.parametrize(("engine_name", "step"), [("interpreter", 1), ("jit", 4)])
@pytest.mark.parametrize("part", range(PARTS))
def test_programs_do_the_same_as_elsewhere(part, engine_name, step):
    engine = wasmtime.Engine()
    own = runwell.Engine(runwell.Config(engine=engine_name))
    for seed in range(part * PROGRAMS // PARTS, (part + 1) * PROGRAMS // PARTS, step):
        program = programs.Program(seed)
        binary = parse(program.text)
        store = wasmtime.Store(engine)
        theirs = wasmtime.Instance(store, wasmtime.Module(engine, binary), []).exports(store)
        ours = runwell.Instance(runwell.Module(binary, engine=own), {}).exports
        for x, (params, results) in enumerate(program.signatures):
            for _ in range(CALLS):
                arguments = program.arguments(params)
                try:
                    expected = bits(theirs[f"f{x}"](store, *arguments), results)
                except wasmtime.Trap:
                    expected = "trap"
                try:
                    found = bits(ours[f"f{x}"](*arguments), results)
                except runwell.Trap:
                    found = "trap"
                assert found == expected, (seed, x, arguments)
