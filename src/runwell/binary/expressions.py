"""Constant expressions: where they end.

The few instructions that real modules use are skipped here, whatever else there is by the
immediates of its row; whether an expression is constant, and its type, is translation's business.
"""

from runwell.base.errors import MalformedError
from runwell.base.leb128 import decode_signed, decode_unsigned
from runwell.binary.reader import UNEXPECTED_END, Reader
from runwell.module.module import Span

_END = 0x0B
# Opcodes of constants and their immediates: bits of a signed integer, of an index, bytes.
_SIGNED = {0x41: 32, 0x42: 64, 0xD0: 33}
_INDEX = (0x23, 0xD2)
_FIXED = {0x43: 4, 0x44: 8}
# Integer operators, which extended constant expressions use.
_NO_IMMEDIATES = frozenset((0x6A, 0x6B, 0x6C, 0x7C, 0x7D, 0x7E))


def constant(r: Reader, stop: int) -> Span:
    """Pass over a constant expression that ends before ``stop``; its range, with the end."""
    data = r.data
    start = at = r.at
    while at < stop:
        code = data[at]
        at += 1
        if code == _END:
            r.at = at
            return Span(start, at)
        if code in _SIGNED:
            if at < stop and data[at] < 0x80:
                at += 1
            else:
                _, at = decode_signed(data, at, stop, _SIGNED[code])
        elif code in _INDEX:
            _, at = decode_unsigned(data, at, stop)
        elif code in _FIXED:
            at += _FIXED[code]
        elif code not in _NO_IMMEDIATES:
            r.at = skip_expression(data, start, stop)
            return Span(start, r.at)
    raise MalformedError(UNEXPECTED_END, stop)


def skip_expression(data: bytes, at: int, stop: int) -> int:
    """Where any expression ends, by the rows.

    Raises:
        MalformedError: it does not end before ``stop``, or is no expression.
    """
    from runwell.isa.imms import decode_imms
    from runwell.isa.op import Rule
    from runwell.isa.table import PREFIXES, TABLE

    blocks = [Rule.BLOCK]
    while blocks:
        if at >= stop:
            raise MalformedError(UNEXPECTED_END, stop)
        start, prefix, code = at, 0, data[at]
        at += 1
        if code in PREFIXES[1:]:
            prefix = code
            code, at = decode_unsigned(data, at, stop)
        op = TABLE.at(prefix, code)
        if op is None:
            raise MalformedError(f"illegal opcode {data[start:at].hex(' ')}", start)
        _, at = decode_imms(op, data, at, stop)
        if op.rule in (Rule.BLOCK, Rule.LOOP, Rule.IF, Rule.TRY_TABLE):
            blocks.append(op.rule)
        elif op.rule == Rule.ELSE:
            if blocks[-1] != Rule.IF:
                raise MalformedError("END opcode expected", start)
            blocks[-1] = Rule.ELSE
        elif op.rule == Rule.END:
            blocks.pop()
    return at
