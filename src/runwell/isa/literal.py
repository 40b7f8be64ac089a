"""Number literals of the text format, both ways (spec: text format of values)."""

import re

from runwell.isa.floats import FORMATS

_INTEGER = re.compile(r"([+-]?)(?:0x([0-9a-fA-F](?:_?[0-9a-fA-F])*)|([0-9](?:_?[0-9])*))\Z")
_DECIMAL = re.compile(
    r"([+-]?)([0-9](?:_?[0-9])*)(?:\.((?:[0-9](?:_?[0-9])*)?))?(?:[eE]([+-]?[0-9](?:_?[0-9])*))?\Z"
)
_HEX = re.compile(
    r"([+-]?)0x([0-9a-fA-F](?:_?[0-9a-fA-F])*)(?:\.((?:[0-9a-fA-F](?:_?[0-9a-fA-F])*)?))?"
    r"(?:[pP]([+-]?[0-9](?:_?[0-9])*))?\Z"
)
_NAN = re.compile(r"([+-]?)nan(?::0x([0-9a-fA-F](?:_?[0-9a-fA-F])*))?\Z")
# An exponent beyond is rounded to infinity or zero whatever the digits are.
_FAR = 5000


def parse_natural(text: str) -> int | None:
    """The number that ``text`` spells, without a sign; None if it spells none."""
    match = _INTEGER.match(text)
    if match is None or match[1]:
        return None
    return _digits(match)


def parse_integer(text: str) -> int | None:
    """The number that ``text`` spells; None if it spells none."""
    match = _INTEGER.match(text)
    if match is None:
        return None
    value = _digits(match)
    return -value if match[1] == "-" else value


def _digits(match: "re.Match[str]") -> int:
    # Long decimals are far out of every range; int() would refuse or take quadratic time.
    if match[2] is not None:
        return int(match[2].replace("_", ""), 16)
    digits = match[3].replace("_", "").lstrip("0")
    return int(digits or "0") if len(digits) < 100 else 1 << 256


def to_signed(value: int, bits: int) -> int | None:
    """``value`` as a signed number of ``bits`` bits, if it is in range signed or unsigned."""
    if not -(1 << (bits - 1)) <= value < 1 << bits:
        return None
    return value - (1 << bits) if value >> (bits - 1) > 0 else value


def parse_float(text: str, bits: int) -> int | None:
    """The bits of the float that ``text`` spells.

    Args:
        text: a float or integer literal.
        bits: width of the float, 32 or 64.

    Returns:
        The bits, or None if ``text`` spells no float.

    Raises:
        OverflowError: it is out of range.
    """
    format_ = FORMATS[bits]
    sign = format_.sign if text.startswith("-") else 0
    if text.lstrip("+-") == "inf" and len(text) <= 4:
        return sign | format_.inf
    if match := _NAN.match(text):
        if match[2] is None:
            return sign | format_.nan
        payload = int(match[2].replace("_", ""), 16)
        if not 0 < payload < 1 << (format_.precision - 1):
            raise OverflowError(text)
        return sign | format_.inf | payload
    if match := _HEX.match(text):
        base, places = 16, 4
    elif match := _DECIMAL.match(text):
        base, places = 10, 1
    else:
        return None
    whole, fraction = match[2].replace("_", ""), (match[3] or "").replace("_", "")
    exponent = _exponent(match[4]) - places * len(fraction)
    significand = _significand(whole + fraction, base)
    if not significand:
        return sign
    magnitude = exponent + places * len(whole + fraction)
    if magnitude < -_FAR:
        value = 0
    elif exponent > _FAR:
        value = format_.inf
    elif base == 16:
        value = format_.round(significand, 1, exponent)
    elif exponent >= 0:
        value = format_.round(significand * 10**exponent, 1)
    else:
        value = format_.round(significand, 10**-exponent)
    if value == format_.inf:
        raise OverflowError(text)
    return sign | value


def _exponent(text: str | None) -> int:
    if not text:
        return 0
    digits = text.replace("_", "").lstrip("+-").lstrip("0") or "0"
    # Longer ones are out of range even after as many digits as a module can have.
    value = int(digits) if len(digits) < 12 else 10**12
    return -value if text.startswith("-") else value


def _significand(digits: str, base: int) -> int:
    if base == 16:
        return int(digits, 16)
    # By parts: int() refuses long decimals, and takes quadratic time.
    digits = digits.lstrip("0") or "0"
    if len(digits) <= 1000:
        return int(digits)
    half = len(digits) // 2
    high, low = _significand(digits[:half], 10), _significand(digits[half:], 10)
    scale: int = 10 ** (len(digits) - half)
    return high * scale + low


def print_float(bits_value: int, bits: int) -> str:
    """The shortest literal that gives these bits again."""
    from struct import pack, unpack

    format_ = FORMATS[bits]
    sign = "-" if bits_value & format_.sign else ""
    magnitude = bits_value & ~format_.sign
    if magnitude == format_.inf:
        return f"{sign}inf"
    if magnitude > format_.inf:
        payload = magnitude - format_.inf
        return f"{sign}nan" if payload == format_.quiet else f"{sign}nan:{payload:#x}"
    if bits == 64:
        (value,) = unpack("<d", pack("<Q", magnitude))
        text = repr(value)
    else:
        (value,) = unpack("<f", pack("<I", magnitude))
        text = next(text for n in range(1, 10) if _is(text := f"{value:.{n}g}", magnitude))
    return sign + text.removesuffix(".0")


def _is(text: str, value: int) -> bool:
    try:
        return parse_float(text, 32) == value
    except OverflowError:
        return False
