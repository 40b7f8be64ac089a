"""How objects of structure and array types are laid out (what the structs mean: ``heap_layout``).

Fields follow each other, aligned to their size, so the fields of a supertype are where they are in
its subtypes.
"""

from array import array
from collections.abc import Sequence
from struct import pack_into

from runwell.base.objects import (
    DISPLAY_AT,
    ELEMENTS_AT,
    FIELDS_AT,
    IS_ARRAY,
    IS_STRUCT,
    Storage,
)
from runwell.base.types import FuncType, ValType
from runwell.module.types import FieldType, StructType, SubType
from runwell.runtime.mapping import Block

_STORAGE = {
    ValType.I8: Storage.I8,
    ValType.I16: Storage.I16,
    ValType.I32: Storage.I32,
    ValType.F32: Storage.I32,
    ValType.I64: Storage.I64,
    ValType.F64: Storage.I64,
    ValType.V128: Storage.V128,
}
_FUNCTIONS = (ValType.FUNCREF, ValType.NULLFUNCREF)


def storage_of(type_: ValType, types: Sequence[SubType]) -> Storage:
    """How values of a type, one of a module, are stored."""
    found = _STORAGE.get(type_)
    if found is not None:
        return found
    if type_.is_exception:
        return Storage.EXCEPTION
    index = type_.heap_index
    if index is None:
        is_function = type_ & 0xFF in _FUNCTIONS
    else:
        is_function = isinstance(types[index].composite, FuncType)
    return Storage.OTHER_REF if is_function else Storage.REF


def _place(fields: Sequence[FieldType], types: Sequence[SubType]) -> tuple[list[int], int]:
    """Offset and storage of each field, alternating; and the size."""
    words: list[int] = []
    at = FIELDS_AT
    for field in fields:
        storage = storage_of(field.type, types)
        width = storage.width
        at = -(-at // min(width, 8)) * min(width, 8)
        words += (at, storage)
        at += width
    return words, max(-(-at // 8) * 8, 16)


class HeapTypes:
    """The native descriptions of a module's structure and array types.

    Attributes:
        addresses: of each type; 0 for functions.
    """

    __slots__ = ("_kept", "addresses")

    def __init__(self, types: Sequence[SubType], numbers: Sequence[int]) -> None:
        """Describe types.

        Args:
            types: all types of a valid module.
            numbers: their canonical numbers.
        """
        self._kept: list[object] = []
        self.addresses: list[int] = []
        displays: list[tuple[int, ...]] = []
        for type_, number in zip(types, numbers, strict=True):
            above = displays[type_.supers[0]] if type_.supers else ()
            displays.append((*above, number))
            self.addresses.append(self._describe(type_, types, displays[-1]))

    def _describe(self, type_: SubType, types: Sequence[SubType], display: tuple[int, ...]) -> int:
        composite = type_.composite
        if isinstance(composite, FuncType):
            return 0
        is_struct = isinstance(composite, StructType)
        size = stride = element = n_fields = n_references = n_exceptions = 0
        words = array("I")
        if isinstance(composite, StructType):
            places, size = _place(composite.fields, types)
            n_fields = len(composite.fields)
            references = [at for at, s in _pairs(places) if s == Storage.REF]
            exceptions = [at for at, s in _pairs(places) if s == Storage.EXCEPTION]
            n_references, n_exceptions = len(references), len(exceptions)
            words.extend([*places, *references, *exceptions])
        else:
            storage = storage_of(composite.field.type, types)
            size, stride, element = ELEMENTS_AT, storage.width, int(storage)
        block = Block(DISPLAY_AT + 4 * len(display))
        pack_into(
            f"<10IQ{len(display)}I",
            block.bytes,
            0,
            display[-1],
            IS_STRUCT if is_struct else IS_ARRAY,
            len(display) - 1,
            size,
            stride,
            element,
            n_fields,
            n_references,
            n_exceptions,
            0,
            words.buffer_info()[0],
            *display,
        )
        self._kept += (block, words)
        return block.address


def _pairs(words: Sequence[int]) -> list[tuple[int, int]]:
    return list(zip(words[::2], words[1::2], strict=True))
