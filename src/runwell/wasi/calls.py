"""How a Python function becomes a WASI call."""

from __future__ import annotations

from _operator import and_  # without what ``operator`` wraps around it

from runwell.wasi import errno
from runwell.wasi.errno import Errno, from_system

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runwell.wasi.world import World

_MASKS = {"i": 0xFFFF_FFFF, "I": 0xFFFF_FFFF_FFFF_FFFF}
CALLS: dict[str, tuple[str, Callable[..., object]]] = {}


def call(params: str) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """Register a function under its own name.

    Args:
        params: a letter a parameter: ``i`` a 32-bit unsigned one, ``I`` 64-bit unsigned,
            ``s`` 64-bit signed.

    Returns:
        The decorator; the function takes a ``World`` and the parameters, and fails by raising
        ``Errno`` or ``OSError``.
    """

    def register(function: Callable[..., object]) -> Callable[..., object]:
        CALLS[function.__name__] = params, function
        return function

    return register


def host_function(
    world: World, name: str, params: str, function: Callable[..., object]
) -> Callable[..., int]:
    """A call as a host function that acts on ``world``."""
    masks = tuple(_MASKS.get(p, -1) for p in params)

    def run(*args: int) -> int:
        try:
            function(world, *map(and_, args, masks))
        except Errno as e:
            return e.number
        except OSError as e:
            return from_system(e)
        return errno.SUCCESS

    if name == "proc_exit":
        return lambda code: function(world, code & 0xFFFF_FFFF)  # type: ignore[return-value]
    run.__name__ = run.__qualname__ = name
    return run
