"""``Store``: what instances are made in.

Runwell has no use for stores: they are where limits are kept, and what a guest's time and fuel are
measured by.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Union

from runwell.base.traps import TrapCode
from runwell.compat.wasmtime.engine import Engine
from runwell.compat.wasmtime.errors import WasmtimeError, translated
from runwell.compat.wasmtime.fuel import Tank
from runwell.compat.wasmtime.managed import Managed
from runwell.embed.config import Config as NativeConfig
from runwell.embed.config import Engine as NativeEngine
from runwell.embed.instance import Instance
from runwell.embed.module import Module
from runwell.runtime.context import Context, current_context
from runwell.runtime.heap import collect_all

if TYPE_CHECKING:
    from runwell.compat.wasmtime.func import Caller
    from runwell.compat.wasmtime.wasi import WasiConfig
    from runwell.wasi.config import WasiConfig as NativeWasi

_NEVER = 1 << 64


class Store(Managed):
    """What instances are made in.

    Args:
        engine: where its modules are prepared; None for one of its own.
        data: anything, for the program.

    Raises:
        TypeError: ``engine`` is no ``Engine``.

    Attributes:
        engine: where its modules are prepared.
        wasi: what instances get from WASI, or None.
    """

    def __init__(self, engine: Engine | None = None, data: Any = None) -> None:
        if engine is None:
            engine = Engine()
        elif not isinstance(engine, Engine):
            raise TypeError("expected an Engine")
        self.engine, self._data = engine, data
        self.wasi: WasiConfig | None = None
        self._deadline = 0 if engine.has_epochs else _NEVER
        self._running: list[Context] = []
        self._limits: dict[str, int] = {}
        self._tank = Tank() if engine.has_fuel else None
        engine.stores.add(self)

    @property
    def store(self) -> "Store":
        """Itself: what a context of the store says too."""
        self._check_open()
        return self

    def data(self) -> Any:
        """What the program gave it."""
        self._check_open()
        return self._data

    def gc(self) -> None:
        """Free what no guest refers to any more; of other stores, too."""
        self._check_open()
        collect_all()

    def set_fuel(self, fuel: int) -> None:
        """Say how much fuel there is.

        Raises:
            WasmtimeError: the engine knows of no fuel.
        """
        self._fuel().put(fuel)

    def get_fuel(self) -> int:
        """How much fuel is left.

        Raises:
            WasmtimeError: the engine knows of no fuel.
        """
        return self._fuel().level

    def _fuel(self) -> Tank:
        self._check_open()
        if self._tank is None:
            raise WasmtimeError("fuel is not configured in this store")
        return self._tank

    def set_wasi(self, wasi: "WasiConfig") -> None:
        """Give instances what ``wasi`` says, which is used up by this."""
        self._check_open()
        wasi._check_open()
        wasi.close()
        self.wasi = wasi

    def set_epoch_deadline(self, ticks_after_current: int) -> None:
        """Let guests run until the engine's epoch is so much later than now."""
        self._check_open()
        self._deadline = self.engine.epoch + ticks_after_current

    def look_at_epoch(self) -> None:
        """Stop what runs if its deadline has come."""
        if self.engine.epoch >= self._deadline:
            for context in list(self._running):
                context.interrupt(TrapCode.INTERRUPTED)

    def set_limits(
        self,
        memory_size: int = -1,
        table_elements: int = -1,
        instances: int = -1,
        tables: int = -1,
        memories: int = -1,
    ) -> None:
        """Limit what there may be from now on; negative numbers are no limit.

        Args:
            memory_size: bytes of a memory.
            table_elements: elements of a table.
            instances: number of instances.
            tables: number of tables.
            memories: number of memories.
        """
        self._check_open()
        given = locals()
        del given["self"]
        self._limits = {name: limit for name, limit in given.items() if limit >= 0}

    def limit(self, name: str) -> int | None:
        """A limit, by its name in ``set_limits``."""
        return self._limits.get(name)

    def count(self, name: str, number: int = 1) -> None:
        """Note that there is one more of what ``set_limits`` has a limit of.

        Raises:
            WasmtimeError: that is one too many.
        """
        left = self._limits.get(name)
        if left is None:
            return
        if left < number:
            raise WasmtimeError(f"resource limit exceeded: too many {name}")
        self._limits[name] = left - number

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function of Runwell's.

        Raises:
            Trap: the guest trapped.
            WasmtimeError: and more, as ``translated`` says.
        """
        with self._running_guest():
            if self._tank is None:
                return function(*arguments)
            return self._tank.call(self._running, function, *arguments)

    def instantiate(
        self, module: Module, imports: Sequence[object], wasi: "NativeWasi | None"
    ) -> Instance:
        """Make an instance of Runwell's.

        Raises:
            Trap: the start function trapped.
            WasmtimeError: and more, as ``translated`` says.
        """
        decoded = module.code.module
        self.count("instances")
        self.count("tables", len(decoded.table_types) - decoded.n_imported_tables)
        self.count("memories", len(decoded.memory_types) - decoded.n_imported_memories)
        module = self._limited(module)
        with self._running_guest():
            if self._tank is None:
                return Instance(module, imports, wasi=wasi)
            return self._tank.instantiate(module, imports, wasi)

    def _limited(self, module: Module) -> Module:
        """The module, in an engine that holds its instances to the limits."""
        sizes = self.limit("memory_size"), self.limit("table_elements")
        if sizes == (None, None):
            return module
        limited = Module.of(module.code)
        arguments = module.engine.config.arguments()
        arguments["max_memory_bytes"], arguments["max_table_elements"] = sizes
        limited.engine = NativeEngine(NativeConfig(**arguments))
        return limited

    @contextmanager
    def _running_guest(self) -> Iterator[None]:
        """A guest runs meanwhile; errors are translated.

        Raises:
            Trap: the store's deadline has come.
            WasmtimeError: and more, as ``translated`` says.
        """
        others = len(self._running)
        self._running.append(current_context())
        try:
            with translated():
                if self._deadline != _NEVER:
                    self.look_at_epoch()
                yield
        finally:
            del self._running[others:]


class StoreContext:
    """A store, while a host function runs."""

    def __init__(self, store: Store) -> None:
        self._store: Store | None = store

    @property
    def store(self) -> Store:
        """The store.

        Raises:
            ValueError: the host function has returned.
        """
        if self._store is None:
            raise ValueError("the caller has returned")
        return self._store

    def invalidate(self) -> None:
        """The host function has returned."""
        self._store = None


Storelike = Union[Store, StoreContext, "Caller"]
