"""Asynchronous calls: a guest runs beside an event loop, and waits for what that does.

A guest runs in a worker thread without the interpreter lock, so that it never blocks the loop.
When it calls an asynchronous host function it is parked, the thread is free, and the coroutine runs
in the task that made the call, where ``contextvars``, timeouts and cancellation are as everywhere;
then the guest goes on with the result in some worker.  What a guest keeps on its own stacks is all
that a parked one needs.

An instance is in one asynchronous call at a time, from its beginning to its end; others wait for
their turn.  Guests that wait would else find their stack in memory overwritten.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
import time
import weakref
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, final

from runwell.base.errors import DeadlineExceeded, OutOfFuel, RunwellError, ThreadError
from runwell.base.traps import TrapCode
from runwell.host.func import gone
from runwell.host.function import HostFunction
from runwell.host.suspension import Parked, Suspended, kernel
from runwell.kernel.types import ctype_of
from runwell.runtime import context as contexts
from runwell.runtime import layout
from runwell.runtime.func import object_at
from runwell.runtime.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runwell.host.func import Func

# How long a worker waits before it asks again whether another thread has left the instance.
_PATIENCE_S = 0.001


# Workers.

_pools: list[ThreadPoolExecutor] = []
_here = threading.local()  # ``guest``: the asynchronous call that the thread is in


def _pool() -> ThreadPoolExecutor:
    if not _pools:
        workers = min(32, (os.cpu_count() or 1) + 4)
        _pools.append(ThreadPoolExecutor(workers, thread_name_prefix="runwell"))
    return _pools[0]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pools.clear)


# Turns of instances.


@final
class _Queue:
    """The asynchronous calls of an instance, or of those connected with it, one after the other."""

    def __init__(self) -> None:
        self._busy = False
        self._waiting: deque[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = deque()
        self._lock = threading.Lock()

    async def enter(self) -> None:
        """Wait for the turn."""
        with self._lock:
            if not self._busy:
                self._busy = True
                return
            loop = asyncio.get_running_loop()
            place = loop.create_future()
            self._waiting.append((loop, place))
        try:
            await place
        except BaseException:
            with self._lock:
                if (loop, place) in self._waiting:
                    self._waiting.remove((loop, place))
                    raise
            # It was its turn already.
            self.leave()
            raise

    def leave(self) -> None:
        """Let the next one go."""
        with self._lock:
            while self._waiting:
                loop, place = self._waiting.popleft()
                try:
                    loop.call_soon_threadsafe(_let_go, place)
                except RuntimeError:  # the loop is closed
                    continue
                return
            self._busy = False


def _let_go(place: asyncio.Future[None]) -> None:
    if not place.done():
        place.set_result(None)


_queues: weakref.WeakKeyDictionary[Any, _Queue] = weakref.WeakKeyDictionary()
_queues_lock = threading.Lock()


def _queue_of(func: Func) -> _Queue:
    body = _body(func)
    key = body if body is None or body.turn is None else body.turn.root
    if key is None:
        return _Queue()
    with _queues_lock:
        return _queues.setdefault(key, _Queue())


def _body(func: Func) -> Any:
    """The body of a function's instance; None for host functions."""
    native = func.native  # keeps what is looked at, and says so if it is closed
    instance = ctype_of(layout.FuncRef).from_address(native.ref).instance
    if not instance:
        return None
    return object_at(ctype_of(layout.Instance).from_address(instance).object)


# Calls.


@final
class _Guest:
    """An asynchronous call.

    Attributes:
        func: what is called.
        context: where.
        loop: whose task made the call.
        blocked: what a worker waits for that runs in the loop; None if it does not.
    """

    def __init__(self, func: Func, context: contexts.Context) -> None:
        self.func, self.context = func, context
        self.loop = asyncio.get_running_loop()
        self.blocked: Future[Any] | None = None
        self._vars = contextvars.copy_context()
        self._stopped = False

    async def step(self, name: str, *args: object) -> Any:
        """Let the guest run in a worker until it ends or is parked."""
        work = self.loop.run_in_executor(_pool(), self._vars.run, self._work, name, args)
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            # Whatever it is doing there, it must have stopped before anything else is done.
            while not work.done():
                self._stop()
                try:
                    await asyncio.wait([work], timeout=0.05)
                except asyncio.CancelledError:
                    continue
            stopped = None if work.cancelled() else work.exception()
            if isinstance(stopped, Suspended):
                # It was about to wait.
                _drop(stopped.awaitable)
            raise

    def _stop(self) -> None:
        self._stopped = True
        self.context.interrupt(TrapCode.INTERRUPTED)
        if self.blocked is not None:
            self.blocked.cancel()

    def _work(self, name: str, args: tuple[object, ...]) -> Any:
        """Run the guest in this thread."""
        before, _here.guest = getattr(_here, "guest", None), self
        try:
            contexts.lend(self.context)
            while True:
                try:
                    return kernel(name)(self.func, self.context.address, *args)
                except ThreadError as e:
                    # Another thread is in the instance, for a call that does not wait.
                    if e.context != self.context.address or self._stopped:
                        raise
                    time.sleep(_PATIENCE_S)
        finally:
            _here.guest = before

    def wait(self, awaitable: Any) -> Any:
        """Let the loop wait for something, and this worker for the loop."""
        self.blocked = asyncio.run_coroutine_threadsafe(_within(self, awaitable), self.loop)
        try:
            if self._stopped:
                self.blocked.cancel()
            return self.blocked.result()
        finally:
            self.blocked = None


async def call(func: Func, args: tuple[object, ...]) -> Any:
    """Call a function of a guest; see ``Func.call_async``."""
    owner: Any = func._owner
    if not func._ref:
        raise gone(func)
    from runwell.host.convert import canonical_arguments

    store = owner if isinstance(owner, Store) else owner.store
    arguments = canonical_arguments(func.name, func.type, args, store)
    queue = _queue_of(func)
    await queue.enter()
    try:
        context = contexts.take_context()
        context.native.suspendable = 1
        limit = _time_limit(func)
        if limit:
            context.native.deadline = time.monotonic_ns() + limit
        return await _drive(_Guest(func, context), "call_in", arguments)
    finally:
        queue.leave()


async def resume(parked: Parked) -> Any:
    """Let an asynchronous call go on that was out of fuel."""
    queue = _queue_of(parked.func)
    await queue.enter()
    try:
        parked.context.native.suspendable = 1
        return await _drive(_Guest(parked.func, parked.context), "resume_call")
    finally:
        queue.leave()


def _time_limit(func: Func) -> int:
    native = func.native
    instance = ctype_of(layout.FuncRef).from_address(native.ref).instance
    return int(ctype_of(layout.Instance).from_address(instance).time_limit) if instance else 0


async def _drive(guest: _Guest, name: str, *args: object) -> Any:
    """Run a guest to its end, and what it waits for in between."""
    context = guest.context
    keeps = False
    try:
        while True:
            try:
                return await guest.step(name, *args)
            except Suspended as stop:
                awaitable = stop.awaitable
            parked = Parked(guest.func, context)
            try:
                result, error = await _within(guest, awaitable), None
            except BaseException as e:  # noqa: BLE001 - it is the guest's, or passes through it
                result, error = None, e
                if isinstance(e, asyncio.CancelledError):
                    # Nothing of the guest runs any more, so no worker is needed.
                    return guest._work("answer_call", (None, e))
            finally:
                del parked
            name, args = "answer_call", (result, error)
    except OutOfFuel as e:
        keeps = e.parked is not None and e.parked.context is context
        raise
    finally:
        if not keeps:
            contexts.give_context(context)


async def _within(guest: _Guest, awaitable: Any) -> Any:
    """Wait for something, but no longer than the guest may take."""
    deadline = int(guest.context.native.deadline)
    if not deadline:
        return await awaitable
    left = (deadline - time.monotonic_ns()) / 1e9
    timeout = asyncio.timeout(max(0.0, left))
    try:
        async with timeout:
            return await awaitable
    except TimeoutError:
        if timeout.expired():
            raise DeadlineExceeded(TrapCode.DEADLINE) from None
        raise


def _drop(awaitable: Any) -> None:
    """Nobody will wait for this."""
    close: Callable[[], object] | None = getattr(awaitable, "close", None)
    if close is not None:
        close()


def block(host: HostFunction, awaitable: Any) -> Any:
    """What an asynchronous host function gives, for a guest that cannot be parked.

    Frames of the host are among its own: a host function has called it.  If all that began with an
    asynchronous call, its worker waits.

    Raises:
        RunwellError: it did not.
    """
    guest: _Guest | None = getattr(_here, "guest", None)
    if guest is None:
        _drop(awaitable)
        raise RunwellError(
            f"{host.name} is asynchronous: call the guest with `await exports.f.call_async(...)`, "
            "from a task of an event loop"
        )
    return guest.wait(awaitable)
