"""Who waits for a preparation is told how far it is, and may end it."""

import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

import runwell

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def core():
    """Nothing else is to be prepared."""
    runwell.Module("(module)")


def test_the_phases_of_a_text():
    body = "(i32.add (i32.const 1) (local.get 0)) " + "drop (local.get 0) " * 10
    text = "(module " + f"(func (param i32) (result i32) {body})" * 2000 + ")"
    steps = []
    module = runwell.Module(text, progress=lambda *step: steps.append(step))
    phases = [phase for phase, _, _ in steps]
    assert sorted(set(phases)) == ["parse", "validate"]
    assert phases == sorted(phases)
    for phase in set(phases):
        parts = [(done, total) for p, done, total in steps if p == phase]
        assert parts == sorted(parts)
        assert len({total for _, total in parts}) == 1
    assert steps[-1][1] == steps[-1][2] > 0
    assert len(module.code.module.bodies) == 4000


@pytest.mark.parametrize("n", [9, 40])
def test_large_modules_are_validated_in_steps(n):
    """Also by several threads."""
    function = b"\x80\x80\x40" + b"\x00" + b"\x01" * ((1 << 20) - 2) + b"\x0b"
    size = len(function) - 3
    function = bytes([size & 127 | 128, size >> 7 & 127 | 128, size >> 14]) + function[3:]
    code = bytes([n]) + function * n
    head = b"\0asm\1\0\0\0" + b"\x01\x04\x01\x60\0\0" + bytes([3, n + 1, n]) + bytes(n)
    length = len(code)
    leb = bytes([length >> s & 127 | (128 if s < 28 else 0) for s in range(0, 35, 7)])
    steps = []
    data = head + b"\x0a" + leb + code
    runwell.Module(data, progress=lambda *step: steps.append(step))
    assert {phase for phase, _, _ in steps} == {"validate"}
    assert len(steps) > n / 2
    assert steps[0][1] == 0
    assert steps[-1][1] == steps[-1][2] > n << 20

    def refuse(phase, done, total):
        if done > total // 2:
            raise LookupError(phase)

    with pytest.raises(LookupError, match="validate"):
        runwell.Module(data, progress=refuse)
    bad = bytearray(data)
    bad[-2] = 0x1A  # a drop of nothing
    with pytest.raises(runwell.InvalidError, match="type mismatch"):
        runwell.Module(bytes(bad), progress=lambda *step: None)


def test_load_passes_it_on():
    steps = []
    runwell.load("(module (func))", progress=lambda *step: steps.append(step))
    assert steps


def test_it_must_be_callable():
    with pytest.raises(TypeError, match="progress must be callable, not bool"):
        runwell.Module("(module)", progress=True)


BUILD = """
import os, sys
import runwell

class Enough(Exception):
    pass

steps = []
def stop(phase, done, total):
    steps.append(phase)
    try:
        runwell.Module("(module)")
    except RuntimeError as error:
        assert "is being built" in str(error)
        raise Enough
try:
    runwell.Module("(module)", progress=stop)
except Enough:
    print("stopped", steps)
assert not [name for name in os.listdir(os.environ["RUNWELL_CACHE_DIR"]) if name.endswith(".so")]
for child in os.listdir(f"/proc/{os.getpid()}/task"):
    with open(f"/proc/{os.getpid()}/task/{child}/children") as children:
        assert not children.read()
steps = []
runwell.Module("(module)", progress=lambda *step: steps.append(step))
core = [step for step in steps if step[0] == "core"]
assert core[0] == ("core", 0, 0) and core[-1][1] == core[-1][2] > 1, core
print(sorted({step[0] for step in steps}))
"""


def test_the_first_build(tmp_path):
    environment = {
        **os.environ,
        "RUNWELL_CACHE_DIR": str(tmp_path / "cache"),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
    }
    done = subprocess.run(
        [sys.executable, "-c", BUILD], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert done.stdout == "stopped ['core']\n['core', 'validate']\n"


def test_compilation_is_ended():
    text = f'(module (@custom "unique" "{uuid4()}") (func (export "f") (result i32) i32.const 7))'

    def refuse(phase, done, total):
        if phase == "compile":
            raise KeyboardInterrupt

    engine = runwell.Engine(runwell.Config(engine="jit"))
    with pytest.raises(KeyboardInterrupt):
        runwell.Module(text, engine=engine, progress=refuse)
    assert runwell.Instance(runwell.Module(text, engine=engine)).exports.f() == 7
