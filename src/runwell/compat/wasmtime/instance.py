"""``Instance`` and what it exports."""

from collections.abc import Iterator, Mapping, Sequence

from runwell.compat.wasmtime.errors import WasmtimeError
from runwell.compat.wasmtime.externs import AsExtern, checked_extern, extern
from runwell.compat.wasmtime.managed import Closable
from runwell.compat.wasmtime.module import Module
from runwell.compat.wasmtime.store import Store, Storelike
from runwell.embed.instance import Instance as NativeInstance
from runwell.wasi.config import WasiConfig as NativeWasi

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runwell.compat.wasmtime.linker import Linker


class Instance:
    """A module at work.

    Args:
        store: what it belongs to.
        module: the module.
        imports: what it imports, in order.

    Raises:
        AttributeError: ``module`` is no module.
        Trap: its start function trapped.
        TypeError: an import is none.
        WasmtimeError: the imports do not fit.
    """

    __slots__ = ("_exports", "native")

    def __init__(self, store: Storelike, module: Module, imports: Sequence[AsExtern]) -> None:
        wanted = len(module.native.imports)
        found = [checked_extern(item) for item in imports]
        if len(found) != wanted:
            raise WasmtimeError(f"expected {wanted} imports, found {len(found)}")
        self._make(store.store, module, found)

    @classmethod
    def of(
        cls, store: Store, module: Module, found: Sequence[object], wasi: NativeWasi | None
    ) -> "Instance":
        """An instance whose imports Runwell knows as ``found``; None where WASI helps out."""
        made = cls.__new__(cls)
        made._make(store, module, found, wasi)
        return made

    def _make(
        self,
        store: Store,
        module: Module,
        found: Sequence[object],
        wasi: NativeWasi | None = None,
    ) -> None:
        self.native = store.instantiate(module.native, found, wasi)
        self._exports: InstanceExports | None = None

    def exports(self, store: Storelike) -> "InstanceExports":
        """What it exports."""
        if self._exports is None:
            self._exports = InstanceExports(self.native)
        return self._exports


class InstanceExports(Mapping[str, AsExtern]):
    """What an instance exports, by name.

    Attributes:
        by_index: the same, in order.
    """

    def __init__(self, native: NativeInstance) -> None:
        self._by_name = {name: extern(native.exports[name]) for name in native.exports}
        self.by_index: Sequence[AsExtern] = list(self._by_name.values())

    def __getitem__(self, name: str) -> AsExtern:
        return self._by_name[name]

    def __len__(self) -> int:
        return len(self._by_name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)


class InstancePre(Closable):
    """A module with what it imports from a linker.

    Attributes:
        module: the module.
    """

    def __init__(self, linker: "Linker", module: Module) -> None:
        self._linker, self.module = linker, module

    def instantiate(self, store: Storelike) -> Instance:
        """Make an instance.

        Raises:
            Trap: its start function trapped.
            WasmtimeError: the imports do not fit.
        """
        return self._linker.instantiate(store, self.module)
