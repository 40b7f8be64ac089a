"""A cursor over tokens, and index spaces in which identifiers are looked up."""

from typing import final

from runwell.base.errors import MalformedError
from runwell.isa.literal import parse_natural
from runwell.text.lexer import Tokens, string_bytes


@final
class Space:
    """An index space: how many things it holds, and the identifiers of some.

    ``kind`` is the word for one of them in errors.
    """

    __slots__ = ("count", "ids", "kind")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.count = 0
        self.ids: dict[str, int] = {}


@final
class Cursor:
    """A place in a list of tokens; ``at`` is the index of the next one.

    Methods take what they are named after, or raise ``MalformedError``.
    """

    __slots__ = ("at", "items", "tokens")

    def __init__(self, tokens: Tokens, at: int = 0) -> None:
        self.tokens, self.items, self.at = tokens, tokens.items, at

    def error(self, message: str, back: int = 1) -> MalformedError:
        """An error at the last token taken, or one further back; 0: at the next one."""
        return self.tokens.error(message, max(self.at - back, 0))

    def unexpected(self, back: int = 0) -> MalformedError:
        """What is wrong with the next token, which does not fit; or one further back."""
        return self.tokens.unexpected(max(self.at - back, 0))

    def has(self, word: str) -> bool:
        """Is the next token this one?"""
        return self.items[self.at] == word

    def has_open(self, word: str) -> bool:
        """Do a parenthesis and this word come next?"""
        at = self.at
        return self.items[at] == "(" and self.items[at + 1] == word

    def has_string(self) -> bool:
        """Is the next token a string?"""
        token = self.items[self.at]
        return token[:1] == '"' and len(token) > 1

    def has_id(self) -> bool:
        """Is the next token an identifier?"""
        token = self.items[self.at]
        return token[:1] == "$"

    def has_index(self, ahead: int = 0) -> bool:
        """Is the next token, or one further ahead, a number or an identifier?"""
        at = self.at + ahead
        first = self.items[at][:1] if at < len(self.items) else ""
        return first == "$" or (first != "" and first in "0123456789")

    def take(self, word: str) -> bool:
        """Take the next token if it is this one."""
        if self.items[self.at] == word:
            self.at += 1
            return True
        return False

    def take_open(self, word: str) -> bool:
        """Take a parenthesis and this word if they come next."""
        if self.has_open(word):
            self.at += 2
            return True
        return False

    def expect(self, word: str) -> None:
        """This token."""
        if self.items[self.at] != word:
            raise self.unexpected()
        self.at += 1

    def word(self) -> str:
        """A keyword or number: any token but parentheses, strings, identifiers and the end."""
        token = self.items[self.at]
        if not token or token[0] in '()"$':
            raise self.unexpected()
        self.at += 1
        return token

    def skip(self) -> None:
        """Everything up to the parenthesis that closes the last one opened, and that."""
        items, at, depth = self.items, self.at, 1
        while depth:
            token = items[at]
            if token == "(":
                depth += 1
            elif token == ")":
                depth -= 1
            elif not token:
                self.at = at
                raise self.unexpected()
            at += 1
        self.at = at

    def string(self) -> bytes:
        """A string; its bytes."""
        token = self.items[self.at]
        if token[:1] != '"' or not self.tokens.is_string(token):
            raise self.unexpected()
        self.at += 1
        try:
            return string_bytes(token)
        except MalformedError as error:
            raise self.error(error.message) from None

    def strings(self) -> bytes:
        """Any number of strings; their bytes."""
        parts = []
        while self.has_string():
            parts.append(self.string())
        return b"".join(parts)

    def name(self) -> str:
        """A string that is UTF-8."""
        data = self.string()
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise self.error("malformed UTF-8 encoding") from None

    def natural(self, bits: int = 32) -> int:
        """A number without a sign."""
        value = parse_natural(self.items[self.at])
        if value is None:
            raise self.unexpected()
        self.at += 1
        if value >> bits:
            raise self.error(f"i{bits} constant out of range")
        return value

    def id(self) -> str | None:
        """An identifier if there is one, in its plain spelling."""
        token = self.items[self.at]
        if token[:1] != "$":
            return None
        if len(token) == 1 or '"' in token:
            token = self._quoted_id(token)
        self.at += 1
        return token

    def _quoted_id(self, token: str) -> str:
        """The plain spelling of an identifier that is written as a string."""
        if not self.tokens.is_string(token[1:]) or token == '$""':
            raise self.unexpected()
        try:
            return "$" + string_bytes(token[1:]).decode()
        except UnicodeDecodeError:
            raise self.error("malformed UTF-8 encoding", 0) from None

    def bind(self, space: Space) -> str | None:
        """The identifier, if there is one, of the next thing in a space."""
        name = self.id()
        if name is not None:
            if name in space.ids:
                raise self.error(f"duplicate {space.kind} {name}")
            space.ids[name] = space.count
        space.count += 1
        return name

    def index(self, space: Space) -> int:
        """A number or an identifier of a space."""
        name = self.id()
        if name is None:
            return self.natural()
        index = space.ids.get(name)
        if index is None:
            raise self.error(f"unknown {space.kind} {name}")
        return index
