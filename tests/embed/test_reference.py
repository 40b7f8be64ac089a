"""The reference of the API: complete, and as the docstrings are now."""

from pathlib import Path

import pytest

from runwell.embed.reference import COMMAND, GROUPS, PAGES

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", PAGES)
def test_page_is_fresh(name):
    written = DOCS.joinpath(name).read_text(encoding="utf-8")
    assert written == PAGES[name](), f"run: {COMMAND}"


@pytest.mark.parametrize("home", GROUPS)
def test_all_public_names_are_there(home):
    module = __import__(home, fromlist=["*"])
    public = {name for name in module.__all__ if not name.startswith("__")}
    listed = [name for names in GROUPS[home].values() for name in names]
    assert len(listed) == len(set(listed))
    assert set(listed) <= public
    # ``runwell.wasi.WasiConfig`` is ``runwell.WasiConfig``.
    assert public - set(listed) <= ({"WasiConfig"} if home == "runwell.wasi" else set())


def test_what_a_page_says():
    page = PAGES["api.md"]()
    assert (
        "### `Func`\n\n```python\nFunc(function: Callable[..., Any], type: FuncType | str)" in page
    )
    assert "- `max_memory_bytes`: no memory of an instance grows beyond;" in page
    assert "#### `Instance.fuel`\n\nThe fuel that is left. Can be set." in page
    assert "with_externs" not in page
