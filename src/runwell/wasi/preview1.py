"""WASI preview 1 as a namespace of host functions.

Source: WASI snapshot preview 1.
"""

from __future__ import annotations

from importlib import import_module

from runwell.wasi.calls import CALLS, host_function
from runwell.wasi.world import ProcExit, World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from typing_extensions import Buffer

    from runwell.wasi.config import WasiConfig

__all__ = ["MODULES", "ProcExit", "Wasi"]

# The names under which programs import it; the second is that of early toolchains.
MODULES = ("wasi_snapshot_preview1", "wasi_unstable")
# Which module has the functions whose names begin with a word; those of other names are in
# ``process``.
_HOMES = {"fd": "files", "path": "folders", "poll": "poll"}


class Wasi:
    """The WASI of one instance."""

    __slots__ = ("_world",)

    def __init__(self, config: WasiConfig) -> None:
        """Open what ``config`` names.

        Raises:
            OSError: a preopened directory cannot be opened.
        """
        self._world = World(config)

    def function(self, name: str) -> Callable[..., Any] | None:
        """The host function of a name, to be imported by the guest; None if there is none."""
        import_module("runwell.wasi." + _HOMES.get(name.partition("_")[0], "process"))
        found = CALLS.get(name)
        return None if found is None else host_function(self._world, name, *found)

    def attach(self, memory: Buffer) -> None:
        """Use the instance's memory; to be called before the guest runs."""
        self._world.attach(memory)

    def close(self) -> None:
        """Close the guest's descriptors."""
        self._world.close()


def names() -> list[str]:
    """All functions of WASI preview 1."""
    for home in (*_HOMES.values(), "process"):
        import_module("runwell.wasi." + home)
    return sorted(CALLS)
