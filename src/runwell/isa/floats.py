"""Exact IEEE 754 binary floats as bit patterns.

Every value is a Python int of bits; results are rounded once, to nearest, ties to even, from exact
integers, so that no platform's arithmetic is relied on.  Source: IEEE 754-2019; core spec 3.0,
numerics.
"""


class Format:
    """A binary interchange format.

    Attributes:
        bits: whole width.
        precision: bits of the significand, the implicit one included.
        unit: exponent of the least subnormal number.
        sign: the sign bit.
        inf: bits of infinity.
        quiet: the bit that makes a NaN quiet.
        nan: bits of the positive canonical NaN.
    """

    __slots__ = ("bits", "inf", "nan", "precision", "quiet", "sign", "unit")

    def __init__(self, bits: int, precision: int) -> None:
        self.bits, self.precision = bits, precision
        exponent_bits = bits - precision
        self.sign = 1 << (bits - 1)
        self.inf = ((1 << exponent_bits) - 1) << (precision - 1)
        self.quiet = 1 << (precision - 2)
        self.nan = self.inf | self.quiet
        self.unit = 3 - (1 << (exponent_bits - 1)) - precision

    def is_nan(self, a: int) -> bool:
        """Is ``a`` a NaN?"""
        return a & ~self.sign > self.inf

    def is_inf(self, a: int) -> bool:
        """Is ``a`` an infinity?"""
        return a & ~self.sign == self.inf

    def split(self, a: int) -> tuple[int, int]:
        """Signed significand and exponent: the value is ``significand * 2**exponent``; finite."""
        magnitude = a & ~self.sign
        exponent = magnitude >> (self.precision - 1)
        significand = magnitude & ((1 << (self.precision - 1)) - 1)
        if exponent:
            significand |= 1 << (self.precision - 1)
            exponent -= 1
        return (-significand if a & self.sign else significand), exponent + self.unit

    def round(self, numerator: int, denominator: int, exponent: int = 0) -> int:
        """Bits of the float nearest to ``numerator / denominator * 2**exponent``.

        Args:
            numerator: any integer; zero gives the positive zero.
            denominator: a positive integer.
            exponent: any integer.
        """
        sign = self.sign if numerator < 0 else 0
        numerator = abs(numerator)
        if not numerator:
            return 0
        size = numerator.bit_length() - denominator.bit_length() + exponent
        if size > -self.unit:
            return sign | self.inf
        unit = max(size - self.precision, self.unit)
        while True:
            shift = exponent - unit
            scaled = numerator << shift if shift > 0 else numerator
            divisor = denominator << -shift if shift < 0 else denominator
            n, rest = divmod(scaled, divisor)
            if n.bit_length() <= self.precision:
                break
            unit += 1
        if 2 * rest > divisor or (2 * rest == divisor and n & 1):
            n += 1
        return sign | min(((unit - self.unit) << (self.precision - 1)) + n, self.inf)

    def add(self, a: int, b: int) -> int:
        """Sum."""
        if self.is_nan(a) or self.is_nan(b):
            return self._quiet(a, b)
        if self.is_inf(a) or self.is_inf(b):
            if self.is_inf(a) and self.is_inf(b) and a != b:
                return self.nan
            return a if self.is_inf(a) else b
        (m, e), (n, f) = self.split(a), self.split(b)
        unit = min(e, f)
        total = (m << (e - unit)) + (n << (f - unit))
        # An exact zero is positive, unless both are negative zeros.
        return self.round(total, 1, unit) if total else a & b & self.sign

    def mul(self, a: int, b: int) -> int:
        """Product."""
        if self.is_nan(a) or self.is_nan(b):
            return self._quiet(a, b)
        sign = (a ^ b) & self.sign
        zero = not a & ~self.sign or not b & ~self.sign
        if self.is_inf(a) or self.is_inf(b):
            return self.nan if zero else sign | self.inf
        (m, e), (n, f) = self.split(a), self.split(b)
        return self.round(m * n, 1, e + f) if not zero else sign

    def div(self, a: int, b: int) -> int:
        """Quotient."""
        if self.is_nan(a) or self.is_nan(b):
            return self._quiet(a, b)
        sign = (a ^ b) & self.sign
        zero_a, zero_b = not a & ~self.sign, not b & ~self.sign
        if (zero_a and zero_b) or (self.is_inf(a) and self.is_inf(b)):
            return self.nan
        if self.is_inf(a) or zero_b:
            return sign | self.inf
        if self.is_inf(b) or zero_a:
            return sign
        (m, e), (n, f) = self.split(a), self.split(b)
        return sign | self.round(abs(m), abs(n), e - f)

    def sqrt(self, a: int) -> int:
        """Square root."""
        if self.is_nan(a):
            return self._quiet(a, a)
        if not a & ~self.sign or a == self.inf:
            return a
        if a & self.sign:
            return self.nan
        from math import isqrt

        m, e = self.split(a)
        # Enough bits, an even exponent, and a last bit that says whether the root is exact.
        shift = 2 * self.precision + 4 + (e & 1)
        root = isqrt(m << shift)
        inexact = root * root != m << shift
        return self.round(2 * root + inexact, 1, (e - shift) // 2 - 1)

    def min(self, a: int, b: int) -> int:
        """The lesser, by WebAssembly's rules."""
        if self.is_nan(a) or self.is_nan(b):
            return self._quiet(a, b)
        return a if self.order(a) <= self.order(b) else b

    def max(self, a: int, b: int) -> int:
        """The greater, by WebAssembly's rules."""
        if self.is_nan(a) or self.is_nan(b):
            return self._quiet(a, b)
        return a if self.order(a) >= self.order(b) else b

    def order(self, a: int) -> int:
        """A key that orders all but NaNs, the negative zero below the positive."""
        return ~(a & ~self.sign) if a & self.sign else a

    def equal(self, a: int, b: int) -> bool:
        """Numerically equal?"""
        if self.is_nan(a) or self.is_nan(b):
            return False
        return a == b or not (a | b) & ~self.sign

    def less(self, a: int, b: int) -> bool:
        """Numerically less?"""
        if self.is_nan(a) or self.is_nan(b) or self.equal(a, b):
            return False
        return self.order(a) < self.order(b)

    def integral(self, a: int, how: str) -> int:
        """Round to an integral value; ``how`` is ceil, floor, trunc or nearest."""
        if self.is_nan(a):
            return self._quiet(a, a)
        if self.is_inf(a) or not a & ~self.sign:
            return a
        m, e = self.split(a)
        if e >= 0:
            return a
        n = to_integer(m, e, how)
        return self.round(n, 1) if n else a & self.sign

    def trunc(self, a: int) -> int:
        """The integer toward zero; requires a finite ``a``."""
        m, e = self.split(a)
        return m << e if e >= 0 else to_integer(m, e, "trunc")

    def to(self, other: "Format", a: int) -> int:
        """Convert to another format; a NaN keeps the high bits of its payload."""
        if self.is_nan(a):
            sign = other.sign if a & self.sign else 0
            payload = (a & (self.quiet - 1)) | self.quiet
            shift = other.precision - self.precision
            payload = payload << shift if shift >= 0 else payload >> -shift
            return sign | other.inf | payload
        sign = other.sign if a & self.sign else 0
        if self.is_inf(a):
            return sign | other.inf
        m, e = self.split(a)
        return sign | other.round(abs(m), 1, e)

    def _quiet(self, a: int, b: int) -> int:
        """The NaN that an operation on NaNs gives: that of the first, made quiet."""
        return (a if self.is_nan(a) else b) | self.quiet


def to_integer(significand: int, exponent: int, how: str) -> int:
    """Round ``significand * 2**exponent`` to an integer; requires a negative exponent."""
    floor = significand >> -exponent
    rest = significand - (floor << -exponent)
    match how:
        case "floor":
            return floor
        case "ceil":
            return floor + (rest != 0)
        case "trunc":
            return floor + (rest != 0 and significand < 0)
        case _:
            half = 1 << (-exponent - 1)
            return floor + (rest > half or (rest == half and floor & 1))


FLOAT32, FLOAT64 = Format(32, 24), Format(64, 53)
FORMATS = {32: FLOAT32, 64: FLOAT64}
