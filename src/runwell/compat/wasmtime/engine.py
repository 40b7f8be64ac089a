"""``Engine``: where modules are prepared."""

from weakref import WeakSet

from runwell.compat.wasmtime.config import Config
from runwell.compat.wasmtime.managed import Managed
from runwell.embed import config as embed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runwell.compat.wasmtime.store import Store


class Engine(Managed):
    """Where modules are prepared.

    Args:
        config: what it is to do; used up by this.

    Raises:
        TypeError: ``config`` is no ``Config``.
        ValueError: ``config`` was used or closed.
        WasmtimeError: ``config`` has what no engine can have.

    Attributes:
        native: the engine of Runwell.
        epoch: how many times ``increment_epoch`` was called.
        has_epochs: may guests be interrupted by it?
        has_fuel: does running cost fuel?
        stores: those that belong to it.
    """

    def __init__(self, config: Config | None = None) -> None:
        if config is None:
            config = Config()
        elif not isinstance(config, Config):
            raise TypeError("expected Config")
        config._check_open()
        config.close()
        chosen = config.chosen
        self.has_epochs = bool(chosen.get("epoch_interruption"))
        self.has_fuel = bool(chosen.get("consume_fuel"))
        self.native = embed.Engine(config.native())
        self.epoch = 0
        self.stores: WeakSet[Store] = WeakSet()

    def increment_epoch(self) -> None:
        """Begin a new epoch: guests whose deadline it is stop soon; any thread may call this."""
        self.epoch += 1
        for store in list(self.stores):
            store.look_at_epoch()

    def is_pulley(self) -> bool:
        """Is code interpreted that was made for another machine?  Never."""
        return False
