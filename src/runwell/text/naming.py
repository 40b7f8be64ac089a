"""Identifiers and annotations of a module's text that become custom sections.

Source: core spec 3.0, appendix "Custom Sections and Annotations"; branch hinting proposal.
"""

from collections.abc import Mapping
from typing import final

from runwell.base.errors import MalformedError
from runwell.base.leb128 import encode_unsigned
from runwell.binary.decoder import CUSTOM, DATA, ORDER
from runwell.binary.names import SECTION, encode_names
from runwell.module.module import Names
from runwell.text.cursor import Cursor, Space
from runwell.text.lexer import Annotation, Tokens, string_bytes
from runwell.text.types import TypeParser

BRANCH_HINT = "metadata.code.branch_hint"

# Sections as annotations name them.
SECTIONS = {
    "type": 1,
    "import": 2,
    "func": 3,
    "table": 4,
    "memory": 5,
    "global": 6,
    "export": 7,
    "start": 8,
    "elem": 9,
    "code": 10,
    "data": 11,
    "datacount": 12,
    "tag": 13,
}


def branch_hints(tokens: Tokens) -> dict[int, int]:
    """Values of branch hints, by the index of the token that they stand before.

    Raises:
        MalformedError: a hint is no byte 0 or 1.
    """
    hints: dict[int, int] = {}
    for annotation in tokens.annotations:
        if annotation.name == BRANCH_HINT:
            words = annotation.tokens
            value = string_bytes(words[0]) if len(words) == 1 and words[0][0] == '"' else b""
            if value not in (b"\0", b"\1"):
                raise tokens.error("malformed branch hint annotation", annotation.before)
            hints[annotation.before] = value[0]
    return hints


def encode_hints(functions: Mapping[int, list[tuple[int, int]]]) -> bytes:
    """The contents of the section for branch hints: offsets in bodies, and values."""
    out = bytearray(encode_unsigned(len(functions)))
    for x, hints in functions.items():
        out += encode_unsigned(x) + encode_unsigned(len(hints))
        for offset, value in hints:
            out += encode_unsigned(offset) + bytes((1, value))
    return bytes(out)


@final
class IdNames:
    """Collects the names of a module's things, and its custom annotations.

    Attributes:
        module: the module's identifier or name, or "".
    """

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self.module = ""
        self._locals: dict[int, dict[int, str]] = {}
        self._labels: dict[int, dict[int, str]] = {}
        self._given: dict[str, dict[int, str]] = {}
        self._at = {a.before: a for a in cursor.tokens.annotations if a.name == "name"}

    def bind_module(self) -> None:
        """Take the module's identifier."""
        self.module = (self.cursor.id() or "$")[1:]
        given = self._at.get(self.cursor.at)
        if given is not None:
            self.module = self._text(given)

    def bind(self, space: Space) -> None:
        """Take the identifier, if there is one, of the next thing in a space."""
        x = space.count
        self.cursor.bind(space)
        if self._at:
            given = self._at.get(self.cursor.at)
            if given is not None:
                self._given.setdefault(space.kind, {})[x] = self._text(given)

    def add_locals(self, function: int, space: Space) -> None:
        """Keep the identifiers of a function's locals."""
        self._locals[function] = {x: name[1:] for name, x in space.ids.items()}

    def add_labels(self, function: int, ids: Mapping[int, str]) -> None:
        """Keep the identifiers of a function's labels, in the order in which they begin."""
        self._labels[function] = {x: name[1:] for x, name in ids.items()}

    def _text(self, annotation: Annotation) -> str:
        tokens = annotation.tokens
        if len(tokens) != 1 or not tokens[0].startswith('"'):
            raise self._error("malformed name annotation", annotation)
        try:
            return string_bytes(tokens[0]).decode()
        except UnicodeDecodeError:
            raise self._error("malformed UTF-8 encoding", annotation) from None

    def _error(self, message: str, annotation: Annotation) -> MalformedError:
        return self.cursor.tokens.error(message, annotation.before)

    def customs(self, start: int, names: Names | None) -> list[tuple[str, int, bytes]]:
        """Name, place and contents of custom sections.

        Args:
            start: index of the module's first token.
            names: to write as the name section, or None.
        """
        out = [
            self._custom(annotation)
            for annotation in self.cursor.tokens.annotations
            if annotation.name == "custom" and start <= annotation.before <= self.cursor.at
        ]
        if names is not None and names != Names():
            out.append((SECTION, DATA, encode_names(names)))
        return out

    def names(self, types: TypeParser) -> Names:
        """All names collected."""

        def of(kind: str) -> dict[int, str]:
            space = types.spaces[kind]
            named = {x: name[1:] for name, x in space.ids.items()}
            return named | self._given.get(kind, {})

        return Names(
            module=self.module,
            functions=of("func"),
            locals=self._locals,
            labels=self._labels,
            types=of("type"),
            tables=of("table"),
            memories=of("memory"),
            globals=of("global"),
            elements=of("elem segment"),
            data=of("data segment"),
            fields={
                x: {y: name[1:] for name, y in ids.items()}
                for x, ids in types.fields.items()
                if ids
            },
            tags=of("tag"),
        )

    def _custom(self, annotation: Annotation) -> tuple[str, int, bytes]:
        """``"name" ((before|after) section)? "contents"*``."""
        words = list(annotation.tokens)
        place = DATA
        if not words or not words[0].startswith('"'):
            raise self._error("malformed custom annotation: a name is missing", annotation)
        try:
            name = string_bytes(words.pop(0)).decode()
        except UnicodeDecodeError:
            raise self._error("malformed UTF-8 encoding", annotation) from None
        if words and words[0] == "(":
            if len(words) < 4 or words[3] != ")":
                raise self._error("malformed custom annotation: a place is expected", annotation)
            place = self._place(words[1], words[2], annotation)
            del words[:4]
        if not all(word.startswith('"') for word in words):
            raise self._error("malformed custom annotation: strings are expected", annotation)
        return name, place, b"".join(map(string_bytes, words))

    def _place(self, side: str, section: str, annotation: Annotation) -> int:
        if (side, section) == ("before", "first"):
            return CUSTOM
        if (side, section) == ("after", "last"):
            return DATA
        number = SECTIONS.get(section)
        if number is None or side not in ("before", "after"):
            raise self._error("malformed custom annotation: unknown place", annotation)
        if side == "after":
            return number
        rank = ORDER.index(number)
        return ORDER[rank - 1] if rank else CUSTOM
