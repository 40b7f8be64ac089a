"""From the text format to a binary.

Three passes over the fields of a module: one binds identifiers and finds where fields are, one
parses the type definitions, and one everything else, in the order of the text, because type uses
without a definition add one.  The result is a module over a scratch buffer of expressions and
bodies, which the encoder writes.

Source: core spec 3.0, text format of modules.
"""

from collections.abc import Callable

from runwell.base.errors import MalformedError
from runwell.base.features import DEFAULT
from runwell.binary.encoder import encode
from runwell.module.module import Module
from runwell.text.body import BodyParser
from runwell.text.cursor import Cursor
from runwell.text.fields import FieldParser
from runwell.text.lexer import Tokens
from runwell.text.naming import BRANCH_HINT
from runwell.text.types import TypeParser

# Annotations that the parser understands; all others are skipped.
ANNOTATIONS = frozenset(("name", "custom", BRANCH_HINT))


def parse(
    source: str | bytes,
    features: int = DEFAULT,
    names: bool = True,
    progress: Callable[[int, int], object] | None = None,
) -> bytes:
    """The binary of a module in the text format.

    Args:
        source: the text; bytes are UTF-8.
        features: the set of features that are on.
        names: write identifiers to a name section.
        progress: is told now and then how many tokens of how many are parsed.

    Raises:
        MalformedError: the text is no module.
    """
    cursor = Cursor(Tokens(decode_text(source), ANNOTATIONS))
    if cursor.take_open("module"):
        module = parse_fields(cursor, features, names, progress=progress)
        cursor.expect(")")
    else:
        module = parse_fields(cursor, features, names, anonymous=True, progress=progress)
    if not cursor.has(""):
        raise cursor.unexpected()
    return encode(module)


def decode_text(source: str | bytes) -> str:
    """The text that bytes are.

    Raises:
        MalformedError: they are not UTF-8.
    """
    if isinstance(source, str):
        return source
    try:
        return source.decode()
    except UnicodeDecodeError as error:
        line = source.count(b"\n", 0, error.start) + 1
        column = error.start - source.rfind(b"\n", 0, error.start)
        raise MalformedError("malformed UTF-8 encoding", line=line, column=column) from None


def parse_fields(
    cursor: Cursor,
    features: int = DEFAULT,
    names: bool = True,
    anonymous: bool = False,
    progress: Callable[[int, int], object] | None = None,
) -> Module:
    """The module at a cursor, behind its keyword, without the last parenthesis.

    Args:
        cursor: where it begins.
        features: the set of features that are on.
        names: add identifiers as a name section.
        anonymous: there is no keyword, hence no identifier.
        progress: is told now and then how many tokens of how many are parsed.
    """
    types = TypeParser(cursor, features)
    fields = FieldParser(cursor, types, BodyParser(cursor, types))
    fields.parse(anonymous, progress)
    return fields.module(names)
