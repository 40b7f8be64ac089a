"""Backtraces with lines of the source, for modules with debugging information."""

import subprocess
import sys

import pytest

import runwell
from runwell.binary.decoder import decode
from runwell.embed.sources import source_of

pytest.importorskip("elftools", reason="pyelftools reads the debugging information")
pytest.importorskip("ziglang", reason="ziglang compiles the program")

PROGRAM = """\
__attribute__((noinline)) int inner(int a, int b) {
  return a / b;
}
int run(int n) {
  return inner(10, n) + 1;
}
"""


@pytest.fixture(scope="module", params=(4, 5))
def program(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    (folder / "filter.c").write_text(PROGRAM)
    options = ["-target", "wasm32-wasi", "-g", f"-gdwarf-{request.param}", "-O1"]
    options += ["-mexec-model=reactor", "-Wl,--export=run"]
    command = [sys.executable, "-m", "ziglang", "cc", *options, "filter.c", "-o", "filter.wasm"]
    subprocess.run(command, cwd=folder, check=True)
    return (folder / "filter.wasm").read_bytes()


@pytest.mark.parametrize("engine", ["interpreter", "jit"])
def test_frames_say_where_they_come_from(program, engine):
    chosen = runwell.Engine(runwell.Config(engine=engine))
    with pytest.raises(runwell.Trap) as caught:
        runwell.load(program, engine=chosen).exports.run(0)
    inner, run = caught.value.backtrace[:2]
    assert (inner.name, inner.source.endswith("filter.c:2")) == ("inner", True)
    assert (run.name, run.source.endswith("filter.c:5")) == ("run", True)
    assert str(inner).endswith("filter.c:2)")


def test_damaged_information_is_none(program):
    at = program.index(b".debug_line") + len(".debug_line")
    damaged = program[:at] + b"\xff" * 64 + program[at + 64 :]
    module = decode(damaged)
    assert source_of(module, module.bodies[0]) == ""
    with pytest.raises(runwell.Trap) as caught:
        runwell.load(damaged).exports.run(0)
    assert [frame.source for frame in caught.value.backtrace] == ["", ""]


def test_modules_without_information():
    module = runwell.Module('(module (func (export "f") unreachable))')
    with pytest.raises(runwell.Trap) as caught:
        runwell.Instance(module).exports.f()
    assert caught.value.backtrace[0].source == ""
