"""Exceptions between Python and guests: ``runwell.WasmException`` and what it stands for.

An exception that leaves a guest becomes a Python error, which keeps the guest's; if it comes back,
the guest gets the same one.  One that Python code makes becomes a guest's when a guest first gets
it.
"""

from __future__ import annotations

from runwell.base.errors import WasmException
from runwell.base.light import final
from runwell.host.convert import canonical
from runwell.host.signature import Signature, signature_of
from runwell.host.tag import Tag, face
from runwell.runtime.exception import Held, hold, untracked
from runwell.runtime.native import native
from runwell.runtime.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runwell.base.errors import Frame


@final
class _Kernels:
    """The kernels that convert values, made callable at their first use."""

    __slots__ = ("give", "make")

    def __init__(self) -> None:
        from ctypes import PYFUNCTYPE, c_uint64, py_object

        give, make = native.address("give_values"), native.address("exception_of_values")
        self.give: Any = PYFUNCTYPE(py_object, c_uint64, c_uint64, c_uint64)(give)
        self.make: Any = PYFUNCTYPE(c_uint64, c_uint64, py_object, c_uint64, c_uint64)(make)


_kernels: list[_Kernels] = []


def _conversions() -> _Kernels:
    if not _kernels:
        _kernels.append(_Kernels())
    return _kernels[0]


def make_exception(held: Held, frames: tuple[Frame, ...]) -> WasmException:
    """The Python error for a guest's exception.

    Args:
        held: the exception.
        frames: the guest's frames when it left the guest.
    """
    error = WasmException.__new__(WasmException)
    error.tag, error.backtrace, error.held = face(held.tag), frames, held
    error._values = None
    return error


def read_values(held: Held) -> tuple[object, ...]:
    """What an exception carries."""
    signature: Signature = signature_of(held.tag.type.type)
    values: tuple[object, ...] = _conversions().give(
        signature.address, held.values, held.references
    )
    return values


def held_by(error: WasmException) -> Held:
    """The guest's exception for a Python error."""
    if error.held is None:
        error.held = _new_exception(error.tag, error.values)
    held: Held = error.held
    return held


def _new_exception(tag: Tag, values: tuple[object, ...]) -> Held:
    tag_type, store = tag.type.type, tag.native.store
    items = tuple(
        [
            canonical(type_, value, store, lambda: "a value of the exception")
            for type_, value in zip(tag_type.params, values, strict=True)
        ]
    )
    signature: Signature = signature_of(tag_type)
    heap = store.use_heap(0).address if signature.ref_param_bytes else 0
    address = _conversions().make(signature.address, items, tag.native.address, heap)
    if not address:
        raise MemoryError("no room for an exception")
    return untracked(address)


def hold_exception(store: Store, value: object) -> Held:
    """The exception that guests of a store get for a Python value.

    Raises:
        TypeError: the value is no ``WasmException``.
    """
    if isinstance(value, Held):
        return value
    if not isinstance(value, WasmException):
        raise TypeError(f"a runwell.WasmException or None wanted, not {type(value).__name__}")
    held = held_by(value)
    tag: Tag = value.tag
    tag.native.admit(store)
    return held


def offer(raised: WasmException, body: Any) -> int:
    """What a guest may catch of what a host function raised.

    Args:
        raised: the Python error.
        body: of the calling instance; None if there is none.

    Returns:
        The address of an exception that the caller has hold of from now on, or 0.
    """
    store: Store | None = body.store() if body is not None else None
    if store is None:
        return 0
    held = hold_exception(store, raised)
    native.exception_hold(held)
    return int(held)


def error_at(address: int) -> WasmException:
    """The Python error for an exception that a guest gave out."""
    return make_exception(hold(address), ())
