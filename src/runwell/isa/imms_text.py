"""Immediates in the text format: how each kind is printed and parsed.

The hooks ``Names`` and ``Operands`` are implemented by the text format, which knows identifiers
and tokens; ``imms`` says which Python value each kind has.  Source: core spec 3.0, text format of
instructions.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeAlias

from runwell.base.errors import MalformedError
from runwell.base.types import HEAP_NAMES, NON_NULL, ValType
from runwell.isa.imms import BlockType, Cast, Catch, MemArg
from runwell.isa.literal import parse_float, parse_integer, print_float, to_signed
from runwell.isa.op import Imm, Op
from runwell.isa.table import TABLE

Print: TypeAlias = "Callable[[Any, Names], str]"
Parse: TypeAlias = "Callable[[Operands], Any]"
_OPTIONAL = (Imm.TABLE, Imm.MEMORY)
_LANE_RANGE = "i8 constant out of range"


class Names(ABC):
    """What printing asks of its environment."""

    @abstractmethod
    def index(self, kind: Imm, index: int) -> str:
        """An index of a kind's index space: the number, or an identifier."""

    def val_type(self, t: ValType) -> str:
        """A value type."""
        x = t.heap_index
        if x is None:
            return t.text
        return f"(ref {'' if t & NON_NULL else 'null '}{self.index(Imm.TYPE, x)})"


class Numbers(Names):
    """Names nothing."""

    def index(self, kind: Imm, index: int) -> str:
        """The number."""
        return str(index)


class Operands(ABC):
    """What parsing asks of the text parser: the tokens at its cursor.

    Each method takes what it returns, or raises ``MalformedError``.
    """

    @abstractmethod
    def has_index(self, ahead: int = 0) -> bool:
        """Is the next token, or one further ahead, a number or an identifier?"""

    @abstractmethod
    def has_number(self, ahead: int = 0) -> bool:
        """Is the next token, or one further ahead, a number, whole or not, signed or not?"""

    @abstractmethod
    def has_clause(self, word: str) -> bool:
        """Do a parenthesis and this word come next?"""

    @abstractmethod
    def index(self, kind: Imm) -> int:
        """A number or identifier, resolved in the index space of the kind.

        Fields (``FIELD``) are those of the structure whose index was taken just before.
        """

    @abstractmethod
    def atom(self) -> str:
        """Any token that is no parenthesis, string or identifier, e.g. a number or keyword."""

    @abstractmethod
    def setting(self, name: str) -> str | None:
        """What follows ``name=`` if the next token begins with that, else None."""

    @abstractmethod
    def block_type(self) -> BlockType:
        """The type clauses of a block."""

    @abstractmethod
    def type_use(self) -> int:
        """The type clauses of a function; the type index."""

    @abstractmethod
    def result_types(self) -> tuple[ValType, ...]:
        """Any number of result clauses."""

    @abstractmethod
    def heap_type(self) -> ValType:
        """A heap type, as the type of nullable references to it."""

    @abstractmethod
    def ref_type(self) -> ValType:
        """A reference type."""

    @abstractmethod
    def catches(self) -> tuple[Catch, ...]:
        """Any number of catch clauses."""

    @abstractmethod
    def error(self, message: str) -> MalformedError:
        """An error at the last token taken."""

    def natural(self, limit: int, message: str = "unexpected token") -> int:
        """A number without a sign, below ``limit``."""
        text = self.atom()
        value = parse_integer(text)
        if value is None or text[0] in "+-":
            raise self.error("unexpected token")
        if value >= limit:
            raise self.error(message)
        return value

    def integer(self, bits: int) -> int:
        """A number of so many bits, signed or not; the signed value."""
        value = parse_integer(self.atom())
        if value is None:
            raise self.error("unexpected token")
        signed = to_signed(value, bits)
        if signed is None:
            raise self.error("constant out of range")
        return signed

    def float(self, bits: int) -> int:
        """The bits of a float."""
        try:
            value = parse_float(self.atom(), bits)
        except OverflowError:
            raise self.error("constant out of range") from None
        if value is None:
            raise self.error("unexpected token")
        return value


# Printing: the words behind the mnemonic, "" for none.


def _print_block(value: BlockType, names: Names) -> str:
    if value is None:
        return ""
    if isinstance(value, ValType):
        return f"(result {names.val_type(value)})"
    return f"(type {names.index(Imm.TYPE, value)})"


def print_heap_type(value: ValType, names: Names) -> str:
    """The heap type that references of a type are to."""
    x = value.heap_index
    return HEAP_NAMES[value & 0xFF] if x is None else names.index(Imm.TYPE, x)


def _print_ref(value: ValType, names: Names) -> str:
    null = "" if value & NON_NULL else "null "
    return f"(ref {null}{print_heap_type(value, names)})"


def _print_catches(value: tuple[Catch, ...], names: Names) -> str:
    words = []
    for tag, with_ref, label in value:
        word = "catch" if tag is not None else "catch_all"
        what = "" if tag is None else f" {names.index(Imm.TAG, tag)}"
        ref = "_ref" if with_ref else ""
        words.append(f"({word}{ref}{what} {names.index(Imm.LABEL, label)})")
    return " ".join(words)


def _print_cast(value: Cast, names: Names) -> str:
    types = f"{_print_ref(value.source, names)} {_print_ref(value.target, names)}"
    return f"{names.index(Imm.LABEL, value.label)} {types}"


def _print_v128(value: int, names: Names) -> str:
    words = [f"0x{value >> shift & 0xFFFFFFFF:08x}" for shift in range(0, 128, 32)]
    return "i32x4 " + " ".join(words)


# Parsing.


def _parse_labels(operands: Operands) -> tuple[int, ...]:
    labels = [operands.index(Imm.LABEL)]
    while operands.has_index():
        labels.append(operands.index(Imm.LABEL))
    return tuple(labels)


_V128 = {
    "i8x16": (8, 16),
    "i16x8": (16, 8),
    "i32x4": (32, 4),
    "i64x2": (64, 2),
    "f32x4": (32, 4),
    "f64x2": (64, 2),
}


def _parse_v128(operands: Operands) -> int:
    shape = operands.atom()
    if shape not in _V128:
        raise operands.error("unexpected token")
    bits, lanes = _V128[shape]
    read = operands.float if shape[0] == "f" else operands.integer
    mask = (1 << bits) - 1
    if _count_numbers(operands) != lanes:
        raise operands.error("wrong number of lane literals")
    return sum((read(bits) & mask) << (bits * lane) for lane in range(lanes))


def _count_numbers(operands: Operands) -> int:
    count = 0
    while operands.has_number(count):
        count += 1
    return count


def _parse_lanes(operands: Operands) -> tuple[int, ...]:
    if _count_numbers(operands) != 16:
        raise operands.error("invalid lane length")
    lanes = [parse_integer(operands.atom()) for _ in range(16)]
    if any(lane is None or not 0 <= lane < 256 for lane in lanes):
        raise operands.error(_LANE_RANGE)
    return tuple([lane for lane in lanes if lane is not None])


def _parse_cast(operands: Operands) -> Cast:
    return Cast(operands.index(Imm.LABEL), operands.ref_type(), operands.ref_type())


def _parse_lane(operands: Operands) -> int:
    return operands.natural(256, _LANE_RANGE)


def _parse_memarg(op: Op, operands: Operands) -> MemArg:
    memory = operands.index(Imm.MEMORY) if operands.has_index() else 0
    return _parse_settings(op, operands, memory)


def _parse_settings(op: Op, operands: Operands, memory: int) -> MemArg:
    offset, align = 0, op.width
    text = operands.setting("offset")
    if text is not None:
        offset = _setting(operands, text)
        if offset >= 1 << 64:
            raise operands.error("i64 constant out of range")
    text = operands.setting("align")
    if text is not None:
        align = _setting(operands, text)
        if align.bit_count() != 1:
            raise operands.error("alignment must be a power of two")
    return MemArg(align.bit_length() - 1, offset, memory)


def _setting(operands: Operands, text: str) -> int:
    value = parse_integer(text)
    if value is None or text[0] in "+-":
        raise operands.error("unexpected token")
    return value


def _parse_access_lane(op: Op, operands: Operands) -> tuple[MemArg, int]:
    """A memory argument and a lane: a number that comes first may be either's."""
    if not operands.has_index():
        arg = _parse_settings(op, operands, 0)
        return arg, _parse_lane(operands)
    first = operands.index(Imm.MEMORY)
    arg = _parse_settings(op, operands, first)
    if operands.has_index():
        return arg, _parse_lane(operands)
    if arg != MemArg(op.width.bit_length() - 1, 0, first):
        raise operands.error("unexpected token")
    if first > 255:
        raise operands.error(_LANE_RANGE)
    return arg._replace(memory=0), first


def _print_index(kind: Imm) -> Print:
    return lambda value, names: names.index(kind, value)


def _parse_index(kind: Imm) -> Parse:
    return lambda operands: operands.index(kind)


def _print_number(value: int, names: Names) -> str:
    return str(value)


_SPACES = (
    Imm.LABEL, Imm.FUNC, Imm.LOCAL, Imm.GLOBAL, Imm.TABLE, Imm.MEMORY, Imm.TAG, Imm.DATA, Imm.ELEM,
    Imm.DEF_TYPE, Imm.FIELD,
)  # fmt: skip

PRINT: dict[Imm, Print] = {kind: _print_index(kind) for kind in _SPACES} | {
    Imm.BLOCK_TYPE: _print_block,
    Imm.LABELS: lambda value, names: " ".join(names.index(Imm.LABEL, x) for x in value),
    Imm.TYPE: lambda value, names: f"(type {names.index(Imm.TYPE, value)})",
    Imm.I32: _print_number,
    Imm.I64: _print_number,
    Imm.F32: lambda value, names: print_float(value, 32),
    Imm.F64: lambda value, names: print_float(value, 64),
    Imm.V128: _print_v128,
    Imm.LANE: _print_number,
    Imm.LANES: lambda value, names: " ".join(map(str, value)),
    Imm.VAL_TYPES: lambda value, names: (
        f"(result{''.join(' ' + names.val_type(t) for t in value)})"
    ),
    Imm.HEAP_TYPE: print_heap_type,
    Imm.REF_TYPE: _print_ref,
    Imm.REF_NULL_TYPE: _print_ref,
    Imm.CAST: _print_cast,
    Imm.CATCHES: _print_catches,
    Imm.COUNT: _print_number,
    Imm.ORDERING: lambda value, names: "",
}

PARSE: dict[Imm, Parse] = {kind: _parse_index(kind) for kind in _SPACES} | {
    Imm.BLOCK_TYPE: lambda operands: operands.block_type(),
    Imm.LABELS: _parse_labels,
    Imm.TYPE: lambda operands: operands.type_use(),
    Imm.I32: lambda operands: operands.integer(32),
    Imm.I64: lambda operands: operands.integer(64),
    Imm.F32: lambda operands: operands.float(32),
    Imm.F64: lambda operands: operands.float(64),
    Imm.V128: _parse_v128,
    Imm.LANE: _parse_lane,
    Imm.LANES: _parse_lanes,
    Imm.VAL_TYPES: lambda operands: operands.result_types(),
    Imm.HEAP_TYPE: lambda operands: operands.heap_type(),
    Imm.REF_TYPE: lambda operands: operands.ref_type(),
    Imm.REF_NULL_TYPE: lambda operands: operands.ref_type(),
    Imm.CAST: _parse_cast,
    Imm.CATCHES: lambda operands: operands.catches(),
    Imm.COUNT: lambda operands: operands.natural(1 << 32),
    Imm.ORDERING: lambda operands: 0,
}


def print_imms(op: Op, values: tuple[Any, ...], names: Names) -> str:
    """The immediates as text, ``""`` for none; tables and memories of index 0 are left out."""
    kinds = op.imms
    if len(kinds) == 2 and kinds[1] in _OPTIONAL:
        if not any(values) and kinds[0] == kinds[1]:
            return ""
        if kinds[0] != kinds[1]:
            kinds, values = kinds[::-1], values[::-1]
    words = []
    for kind, value in zip(kinds, values, strict=True):
        if kind == Imm.MEMARG:
            words += _memarg_words(op, value, names)
        elif kind not in _OPTIONAL or value or kinds == (kind, kind):
            words.append(PRINT[kind](value, names))
    return " ".join(word for word in words if word)


def _memarg_words(op: Op, value: MemArg, names: Names) -> list[str]:
    words = [names.index(Imm.MEMORY, value.memory)] if value.memory else []
    if value.offset:
        words.append(f"offset={value.offset}")
    if 1 << value.align != op.width:
        words.append(f"align={1 << value.align}")
    return words


def parse_imms(op: Op, operands: Operands) -> tuple[Any, ...]:
    """The immediates at a text parser's cursor.

    Raises:
        MalformedError: they are not there.
    """
    kinds = op.imms
    if kinds and kinds[0] == Imm.MEMARG:
        if len(kinds) == 2:
            return _parse_access_lane(op, operands)
        return (_parse_memarg(op, operands),)
    if not kinds or kinds[-1] not in _OPTIONAL:
        return tuple([PARSE[kind](operands) for kind in kinds])
    optional = kinds[-1]
    if len(kinds) == 1:
        return (operands.index(optional) if operands.has_index() else 0,)
    if kinds[0] == optional:
        if not operands.has_index():
            return 0, 0
        return operands.index(optional), operands.index(optional)
    if kinds[0] == Imm.TYPE:
        table = operands.index(optional) if operands.has_index() else 0
        return operands.type_use(), table
    return _parse_segment(kinds[0], optional, operands)


def _parse_segment(segment: Imm, optional: Imm, operands: Operands) -> tuple[int, int]:
    """A segment that may follow a table or memory: which, only the second word tells."""
    first = operands.index(optional) if operands.has_index(1) else 0
    return operands.index(segment), first


def parse_op(keyword: str, operands: Operands) -> tuple[Op, tuple[Any, ...]]:
    """The instruction that a keyword begins, and its immediates.

    Raises:
        MalformedError: there is no such instruction, or its immediates are not there.
    """
    variants = TABLE.named(keyword)
    if not variants:
        raise operands.error(f"unknown operator {keyword}")
    op = variants[0]
    if len(variants) == 1:
        return op, parse_imms(op, operands)
    if variants[1].imms == (Imm.VAL_TYPES,):
        op = variants[operands.has_clause("result")]
        return op, parse_imms(op, operands)
    # ref.test and ref.cast: the type's nullability is in the opcode.
    t = operands.ref_type()
    return variants[not t & NON_NULL], (t,)
