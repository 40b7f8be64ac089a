"""A cursor over the bytes of a binary.

Reading runs to the end of the data, not of the section: that a section's contents have the size
it declares is checked afterwards, as the official suite expects.  Source: core spec 3.0, binary
format of values and types.
"""

from array import array

from runwell.base.errors import InvalidError, MalformedError
from runwell.base.features import ALL, BIT
from runwell.base.leb128 import decode_signed, decode_unsigned
from runwell.base.light import final
from runwell.base.types import FEATURE_OF_TYPE, HEAP_NAMES, INDEX_SHIFT, NON_NULL, ValType

UNEXPECTED_END = "unexpected end of section or function"

_REF_NULL = 0x63
_REF = 0x64
_PACKED = (ValType.I8, ValType.I16)
_BY_CODE = {int(t): t for t in ValType if t not in _PACKED}
_NUMBERS = {int(t): t for t in (ValType.I32, ValType.I64, ValType.F32, ValType.F64)}
_HEAP_BITS = 0x7F


def needs(feature: str, at: int) -> MalformedError:
    """What is wrong with a module that uses a feature that is off."""
    return MalformedError(f"this module needs the feature {feature!r}, which is off", at)


@final
class Reader:
    """A cursor: ``at`` is the offset of the next byte; types of ``features`` may be read."""

    __slots__ = ("at", "data", "end", "features")

    def __init__(self, data: bytes, at: int, end: int, features: int = ALL) -> None:
        self.data, self.at, self.end, self.features = data, at, end, features

    def byte(self) -> int:
        """One byte."""
        at = self.at
        if at >= self.end:
            raise MalformedError(UNEXPECTED_END, at)
        self.at = at + 1
        return self.data[at]

    def u32(self) -> int:
        """An unsigned 32-bit integer."""
        at = self.at
        if at < self.end:
            byte = self.data[at]
            if byte < 0x80:
                self.at = at + 1
                return byte
        value, self.at = decode_unsigned(self.data, at, self.end)
        return value

    def u64(self) -> int:
        """An unsigned 64-bit integer."""
        value, self.at = decode_unsigned(self.data, self.at, self.end, 64)
        return value

    def length(self) -> int:
        """A length of something that has at least one byte an item, hence fits into the rest."""
        at = self.at
        count = self.u32()
        if count > self.end - at:
            raise MalformedError("length out of bounds", at)
        return count

    def count(self, what: str, limit: int) -> int:
        """The length of a vector, below an implementation limit."""
        at = self.at
        count = self.length()
        if count > limit:
            raise InvalidError(f"too many {what}: {count}, the limit is {limit}", offset=at)
        return count

    def skip(self, size: int) -> int:
        """Pass over bytes; the offset of the first of them."""
        at = self.at
        if size > self.end - at:
            raise MalformedError(UNEXPECTED_END, self.end)
        self.at = at + size
        return at

    def name(self) -> str:
        """A name: length and UTF-8."""
        size = self.length()
        at = self.skip(size)
        try:
            return self.data[at : self.at].decode("utf-8")
        except UnicodeDecodeError as error:
            raise MalformedError("malformed UTF-8 encoding", at + error.start) from None

    def u32s(self, count: int) -> "array[int]":
        """So many unsigned 32-bit integers."""
        data, at = self.data, self.at
        run = data[at : at + count]
        if len(run) == count <= self.end - at and run.isascii():
            self.at = at + count
            return array("I", memoryview(run))
        out = array("I")
        append = out.append
        last = self.end - 2
        for _ in range(count):
            if at <= last:
                byte = data[at]
                if byte < 0x80:
                    append(byte)
                    at += 1
                    continue
                high = data[at + 1]
                if high < 0x80:
                    append(byte & 0x7F | high << 7)
                    at += 2
                    continue
            value, at = decode_unsigned(data, at, self.end)
            append(value)
        self.at = at
        return out

    def val_type(self) -> ValType:
        """A value type."""
        at = self.at
        code = self.byte()
        t = _NUMBERS.get(code)
        if t is not None:
            return t
        if code == ValType.FUNCREF or code == ValType.V128:
            self._need(FEATURE_OF_TYPE[code], at)
            return _BY_CODE[code]
        self.at = at
        return self.ref_type("malformed value type")

    def _need(self, feature: str, at: int) -> None:
        if not self.features & BIT[feature]:
            raise needs(feature, at)

    def ref_type(self, wrong: str = "malformed reference type") -> ValType:
        """A reference type; ``wrong`` says what was expected."""
        at = self.at
        code = self.byte()
        if code in (_REF, _REF_NULL):
            self._need("function-references", at)
            return self._heap_type(code == _REF_NULL)
        if code in HEAP_NAMES:
            # Tables of functions have always been there.
            if code != ValType.FUNCREF:
                self._need(FEATURE_OF_TYPE[code], at)
            return _BY_CODE[code]
        raise MalformedError(wrong, at)

    def _heap_type(self, nullable: bool) -> ValType:
        at = self.at
        value, self.at = decode_signed(self.data, at, self.end, 33)
        if value >= 0:
            return ValType(value << INDEX_SHIFT | (0 if nullable else NON_NULL))
        code = value & _HEAP_BITS
        if value < -0x40 or code not in HEAP_NAMES:
            raise MalformedError("malformed heap type", at)
        self._need(FEATURE_OF_TYPE[code], at)
        return ValType(code if nullable else code | NON_NULL)

    def storage_type(self) -> ValType:
        """The type of a field: a value type, ``i8`` or ``i16``."""
        if self.at < self.end and self.data[self.at] in _PACKED:
            self.at += 1
            return ValType(self.data[self.at - 1])
        return self.val_type()

    def mutability(self) -> bool:
        """Whether something can change."""
        at = self.at
        flag = self.byte()
        if flag > 1:
            raise MalformedError("malformed mutability", at)
        return flag == 1
