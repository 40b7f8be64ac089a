"""WASI preview 1 as a namespace of host functions.

Source: WASI snapshot preview 1.
"""

from __future__ import annotations

from runwell.wasi import files, folders, poll, process
from runwell.wasi.calls import CALLS, bind
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
_REGISTERED = (files, folders, poll, process)


class Wasi:
    """The WASI of one instance.

    Attributes:
        functions: host functions by name, to be imported by the guest.
    """

    __slots__ = ("_world", "functions")

    def __init__(self, config: WasiConfig) -> None:
        """Open what ``config`` names.

        Raises:
            OSError: a preopened directory cannot be opened.
        """
        self._world = World(config)
        self.functions: dict[str, Callable[..., Any]] = bind(self._world)

    def attach(self, memory: Buffer) -> None:
        """Use the instance's memory; to be called before the guest runs."""
        self._world.attach(memory)

    def close(self) -> None:
        """Close the guest's descriptors."""
        self._world.close()


def names() -> list[str]:
    """All functions of WASI preview 1."""
    return sorted(CALLS)
