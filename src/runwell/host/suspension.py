"""Calls that stop and go on later: who keeps them meanwhile.

A guest that has found no fuel, or waits for an asynchronous host function, is parked in its context
(``suspend_kernels``).  That context is then nobody's but the ``Parked`` object's, and the thread
takes another.
"""

from __future__ import annotations

from runwell.base.light import final
from runwell.host.native_type import types
from runwell.runtime import context as contexts
from runwell.runtime.native import native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runwell.host.func import Func
    from runwell.runtime.context import Context

_KERNELS = {
    "answer_call": "object object u64 object object",
    "call_in": "object object u64 object",
    "hold_instance": "None object",
    "release_instance": "None object",
    "resume_call": "object object u64",
}
_kernels: dict[str, Any] = {}


def kernel(name: str) -> Any:
    """A kernel, made callable at its first use."""
    found = _kernels.get(name)
    if found is None:
        from runwell.host.builtin import make_builtin

        found = _kernels[name] = make_builtin(name, _KERNELS[name], native.address)
    return found


@final
class Suspended(BaseException):
    """A call has stopped at an asynchronous host function; nobody but ``asynchronous`` sees it."""

    def __init__(self, awaitable: Any) -> None:
        super().__init__()
        self.awaitable = awaitable


@final
class Parked:
    """A call whose guest is parked.

    Attributes:
        func: what was called.
        context: where.
        guest: what made the call, if it was asynchronous.
    """

    __slots__ = ("context", "func", "guest")

    def __init__(self, func: Func, context: Context, guest: Any = None) -> None:
        self.func, self.context, self.guest = func, context, guest
        kernel("hold_instance")(func)

    def __del__(self) -> None:
        kernel("release_instance")(self.func)

    def resume(self) -> Any:
        """Go on, out of fuel until now, in the calling thread."""
        contexts.lend(self.context)
        return in_context(self.context, "resume_call", self.func, self.context.address)

    async def resume_async(self) -> Any:
        """Go on, out of fuel until now, as an asynchronous call."""
        from runwell.host.asynchronous import resume

        return await resume(self)


def in_context(context: Context, name: str, *args: object) -> Any:
    """Call a kernel that runs a guest in a context of its own; that is given back afterwards."""
    from runwell.base.errors import OutOfFuel, ThreadError

    is_free = True
    try:
        return kernel(name)(*args)
    except OutOfFuel as e:
        is_free = e.parked is None or e.parked.context is not context
        raise
    except ThreadError as e:
        # It was refused, and waits on.
        is_free = e.context != context.address or name == "call_in"
        raise
    finally:
        if is_free:
            contexts.give_context(context)


def nested(func: Func, arguments: tuple[object, ...]) -> Any:
    """Call a metered function from within a host function.

    It cannot have the thread's context for itself, and so gets another.
    """
    context = contexts.take_context()
    contexts.lend(context)
    own = contexts.current_context().native
    context.native.deadline, before = own.deadline, context.native.frames_left
    context.native.frames_left = own.frames_left
    try:
        return in_context(context, "call_in", func, context.address, arguments)
    finally:
        context.native.frames_left = before


def park(func: Func, context: Context) -> Parked | None:
    """Keep a call that is out of fuel, if it can go on later."""
    n = context.native
    if not isinstance(func, types.func) or n.top != n.stack or not n.parked_ip:
        return None
    contexts.part_with(context)
    return Parked(func, context)
