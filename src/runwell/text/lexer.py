"""Tokens of the text format.

A token is its text: the first character tells its kind, so that the list is made by one regular
expression at the speed of C and the parser compares strings.  Where a token stands is found out
only when there is an error to report.

    (  )        parentheses; "(@id" begins an annotation
    "..."       a string with its quotes, escapes not yet replaced
    $id $"id"   an identifier
    other       keyword, number, or something reserved, which nobody accepts
    ""          the end

Annotations are skipped unless they are known; a known one is kept aside with the index of the
token that it stands before.  Source: core spec 3.0, lexical format.
"""

import re
from bisect import bisect_right
from typing import NamedTuple, final

from runwell.base.errors import MalformedError

_HEX = r"[0-9a-fA-F](?:_?[0-9a-fA-F])*"
_DECIMAL = r"[0-9](?:_?[0-9])*"
_STRING = r'"(?:[^"\\\x00-\x1f\x7f]++|\\(?:[nrt\\\'"]|[0-9a-fA-F]{2}|u\{' + _HEX + r'\}))*+"'
_IDCHARS = r"[0-9A-Za-z!#$%&'*+\-./:<=>?@\\^_`|~]"
_SPACE = r"(?:[ \t\n\r]++|;;[^\n\r]*+|\(;(?:[^;(]|;(?!\))|\((?!;))*+;\))*+"
_TOKEN = re.compile(
    rf"{_SPACE}"
    rf"(\((?:@(?:{_IDCHARS}++|{_STRING})?+)?+|\)|(?:{_IDCHARS}|{_STRING})++|\Z|(?s:.))"
)

_STRING_ONLY = re.compile(rf"{_STRING}\Z")
_ID = re.compile(rf"\$(?:{_IDCHARS}++|{_STRING})\Z")
_NUMBER = re.compile(
    rf"[+-]?(?:0x{_HEX}(?:\.(?:{_HEX})?)?(?:[pP][+-]?{_DECIMAL})?"
    rf"|{_DECIMAL}(?:\.(?:{_DECIMAL})?)?(?:[eE][+-]?{_DECIMAL})?"
    rf"|inf|nan(?::0x{_HEX}|:canonical|:arithmetic)?)\Z"
)
_SETTING = re.compile(rf"(?:offset|align)=(?:0x{_HEX}|{_DECIMAL})\Z")
_ESCAPE = re.compile(rb"\\(?:([nrt\\'\"])|([0-9a-fA-F]{2})|u\{([0-9a-fA-F_]+)\})")
_SIMPLE = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"\\": b"\\", b"'": b"'", b'"': b'"'}
_OUTSIDE = re.compile(rf"{_STRING}|;;[^\n\r]*|\(;")
_INSIDE = re.compile(r"\(;|;\)")
_LINE = re.compile(r"\r\n|\n|\r")

UNEXPECTED = "unexpected token"

# Keywords of the text format that are no instructions.
KEYWORDS = frozenset(
    "module type rec sub final func struct field array mut param result local global table memory "
    "tag import export start elem data item offset declare shared then else end catch catch_ref "
    "catch_all catch_all_ref ref null i8 i16 i32 i64 f32 f64 v128 i8x16 i16x8 i32x4 i64x2 f32x4 "
    "f64x2 funcref externref anyref eqref i31ref structref arrayref exnref nullref nullfuncref "
    "nullexternref nullexnref any eq i31 none nofunc extern noextern exn noexn pagesize binary "
    "quote definition instance register invoke get assert_return assert_trap assert_exhaustion "
    "assert_malformed assert_invalid assert_unlinkable assert_exception assert_malformed_custom "
    "assert_invalid_custom input output script either thread wait".split()
)


class Annotation(NamedTuple):
    """A known annotation: its name, its tokens, and the index of the token that follows it."""

    name: str
    tokens: tuple[str, ...]
    before: int


@final
class Tokens:
    """The tokens of a text, the last one ``""``.

    Attributes:
        text: what was tokenized.
        items: the tokens.
        annotations: known annotations, in order.
    """

    __slots__ = ("_origin", "annotations", "items", "text")

    def __init__(self, text: str, known: frozenset[str] = frozenset()) -> None:
        """Tokenize.

        Args:
            text: the whole text.
            known: names of annotations to keep.

        Raises:
            MalformedError: a comment or annotation is not closed.
        """
        self.text = text
        items: list[str] = _TOKEN.findall(text)
        if ";" in items and "(;" in text:
            # A comment within a comment, which the expression cannot skip.
            items = _TOKEN.findall(_blank_comments(text))
        if not items or items[-1]:
            items.append("")
        self.items = items
        self.annotations: list[Annotation] = []
        # Index of each token among all, if annotations were taken out.
        self._origin: list[int] | None = None
        if "(@" in text:
            self._take_annotations(known)

    def _take_annotations(self, known: frozenset[str]) -> None:
        items = self.items
        kept: list[str] = []
        origin: list[int] = []
        x = 0
        while x < len(items):
            token = items[x]
            if not token.startswith("(@"):
                kept.append(token)
                origin.append(x)
                x += 1
                continue
            start, depth, name = x, 0, _annotation_name(self, x)
            while True:
                token = items[x]
                if token.startswith("("):
                    depth += 1
                elif token == ")":
                    depth -= 1
                elif not token:
                    raise self.error("unclosed annotation", start)
                elif not _is_reserved(token):
                    raise self.unexpected(x)
                x += 1
                if not depth:
                    break
            if name in known:
                inner = tuple(items[start + 1 : x - 1])
                self.annotations.append(Annotation(name, inner, len(kept)))
        self.items, self._origin = kept, origin

    def place(self, x: int) -> tuple[int, int, str]:
        """Line and column, from 1, of the token at an index, and the line."""
        if self._origin is not None and x < len(self._origin):
            x = self._origin[x]
        text = _blank_comments(self.text, strict=False)
        at = len(text)
        for n, match in enumerate(_TOKEN.finditer(text)):
            if n == x:
                at = match.start(1)
                break
        line, start = 1, 0
        for match in _LINE.finditer(self.text, 0, at):
            line, start = line + 1, match.end()
        end = _LINE.search(self.text, at)
        source = self.text[start : end.start() if end else len(self.text)]
        return line, at - start + 1, source

    def lines(self) -> list[int]:
        """The line, from 1, of every token."""
        text = _blank_comments(self.text, strict=False)
        starts = [match.end() for match in _LINE.finditer(self.text)]
        lines = [bisect_right(starts, m.start(1)) + 1 for m in _TOKEN.finditer(text)]
        return lines if self._origin is None else [lines[x] for x in self._origin]

    def error(self, message: str, x: int) -> MalformedError:
        """An error at the token at an index."""
        line, column, source = self.place(x)
        return MalformedError(message, line=line, column=column, source=source)

    def unexpected(self, x: int) -> MalformedError:
        """The error that says what is wrong with a token that does not fit."""
        return self.error(complaint(self.items[x]), x)

    @staticmethod
    def is_string(token: str) -> bool:
        """Is a token that begins as a string does exactly one string?"""
        return _STRING_ONLY.match(token) is not None


def _is_reserved(token: str) -> bool:
    """Is this something that an annotation may hold?"""
    return len(token) > 1 or token in ",;[]{}" or re.match(_IDCHARS, token) is not None


def _annotation_name(tokens: Tokens, x: int) -> str:
    name = tokens.items[x][2:]
    if name.startswith('"'):
        try:
            name = string_bytes(name).decode()
        except UnicodeDecodeError:
            raise tokens.error("malformed UTF-8 encoding", x) from None
    if not name:
        raise tokens.error("empty annotation id", x)
    return name


def complaint(token: str) -> str:
    """What is wrong with a token that does not fit where it stands."""
    if token in ("", "(", ")") or _STRING_ONLY.match(token):
        return UNEXPECTED
    if token == '"':
        return "unclosed string"
    if token == "$" or token == '$""':
        return "empty identifier"
    if token.startswith("(@"):
        return "empty annotation id"
    if not _is_reserved(token):
        return "illegal character"
    if _ID.match(token) or _NUMBER.match(token) or _SETTING.match(token) or token in KEYWORDS:
        return UNEXPECTED
    from runwell.isa.table import TABLE

    return UNEXPECTED if TABLE.named(token) else f"unknown operator {token}"


def _blank_comments(text: str, strict: bool = True) -> str:
    """The text with block comments made blank, so that every token stays where it is.

    Raises:
        MalformedError: a comment is not closed, and ``strict``.
    """
    parts: list[str] = []
    depth = done = 0
    match = _OUTSIDE.search(text)
    while match is not None:
        word = match[0]
        if word == "(;":
            if not depth:
                parts.append(text[done : match.start()])
                done = match.start()
            depth += 1
        elif word == ";)":
            depth -= 1
            if not depth:
                parts.append(" " * (match.end() - done))
                done = match.end()
        match = (_INSIDE if depth else _OUTSIDE).search(text, match.end())
    if depth and strict:
        line = len(_LINE.findall(text[:done])) + 1
        raise MalformedError("unclosed comment", line=line)
    return "".join(parts) + text[done:]


def is_number(token: str) -> bool:
    """Is this a number, whole or not?"""
    return _NUMBER.match(token) is not None


def is_id(token: str) -> bool:
    """Is this an identifier?"""
    return _ID.match(token) is not None


def string_bytes(token: str) -> bytes:
    """The bytes that a string token, with its quotes, stands for."""
    data = token[1:-1].encode()
    return _ESCAPE.sub(_unescape, data) if b"\\" in data else data


def _unescape(match: "re.Match[bytes]") -> bytes:
    simple, pair, code = match.groups()
    if simple is not None:
        return _SIMPLE[simple]
    if pair is not None:
        return bytes((int(pair, 16),))
    value = int(code, 16)
    if value >= 0x110000 or 0xD800 <= value < 0xE000:
        raise MalformedError("unicode escape out of range")
    return chr(value).encode()
