from collections.abc import Callable
from typing import Any

import pytest

import runwell


@pytest.fixture
def make() -> Callable[..., runwell.Instance]:
    """Instantiate a module given as text."""

    def instantiate(text: str, imports: Any = None) -> runwell.Instance:
        return runwell.Instance(runwell.Module(f"(module {text})", validation="lazy"), imports)

    return instantiate
