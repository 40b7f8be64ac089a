"""Constant expressions, as far as instantiation is concerned.

Nearly all are one instruction, whose value is read here once a module; any other is translated as a
tiny function, which runs once an instance.  That they are valid is checked elsewhere.
"""

from runwell.base.leb128 import decode_signed, decode_unsigned
from runwell.base.light import IntEnum, NamedTuple
from runwell.module.module import Span


class How(IntEnum):
    """How to get at the value."""

    LITERAL = 0  # ``value`` is its bits
    FUNC = 1  # a reference to function ``value``
    GLOBAL = 2  # the value of global ``value``
    RUN = 3  # run it


class Constant(NamedTuple):
    """A constant expression."""

    how: How
    value: int
    span: Span


def named_functions(data: bytes, span: Span) -> list[int]:
    """The functions that an expression refers to, as far as it is well formed."""
    from runwell.base.errors import MalformedError
    from runwell.isa.imms import decode_imms
    from runwell.isa.op import Rule
    from runwell.isa.table import PREFIXES, TABLE

    at, end = span
    found = []
    while at < end:
        prefix, code = 0, data[at]
        at += 1
        try:
            if code in PREFIXES[1:]:
                prefix = code
                code, at = decode_unsigned(data, at, end)
            op = TABLE.at(prefix, code)
            if op is None:
                break
            immediates, at = decode_imms(op, data, at, end)
        except MalformedError:
            break  # validation says what is wrong
        if op.rule == Rule.REF_FUNC:
            found.append(immediates[0])
    return found


NULL = Constant(How.LITERAL, 0, Span(0, 0))

_END = 0x0B


def read_constant(data: bytes, span: Span) -> Constant:
    """Look at a constant expression that was decoded without error."""
    start, end = span
    code = data[start]
    at = start + 1
    how = How.LITERAL
    if code == 0x41:
        value, at = decode_signed(data, at, end, 32)
        value &= 0xFFFFFFFF
    elif code == 0x42:
        value, at = decode_signed(data, at, end, 64)
        value &= 0xFFFFFFFFFFFFFFFF
    elif code in (0x43, 0x44):
        width = 4 if code == 0x43 else 8
        value = int.from_bytes(data[at : at + width], "little")
        at += width
    elif code == 0xD0:
        value, (_, at) = 0, decode_signed(data, at, end, 33)
    elif code in (0x23, 0xD2):
        how = How.GLOBAL if code == 0x23 else How.FUNC
        value, at = decode_unsigned(data, at, end)
    else:
        return Constant(How.RUN, 0, span)
    if data[at] != _END:
        return Constant(How.RUN, 0, span)
    return Constant(how, value, span)
