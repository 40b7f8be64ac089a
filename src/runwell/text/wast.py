"""Test scripts: ``.wast`` files to commands.

Commands come one at a time, so that a script is read as far as it can be: a module that does not
parse becomes a source that holds the error.  Source: the reference interpreter's description of
the script format.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias, final

from runwell.base.errors import MalformedError, RunwellError
from runwell.base.features import DEFAULT
from runwell.base.types import F32, F64, I32, V128, ValType
from runwell.binary.encoder import encode
from runwell.isa.literal import parse_float, parse_integer, to_signed
from runwell.isa.op import Rule
from runwell.isa.table import TABLE
from runwell.module.module import Module
from runwell.text.cursor import Cursor
from runwell.text.lexer import Tokens
from runwell.text.parser import ANNOTATIONS, decode_text, parse_fields

CANONICAL, ARITHMETIC = "nan:canonical", "nan:arithmetic"


class Number(NamedTuple):
    """A number, by its bits, unsigned; or, to be compared with, a kind of NaN."""

    type: ValType
    bits: int | str


class Vector(NamedTuple):
    """A vector of lanes; each is bits, or a kind of NaN."""

    lane: ValType
    lane_bits: int
    lanes: tuple[int | str, ...]


class Reference(NamedTuple):
    """A reference: ``kind`` is what follows ``ref.``, ``value`` a number that a host gave it."""

    kind: str
    value: int | None = None


class Either(NamedTuple):
    """One of several results."""

    options: "tuple[Result, ...]"


Result: TypeAlias = Number | Vector | Reference | Either


class Source(NamedTuple):
    """A module of a script.

    Attributes:
        form: "text", "binary" or "quote".
        data: the binary; of a quoted module, the text.
        error: why text is no module, if it is none; raised when the module is needed.
    """

    form: str
    data: bytes
    error: Exception | None = None


class Define(NamedTuple):
    """A module; ``instantiate`` unless it is just a definition."""

    line: int
    name: str | None
    source: Source
    instantiate: bool


class Instantiate(NamedTuple):
    """An instance of a module defined before; None: of the last one."""

    line: int
    name: str | None
    definition: str | None


class Register(NamedTuple):
    """Offer an instance's exports to importers as ``module``."""

    line: int
    module: str
    instance: str | None


class Action(NamedTuple):
    """Call an export, or (``args`` None) read a global."""

    line: int
    instance: str | None
    name: str
    args: tuple[Result, ...] | None


class Assertion(NamedTuple):
    """An assertion; ``kind`` is its keyword without ``assert_``."""

    line: int
    kind: str
    subject: Action | Source
    expected: tuple[Result, ...] = ()
    message: str = ""


class Thread(NamedTuple):
    """Commands for a thread of their own, which sees only the instances that are shared."""

    line: int
    name: str
    shared: tuple[str, ...]
    commands: "tuple[Command, ...]"


class Wait(NamedTuple):
    """Wait for a thread."""

    line: int
    name: str


class Broken(NamedTuple):
    """A command that cannot be read."""

    line: int
    error: MalformedError


Command: TypeAlias = Define | Instantiate | Register | Action | Assertion | Thread | Wait | Broken

_CONSTS = {op.keyword: op.ty for op in TABLE if op.rule == Rule.CONST} | {"v128.const": V128}
# Width of a lane by shape.
_SHAPES = {"i8x16": 8, "i16x8": 16, "i32x4": 32, "i64x2": 64, "f32x4": 32, "f64x2": 64}
_FIELDS = frozenset("type rec import func table memory global tag export start elem data".split())


def parse_script(source: str | bytes, features: int = DEFAULT) -> Iterator[Command]:
    """The commands of a script.

    Args:
        source: the text; bytes are UTF-8.
        features: the set of features that are on.

    Raises:
        MalformedError: its parentheses or comments do not match.
    """
    tokens = Tokens(decode_text(source), ANNOTATIONS)
    script = _Script(Cursor(tokens), tokens.lines(), features)
    if len(tokens.items) > 2 and tokens.items[1] in _FIELDS:
        return iter((script.bare_module(),))
    return script.commands()


@final
class _Script:
    """Parses commands at a cursor."""

    def __init__(self, cursor: Cursor, lines: list[int], features: int) -> None:
        self.cursor, self.lines, self.features = cursor, lines, features

    def commands(self) -> Iterator[Command]:
        """Commands up to the end, or to a parenthesis that closes what holds them."""
        c = self.cursor
        while not (c.has("") or c.has(")")):
            start, line = c.at, self.lines[c.at]
            try:
                command = self._command(line)
            except MalformedError as error:
                command = Broken(line, error)
                c.at = start
                c.expect("(")
                c.skip()
            yield command

    def bare_module(self) -> Command:
        """A script that is just the fields of a module."""
        source = self._text(lambda: parse_fields(self.cursor, self.features, anonymous=True))
        return Define(1, None, source, instantiate=True)

    def _command(self, line: int) -> Command:
        c = self.cursor
        c.expect("(")
        word = c.word()
        command: Command
        if word == "module":
            return self._module(line)
        if word == "register":
            command = Register(line, c.name(), c.id())
        elif word in ("invoke", "get"):
            return self._action(word, line)
        elif word == "thread":
            command = self._thread(line)
        elif word == "wait":
            command = Wait(line, c.id() or "")
        elif word.startswith("assert_"):
            command = self._assertion(word.removeprefix("assert_"), line)
        else:
            raise c.unexpected(1)
        c.expect(")")
        return command

    def _module(self, line: int) -> Command:
        """A module, behind its keyword."""
        c = self.cursor
        if c.take("instance"):
            name, definition = c.id(), c.id()
            c.expect(")")
            return Instantiate(line, name, definition)
        only = c.take("definition")
        name, source = self._source()
        return Define(line, name, source, not only)

    def _source(self) -> tuple[str | None, Source]:
        """A module's identifier, and what it is made of, up to the last parenthesis."""
        c = self.cursor
        start = c.at
        name = c.id()
        if c.has("binary") or c.has("quote"):
            form = c.word()
            if form == "binary":
                source = Source(form, c.strings())
            else:
                # Strings are pieces of one text; tokens do not continue from one to the next.
                source = Source(form, b"\n".join(self._pieces()))
            c.expect(")")
            return name, source
        c.at = start
        source = self._text(lambda: parse_fields(c, self.features))
        if source.error is not None:
            c.at = start
            c.skip()
        else:
            c.expect(")")
        return name, source

    def _pieces(self) -> Iterator[bytes]:
        while self.cursor.has_string():
            yield self.cursor.string()

    @staticmethod
    def _text(parse: Callable[[], Module]) -> Source:
        try:
            return Source("text", encode(parse()))
        except RunwellError as error:
            return Source("text", b"", error)

    def _action(self, word: str, line: int) -> Action:
        """An action, behind its keyword."""
        c = self.cursor
        instance, name = c.id(), c.name()
        args: tuple[Result, ...] | None = None
        if word == "invoke":
            args = tuple(self._results())
        c.expect(")")
        return Action(line, instance, name, args)

    def _assertion(self, kind: str, line: int) -> Assertion:
        c = self.cursor
        c.expect("(")
        word = c.word()
        if word in ("invoke", "get"):
            action = self._action(word, line)
            if kind == "return":
                return Assertion(line, kind, action, tuple(self._results()))
            if kind == "exception":
                return Assertion(line, kind, action)
            return Assertion(line, kind, action, (), c.name())
        if word != "module" or kind in ("return", "exception"):
            raise c.unexpected(1)
        c.take("definition")
        _, source = self._source()
        return Assertion(line, kind, source, (), c.name())

    def _thread(self, line: int) -> Thread:
        c = self.cursor
        name = c.id() or ""
        shared = []
        while c.take_open("shared"):
            c.expect("(")
            c.expect("module")
            shared.append(c.id() or "")
            c.expect(")")
            c.expect(")")
        return Thread(line, name, tuple(shared), tuple(self.commands()))

    # Values.

    def _results(self) -> Iterator[Result]:
        while self.cursor.has("("):
            yield self._result()

    def _result(self) -> Result:
        c = self.cursor
        c.expect("(")
        word = c.word()
        result: Result
        if word == "either":
            result = Either(tuple(self._results()))
        elif word.startswith("ref."):
            result = self._reference(word.removeprefix("ref."))
        elif word in _CONSTS:
            t = _CONSTS[word]
            result = self._vector() if t == V128 else Number(t, self._bits(t, t.bits))
        else:
            raise c.unexpected(1)
        c.expect(")")
        return result

    def _reference(self, kind: str) -> Reference:
        c = self.cursor
        if c.has(")"):
            return Reference(kind)
        if kind == "null":
            c.at += 1
            return Reference(kind)
        return Reference(kind, c.natural())

    def _vector(self) -> Vector:
        shape = self.cursor.word()
        if shape not in _SHAPES:
            raise self.cursor.unexpected(1)
        bits = _SHAPES[shape]
        lane = (F32 if bits == 32 else F64) if shape.startswith("f") else I32
        return Vector(lane, bits, tuple([self._bits(lane, bits) for _ in range(128 // bits)]))

    def _bits(self, t: ValType, bits: int) -> int | str:
        c = self.cursor
        text = c.word()
        if t.is_float:
            if text in (CANONICAL, ARITHMETIC):
                return text
            value = parse_float(text, bits)
        else:
            value = parse_integer(text)
            value = None if value is None else to_signed(value, bits)
        if value is None:
            raise c.unexpected(1)
        return value & ((1 << bits) - 1)
