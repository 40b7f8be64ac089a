"""``Linker``: imports by name."""

from collections.abc import Callable
from typing import Any

from runwell.base.types import FuncType as NativeFuncType
from runwell.compat.wasmtime.engine import Engine
from runwell.compat.wasmtime.errors import WasmtimeError
from runwell.compat.wasmtime.externs import AsExtern, checked_extern, extern
from runwell.compat.wasmtime.func import Func, host_function
from runwell.compat.wasmtime.instance import Instance, InstancePre
from runwell.compat.wasmtime.managed import Closable
from runwell.compat.wasmtime.module import Module
from runwell.compat.wasmtime.store import Store, Storelike
from runwell.compat.wasmtime.types import FuncType
from runwell.host.func import Func as NativeFunc
from runwell.wasi.preview1 import MODULES as WASI_MODULES

# What a name stands for in an instance of a store.
_Provide = Callable[[Store], Any]


class Linker(Closable):
    """Imports by name.

    Args:
        engine: of the modules that it links.

    Raises:
        AttributeError: ``engine`` is no engine.

    Attributes:
        engine: of the modules that it links.
        allow_shadowing: may a name be defined again?
    """

    def __init__(self, engine: Engine) -> None:
        engine._check_open()
        self.engine = engine
        self.allow_shadowing = False
        self._wasi = False
        self._items: dict[tuple[str, str], _Provide] = {}

    def _define(self, module: str, name: str, provide: _Provide) -> None:
        key = module, name
        if key in self._items and not self.allow_shadowing:
            raise WasmtimeError(f"import of `{module}::{name}` defined twice")
        self._items[key] = provide

    def define(self, store: Storelike, module: str, name: str, item: AsExtern) -> None:
        """Give a name to something.

        Raises:
            AttributeError: a name is no string.
            TypeError: ``item`` can be no import.
            WasmtimeError: the name is taken.
        """
        native = checked_extern(item)
        for text in (module, name):
            text.encode()
        self._define(module, name, lambda _: native)

    def define_func(
        self,
        module: str,
        name: str,
        ty: FuncType,
        func: Callable[..., Any],
        access_caller: bool = False,
    ) -> None:
        """Give a name to a function of the host, for any store.

        Args:
            module: first part of the name.
            name: second part of the name.
            ty: its type.
            func: as for ``Func``.
            access_caller: as for ``Func``.

        Raises:
            TypeError: ``ty`` is no function type.
            WasmtimeError: the name is taken.
        """
        if not isinstance(ty, FuncType):
            raise TypeError("expected a FuncType")
        self._define(
            module,
            name,
            lambda store: NativeFunc(
                host_function(lambda: store, ty, func, access_caller), ty.native
            ),
        )

    def define_instance(self, store: Storelike, name: str, instance: Instance) -> None:
        """Give names to what an instance exports.

        Raises:
            TypeError: ``instance`` is none.
            WasmtimeError: a name is taken.
        """
        if not isinstance(instance, Instance):
            raise TypeError("expected an Instance")
        for item, value in instance.exports(store).items():
            self.define(store, name, item, value)

    def define_wasi(self) -> None:
        """Give the functions of WASI their names."""
        self._wasi = True

    def define_module(self, store: Storelike, name: str, module: Module) -> None:
        """Make an instance, and give names to what it exports; run it first if it is a command.

        Raises:
            Trap: its start function trapped.
            WasmtimeError: its imports do not fit, or a name is taken.
        """
        instance = self.instantiate(store, module)
        if "_initialize" not in instance.native.exports and "_start" in instance.native.exports:
            start = instance.exports(store)["_start"]
            self.define(store, name, "", start)
        self.define_instance(store, name, instance)

    def instantiate(self, store: Storelike, module: Module) -> Instance:
        """Make an instance of a module with what has the names of its imports.

        Raises:
            AttributeError: ``module`` is no module.
            Trap: its start function trapped.
            WasmtimeError: the imports do not fit.
        """
        owner = store.store
        wasi = None
        found = []
        for wanted in module.native.imports:
            provide = self._items.get((wanted.module, wanted.name))
            if provide is None:
                if not self._wasi or wanted.module not in WASI_MODULES:
                    raise WasmtimeError(
                        f"unknown import: `{wanted.module}::{wanted.name}` has not been defined"
                    )
                wasi = self._wasi_of(owner)
            found.append(None if provide is None else provide(owner))
        return Instance.of(owner, module, found, wasi)

    def _wasi_of(self, store: Store) -> Any:
        if store.wasi is None:
            raise WasmtimeError("the store has no WASI configuration: call set_wasi")
        return store.wasi.native(deterministic=store.engine.native.config.deterministic)

    def instantiate_pre(self, module: Module) -> InstancePre:
        """Look up a module's imports, to make instances of it later.

        Raises:
            TypeError: ``module`` is no module.
            WasmtimeError: an import is missing.
        """
        if not isinstance(module, Module):
            raise TypeError("expected a Module")
        for wanted in module.native.imports:
            is_wasi = self._wasi and wanted.module in WASI_MODULES
            if (wanted.module, wanted.name) not in self._items and not is_wasi:
                raise WasmtimeError(
                    f"unknown import: `{wanted.module}::{wanted.name}` has not been defined"
                )
        return InstancePre(self, module)

    def get(self, store: Storelike, module: str, name: str) -> AsExtern:
        """What has a name.

        Raises:
            WasmtimeError: nothing has.
        """
        provide = self._items.get((module, name))
        if provide is None:
            raise WasmtimeError("item not found in linker")
        return extern(provide(store.store))

    def get_default(self, store: Storelike, name: str) -> Func:
        """The function that runs a module: its ``""`` or ``_start``, or one that does nothing.

        Raises:
            WasmtimeError: what has the name is no function.
        """
        for item in ("", "_start"):
            if (name, item) in self._items:
                found = self.get(store, name, item)
                if not isinstance(found, Func):
                    raise WasmtimeError(f"the default export of {name!r} is no function")
                return found
        return Func(store, FuncType([], []), lambda: None)

    def define_unknown_imports_as_traps(self, module: Module) -> None:
        """Give every function that a module imports and nothing provides a body that traps.

        Raises:
            TypeError: ``module`` is no module.
        """
        self._define_unknown(module, _trap)

    def define_unknown_imports_as_default_values(self, store: Storelike, module: Module) -> None:
        """Give every function that a module imports and nothing provides zeros to return.

        Raises:
            TypeError: ``module`` is no module.
        """
        self._define_unknown(module, _zeros)

    def _define_unknown(
        self,
        module: Module,
        make: Callable[[str, NativeFuncType], Callable[..., Any]],
    ) -> None:
        if not isinstance(module, Module):
            raise TypeError("expected a Module")
        for wanted in module.native.imports:
            key = wanted.module, wanted.name
            is_wasi = self._wasi and wanted.module in WASI_MODULES
            if key not in self._items and not is_wasi and isinstance(wanted.type, NativeFuncType):
                func = NativeFunc(make("::".join(key), wanted.type), wanted.type)
                self._items[key] = lambda _, func=func: func  # type: ignore[misc]


def _trap(name: str, type_: NativeFuncType) -> Callable[..., Any]:
    def trap(*arguments: Any) -> None:
        raise WasmtimeError(f"unknown import: `{name}` has not been defined")

    return trap


def _zeros(name: str, type_: NativeFuncType) -> Callable[..., Any]:
    zeros = tuple(None if t.is_ref else bytes(16) if t.bits == 128 else 0 for t in type_.results)
    result = zeros[0] if len(zeros) == 1 else zeros or None
    return lambda *arguments: result
