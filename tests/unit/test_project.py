"""The project's own rules, held by the tools that know them."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "runwell"


def check(*command):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_lint():
    check(sys.executable, "-m", "ruff", "check")


def test_format():
    check(sys.executable, "-m", "ruff", "format", "--check")


def test_types():
    check(sys.executable, "-m", "mypy")


def test_layers():
    command = "import sys; from importlinter.cli import lint_imports_command as c; sys.exit(c())"
    check(sys.executable, "-c", command)


@pytest.mark.parametrize("path", sorted(ROOT.glob("tests/unit/*/test_*.py")), ids=lambda p: p.stem)
def test_tests_mirror_the_sources(path):
    assert (SOURCE / path.parent.name / path.name.removeprefix("test_")).exists()


def test_no_file_grows_beyond_reading():
    long = [p.name for p in SOURCE.rglob("*.py") if len(p.read_text().splitlines()) > 600]
    assert long == []
