"""``runwell.Linker``: names for what modules import, defined once for many modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from runwell.base.errors import LinkError
from runwell.base.light import final
from runwell.embed.globals import Global
from runwell.embed.instance import Instance
from runwell.embed.module import Module
from runwell.embed.table import Table
from runwell.host.caller import is_function
from runwell.host.native_type import types
from runwell.host.tag import Tag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    from runwell.wasi.config import WasiConfig

    F = TypeVar("F", bound=Callable[..., Any])


@final
class _Namespace(Mapping[str, object]):
    """The names of one module name: single ones, and those of instances; the latest goes first."""

    __slots__ = ("instances", "names")

    def __init__(self) -> None:
        self.names: dict[str, object] = {}
        self.instances: list[Instance] = []

    def __getitem__(self, name: str) -> object:
        if name in self.names:
            return self.names[name]
        for instance in reversed(self.instances):
            if name in instance.exports:
                found: object = instance.exports[name]
                return found
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        seen = dict.fromkeys(self.names)
        for instance in self.instances:
            seen.update(dict.fromkeys(instance.exports))
        return iter(seen)

    def __len__(self) -> int:
        return sum(1 for _ in self)


@final
class Linker:
    """What modules may import, by module name and name.

    A name can be defined once, unless shadowing is allowed: then the latest definition counts, for
    the modules that are instantiated from then on.

    Args:
        allow_shadowing: may a name be defined again?
    """

    __slots__ = ("_namespaces", "_wasi", "allow_shadowing")

    def __init__(self, *, allow_shadowing: bool = False) -> None:
        self.allow_shadowing = allow_shadowing
        self._namespaces: dict[str, _Namespace] = {}
        self._wasi: WasiConfig | None = None

    def define(self, module: str, name: str, value: object) -> None:
        """Define a name.

        Args:
            module: the module name.
            name: the name.
            value: any callable, a C function, a ``Func``, ``Memory``, ``Table``, ``Global`` or
                ``Tag``, or a number for an immutable global.

        Raises:
            LinkError: it is defined already, and shadowing is not allowed.
            TypeError: nothing can import such a value.
        """
        self._check(module, (name,))
        importable = (types.func, types.memory, Table, Global, Tag, int, float)
        if not isinstance(value, importable) and not is_function(value):
            raise TypeError(f"{module!r}.{name!r} cannot be a {type(value).__name__}")
        self._namespace(module).names[name] = value

    def function(self, module: str, name: str | None = None) -> Callable[[F], F]:
        """A decorator that defines a function.

        Args:
            module: the module name.
            name: the name; None for that of the function.

        Returns:
            The decorator, which leaves the function as it is.
        """

        def define(function: F) -> F:
            self.define(module, function.__name__ if name is None else name, function)
            return function

        return define

    def define_instance(self, module: str, instance: Instance) -> None:
        """Define all that an instance exports.

        Args:
            module: the module name.
            instance: the instance.

        Raises:
            LinkError: one of the names is defined already, and shadowing is not allowed.
            TypeError: ``instance`` is none.
        """
        if not isinstance(instance, Instance):
            raise TypeError(f"instance must be a runwell.Instance, not {type(instance).__name__}")
        self._check(module, instance.exports)
        namespace = self._namespace(module)
        for name in instance.exports:
            namespace.names.pop(name, None)
        namespace.instances.append(instance)

    def define_wasi(self, config: WasiConfig) -> None:
        """Give each instance a WASI of its own; names defined otherwise go first.

        Args:
            config: what the instances get from WASI.

        Raises:
            LinkError: it is defined already, and shadowing is not allowed.
        """
        if self._wasi is not None and not self.allow_shadowing:
            raise LinkError("WASI is defined already")
        self._wasi = config

    def get(self, module: str, name: str, default: Any = None) -> Any:
        """What a name stands for.

        Args:
            module: the module name.
            name: the name.
            default: the answer if it is not defined.

        Returns:
            What was defined, or what an instance exports.
        """
        namespace = self._namespaces.get(module)
        return default if namespace is None else namespace.get(name, default)

    def __getitem__(self, key: tuple[str, str]) -> Any:
        module, name = key
        return self._namespaces[module][name]

    def __contains__(self, key: object) -> bool:
        if not (isinstance(key, tuple) and len(key) == 2):
            return False
        namespace = self._namespaces.get(key[0])
        return namespace is not None and key[1] in namespace

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for module, namespace in self._namespaces.items():
            for name in namespace:
                yield module, name

    def __len__(self) -> int:
        return sum(map(len, self._namespaces.values()))

    @property
    def imports(self) -> Mapping[str, Mapping[str, object]]:
        """What is defined, as ``Instance`` and ``Module.instantiate_pool`` take it."""
        return self._namespaces

    def instantiate(self, module: Module, *, fuel: int | None = None) -> Instance:
        """Make an instance of a module that imports what is defined here.

        Args:
            module: the module.
            fuel: what it starts with; None for what the engine's configuration says.

        Returns:
            The instance.

        Raises:
            LinkError: imports are not defined, which it names all, or have other types.
            Trap: the start function trapped, or an active segment is out of bounds.
        """
        return Instance(module, self._namespaces, wasi=self._wasi, fuel=fuel)

    def _namespace(self, module: str) -> _Namespace:
        return self._namespaces.setdefault(module, _Namespace())

    def _check(self, module: str, names: Any) -> None:
        if self.allow_shadowing:
            return
        namespace = self._namespaces.get(module)
        for name in names:
            if namespace is not None and name in namespace:
                raise LinkError(f"{module!r}.{name!r} is defined already")

    def __repr__(self) -> str:
        return f"<runwell.Linker: {len(self)} names>"
