"""Contexts: what a thread needs to run guests, made at its first call and freed when it ends."""

from __future__ import annotations

from _thread import _local
from itertools import count
from sys import is_finalizing

from runwell.base.light import final
from runwell.base.light_ctypes import addressof, py_object, python_function
from runwell.base.limits import FRAMES
from runwell.kernel.types import ctype_of
from runwell.runtime import layout
from runwell.runtime.mapping import PAGE, Mapping
from runwell.runtime.native import Native, native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from runwell.base.traps import TrapCode

# Below this much room calls go to the slow path, so that a frame of ordinary size needs no check of
# its own.
SLACK = 1 << 20
# The same for references: the results of one call.
REF_SLACK = 1 << 16
# Room on the value stack for each frame of the limit; on the reference stack a quarter of it.
FRAME_BYTES = 640
LEAST_STACK_BYTES = 8 << 20
# Backward branches between looks at whether to stop.
BUDGET = 4096

# Called with the address of a context that is about to be freed, for those who cache it.
on_context_end: list[Callable[[int], None]] = []


@final
class _Lease(int):
    """The address of a native context that the fault handler knows, until its last owner goes."""

    __slots__ = ()

    def __del__(
        self, native: Native = native, on_end: list[Callable[[int], None]] = on_context_end
    ) -> None:
        for call in on_end:
            call(int(self))
        # The struct is freed after this.
        native.exceptions_forget(self)
        native.remove_context(self)


@final
class Context:
    """A thread's stacks and limits.

    Attributes:
        address: of the native ``Context``.
        native: its fields.
    """

    __slots__ = (
        "__weakref__",
        "_guarded",
        "_keep",
        "_lease",
        "_refs",
        "_stack",
        "address",
        "native",
    )

    def __init__(self, max_frames: int = FRAMES, *, guarded: bool = True) -> None:
        """Make a context.

        Args:
            max_frames: frames that may be active at once.
            guarded: put inaccessible pages around the stacks.  Nothing relies on them; without,
                the stacks of many contexts are one mapping to the system, which allows few.

        Raises:
            MemoryError: the system has no room, or there are too many contexts.
        """
        self._keep: Any = python_function("Py_IncRef", None, py_object), py_object
        self.native: Any = ctype_of(layout.Context)()
        self.address: int = addressof(self.native)
        self._guarded = guarded
        self._stack, self._refs = self._reserve(max_frames)
        self.native.object = id(self)
        self.native.budget = BUDGET
        if not native.add_context(self.address):
            raise MemoryError("too many threads run guests")
        self._lease = _Lease(self.address)
        native.untrack(self._lease)

    def __del__(self, is_finalizing: Callable[[], bool] = is_finalizing) -> None:
        if is_finalizing():
            # Python forgets daemon threads while it shuts down, but they still run guests.
            keep, py_object = self._keep
            keep(py_object(self))

    def _reserve(self, max_frames: int) -> tuple[Mapping, Mapping]:
        size = max(LEAST_STACK_BYTES, FRAME_BYTES * max_frames + SLACK)
        stack, refs = Mapping(size + 2 * PAGE), Mapping(size // 4 + 2 * PAGE)
        for mapping in (stack, refs) if self._guarded else ():
            mapping.guard(0)
            mapping.guard(mapping.size - PAGE)
        n = self.native
        n.stack = n.top = stack + PAGE
        n.stack_end = n.stack_limit = stack + stack.size - PAGE - SLACK
        n.refs = n.ref_top = refs + PAGE
        n.refs_end = refs + refs.size - PAGE - REF_SLACK
        n.max_frames = n.frames_left = max_frames
        return stack, refs

    @property
    def max_frames(self) -> int:
        """Frames that may be active at once."""
        return int(self.native.max_frames)

    @max_frames.setter
    def max_frames(self, max_frames: int) -> None:
        """Change the limit; ignored while a guest runs, which was promised the old one."""
        n = self.native
        if n.top != n.stack or max_frames == n.max_frames:
            return
        if FRAME_BYTES * max_frames + SLACK + 2 * PAGE > self._stack.size:
            native.hide_stack(self.address)
            self._stack, self._refs = self._reserve(max_frames)
        n.max_frames = n.frames_left = max_frames

    def interrupt(self, code: TrapCode) -> None:
        """Stop the guest that runs in this context, soon; any thread may ask."""
        self.native.interrupt = int(code)
        self.native.stack_limit = 0
        native.wake_context(self.address)


@final
class _Current(_local):
    """The context of each thread, and who it is where only one may run: above 0 once it is."""

    context: Context | None = None
    holder: int = 0
    is_main: int = 0


_current = _Current()
_holders = count(1)


def current_context() -> Context:
    """The calling thread's context, made if there is none.

    Raises:
        MemoryError: there is no room for one.
    """
    context = _current.context
    if context is None:
        context = _current.context = _new_context()
    return context


def _new_context() -> Context:
    if not _current.holder:
        context = Context()
        _current.holder, _current.is_main = next(_holders), context.native.is_main
    else:
        # It has parted with one.
        context = take_context()
        native.lend_context(context.address)
    n = context.native
    n.holder, n.is_main = _current.holder, _current.is_main
    return context


# Contexts that were used and are free, for guests that stop and go on later.
_spares: list[Context] = []
_MOST_SPARES = 32


def take_context() -> Context:
    """A context that belongs to no thread.

    Raises:
        MemoryError: there is no room for one.
    """
    try:
        return _spares.pop()
    except IndexError:
        return Context(guarded=False)


def give_context(context: Context) -> None:
    """Give back a context in which no guest runs or is parked."""
    if len(_spares) < _MOST_SPARES:
        native.exceptions_forget(context.address)
        n = context.native
        n.suspendable = n.deadline = n.interrupt = n.due = 0
        n.stack_limit = n.stack_end
        _spares.append(context)


def part_with(context: Context) -> None:
    """Let a context belong to no thread any more, if it is the calling thread's."""
    if _current.context is context:
        _current.context = None
        for call in on_context_end:
            call(context.address)


def lend(context: Context) -> None:
    """Let a context that belongs to no thread run a guest in the calling thread.

    Where only one thread may run it counts as this thread.
    """
    current_context()
    native.lend_context(context.address)
    n = context.native
    n.holder, n.is_main = _current.holder, _current.is_main
