"""Every function of WASI preview 1, called by programs in C, and every error it has a name for.

``conformance/THEME.c`` calls the raw imports and prints a line a check; each runs as a command of
its own in an empty directory.
"""

import subprocess
import sys

import pytest
from tests.wasi.building import CONFORMANCE, NATIVE, build, conformance

from runwell.wasi.preview1 import names

ENDS = {"process": 33}  # exit codes other than 0
THEMES = sorted(p.stem for p in CONFORMANCE.glob("*.c") if p.stem != "posix")


def run(path, root):
    """What a program says, and its exit code."""
    (root / "root").mkdir()
    line = [sys.executable, "-m", "runwell", "run", "--dir", f"{root / 'root'}::/"]
    line += ["--arg0", "process", "--env", "A=1", "--env", "EMPTY=", "--env", "PHRASE=x = y"]
    done = subprocess.run(
        [*line, str(path), "second one", "", "é"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.stdout.splitlines(), done.returncode, done.stderr


@pytest.mark.parametrize("theme", THEMES)
def test_calls(theme, tmp_path):
    lines, code, errors = run(conformance(theme), tmp_path)
    assert [line for line in lines if line.startswith("FAIL")] == []
    assert (code, errors) == (ENDS.get(theme, 0), "")
    assert "0 failures" in lines


def test_every_function_is_called(tmp_path):
    seen = set()
    for theme in THEMES:
        folder = tmp_path / theme
        folder.mkdir()
        lines, _, _ = run(conformance(theme), folder)
        seen |= {line.split()[1].rstrip(":") for line in lines if line.startswith("ok")}
    assert set(names()) - seen == set()


def test_the_c_library_behaves_as_it_does_natively(tmp_path):
    native, ours = tmp_path / "native", tmp_path / "ours"
    commands = {
        native: ["env", "-C", native, build(CONFORMANCE / "posix.c", target=NATIVE)],
        ours: [sys.executable, "-m", "runwell", "run", "--dir", f"{ours}::/",
               build(CONFORMANCE / "posix.c")],
    }  # fmt: skip
    said = {}
    for root, line in commands.items():
        root.mkdir()
        done = subprocess.run([*map(str, line)], capture_output=True, text=True, timeout=120)
        files = sorted(p.relative_to(root) for p in root.rglob("*"))
        said[root] = (done.stdout.splitlines(), done.stderr, done.returncode, files)
    assert said[ours][:2] == said[native][:2]
    assert said[ours][2:] == said[native][2:]
    assert said[native][2] == 7
