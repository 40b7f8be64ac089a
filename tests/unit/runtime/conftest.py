"""The native core for tests in this process, a small one for those in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runwell.binary.decoder import decode
from runwell.host.install import install
from runwell.interp.core import load_core
from runwell.runtime.code import ModuleCode
from runwell.runtime.native import hooks
from runwell.text.parser import parse

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import core as core_module  # noqa: E402

sys.path.remove(str(HERE))


@pytest.fixture(scope="session")
def core_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("core") / "core.so"
    path.write_bytes(core_module.build())
    return path


@pytest.fixture
def core():
    """The native core; what higher layers lend to the runtime is taken away meanwhile."""
    load_core()
    install()
    lent = hooks.call, hooks.offset_of, hooks.translate_constant
    hooks.call = hooks.offset_of = hooks.translate_constant = None
    yield
    hooks.call, hooks.offset_of, hooks.translate_constant = lent


@pytest.fixture
def prepare(core):
    """A module's code, from text."""

    def prepare(text, **options):
        return ModuleCode(decode(parse(text)), **options)

    return prepare


@pytest.fixture
def worker(core_path):
    """Run a program in a process of its own; it finds the core as ``library``."""

    def run(program):
        head = f"import core; library = core.load({str(core_path)!r})\n"
        path = os.pathsep.join([str(HERE), *filter(None, sys.path)])
        return subprocess.run(
            [sys.executable, "-c", head + program],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run
