"""Signals while a guest runs: Python's handler, and then word to the watcher.

Python's own handler of a signal only sets a flag, which its interpreter looks at between
instructions, and a guest that runs without the interpreter lock does not.  So where Python's
handler is found, ours takes its place: it calls Python's, and wakes the watcher, who knows which
guests to send to look.  Whoever asks Python for the handler gets what was set, as Python keeps that
itself.  A handler that is set later makes ours go; the watcher notices that.
"""

# mypy: disable-error-code="empty-body"

from platform import system

from runwell.kernel import (
    Ptr,
    addr,
    atomic_add,
    cast,
    extern,
    i32,
    kernel,
    local_array,
    null,
    static,
    struct,
    u8,
    u32,
    u64,
)
from runwell.runtime.c_library import Action, PlainHandler, sigaction
from runwell.runtime.sleep_kernels import wake

IS_LINUX = system() == "Linux"
SIGNALS = 64


@struct
class Watch:
    """What the watcher and those who wake it share."""

    word: u32  # counts reasons to look around
    is_awake: u32  # or about to be
    is_running: u32  # there is such a thread
    signals: u32  # that came since the watcher asked last
    python_handler: u64  # what Python handles signals with, once known; read as a PlainHandler


watch = static("watch", Watch)


@extern
def __errno_location() -> Ptr[i32]: ...


@kernel(export=True)
def on_signal(signal: i32) -> None:
    """Handle a signal as Python does, and tell the watcher."""
    errno = __errno_location()
    kept = errno[0]
    handler = Ptr[PlainHandler](addr(watch[0].python_handler))
    handler.call(signal)
    atomic_add(addr(watch[0].signals), u32(1))
    wake(addr(watch[0].word))
    errno[0] = kept


@kernel(export=True)
def learn_handler(signal: u32) -> None:
    """Remember how Python handles signals; ``signal`` is one that has a handler in Python."""
    action = local_array(Action, 1)
    ours = u64(cast(Ptr[u8], on_signal))
    if IS_LINUX and sigaction(i32(signal), null, action) == 0 and action.handler != ours:
        watch[0].python_handler = action.handler


@kernel
def chain_signals(does_change: bool) -> bool:
    """Is there a signal that Python's handler gets without ours?  If wanted, put ours there."""
    found = False
    theirs: u64 = watch[0].python_handler
    if IS_LINUX and theirs != 0:
        action = local_array(Action, 1)
        for signal in range(i32(1), i32(SIGNALS + 1)):
            if sigaction(signal, null, action) == 0 and action.handler == theirs:
                found = True
                if does_change:
                    action.handler = u64(cast(Ptr[u8], on_signal))
                    sigaction(signal, action, null)
    return found
