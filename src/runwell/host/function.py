"""Python callables as functions of the guest."""

from __future__ import annotations

from runwell.base.light import final
from runwell.base.types import FuncType
from runwell.host.layout import PythonFunc
from runwell.host.signature import Signature, signature_of
from runwell.kernel.types import as_struct
from runwell.runtime.func import Func
from runwell.runtime.layout import FuncCode, FuncRef
from runwell.runtime.mapping import Block
from runwell.runtime.store import Store
from runwell.runtime.types import TypeNumber

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_PYTHON_FUNC, _FUNC_CODE, _FUNC_REF = as_struct(PythonFunc), as_struct(FuncCode), as_struct(FuncRef)


@final
class HostFunction:
    """A Python callable with the native structs by which a guest calls it.

    Stores whose guests can refer to it keep it; it keeps the callable.

    Attributes:
        callable: what is called.
        name: how errors call it, e.g. ``env.log``.
        signature: its compiled type.
        ref: address of its ``FuncRef``.
        store: what keeps the external references that it returns.
    """

    __slots__ = ("_block", "_number", "callable", "name", "ref", "signature", "store")

    def __init__(
        self,
        function: Callable[..., Any],
        type_: FuncType,
        name: str = "",
        number: TypeNumber | None = None,
    ) -> None:
        """Let guests call ``function`` as a function of a type.

        Args:
            function: what is called.
            type_: the type, canonical.
            name: how errors call it.
            number: that of the declared type, if it is not just ``type_``.
        """
        self.callable = function
        self.name = name or getattr(function, "__name__", type(function).__name__)
        self.signature: Signature = signature_of(type_)
        self.store = Store()
        sizes = (_PYTHON_FUNC.size, _FUNC_CODE.size, _FUNC_REF.size)
        self._block = Block(sum(sizes))
        at = self._block.address
        func, code, self.ref = at, at + sizes[0], at + sizes[0] + sizes[1]
        python = _PYTHON_FUNC.ctype.from_address(func)
        python.host.entry = self.signature.host_entry
        python.host.data = func
        python.host.signature = self.signature.address
        python.host.frame_bytes = self.signature.frame_bytes
        python.host.ref_bytes = self.signature.ref_bytes
        python.host.discard = self.signature.discard
        python.callable = id(function)
        python.object = id(self)
        python.held = id(self.store.held)
        body = _FUNC_CODE.ctype.from_address(code)
        body.entry = self.signature.host_code
        body.host = func
        body.param_bytes = self.signature.param_bytes
        body.ref_param_bytes = self.signature.ref_param_bytes
        ref = _FUNC_REF.ctype.from_address(self.ref)
        ref.code = code
        self._number = self.signature.number if number is None else number
        ref.type = self._number
        ref.supers = self._number.supers
        ref.object = id(self)

    @property
    def func(self) -> Func:
        """The function, as runtimes import it."""
        return Func(self.ref, self.signature.type, self)
