"""Names for Python that are made of the guest's, which may be any strings."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Collection

# Names that annotations in wrappers use, so that nothing else may have them there.
ANNOTATIONS = frozenset(
    (
        *("Any", "Mapping", "Path", "Protocol", "Self", "instantiate", "runwell"),
        *("bool", "bytes", "float", "int", "object", "property", "str", "tuple"),
    )
)


def identifier(name: str, taken: Collection[str] = ()) -> str:
    """A Python name for a name of the guest's.

    Underscores that it begins with are left out: they would make it private, or have Python change
    it inside of classes.

    Args:
        name: any string.
        taken: names that it must not be.
    """
    made = re.sub(r"\W+", "_", unicodedata.normalize("NFKC", name)).lstrip("_") or "unnamed"
    if not made.isidentifier():
        made = "_" + made
    if not made.isidentifier():
        made = re.sub(r"\W+", "_", made, flags=re.ASCII)
    while keyword.iskeyword(made) or made in taken or made in ANNOTATIONS:
        made += "_"
    return made


def class_name(name: str, taken: Collection[str] = ()) -> str:
    """A Python class name for a name of the guest's, e.g. ``ImageFilter`` of ``image-filter``.

    Args:
        name: any string.
        taken: names that it must not be.
    """
    words = re.split(r"[\W_]+", unicodedata.normalize("NFKC", name))
    made = "".join(word[:1].upper() + word[1:] for word in words)
    return identifier(made or "Module", taken)


def quoted(text: str) -> str:
    """A string as a literal, with the quotation marks that formatters choose."""
    literal = repr(text)
    if literal[0] == '"' or text.count('"') > text.count("'"):
        return literal
    inner = literal[1:-1].replace("\\'", "'").replace('"', '\\"')
    return f'"{inner}"'


def shown(text: str) -> str:
    """A string as part of a docstring's text: on one line, and without its power to end it."""
    plain = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return plain.replace("\\", "\\\\").replace('"', '\\"')
