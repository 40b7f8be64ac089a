"""Heat: functions that have run long enough to be looked at by whoever compiles them.

A function's ``heat`` counts down by one at each call of it, and by the budget each time that the
budget of backward branches runs out in it.  When it is spent the function is put into the queue.

Counting is no atomic operation, so what somebody else writes to ``heat`` may be overwritten by what
the guest has counted.  Therefore a function that is in the queue is not heated for ever but rests
for a while, and is put there again if it was not told otherwise.
"""

# mypy: disable-error-code="empty-body"

from runwell.base.limits import COLD, HOT_FUNCTIONS, RESTING
from runwell.kernel import (
    Ptr,
    extern,
    i32,
    i64,
    kernel,
    local_array,
    null,
    static,
    u8,
    u32,
    u64,
)
from runwell.runtime.layout import FuncCode, HotFunction, ModuleCode
from runwell.runtime.lock_kernels import give_lock, take_lock

hot_lock = static("hot_lock", u32)
hot_count = static("hot_count", u32)
hot_queue = static("hot_queue", HotFunction, HOT_FUNCTIONS)
hot_pipe = static("hot_pipe", i32)


@extern
def write(file: i32, data: Ptr[u8], size: u64) -> i64:  # noqa: D103
    ...


@kernel(export=True)
def on_hot(code: Ptr[FuncCode], at: Ptr[u8]) -> None:
    """A function's heat is spent; ``at`` is the loop it is in, or null."""
    left = code.heat
    code.heat = i32(COLD)
    module = Ptr[ModuleCode](code.module)
    if module == null or module.heat == 0:
        return
    code.heat = i32(RESTING)
    take_lock(hot_lock)
    count = hot_count[0]
    if count < HOT_FUNCTIONS:
        hot = hot_queue + count
        hot.code = code
        hot.module = code.module
        hot.at = u32(0) if at == null else u32(at - code.start) + 1
        hot.heat = left
        hot_count[0] = count + 1
    else:
        # Try again later.
        code.heat = module.heat
    give_lock(hot_lock)
    if count == 0:
        byte = local_array(u8, 1)
        byte[0] = u8(0)
        write(hot_pipe[0], byte, u64(1))


@kernel(export=True)
def set_hot_pipe(file: u32) -> None:
    """Write a byte to this file when the queue is no longer empty; forget what is in it."""
    hot_pipe[0] = i32(file)
    hot_count[0] = u32(0)
    give_lock(hot_lock)


@kernel(export=True)
def take_hot(out: Ptr[HotFunction]) -> u32:
    """Empty the queue into ``out``, which has room for all; gives how many there were."""
    take_lock(hot_lock)
    count = hot_count[0]
    for i in range(count):
        out[i] = hot_queue[i]
    hot_count[0] = u32(0)
    give_lock(hot_lock)
    return count


@kernel(export=True)
def forget_hot(module: Ptr[u8]) -> None:
    """Take a module's functions out of the queue: the module is about to be freed."""
    take_lock(hot_lock)
    kept: u32 = 0
    for i in range(hot_count[0]):
        if hot_queue[i].module != module:
            hot_queue[kept] = hot_queue[i]
            kept += 1
    hot_count[0] = kept
    give_lock(hot_lock)


@kernel
def heat_loop(code: Ptr[FuncCode], ip: Ptr[u8], turns: i32) -> None:
    """A guest has branched backwards so often, last to ``ip`` in this function."""
    if code.heat <= turns:
        on_hot(code, ip)
    else:
        code.heat -= turns
