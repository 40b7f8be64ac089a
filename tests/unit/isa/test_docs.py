from pathlib import Path

import pytest

from runwell.isa.docs import PAGES

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("name", PAGES)
def test_page_is_fresh(name):
    written = DOCS.joinpath(name).read_text(encoding="utf-8")
    assert written == PAGES[name](), "run: python -m runwell.isa.docs docs"
