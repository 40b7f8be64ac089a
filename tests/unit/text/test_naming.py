import pytest

from runwell.base.errors import MalformedError
from runwell.binary.decoder import decode
from runwell.text.parser import parse
from runwell.text.printer import print_module


def test_name_annotations_win_over_identifiers():
    m = decode(parse('(module $M (@name "Mod") (func $f (@name "run fast")) (func (@name "")))'))
    assert m.names.module == "Mod"
    assert m.names.functions == {0: "run fast", 1: ""}


@pytest.mark.parametrize(
    ("place", "after"),
    [("", 11), ("(before first)", 0), ("(after last)", 11), ("(after func)", 3),
     ("(before code)", 12), ("(before type)", 0)],
)  # fmt: skip
def test_custom_annotations(place, after):
    text = f'(module (@custom "note" {place} "ab" "\\00") (func) (memory 1) (data "x"))'
    m = decode(parse(text))
    assert m.custom("note") == b"ab\0"
    # A section that is not there is stood in for by the one before it.
    assert m.customs[0].place == {12: 5}.get(after, after)


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        ("(@custom)", "malformed custom annotation: a name is missing"),
        ('(@custom "n" (beside func))', "malformed custom annotation"),
        ('(@custom "n" (before nothing))', "malformed custom annotation: unknown place"),
        ('(@custom "n" 7)', "malformed custom annotation: strings are expected"),
        ('(@custom "\\ff")', "malformed UTF-8 encoding"),
    ],
)
def test_malformed_custom_annotations(annotation, message):
    with pytest.raises(MalformedError, match=message):
        parse(f"(module {annotation})")


def test_malformed_name_annotations():
    with pytest.raises(MalformedError, match="malformed name annotation"):
        parse("(module (func $f (@name 1)))")


@pytest.mark.parametrize(
    ("text", "offset", "value"),
    [
        ('i32.const 0 (@metadata.code.branch_hint "\\01") if end', 3, 1),
        ('(@metadata.code.branch_hint "\\00") (if (i32.const 0) (then))', 3, 0),
        ('(@metadata.code.branch_hint "\\01") (br_if 0 (i32.const 0))', 3, 1),
        ('(i32.const 1) (@metadata.code.branch_hint "\\01") br_if 0', 3, 1),
    ],
)
def test_branch_hints(text, offset, value):
    m = decode(parse(f"(module (func) (func {text}))"))
    found = m.custom("metadata.code.branch_hint")
    assert found == bytes((1, 1, 1, offset, 1, value))
    assert [c.place for c in m.customs] == [3]
    assert parse(print_module(m)) == m.data


def test_malformed_branch_hints():
    with pytest.raises(MalformedError, match="malformed branch hint"):
        parse('(func (@metadata.code.branch_hint "\\02") (br_if 0 (i32.const 0)))')
