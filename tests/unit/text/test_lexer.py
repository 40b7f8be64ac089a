import pytest

from runwell.base.errors import MalformedError
from runwell.text.lexer import Tokens, complaint, is_id, is_number, string_bytes


def items(text, known=()):
    return [t for t in Tokens(text, frozenset(known)).items if t]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        ("(module)", ["(", "module", ")"]),
        ("a(b)c", ["a", "(", "b", ")", "c"]),
        ('"a b" "\\"" ""', ['"a b"', '"\\""', '""']),
        ('$x $"y z" 0x1_f -1.5e3', ["$x", '$"y z"', "0x1_f", "-1.5e3"]),
        ("a ;; b\nc", ["a", "c"]),
        ("a ;; b\rc", ["a", "c"]),
        ("a (; b ;) c", ["a", "c"]),
        ("a (; b (; c ;) d ;) e", ["a", "e"]),
        ("(;;)a(;)))( ;)b", ["a", "b"]),
        ('a "(; b" (; " (;;) ;) c', ["a", '"(; b"', "c"]),
        ('"a""b" 0$l', ['"a""b"', "0$l"]),
        ('(@skip a (b) "c" , ;) d', ["d"]),
        ("(@skip (@) (@ x)) d", ["d"]),
    ],
)
def test_tokens(text, tokens):
    assert items(text) == tokens


def test_known_annotations_are_kept_aside():
    tokens = Tokens('(module (@name "M") (func (@other x)))', frozenset(("name",)))
    assert tokens.items == ["(", "module", "(", "func", ")", ")", ""]
    assert [(a.name, a.tokens, a.before) for a in tokens.annotations] == [("name", ('"M"',), 2)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(; a", "unclosed comment"),
        ("(; (; ;)", "unclosed comment"),
        ("(@a", "unclosed annotation"),
        ("(@a (b)", "unclosed annotation"),
        ("(@)", "empty annotation id"),
        ('(@"")', "empty annotation id"),
        ("(@a \x01)", "illegal character"),
        ("(@a ä)", "illegal character"),
        ('(@a ")', "unclosed string"),
        ('(@"\\ff")', "malformed UTF-8 encoding"),
    ],
)
def test_malformed(text, message):
    with pytest.raises(MalformedError, match=message):
        Tokens(text)


@pytest.mark.parametrize(
    ("token", "message"),
    [
        (")", "unexpected token"),
        ("", "unexpected token"),
        ("func", "unexpected token"),
        ("nop", "unexpected token"),
        ("offset=4", "unexpected token"),
        ("0x1p3", "unexpected token"),
        ("$x", "unexpected token"),
        ("0x", "unknown operator 0x"),
        ("i32.foo", "unknown operator i32.foo"),
        ('"a""b"', 'unknown operator "a""b"'),
        ("$", "empty identifier"),
        ('$""', "empty identifier"),
        ('"', "unclosed string"),
        ("\x7f", "illegal character"),
        ("ß", "illegal character"),
    ],
)
def test_what_is_wrong_with_a_token(token, message):
    assert complaint(token) == message


def test_place_is_that_in_the_text():
    tokens = Tokens("(module\r\n  (@skip\n) (; c (; d ;)\n ;) bad ;; e\n)", frozenset())
    at = tokens.items.index("bad")
    error = tokens.unexpected(at)
    assert (error.line, error.column, error.source) == (4, 5, " ;) bad ;; e")
    assert str(error) == "unknown operator bad (at 4:5)\n   ;) bad ;; e"
    assert tokens.lines()[at] == 4


@pytest.mark.parametrize(
    ("token", "data"),
    [
        ('"a\\n\\t\\r\\\\\\\'\\""', b"a\n\t\r\\'\""),
        ('"\\00\\fF"', b"\0\xff"),
        ('"\\u{e4}\\u{1f_600}"', "ä😀".encode()),
        ('"ä"', "ä".encode()),
    ],
)
def test_strings(token, data):
    assert string_bytes(token) == data


@pytest.mark.parametrize("token", ['"\\u{d800}"', '"\\u{110000}"'])
def test_escapes_of_no_character(token):
    with pytest.raises(MalformedError, match="unicode escape out of range"):
        string_bytes(token)


def test_kinds():
    assert is_id("$a")
    assert not is_id("$")
    assert all(map(is_number, ["0", "+1", "-0x1.8p-3", "inf", "-nan:0x1", "1_0e5"]))
    assert not any(map(is_number, ["0x", "1_", "_1", "infinity", "0x1p", "nan:1"]))
