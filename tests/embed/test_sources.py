"""Backtraces with lines of the source, for modules with debugging information."""

import os
import re
import subprocess
import sys

import pytest

import runwell
from runwell.binary.decoder import decode
from runwell.embed import sources
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


INLINING = """\
extern "C" void *calloc(unsigned long, unsigned long);
namespace sums {
struct Third {
  static inline __attribute__((always_inline)) int third(int *p, int i) {
    return p[i] / (i - 3);
  }
};
template <class T> inline __attribute__((always_inline)) T second(T *p, int i) {
  int x = Third::third(p, i);
  return x + 1;
}
}
__attribute__((noinline)) static int first(int *p, int n) {
  int s = 0;
  for (int i = 0; i < n; i++)
    s += sums::second(p, i);
  return s;
}
extern "C" int run(int n) {
  int *p = (int *)calloc(n, 4);
  return first(p, n) + 1;
}
"""


def build(folder, version, name, text):
    (folder / name).write_text(text)
    options = ["-target", "wasm32-wasi", "-g", f"-gdwarf-{version}", "-O1"]
    options += ["-mexec-model=reactor", "-Wl,--export=run"]
    command = [sys.executable, "-m", "ziglang", "cc", *options, name, "-o", "made.wasm"]
    subprocess.run(command, cwd=folder, check=True, env={**os.environ, "PYTHONPATH": ""})
    return (folder / "made.wasm").read_bytes()


@pytest.fixture(scope="module", params=(4, 5))
def program(request, tmp_path_factory):
    return build(tmp_path_factory.mktemp("sources"), request.param, "filter.c", PROGRAM)


@pytest.fixture(scope="module", params=(4, 5))
def inlining(request, tmp_path_factory):
    return build(tmp_path_factory.mktemp("sources"), request.param, "sums.cpp", INLINING)


@pytest.mark.parametrize("engine", ["interpreter", "jit"])
def test_frames_say_where_they_come_from(program, engine):
    chosen = runwell.Engine(runwell.Config(engine=engine))
    with pytest.raises(runwell.Trap) as caught:
        runwell.load(program, engine=chosen).exports.run(0)
    inner, run = caught.value.backtrace[:2]
    assert (inner.name, inner.source.endswith("filter.c:2")) == ("inner", True)
    assert (run.name, run.source.endswith("filter.c:5")) == ("run", True)
    assert str(inner).endswith("filter.c:2)")


def test_calls_that_are_not_there_any_more(inlining):
    """Inlined functions have no frames of the guest, but are named with where they were called."""
    with pytest.raises(runwell.Trap) as caught:
        runwell.load(inlining).exports.run(10)
    last, run = caught.value.backtrace[:2]
    assert last.source.endswith("sums.cpp:5")
    names, places = zip(*last.inlined, strict=True)
    assert names == ("third", "second<int>")
    assert [place.rpartition("sums.cpp:")[2] for place in places] == ["9", "16"]
    assert re.search(
        r"\(\S*sums.cpp:5, third inlined at \S*sums.cpp:9, second<int> inlined at \S*:16\)$",
        str(last),
    )
    assert (run.name, run.inlined) == ("run", ())
    assert run.source.endswith("sums.cpp:21")


def test_without_a_reader(program, monkeypatch):
    """What is missing are the lines."""
    monkeypatch.setitem(sys.modules, "elftools.dwarf.dwarfinfo", None)
    sources._known.cache_clear()
    with pytest.raises(runwell.Trap) as caught:
        runwell.load(program + b"\0\2\1x").exports.run(0)
    assert [(f.name, f.source) for f in caught.value.backtrace] == [("inner", ""), ("run", "")]


def test_only_what_is_asked_for_is_read(program, monkeypatch):
    """Of all that is linked, which is most of it the C library."""
    read = []
    read_lines = sources._read_lines
    monkeypatch.setattr(sources, "_read_lines", lambda p: read.append(p) or read_lines(p))
    guest = runwell.load(program + b"\0\2\1y")
    for _ in range(2):
        with pytest.raises(runwell.Trap) as caught:
            guest.exports.run(0)
        assert caught.value.backtrace[1].source
    assert len(read) == 1


def test_damaged_information_is_none(program):
    lines = decode(program).custom(".debug_line")
    damaged = program.replace(lines, b"\xff" * len(lines))
    module = decode(damaged)
    assert source_of(module, module.bodies[0]) == ("", ())
    with pytest.raises(runwell.Trap) as caught:
        runwell.load(damaged).exports.run(0)
    assert [frame.source for frame in caught.value.backtrace] == ["", ""]


def test_modules_without_information():
    module = runwell.Module('(module (func (export "f") unreachable))')
    with pytest.raises(runwell.Trap) as caught:
        runwell.Instance(module).exports.f()
    assert caught.value.backtrace[0].source == ""
