"""The fuel of a store, which all its instances burn.

In Runwell each instance has fuel of its own.  So what a store has is spread over its instances,
and a guest that finds none left is given some of the others', and goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from runwell.base.errors import OutOfFuel
from runwell.embed.instance import Instance

if TYPE_CHECKING:
    from runwell.embed.module import Module
    from runwell.runtime.context import Context
    from runwell.wasi.config import WasiConfig


class Tank:
    """The fuel of a store; it keeps the store's instances, as a store does."""

    def __init__(self) -> None:
        self._spare = 0  # what no instance has
        self._instances: list[Instance] = []

    @property
    def level(self) -> int:
        """All that is left."""
        return self._spare + sum(instance.fuel for instance in self._instances)

    def put(self, fuel: int) -> None:
        """Let there be so much, and no more."""
        if not isinstance(fuel, int):
            raise TypeError("expected integer")
        for instance in self._instances:
            instance.fuel = 0
        self._spare = fuel

    def call(self, running: list[Context], function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function; a guest that stops goes on as long as there is fuel.

        Args:
            running: is told of contexts in which it goes on.
            function: what to call.
            arguments: the arguments.

        Raises:
            OutOfFuel: there is too little.
            Exception: whatever else the call raises.
        """
        try:
            return function(*arguments)
        except OutOfFuel as e:
            stopped = e
        while True:
            if not self._refuel(stopped):
                self.put(0)
                raise stopped
            running.append(stopped.parked.context)
            try:
                return stopped.resume()
            except OutOfFuel as e:
                stopped = e

    def _refuel(self, stopped: OutOfFuel) -> bool:
        """Give fuel to the instance that has stopped, if others have any."""
        if stopped.parked is None:
            return False
        address = stopped.parked.context.native.parked_instance
        needy = next((i for i in self._instances if i._native.address == address), None)
        level = self.level
        if needy is None or needy.fuel == level:
            return False
        # Half of what there is, for the others will want some too; all, if that was too little.
        half = level - level // 2
        fuel = half if needy.fuel < half else level
        self._take(fuel - needy.fuel, needy)
        needy.fuel = fuel
        return True

    def _take(self, wanted: int, needy: Instance | None = None) -> None:
        """Take fuel from what is spare and from all instances but one."""
        part = min(wanted, self._spare)
        self._spare -= part
        for other in self._instances:
            wanted -= part
            part = 0
            if other is not needy:
                part = min(wanted, other.fuel)
                other.fuel -= part

    def instantiate(
        self, module: Module, imports: Sequence[object], wasi: WasiConfig | None
    ) -> Instance:
        """Make an instance.

        A start function cannot stop and go on: it has half of the fuel, or all of it in the first
        instance of the store.
        """
        level = self.level
        share = level - level // 2 if self._instances else level
        self._take(share)
        made = Instance.__new__(Instance)
        try:
            made.__init__(module, imports, wasi=wasi, fuel=share)
        except OutOfFuel:
            self.put(0)
            raise
        except BaseException:
            # What it did not burn before it failed.
            self._spare += made.fuel if hasattr(made, "_native") else share
            raise
        self._instances.append(made)
        return made
