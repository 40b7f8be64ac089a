"""``runwell.Ref``: references to objects of a guest's heap, as Python sees them."""

from __future__ import annotations

from runwell.base.errors import InternalError
from runwell.base.light import final
from runwell.base.objects import HOST_AT, IS_HOST, TAG, TAG_MASK
from runwell.base.types import FuncType, ValType, ref_to_index
from runwell.kernel.types import ctype_of, u64
from runwell.module.types import ArrayType, StructType
from runwell.runtime.func import Word, object_at
from runwell.runtime.heap_layout import REGION, Heap, HeapType, Region
from runwell.runtime.native import Native, hooks, native
from runwell.runtime.types import relation, type_at, type_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runwell.module.types import FieldType
    from runwell.runtime.store import Store

_SIGN, _I31_MASK = 1 << 30, (1 << 31) - 1


@final
class _Lease(int):
    """The address of a handle, which keeps an object alive (why an int: see ``Mapping``)."""

    __slots__ = ()

    def __del__(self, native: Native = native) -> None:
        native.handle_free(self)


@final
class Ref:
    """A structure or an array of a guest, or an ``i31`` that was made external.

    It keeps the object alive.  Guests get it back as the reference that it was; two are equal if
    they are to the same object.  What is in the object only guests can tell.
    """

    __slots__ = ("__weakref__", "_lease", "_store", "word")

    word: int
    _lease: _Lease | None
    _store: Store | None

    def __init__(self) -> None:
        raise TypeError("only guests make objects of their heap")

    @property
    def type(self) -> StructType | ArrayType | ValType:
        """Its type: a ``StructType``, an ``ArrayType``, or ``ValType.I31REF``."""
        if self._lease is None:
            return ValType.I31REF
        composite = type_at(_number_of_type(self.word)).composite
        assert not isinstance(composite, FuncType)
        return composite

    def __int__(self) -> int:
        if self._lease is not None:
            raise TypeError(f"{self!r} is no number")
        return _number(self.word)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ref) and self.word == other.word

    def __hash__(self) -> int:
        return hash(self.word)

    def __repr__(self) -> str:
        if self._lease is None:
            return f"<runwell.Ref: i31 {int(self)}>"
        return f"<runwell.Ref: {_describe(self.type)}>"

    def __reduce__(self) -> str:
        raise TypeError("a runwell.Ref cannot be pickled: it is part of a guest's heap")


def admit_ref(store: Store, ref: Ref) -> Word:
    """Let guests of a store have what a ``Ref`` stands for; the result is the reference to it."""
    if ref._store is not None:
        store.join(ref._store)
    return Word(ref.word)


def is_of(ref: Ref, type_: ValType) -> bool:
    """Is what a ``Ref`` stands for of a reference type (canonical)?"""
    if ref._lease is None:
        return type_ & 0xFF in (ValType.ANYREF, ValType.EQREF, ValType.I31REF)
    found = ref_to_index(_number_of_type(ref.word), nullable=False)
    return bool(relation().matches(found, type_))


def _number_of_type(word: int) -> int:
    return int(_heap_type(word).number)


def _describe(type_: StructType | ArrayType | ValType) -> str:
    if isinstance(type_, StructType):
        return " ".join(["struct", *(f"(field {_field(f)})" for f in type_.fields)])
    assert isinstance(type_, ArrayType)
    return f"array {_field(type_.field)}"


def _field(field: FieldType) -> str:
    text = type_text(field.type)
    return f"(mut {text})" if field.mutable else text


def _heap_type(word: int) -> Any:
    header = ctype_of(u64).from_address(word - TAG).value
    return ctype_of(HeapType).from_address(header)


def _number(word: int) -> int:
    """The number in an ``i31``."""
    value = word >> 1 & _I31_MASK
    return value - 2 * (value & _SIGN)


def ref_at(cell: int, *, is_extern: bool) -> object:
    """What Python gets for a reference in a cell that is no function, and not null.

    Args:
        cell: the address of the cell.
        is_extern: an external reference is wanted: a number must stay what it is to guests.
    """
    word: int = ctype_of(u64).from_address(cell).value
    if word & TAG_MASK == 0:
        return None
    if word & 1:
        return _make(word, None, None) if is_extern else _number(word)
    handle = native.handle_new(cell)
    if not handle:
        raise MemoryError("no room for a reference")
    # Another thread may have written something else; the handle is of what it is.
    lease = _Lease(handle)
    native.untrack(lease)
    word = _handle_word(handle)
    if _heap_type(word).kind == IS_HOST:
        return object_at(ctype_of(u64).from_address(word - TAG + HOST_AT).value)
    region = ctype_of(Region).from_address(word & -REGION)
    heap = ctype_of(Heap).from_address(region.heap)
    return _make(word, lease, object_at(heap.object).store())


@final
class HeldWord(Word):
    """A reference to an object of Python, which is one as long as this number is there.

    Attributes:
        lease: the handle.
    """

    lease: _Lease


def hold(heap: int, value: object) -> HeldWord:
    """The reference by which guests know an object of Python.

    Args:
        heap: the address of the heap of their store.
        value: the object, which is not None.

    Raises:
        MemoryError: the system has no room.
    """
    if hooks.hold_object is None:
        raise InternalError("nobody has lent a way to hold objects")
    handle = hooks.hold_object(heap, value)
    if not handle:
        raise MemoryError("no room for a reference")
    lease = _Lease(handle)
    native.untrack(lease)
    word = HeldWord(_handle_word(handle))
    word.lease = lease
    return word


def host_object(word: int) -> object:
    """The object of Python that a reference stands for, which somebody holds; else None."""
    if word & TAG_MASK == TAG and _heap_type(word).kind == IS_HOST:
        return object_at(ctype_of(u64).from_address(word - TAG + HOST_AT).value)
    return None


def _handle_word(handle: int) -> int:
    from runwell.runtime.heap_layout import Handle

    return int(ctype_of(Handle).from_address(handle).word)


def _make(word: int, lease: _Lease | None, store: Store | None) -> Ref:
    found = Ref.__new__(Ref)
    found.word, found._lease, found._store = word, lease, store
    return found


def kind_of(word: int) -> int:
    """What the object that a reference is to is: ``IS_STRUCT``, ``IS_ARRAY`` or ``IS_HOST``."""
    return int(_heap_type(word).kind)


if hooks.know_refs is not None:
    hooks.know_refs(Ref, Word)
