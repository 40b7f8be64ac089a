"""The translator's kernels, built once a session, and short ways to run them."""

import re
import sys
from pathlib import Path

import pytest

from runwell.text.parser import parse

HERE = str(Path(__file__).parent)
sys.path.insert(0, HERE)

import translate_harness as harness  # noqa: E402

sys.path.remove(HERE)


@pytest.fixture(scope="session")
def built():
    return harness.build()


@pytest.fixture
def translator(built):
    """The kernels, with scratch memory full of garbage."""
    built.poison()
    return built


@pytest.fixture(scope="session")
def built_plain():
    return harness.build(fuses=False)


@pytest.fixture
def code(built_plain):
    """Register code of the first function of a text, as text; nothing is fused."""

    def translate(text, **options):
        translator = built_plain
        translator.poison()
        module = translator.prepare(parse(f"(module {harness.PRELUDE} {text})"), **options)
        trouble = translator.validate(module)
        assert trouble is None, trouble.code
        return translator.code(module, module.module.n_imported_functions)

    return translate


@pytest.fixture
def check_code(code):
    """Compare the code of a text with what is expected, but for indentation and type numbers.

    Global cells are given from the first on.
    """

    def check(text, expected, **options):
        found = re.sub(r"\btype:\d+", "type:T", harness.from_first_cell(code(text, **options)))
        assert found.split("\n")[:-1] == expected.replace("\n        ", "\n").split("\n")[1:-1]

    return check


@pytest.fixture
def refusal(translator):
    """Why the functions of a text are refused, "" if they are not."""

    def verdict(text):
        return translator.verdict(parse(f"(module {harness.PRELUDE} {text})"))

    return verdict
