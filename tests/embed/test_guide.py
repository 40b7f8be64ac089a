"""The guide's examples do what it says."""

import doctest
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guide.md"
_BLOCK = re.compile(r"^```pycon\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def sections():
    """Title, number of the first line, and text of each section that has examples."""
    parts = re.split(r"^## (.+)$", GUIDE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    line = parts[0].count("\n")
    for title, text in zip(parts[1::2], parts[2::2], strict=True):
        if "```pycon" in text:
            yield pytest.param(line, text, id=title)
        line += text.count("\n")


@pytest.mark.parametrize(("line", "text"), [*sections()])
def test_section(line, text, monkeypatch):
    if "import numpy" in text:
        pytest.importorskip("numpy", reason="NumPy is not installed")
    monkeypatch.chdir(ROOT)
    for name in ("wasmtime", "rounding"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    examples = []
    for block in _BLOCK.finditer(text):
        first = line + text.count("\n", 0, block.start(1))
        for example in doctest.DocTestParser().get_examples(block[1]):
            example.lineno += first
            examples.append(example)
    assert examples
    test = doctest.DocTest(examples, {"__name__": "guide"}, "guide", str(GUIDE), 0, text)
    said = []
    doctest.DocTestRunner(verbose=False).run(test, out=said.append)
    assert not said, "".join(said)


def test_links_lead_somewhere():
    text = re.sub(r"```.*?```|`[^`]*`", "", GUIDE.read_text(encoding="utf-8"), flags=re.DOTALL)
    anchors = {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^## (.+)$", text, re.MULTILINE)
    }
    for link in re.findall(r"\]\(([^)]+)\)", text):
        if link.startswith("#"):
            assert link[1:] in anchors
        else:
            assert (GUIDE.parent / link).exists(), link
