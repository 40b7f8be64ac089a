"""``Func``: functions of guests and of the host; ``Caller``: what the latter know of the former."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Union

from runwell.base.errors import RunwellError
from runwell.base.types import FuncType as NativeFuncType
from runwell.compat.wasmtime.errors import WasmtimeError
from runwell.compat.wasmtime.face import Extern
from runwell.compat.wasmtime.store import Store, StoreContext, Storelike
from runwell.compat.wasmtime.types import FuncType
from runwell.compat.wasmtime.value import from_native, to_native
from runwell.host.caller import Caller as NativeCaller
from runwell.host.caller import with_caller
from runwell.host.func import Func as NativeFunc

if TYPE_CHECKING:
    from runwell.compat.wasmtime.externs import AsExtern


class Func(Extern):
    """A function.

    Args:
        store: what it belongs to.
        ty: its type.
        func: called with the arguments, and before them, if ``access_caller``, a ``Caller``.  It
            returns None, the result, or a sequence of the results.
        access_caller: see ``func``.

    Raises:
        TypeError: an argument is of a wrong type.

    Attributes:
        native: the function of Runwell.
    """

    __slots__ = ()

    def __init__(
        self,
        store: Storelike,
        ty: FuncType,
        func: Callable[..., Any],
        access_caller: bool = False,
    ) -> None:
        if not isinstance(store, Store | StoreContext | Caller):
            raise TypeError("expected a Store")
        if not isinstance(ty, FuncType):
            raise TypeError("expected a FuncType")
        owner = store.store
        self.native = NativeFunc(host_function(lambda: owner, ty, func, access_caller), ty.native)

    def type(self, store: Storelike) -> FuncType:
        """Its type."""
        return FuncType.of(self.native.type)

    def __call__(self, store: Storelike, *params: Any) -> Any:
        """Call it.

        Args:
            store: what it belongs to.
            params: the arguments.

        Returns:
            None, the result, or a list of the results.

        Raises:
            Trap: the guest trapped.
            WasmtimeError: there are too few or too many arguments.
            TypeError: an argument is of a wrong type.
        """
        native = self.native
        types = native.type.params
        if len(params) != len(types):
            raise WasmtimeError(f"{len(params)} params given, {len(types)} expected")
        arguments = map(to_native, types, params)
        result = store.store.call(native, *arguments)
        if isinstance(result, tuple) and len(native.type.results) != 1:
            return [from_native(value) for value in result]
        return from_native(result)


class Caller(StoreContext):
    """The guest that called a host function; of use until that returns."""

    def __init__(self, store: Store, native: NativeCaller) -> None:
        super().__init__(store)
        self._native = native

    def __getitem__(self, name: str) -> "AsExtern":
        """What the guest exports.

        Raises:
            KeyError: nothing of that name, or the host function has returned.
        """
        found = self.get(name)
        if found is None:
            raise KeyError(f"failed to find export {name}")
        return found

    def get(self, name: str) -> Union["AsExtern", None]:
        """What the guest exports, or None if there is nothing of that name."""
        from runwell.compat.wasmtime.externs import extern

        try:
            exports = self._native.exports
        except RunwellError:  # the call is over, or no guest made it
            return None
        return extern(exports[name]) if name in exports else None


def host_function(
    store_of: Callable[[], Store],
    ty: FuncType,
    func: Callable[..., Any],
    access_caller: bool,
) -> Callable[..., Any]:
    """A function of the program as one that Runwell calls.

    Args:
        store_of: gives the store when it is called.
        ty: its type.
        func: the program's.
        access_caller: does it take a ``Caller`` first?
    """
    finish = _results(ty.native)
    if not access_caller:

        def plain(*arguments: Any) -> Any:
            return finish(func(*map(from_native, arguments)))

        return plain

    def told(native: NativeCaller, *arguments: Any) -> Any:
        caller = Caller(store_of(), native)
        try:
            return finish(func(caller, *map(from_native, arguments)))
        finally:
            caller.invalidate()

    return with_caller(told)


def _results(type_: NativeFuncType) -> Callable[[Any], Any]:
    """What makes of a function's result what Runwell takes."""
    types = type_.results
    if not types:

        def nothing(result: Any) -> None:
            if result is not None:
                raise WasmtimeError("callback produced results when it shouldn't")

        return nothing
    if len(types) == 1:
        return lambda result: to_native(types[0], result)

    def several(result: Any) -> tuple[Any, ...]:
        if len(result) != len(types):
            raise WasmtimeError("callback produced wrong number of results")
        return tuple(map(to_native, types, result))

    return several
