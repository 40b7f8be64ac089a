"""Kernels given as text: for many of a kind, and for what must be refused."""

import itertools
import sys
from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from runwell.kernel import KernelError
from runwell.kernel.compiler import Program
from runwell.kernel.declare import Kernel
from runwell.kernel.text import ModuleText

PRELUDE = "from __future__ import annotations\nfrom runwell.kernel import *\n"

Define = Callable[[str], ModuleType]
Refusal = Callable[[str], str]

_numbers = itertools.count()


@pytest.fixture
def define(tmp_path: Path) -> Iterator[Define]:
    """Import source text, which begins on line 3, as a module."""
    names = []

    def define_(text: str) -> ModuleType:
        name = f"kernel_source_{next(_numbers)}"
        path = tmp_path / f"{name}.py"
        path.write_text(PRELUDE + text)
        spec = spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[name] = module_from_spec(spec)
        names.append(name)
        spec.loader.exec_module(module)
        return module

    yield define_
    for name in names:
        del sys.modules[name]


@pytest.fixture
def refusal(define: Define) -> Refusal:
    """The error of the last kernel of a source text, from the line number on."""

    def refusal_(text: str) -> str:
        kernels = [k for k in vars(define(text)).values() if isinstance(k, Kernel)]
        with pytest.raises(KernelError) as e:
            Program([kernels[-1]]).emit(ModuleText())
        return str(e.value).partition(".py:")[2] or str(e.value)

    return refusal_
