import pytest

from runwell.base.errors import MalformedError
from runwell.text.cursor import Cursor, Space
from runwell.text.lexer import Tokens


def cursor(text):
    return Cursor(Tokens(text))


def test_words_and_parentheses():
    c = cursor("(func x) 7")
    assert c.take_open("func")
    assert not c.take("y")
    assert c.take("x")
    c.expect(")")
    assert c.natural() == 7
    assert c.has("")


def test_skip_to_the_closing_parenthesis():
    c = cursor("a (b (c)) d) e")
    c.skip()
    assert c.word() == "e"
    with pytest.raises(MalformedError, match="unexpected token"):
        cursor("(a").skip()


def test_identifiers_have_one_spelling():
    space = Space("func")
    c = cursor('$f $"g" $"f\\20x" $g 0')
    assert [c.bind(space) for _ in range(3)] == ["$f", "$g", "$f x"]
    assert (c.index(space), c.index(space), space.count) == (1, 0, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("$f $f", "duplicate func [$]f"),
        ("$f $", "empty identifier"),
        ('$f $"\\ff"', "malformed UTF-8 encoding"),
    ],
)
def test_binding_fails(text, message):
    c = cursor(text)
    space = Space("func")
    c.bind(space)
    with pytest.raises(MalformedError, match=message):
        c.bind(space)


def test_index_fails():
    with pytest.raises(MalformedError, match=r"unknown func [$]x"):
        cursor("$x").index(Space("func"))
    with pytest.raises(MalformedError, match="i32 constant out of range"):
        cursor("4294967296").index(Space("func"))
    with pytest.raises(MalformedError, match="unexpected token"):
        cursor("(").index(Space("func"))


def test_names_are_utf8():
    assert cursor('"\\u{e4}"').name() == "ä"
    with pytest.raises(MalformedError, match="malformed UTF-8 encoding"):
        cursor('"\\80"').name()
    assert cursor('"a" "b" c').strings() == b"ab"
    with pytest.raises(MalformedError, match="unknown operator"):
        cursor('"a""b"').strings()
