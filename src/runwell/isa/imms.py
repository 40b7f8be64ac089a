"""Immediates in the binary format: how each kind is decoded and encoded.

A kind of immediate has one Python value: an int for numbers, indices and the bits of floats, and

    BLOCK_TYPE   None (no result), a ValType (one result) or a type index
    LABELS       tuple of label indices, the default last
    MEMARG       MemArg
    LANES        tuple of 16 indices
    VAL_TYPES    tuple of ValType
    HEAP_TYPE    the ValType of nullable references to it, as REF_NULL_TYPE; REF_TYPE: never null
    CAST         Cast
    CATCHES      tuple of Catch

Source: core spec 3.0, binary format of instructions.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from runwell.base.errors import MalformedError
from runwell.base.leb128 import decode_signed, decode_unsigned, encode_signed, encode_unsigned
from runwell.base.types import HEAP_NAMES, INDEX_SHIFT, NON_NULL, ValType
from runwell.isa.op import Imm, Op

Data: TypeAlias = bytes | memoryview
BlockType: TypeAlias = ValType | int | None
Decode: TypeAlias = Callable[[Data, int, int], tuple[Any, int]]
Encode: TypeAlias = Callable[[Any], bytes]

_END = "unexpected end of section or function"
_EMPTY, _REF, _REF_NULL = 0x40, 0x64, 0x63
_HAS_MEMORY = 1 << 6  # of a memory argument's flags
_TYPES = {int(t): t for t in ValType if t not in (ValType.I8, ValType.I16)}


class MemArg(NamedTuple):
    """What a memory access says: alignment as a power of two, offset, memory."""

    align: int
    offset: int = 0
    memory: int = 0


class Cast(NamedTuple):
    """What ``br_on_cast`` says: the label, the type of the operand, the type tested for."""

    label: int
    source: ValType
    target: ValType


class Catch(NamedTuple):
    """A clause of ``try_table``; ``tag`` is None if it catches all."""

    tag: int | None
    with_ref: bool
    label: int


# Decoding.  (data, at, end) -> (value, offset behind it)


def _take(data: Data, at: int, end: int, size: int) -> bytes:
    if size > end - at:
        raise MalformedError(_END, end)
    return bytes(data[at : at + size])


def decode_val_type(data: Data, at: int, end: int) -> tuple[ValType, int]:
    """A value type."""
    code = _take(data, at, end, 1)[0]
    if code in _TYPES:
        return _TYPES[code], at + 1
    if code not in (_REF, _REF_NULL):
        raise MalformedError("malformed value type", at)
    t, at = _decode_heap(data, at + 1, end)
    return (ValType(t | NON_NULL) if code == _REF else t), at


def _decode_heap(data: Data, at: int, end: int) -> tuple[ValType, int]:
    start = at
    value, at = decode_signed(data, at, end, 33)
    if value >= 0:
        return ValType(value << INDEX_SHIFT), at
    code = value & 0x7F
    if value < -0x40 or code not in HEAP_NAMES:
        raise MalformedError("malformed heap type", start)
    return _TYPES[code], at


def _decode_ref(data: Data, at: int, end: int) -> tuple[ValType, int]:
    t, at = _decode_heap(data, at, end)
    return ValType(t | NON_NULL), at


def _decode_block(data: Data, at: int, end: int) -> tuple[BlockType, int]:
    code = _take(data, at, end, 1)[0]
    if code == _EMPTY:
        return None, at + 1
    if code & 0xC0 == 0x40:
        return decode_val_type(data, at, end)
    start = at
    value, at = decode_signed(data, at, end, 33)
    if value < 0:
        raise MalformedError("malformed block type", start)
    return value, at


def _decode_count(data: Data, at: int, end: int) -> tuple[int, int]:
    """The length of a vector whose items have a byte or more."""
    start = at
    count, at = decode_unsigned(data, at, end)
    if count > end - start:
        raise MalformedError("length out of bounds", start)
    return count, at


def _decode_labels(data: Data, at: int, end: int) -> tuple[tuple[int, ...], int]:
    count, at = _decode_count(data, at, end)
    labels = []
    for _ in range(count + 1):
        label, at = decode_unsigned(data, at, end)
        labels.append(label)
    return tuple(labels), at


def _decode_memarg(data: Data, at: int, end: int) -> tuple[MemArg, int]:
    start = at
    flags, at = decode_unsigned(data, at, end)
    if flags >= 2 * _HAS_MEMORY:
        raise MalformedError("malformed memop flags", start)
    memory = 0
    if flags & _HAS_MEMORY:
        memory, at = decode_unsigned(data, at, end)
    offset, at = decode_unsigned(data, at, end, 64)
    return MemArg(flags & ~_HAS_MEMORY, offset, memory), at


def _decode_val_types(data: Data, at: int, end: int) -> tuple[tuple[ValType, ...], int]:
    count, at = _decode_count(data, at, end)
    types = []
    for _ in range(count):
        t, at = decode_val_type(data, at, end)
        types.append(t)
    return tuple(types), at


def _decode_cast(data: Data, at: int, end: int) -> tuple[Cast, int]:
    flags = _take(data, at, end, 1)[0]
    if flags > 3:
        raise MalformedError("malformed br_on_cast flags", at)
    label, at = decode_unsigned(data, at + 1, end)
    source, at = _decode_heap(data, at, end)
    target, at = _decode_heap(data, at, end)
    source = source if flags & 1 else ValType(source | NON_NULL)
    target = target if flags & 2 else ValType(target | NON_NULL)
    return Cast(label, source, target), at


def _decode_catches(data: Data, at: int, end: int) -> tuple[tuple[Catch, ...], int]:
    count, at = _decode_count(data, at, end)
    catches = []
    for _ in range(count):
        kind = _take(data, at, end, 1)[0]
        if kind > 3:
            raise MalformedError("malformed catch clause", at)
        at += 1
        tag = None
        if kind < 2:
            tag, at = decode_unsigned(data, at, end)
        label, at = decode_unsigned(data, at, end)
        catches.append(Catch(tag, kind & 1 == 1, label))
    return tuple(catches), at


def _decode_ordering(data: Data, at: int, end: int) -> tuple[int, int]:
    if _take(data, at, end, 1) != b"\0":
        raise MalformedError("zero byte expected", at)
    return 0, at + 1


def _decode_fixed(size: int) -> Decode:
    return lambda data, at, end: (
        int.from_bytes(_take(data, at, end, size), "little"),
        at + size,
    )


# Encoding.


def encode_val_type(t: ValType) -> bytes:
    """A value type."""
    if t < NON_NULL and t & 0xFF:
        return bytes((t,))
    return bytes((_REF if t & NON_NULL else _REF_NULL,)) + _encode_heap(t)


def _encode_heap(t: ValType) -> bytes:
    return bytes((t & 0xFF,)) if t & 0xFF else encode_signed(t >> INDEX_SHIFT)


def _encode_block(value: BlockType) -> bytes:
    if value is None:
        return bytes((_EMPTY,))
    return encode_val_type(value) if isinstance(value, ValType) else encode_signed(value)


def _encode_memarg(value: MemArg) -> bytes:
    offset = encode_unsigned(value.offset)
    if not value.memory:
        return encode_unsigned(value.align) + offset
    return encode_unsigned(value.align | _HAS_MEMORY) + encode_unsigned(value.memory) + offset


def _encode_cast(value: Cast) -> bytes:
    flags = (not value.source & NON_NULL) | (not value.target & NON_NULL) << 1
    heaps = _encode_heap(value.source) + _encode_heap(value.target)
    return bytes((flags,)) + encode_unsigned(value.label) + heaps


def _encode_catches(value: tuple[Catch, ...]) -> bytes:
    out = [encode_unsigned(len(value))]
    for catch in value:
        if catch.tag is None:
            out.append(bytes((2 + catch.with_ref,)))
        else:
            out.append(bytes((catch.with_ref,)) + encode_unsigned(catch.tag))
        out.append(encode_unsigned(catch.label))
    return b"".join(out)


def _encode_fixed(size: int) -> Encode:
    return lambda value: value.to_bytes(size, "little")


def _encode_vector(item: Encode, extra: int = 0) -> Encode:
    return lambda value: encode_unsigned(len(value) - extra) + b"".join(map(item, value))


_INDICES = (
    Imm.LABEL, Imm.FUNC, Imm.TYPE, Imm.LOCAL, Imm.GLOBAL, Imm.TABLE, Imm.MEMORY, Imm.TAG, Imm.DATA,
    Imm.ELEM, Imm.DEF_TYPE, Imm.FIELD, Imm.COUNT,
)  # fmt: skip

DECODE: dict[Imm, Decode] = dict.fromkeys(_INDICES, decode_unsigned) | {
    Imm.BLOCK_TYPE: _decode_block,
    Imm.LABELS: _decode_labels,
    Imm.I32: lambda data, at, end: decode_signed(data, at, end, 32),
    Imm.I64: lambda data, at, end: decode_signed(data, at, end, 64),
    Imm.F32: _decode_fixed(4),
    Imm.F64: _decode_fixed(8),
    Imm.V128: _decode_fixed(16),
    Imm.MEMARG: _decode_memarg,
    Imm.LANE: _decode_fixed(1),
    Imm.LANES: lambda data, at, end: (tuple(_take(data, at, end, 16)), at + 16),
    Imm.VAL_TYPES: _decode_val_types,
    Imm.HEAP_TYPE: _decode_heap,
    Imm.REF_TYPE: _decode_ref,
    Imm.REF_NULL_TYPE: _decode_heap,
    Imm.CAST: _decode_cast,
    Imm.CATCHES: _decode_catches,
    Imm.ORDERING: _decode_ordering,
}

ENCODE: dict[Imm, Encode] = dict.fromkeys(_INDICES, encode_unsigned) | {
    Imm.BLOCK_TYPE: _encode_block,
    Imm.LABELS: _encode_vector(encode_unsigned, 1),
    Imm.I32: encode_signed,
    Imm.I64: encode_signed,
    Imm.F32: _encode_fixed(4),
    Imm.F64: _encode_fixed(8),
    Imm.V128: _encode_fixed(16),
    Imm.MEMARG: _encode_memarg,
    Imm.LANE: _encode_fixed(1),
    Imm.LANES: bytes,
    Imm.VAL_TYPES: _encode_vector(encode_val_type),
    Imm.HEAP_TYPE: _encode_heap,
    Imm.REF_TYPE: _encode_heap,
    Imm.REF_NULL_TYPE: _encode_heap,
    Imm.CAST: _encode_cast,
    Imm.CATCHES: _encode_catches,
    Imm.ORDERING: _encode_fixed(1),
}


def decode_imms(op: Op, data: Data, at: int, end: int) -> tuple[tuple[Any, ...], int]:
    """The immediates of an instruction, and the offset behind them.

    Raises:
        MalformedError: the bytes are none.
    """
    values = []
    for kind in op.imms:
        value, at = DECODE[kind](data, at, end)
        values.append(value)
    return tuple(values), at


def encode_op(op: Op, values: tuple[Any, ...] = ()) -> bytes:
    """The bytes of an instruction."""
    head = bytes((op.prefix,)) + encode_unsigned(op.code) if op.prefix else bytes((op.code,))
    return head + b"".join(ENCODE[k](v) for k, v in zip(op.imms, values, strict=True))
