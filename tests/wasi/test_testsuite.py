"""The public wasi-testsuite, read in its own format.

``RUNWELL_WASI_TESTS`` points at a checkout that has its modules built (its branch
``prod/testsuite-base``): each ``NAME.wasm`` of a preview 1 folder, beside a ``NAME.json`` that
says arguments, environment, directory, and what is to be seen: exit code and output.  Each runs
as a command of its own with a fresh copy of its directory.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SUITE = os.environ.get("RUNWELL_WASI_TESTS", "")
WASM_MODULE = b"\0asm\1\0\0\0"


def is_preview1(folder):
    """Does a folder's manifest, or for want of a version its name, say preview 1?"""
    try:
        version = json.loads((folder / "manifest.json").read_text()).get("version")
    except FileNotFoundError:
        version = None
    return "wasip1" in (version or folder.name) or (version is None and "wasip" not in folder.name)


def cases():
    found = []
    for path in sorted(Path(SUITE).rglob("*.wasm")) if SUITE else ():
        with path.open("rb") as file:
            if file.read(8) == WASM_MODULE and is_preview1(path.parent):
                found.append(pytest.param(path, id=str(path.relative_to(SUITE))))
    return found


def steps(spec):
    """The operations of a test; the older form of specification is turned into them."""
    if "operations" in spec:
        return spec["operations"]
    reads = [
        {"type": "read", "id": name, "payload": spec[name]}
        for name in ("stdout", "stderr")
        if name in spec
    ]
    run = {"type": "run", **{k: spec[k] for k in ("args", "env", "root") if k in spec}}
    return [run, *reads, {"type": "wait", "exit_code": spec.get("exit_code", 0)}]


def command(path, run, fresh):
    """The command line of a ``run`` operation; its directory is copied to ``fresh``."""
    line = [sys.executable, "-m", "runwell", "run"]
    for key, value in run.get("env", {}).items():
        line += ["--env", f"{key}={value}"]
    if run.get("root"):
        shutil.copytree(path.parent / run["root"], fresh, symlinks=True)
        for left in fresh.rglob("*.cleanup"):
            left.unlink()
        line += ["--dir", f"{fresh}::/"]
    return [*line, str(path), *run.get("args", [])]


@pytest.mark.skipif(not SUITE, reason="RUNWELL_WASI_TESTS does not point at a wasi-testsuite")
def test_the_suite_is_found():
    assert len(cases()) > 20, f"{SUITE} holds few preview 1 modules: are they built?"


@pytest.mark.parametrize("path", cases())
def test_case(path, tmp_path):
    try:
        spec = json.loads(path.with_suffix(".json").read_text())
    except FileNotFoundError:
        spec = {}
    done = None
    for step in steps(spec) or [{"type": "run"}, {"type": "wait"}]:
        match step["type"]:
            case "run":
                line = command(path, step, tmp_path / "root")
                done = subprocess.run(
                    line, stdin=subprocess.DEVNULL, capture_output=True, timeout=60
                )
            case "read":
                heard = getattr(done, step.get("id", "stdout"))
                assert heard.decode() == step.get("payload", "")
            case "wait":
                said = f"\nstdout:\n{done.stdout.decode()}\nstderr:\n{done.stderr.decode()}"
                assert done.returncode == step.get("exit_code", 0), said
            case other:
                pytest.fail(f"a preview 1 program cannot be asked to {other}")
