"""WASI preview 1 as a namespace of host functions.

Source: WASI snapshot preview 1.
"""

from __future__ import annotations

from runwell.base.light import import_module
from runwell.wasi.calls import CALLS, host_function
from runwell.wasi.world import ProcExit, World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from io import RawIOBase
    from typing import Any

    from typing_extensions import Buffer

    from runwell.wasi.config import WasiConfig

__all__ = ["MODULES", "ProcExit", "Wasi"]

# The names under which programs import it; the second is that of early toolchains.
MODULES = ("wasi_snapshot_preview1", "wasi_unstable")

# Which module has the functions whose names begin with a word; those of other names are in
# ``process``.
_HOMES = {"fd": "files", "path": "folders", "poll": "poll", "sock": "sockets"}


class Wasi:
    """The WASI of one instance: ``instance.wasi``.

    The guest's descriptors stay open when its program has ended, until the instance ends or
    ``close`` is called.
    """

    __slots__ = ("_world",)

    def __init__(self, config: WasiConfig, *, deterministic: bool = False) -> None:
        """Open what ``config`` names.

        Args:
            config: the world.
            deterministic: time and random numbers are the same in each run, if it says nothing.

        Raises:
            OSError: a preopened directory cannot be opened.
        """
        self._world = World(config, deterministic=deterministic)

    @classmethod
    def unopened(cls) -> Wasi:
        """One whose functions can be imported, and called once it acts for another one."""
        self = cls.__new__(cls)
        self._world = World.__new__(World)
        return self

    def act_for(self, other: Wasi, memory: Buffer | None) -> None:
        """Let its functions act on what another one has, and on a memory, if there is one."""
        self._world.become(other._world)
        if memory is not None:
            self._world.attach(memory)

    def detach(self) -> None:
        """Let go of the memory."""
        self._world.detach()

    def function(self, name: str) -> Callable[..., Any] | None:
        """The host function of a name, to be imported by the guest; None if there is none."""
        import_module("runwell.wasi." + _HOMES.get(name.partition("_")[0], "process"))
        found = CALLS.get(name)
        return None if found is None else host_function(self._world, name, *found)

    def unstable(self, name: str) -> Callable[..., Any] | None:
        """The same for a program that imports ``wasi_unstable``."""
        from runwell.wasi import unstable

        found = unstable.CALLS.get(name)
        return self.function(name) if found is None else host_function(self._world, name, *found)

    @property
    def modules(self) -> dict[str, Callable[[str], Callable[..., Any] | None]]:
        """Where the functions are found, by the name of the module that programs import."""
        return dict(zip(MODULES, (self.function, self.unstable), strict=True))

    def attach(self, memory: Buffer) -> None:
        """Use the instance's memory; to be called before the guest runs."""
        self._world.attach(memory)

    @property
    def stdout(self) -> bytes:
        """What the guest has written to its standard output so far.

        Raises:
            ValueError: it is not captured.
        """
        return self._captured(1)

    @property
    def stderr(self) -> bytes:
        """What the guest has written to its standard error so far.

        Raises:
            ValueError: it is not captured.
        """
        return self._captured(2)

    def _captured(self, number: int) -> bytes:
        captured = self._world.captured[number]
        if captured is None:
            name = ("stdout", "stderr")[number - 1]
            raise ValueError(f'{name} is not captured: configure it with {name}="capture"')
        return bytes(captured)

    def open(self, fd: int) -> RawIOBase:
        """A file object for one of the guest's descriptors, with the guest's own position.

        It can be used until the instance ends; closing it closes nothing of the guest's.

        Args:
            fd: the guest's number of it.

        Raises:
            OSError: EBADF if it is not open, EISDIR if it is a directory.
        """
        from runwell.wasi.guest_file import GuestFile

        return GuestFile(self._world.descriptors, fd)

    def finish(self) -> None:
        """The guest has ended: what its streams keep is handed on; descriptors stay open."""
        self._world.descriptors.finish()

    def close(self) -> None:
        """Close the guest's descriptors."""
        self._world.close()


def names() -> list[str]:
    """All functions of WASI preview 1."""
    for home in (*_HOMES.values(), "process"):
        import_module("runwell.wasi." + home)
    return sorted(CALLS)
