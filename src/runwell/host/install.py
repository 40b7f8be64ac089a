"""Putting the Python unit to work: what its kernels call in Python, and its caches' upkeep."""

from __future__ import annotations

import sys

from runwell.base.errors import ClosedError, ExhaustionError, ThreadError, WasmException
from runwell.base.light_ctypes import py_object, python_function
from runwell.host import closed, func, memory, references
from runwell.host.builtin import make_builtin
from runwell.host.convert import canonical_arguments, canonical_results
from runwell.host.function import HostFunction
from runwell.host.layout import THREAD_SLOTS, Hooks, PyObject, ThreadSlot
from runwell.host.native_type import make_lease_type, types
from runwell.kernel.types import ctype_of, sizeof, u64
from runwell.runtime import layout
from runwell.runtime.context import current_context, on_context_end
from runwell.runtime.func import object_at
from runwell.runtime.native import LEASES, native
from runwell.runtime.native import hooks as runtime_hooks
from runwell.runtime.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runwell.base.errors import Frame
    from runwell.runtime.context import Context
    from runwell.runtime.exception import Held


def install() -> None:
    """Make the native types and give the kernels their hooks; the core must be loaded.

    Raises:
        ImportError: this Python is one whose objects the kernels do not know.
    """
    if _installed:
        return
    if object.__basicsize__ != sizeof(PyObject):
        raise ImportError(
            "Runwell needs a Python with an interpreter lock: objects differ in others"
        )
    types_to_make = func.Func, memory.Memory
    hooks = ctype_of(Hooks).from_address(native.address("python_hooks"))
    for name, function in _HOOKS.items():
        setattr(hooks, name, id(function))
    hooks.func_type = id(types.func)
    hooks.closed = id(ClosedError)
    lease_type = make_lease_type()
    hooks.lease_type = id(lease_type)
    for name in LEASES:
        setattr(native, name, make_builtin(name, "object u64", native.address))
    slots: Any = (ctype_of(ThreadSlot) * THREAD_SLOTS).from_address(
        native.address("python_threads")
    )

    def forget(context: int) -> None:
        """A context is about to be freed, maybe while Python shuts down."""
        for slot in slots:
            if slot.context == context:
                slot.thread_state = 0

    on_context_end.append(forget)
    runtime_hooks.make_exception = _make_exception
    runtime_hooks.hold_exception = _hold_exception
    _prepare_watcher()
    runtime_hooks.know_refs = _know_refs
    runtime_hooks.make_externs = _make_externs
    runtime_hooks.hold_object = _hold_object
    known = sys.modules.get("runwell.runtime.reference")
    if known is not None:
        _know_refs(known.Ref, known.Word)
    _installed.extend((types_to_make, lease_type))


def _prepare_watcher() -> None:
    """Have signals handled while guests run, and start anew in processes that are forked."""
    import os

    hook = ctype_of(u64).from_address(native.address("signal_hook"))
    hook.value = native.address("handle_signals")
    _learn_handler()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=native.forget_watcher)


def _learn_handler() -> None:
    """Have native code look at how Python handles some signal: there is one way for all."""
    if TYPE_CHECKING:
        import signal
    else:
        import _signal as signal  # without the enumerations that ``signal`` wraps around it

    for number in (signal.SIGINT, *range(1, signal.NSIG)):
        if callable(signal.getsignal(number)):
            native.learn_handler(number)
            return
    # There may be some later.
    try:
        before = signal.signal(signal.SIGURG, _nothing)
    except ValueError:
        return  # not in this thread
    native.learn_handler(signal.SIGURG)
    signal.signal(signal.SIGURG, before)


def _nothing(number: int, frame: object) -> None:
    """Handle a signal that by default is ignored."""


_installed: list[object] = []


def _arguments(callee: func.Func, args: tuple[object, ...], keywords: object) -> tuple[object, ...]:
    """Convert the arguments of a call that the kernels could not take."""
    if keywords:
        raise TypeError(f"{callee.name}() takes no keyword arguments")
    owner: Any = callee._owner
    if owner is None or owner is closed.CLOSED:
        raise func.gone(callee)
    if not args and not callee.type.params:
        return ()  # the first call of a thread comes here, to get its context
    store = owner if isinstance(owner, Store) else owner.store
    return canonical_arguments(callee.name, callee.type, args, store)


def _results(host: HostFunction, result: object, body: int) -> tuple[object, ...]:
    """Convert what a host function returned to the instance whose body is at an address."""
    store = object_at(body).store() if body else None
    return canonical_results(host.name, host.signature.type, result, store or host.store)


_traps: list[Any] = []  # the module that makes them, imported with the first


def _trap(
    callee: func.Func, context: int, code: int, raised: BaseException | None
) -> BaseException:
    """Say what stopped a guest; to an exception of a host function add where the guest was."""
    if not _traps:
        from runwell.runtime import trap

        _traps.append(trap)
    traps = _traps[0]
    if code == traps.TrapCode.OTHER_THREAD:
        refused = ThreadError(
            f"{callee.name}() was called in one thread while another runs in the same instance, or "
            "in one connected with it: give each thread instances of its own, or let one wait"
        )
        refused.context = context
        return refused
    if not context:
        return ExhaustionError(traps.TrapCode(code))
    if raised is None:
        if code == traps.TrapCode.HOST_RAISED:
            return SystemError("a host function failed without an exception")
        at = object_at(ctype_of(layout.Context).from_address(context).object)
        if code == traps.TrapCode.SUSPENDED:
            return suspended(at)
        error: BaseException = traps.make_trap(at, code)
        if code == traps.TrapCode.OUT_OF_FUEL:
            from runwell.host.suspension import park

            error.parked = park(callee, at)  # type: ignore[attr-defined]
        return error
    # What is no Exception ends programs and threads, and nobody reads notes on it.
    if isinstance(raised, Exception | KeyboardInterrupt):
        at = object_at(ctype_of(layout.Context).from_address(context).object)
        frames = traps.backtrace(at)
        if frames:
            lines = [f"  {i}: {frame}" for i, frame in enumerate(frames)]
            raised.add_note("\n".join(["WebAssembly frames, innermost first:", *lines]))
    return raised


def suspended(context: Context) -> BaseException:
    """What a call raises that has stopped at an asynchronous host function."""
    from runwell.host.suspension import Suspended

    awaitable = object_at(context.native.pending)
    drop(context)
    return Suspended(awaitable)


def drop(context: Context) -> None:
    """Let go of what a context has of an awaitable."""
    pending, context.native.pending = object_at(context.native.pending), 0
    python_function("Py_DecRef", None, py_object)(pending)


def _context() -> int:
    return current_context().address


def _nested(callee: func.Func, arguments: tuple[object, ...]) -> object:
    """Call a metered function from within a host function."""
    from runwell.host.suspension import nested

    return nested(callee, arguments)


def _block(host: HostFunction, awaitable: Any) -> object:
    """The result of an asynchronous host function for a guest that cannot stop."""
    from runwell.host.asynchronous import block

    return block(host, awaitable)


def _offer(raised: object, body: int) -> int:
    """The exception that a guest may catch of what a host function raised, or 0."""
    if not isinstance(raised, WasmException):
        return 0
    from runwell.host.exception import offer

    return offer(raised, object_at(body) if body else None)


def _error_at(address: int) -> WasmException:
    """The Python error for an exception that a guest gave out."""
    from runwell.host.exception import error_at

    return error_at(address)


def _make_exception(held: Held, frames: tuple[Frame, ...]) -> WasmException:
    """The Python error for an exception that left a guest."""
    from runwell.host.exception import make_exception

    return make_exception(held, frames)


def _hold_exception(store: Store, value: object) -> Held:
    """The exception that guests get for a Python value."""
    from runwell.host.exception import hold_exception

    return hold_exception(store, value)


def _left(address: int) -> None:
    """The last call of an instance that was closed meanwhile is over."""
    closed.lingering.pop(address, None)


def _ref_at(cell: int, is_extern: int) -> object:
    """What Python gets for a reference that a guest gave out."""
    from runwell.runtime.reference import ref_at

    return ref_at(cell, is_extern=bool(is_extern))


def _make_externs(heap: int) -> object:
    """What shows Python's cycle collector the objects of Python in a heap."""
    from runwell.host.held import make_externs

    return make_externs(heap)


def _hold_object(heap: int, value: object) -> int:
    """The address of a handle of an object of Python as guests of a heap know it, or 0."""
    runtime_hooks.hold_object = make_builtin("hold_object", "u64 u64 object", native.address)
    return runtime_hooks.hold_object(heap, value)


def _know_refs(ref_type: type, word_type: type) -> None:
    """Let the kernels know the types of what stands for references."""
    references.known[:] = [sys.modules["runwell.runtime.reference"]]
    hooks = ctype_of(Hooks).from_address(native.address("python_hooks"))
    hooks.ref_type, hooks.word_type = id(ref_type), id(word_type)


_HOOKS: dict[str, Any] = {
    "reference": _ref_at,
    "exception": _error_at,
    "offer": _offer,
    "arguments": _arguments,
    "results": _results,
    "trap": _trap,
    "context": _context,
    "nested": _nested,
    "block": _block,
    "func": func.face_at,
    "left": _left,
}
