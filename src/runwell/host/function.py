"""Python callables as functions of the guest."""

from __future__ import annotations

from runwell.base.light import final
from runwell.base.light_ctypes import addressof
from runwell.base.types import FuncType
from runwell.host.builtin import make_builtin
from runwell.host.layout import HostBlock
from runwell.host.signature import Signature, signature_of
from runwell.kernel.types import as_struct
from runwell.runtime.func import Func
from runwell.runtime.native import native
from runwell.runtime.store import Store
from runwell.runtime.types import TypeNumber

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

BLOCK = as_struct(HostBlock)
REF = BLOCK.offset("ref")


# The kernel that makes the natives, once it was used.
_new: list[Any] = []


def new_host_function(template: int, function: object, owner: object) -> Any:
    """A lease of natives like those at an address.

    Raises:
        MemoryError: there is no room.
    """
    if not _new:
        make = make_builtin("new_host_function", "object u64 object object", native.address)
        _new.append(make)
    return _new[0](template, function, owner)


def template(signature: Signature, entry: int = 0) -> Any:
    """The natives that those of a host function are copies of.

    Args:
        signature: the function's.
        entry: what a guest calls; 0 for the one that calls a Python callable.
    """
    block: Any = BLOCK.ctype()
    host, code, ref = block.python.host, block.code, block.ref
    host.entry = entry or signature.host_entry
    host.signature = signature.address
    host.frame_bytes = signature.frame_bytes
    host.ref_bytes = signature.ref_bytes
    host.discard = signature.discard
    code.entry = signature.host_code
    code.native = signature.native_code
    code.float_mask, code.v128_mask, code.result_class = signature.native_shape
    code.param_bytes = signature.param_bytes
    code.ref_param_bytes = signature.ref_param_bytes
    code.ref_bytes = signature.ref_bytes
    ref.type = signature.number
    ref.supers = signature.number.supers
    return block


_new_tuple = tuple.__new__
_Function = type(lambda: None)
_IS_COROUTINE = 0x80  # of the flags of a code object
_Wrapper = type(object.__call__)


def is_async(function: Any) -> bool:
    """Does a callable give an awaitable?  It is one by ``async def``, or marked as one."""
    while type(function) is not _Function:
        # Bound methods, ``functools.partial``, objects that can be called.
        inner = getattr(function, "__func__", None) or getattr(function, "func", None)
        if inner is None:
            inner = getattr(type(function), "__call__", None)  # noqa: B004
        if inner is None or inner is function or type(inner) is _Wrapper:
            return False
        function = inner
    if function.__code__.co_flags & _IS_COROUTINE:
        return True
    # As ``inspect.markcoroutinefunction`` does it, and asyncio before that.
    return hasattr(function, "_is_coroutine_marker") or hasattr(function, "_is_coroutine")


@final
class HostFunction:
    """A Python callable with the native structs by which a guest calls it.

    Stores whose guests can refer to it keep it; it keeps the callable.

    Attributes:
        callable: what is called.
        name: how errors call it, e.g. ``env.log``.
        signature: its compiled type.
        ref: address of its ``FuncRef``.
        with_caller: does it take the address of the caller's body first?
    """

    __slots__ = (
        "_block",
        "_number",
        "_store",
        "callable",
        "name",
        "ref",
        "signature",
        "with_caller",
    )

    def __init__(
        self,
        function: Callable[..., Any],
        type_: FuncType | Signature,
        name: str = "",
        number: TypeNumber | None = None,
        *,
        with_caller: bool = False,
    ) -> None:
        """Let guests call ``function`` as a function of a type.

        Args:
            function: what is called.
            type_: the type, canonical, compiled or not.
            name: how errors call it.
            number: that of the declared type, if it is not just ``type_``.
            with_caller: ``function`` takes the address of the caller's body first.

        Raises:
            MemoryError: there is no room.
        """
        self.callable, self.with_caller = function, with_caller
        self._store: Store | None = None
        self.name = name or getattr(function, "__name__", type(function).__name__)
        signature = type_ if isinstance(type_, Signature) else signature_of(type_)
        self.signature = signature
        if signature.template is None:
            made = template(signature)
            signature.template = addressof(made), made
        self._block = new_host_function(signature.template[0], function, self)
        address: int = self._block.address
        self.ref: int = address + REF
        self._number = signature.number
        waits = is_async(function)
        if with_caller or waits:
            entry = ("host", "host_async")[waits] + "_with_caller" * with_caller
            BLOCK.ctype.from_address(address).python.host.entry = native.address(entry)
        if number is not None and number != signature.number:
            self._number = number
            ref = BLOCK.ctype.from_address(address).ref
            ref.type, ref.supers = number, number.supers

    @property
    def store(self) -> Store:
        """What the references belong to that Python exchanges with it."""
        if self._store is None:
            self._store = Store()
        return self._store

    @property
    def func(self) -> Func:
        """The function, as runtimes import it."""
        return _new_tuple(Func, (self.ref, self.signature.type, self, self._number))
