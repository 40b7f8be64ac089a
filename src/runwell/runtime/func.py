"""References to functions and host objects: how they cross between Python and native code.

A reference is a number of 64 bits, as ``base.objects`` says: 0 for null, the address of a
``FuncRef``, or what stands for an object of the heap.
"""

from __future__ import annotations

from _ctypes import PyObj_FromPtr

from runwell.base.errors import InternalError
from runwell.base.light import NamedTuple
from runwell.base.types import FuncType, ValType
from runwell.kernel.types import ctype_of, u64
from runwell.runtime import layout
from runwell.runtime.native import hooks
from runwell.runtime.store import Store, carries_refs
from runwell.runtime.types import may_be_object, type_of_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runwell.runtime.exception import Held


_EXTERNAL = (ValType.EXTERNREF, ValType.NULLEXTERNREF)


class Word(int):
    """A reference as guests know it, in place of the value that it stands for."""

    __slots__ = ()


class Func(NamedTuple):
    """A function that can be imported, stored and called.

    Attributes:
        ref: address of the native ``FuncRef``.
        type: its type, canonical.
        owner: the store of a guest function; whatever owns the natives of a host function.
        number: of the type that it was declared with.
    """

    ref: int
    type: FuncType
    owner: object
    number: int


def admit(store: Store, func: Func) -> int:
    """Let guests of a store have a function; the result is the reference to it."""
    owner = func.owner
    if isinstance(owner, Store) and carries_refs(func.type):
        store.join(owner)
    else:
        store.keep(owner)
        if isinstance(owner, Store):
            store.connect(owner)
    return func.ref


def object_at(address: int) -> Any:
    """The Python object at an address that some store holds."""
    return PyObj_FromPtr(address)


def func_at(ref: int) -> Func:
    """The function that a reference from a guest stands for."""
    native = ctype_of(layout.FuncRef).from_address(ref)
    type_ = type_of_number(native.type)
    if not native.instance:
        return Func(ref, type_, object_at(native.object), native.type)
    instance = ctype_of(layout.Instance).from_address(native.instance)
    body = object_at(instance.object)
    body.handed.add(ref)
    # Whoever has the reference keeps the store alive, so the weak reference to it holds.
    return Func(ref, type_, body.store(), native.type)


def encode_ref(store: Store, type_: ValType, value: object) -> int:
    """The reference by which guests of a store know a value: None, ``Func`` or host object.

    That to a host object is one as long as the result is there, or a guest can get at it.

    Raises:
        TypeError: the value is no function, but the type wants one.
    """
    if value is None:
        return 0
    if type_.is_exception:
        return _hold_exception(store, value)
    if may_be_object(type_):
        return value if isinstance(value, Word) else store.hold(value)
    if isinstance(value, Func):
        return admit(store, value)
    raise TypeError(f"{type_.text} wanted, not {type(value).__name__}")


def read_ref(type_: ValType, cell: int) -> object:
    """The value that the reference in a cell of a table, global or stack stands for."""
    if type_.is_exception:
        return _read_exception(cell)
    bits: int = ctype_of(u64).from_address(cell).value
    if bits == 0:
        return None
    if not may_be_object(type_):
        return func_at(bits)
    from runwell.runtime.reference import ref_at

    return ref_at(cell, is_extern=type_ & 0xFF in _EXTERNAL)


def _hold_exception(store: Store, value: object) -> Held:
    if hooks.hold_exception is None:
        raise InternalError("nobody has lent a way to make exceptions")
    return hooks.hold_exception(store, value)


def _read_exception(cell: int) -> object:
    """The value that a cell for references to exceptions stands for."""
    from runwell.runtime.exception import read_cell

    held = read_cell(cell)
    if held is None or hooks.make_exception is None:
        return held
    return hooks.make_exception(held, ())
