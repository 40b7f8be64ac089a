"""Calls from Python into the guest, as kernels (the way back: ``callback_kernels``).

``call_generic`` is the vectorcall of every ``Func``; ``unit`` makes such entries for the commonest
signatures, of the same parts, without their loops and tests.

The interpreter lock is released while the guest runs, unless the function called is brief, and
taken back for each callback; the thread state waits in the context meanwhile.
"""

from runwell.base.traps import TrapCode
from runwell.base.types import ValType
from runwell.host.convert_kernels import (
    VECTOR_FLAG,
    give,
    give_tuple,
    heap_of,
    is_reference,
    kinds_of_params,
    kinds_of_results,
    param_count,
    python_hooks,
    result_count,
    take_many,
)
from runwell.host.held_kernels import let_go_of_externs
from runwell.host.layout import (
    THREAD_SLOTS,
    FuncObject,
    ThreadSlot,
    TupleObject,
)
from runwell.host.python_api import (
    Object,
    Py_DecRef,
    Py_IncRef,
    PyErr_Fetch,
    PyErr_NormalizeException,
    PyErr_Occurred,
    PyErr_Restore,
    PyErr_SetObject,
    PyErr_SetString,
    PyEval_RestoreThread,
    PyEval_SaveThread,
    PyLong_AsUnsignedLongLong,
    PyLong_FromUnsignedLongLong,
    PyObject_Vectorcall,
    PyThreadState_Get,
    PyTuple_New,
    PyTuple_SetItem,
    enter_guest,
    none,
    resume_guest,
    system_error,
    tuple_type,
    wake_watcher,
)
from runwell.kernel import (
    Ptr,
    addr,
    const_array,
    i64,
    kernel,
    likely,
    local_array,
    null,
    static,
    u8,
    u32,
    u64,
    unlikely,
)
from runwell.runtime.chain_kernels import watch
from runwell.runtime.exception_kernels import (
    exception_adopt,
    exception_hold,
    exception_new,
)
from runwell.runtime.extern_kernels import spare_heap_of_process
from runwell.runtime.extern_list_kernels import dead_externs
from runwell.runtime.heap_kernels import heap_collect
from runwell.runtime.heap_layout import Heap
from runwell.runtime.layout import Context, ExceptionObject, FuncRef, Instance, Tag
from runwell.runtime.sleep_kernels import monotonic

python_threads = static("python_threads", ThreadSlot, THREAD_SLOTS)
not_canonical = const_array("not_canonical", u8, [*b"a hook gave a value of a wrong type\0"])

COUNT = VECTOR_FLAG - 1  # of the arguments, in a vectorcall's count and flag
ROOM = 1 << 16  # bytes: more than the arguments and results of one call can take


@kernel(inline=True)
def thread_slot(state: u64) -> Ptr[ThreadSlot]:
    """Where the context of a thread is remembered."""
    return python_threads + i64((state >> 6 ^ state >> 14) & (THREAD_SLOTS - 1))


@kernel
def current_context() -> Ptr[Context]:
    """The calling thread's context; null with an exception set if it cannot have one."""
    state = PyThreadState_Get()
    slot = thread_slot(state)
    if slot.thread_state == state:
        return Ptr[Context](slot.context)
    arguments = local_array(Object, 1)
    hook = python_hooks[0].context
    found = PyObject_Vectorcall(hook, arguments + 1, VECTOR_FLAG, Object(null))
    if found == null:
        return Ptr[Context](null)
    context = PyLong_AsUnsignedLongLong(found)
    Py_DecRef(found)
    slot.thread_state = state
    slot.context = context
    return Ptr[Context](context)


@kernel
def call_trapped(func: Ptr[FuncObject], ctx: Ptr[Context], trap: u32) -> Object:
    """Raise what stopped the guest; an exception of a host function stays the object it is."""
    if ctx == null:
        raise_stopped(func, ctx, trap)
        return Object(null)
    if trap == TrapCode.OTHER_THREAD:
        # It was not entered, so the context says nothing about it.
        raise_stopped(func, ctx, trap)
    else:
        raise_trapped(func, ctx, trap)
    # It may have been closed during the call.
    leave(func.ref if func.ref != null else func.closed_ref)
    return Object(null)


@kernel
def raise_trapped(func: Ptr[FuncObject], ctx: Ptr[Context], trap: u32) -> None:
    """Raise what stopped the guest, and forget where: the caller's place is the context's again."""
    ip = ctx.caller_ip
    fp = ctx.caller_fp
    rp = ctx.caller_rp
    instance = ctx.caller_instance
    raise_stopped(func, ctx, trap)
    ctx.ip = ip
    ctx.fp = fp
    ctx.rp = rp
    ctx.instance = instance


@kernel
def raise_stopped(func: Ptr[FuncObject], ctx: Ptr[Context], trap: u32) -> None:
    """Raise what stopped the guest, with the frames that the context was left with."""
    pending = local_array(Object, 3)
    PyErr_Fetch(pending, pending + 1, pending + 2)
    if pending[0] != null:
        PyErr_NormalizeException(pending, pending + 1, pending + 2)
    arguments = local_array(Object, 5)
    arguments[1] = Object(func)
    arguments[2] = PyLong_FromUnsignedLongLong(u64(ctx))
    arguments[3] = PyLong_FromUnsignedLongLong(u64(trap))
    arguments[4] = pending[1] if pending[1] != null else none
    raised: Object = null
    if arguments[2] != null and arguments[3] != null:
        hook = python_hooks[0].trap
        raised = PyObject_Vectorcall(hook, arguments + 1, VECTOR_FLAG | 4, null)
    if arguments[2] != null:
        Py_DecRef(arguments[2])
    if arguments[3] != null:
        Py_DecRef(arguments[3])
    if pending[0] != null:
        # If the hook failed, the frames are missing, but the error is still the right one.
        PyErr_Restore(pending[0], pending[1], pending[2])
    elif raised != null:
        PyErr_SetObject(Object(raised.type), raised)
    if raised != null:
        Py_DecRef(raised)


@kernel(inline=True)
def prepare(func: Ptr[FuncObject], count: u64, keywords: Object, n_params: u64) -> Ptr[Context]:
    """The context to call in; null if anything is unusual, which ``call_slowly`` will find out."""
    state = PyThreadState_Get()
    slot = thread_slot(state)
    ctx = Ptr[Context](slot.context)
    if unlikely(slot.thread_state != state):
        return Ptr[Context](null)
    if unlikely(is_exhausted(ctx)):
        return Ptr[Context](null)
    if unlikely(keywords != null or count & COUNT != n_params or func.ref == null):
        return Ptr[Context](null)
    # Somebody should let go of what guests have let go of.
    if unlikely(dead_externs[0] != 0):
        return Ptr[Context](null)
    # A call that may stop and go on later has a context of its own.
    if unlikely(func.metered != 0 and ctx.top != ctx.stack):
        return Ptr[Context](null)
    return ctx


@kernel(inline=True)
def is_exhausted(ctx: Ptr[Context]) -> bool:
    """Is there no room for the arguments or results of one more call?"""
    is_room: bool = ctx.top + ROOM <= ctx.stack_end and ctx.ref_top + ROOM <= ctx.refs_end
    return not is_room


@kernel(inline=True)
def enter(ref: Ptr[FuncRef]) -> None:
    """Keep the function's instance from being freed until ``leave``."""
    instance = Ptr[Instance](ref.instance)
    if likely(instance != null):
        instance.active += 1


@kernel(inline=True)
def leave(ref: Ptr[FuncRef]) -> None:
    """The call that ``enter`` was for is over."""
    instance = Ptr[Instance](ref.instance)
    if likely(instance != null):
        instance.active -= 1
        if unlikely(instance.closed != 0):
            leave_closed(instance)


@kernel
def leave_closed(instance: Ptr[Instance]) -> None:
    """Have an instance freed that was closed during a call, unless it is still in another."""
    if instance.active != 0:
        return
    pending = local_array(Object, 3)
    PyErr_Fetch(pending, pending + 1, pending + 2)
    arguments = local_array(Object, 2)
    arguments[1] = PyLong_FromUnsignedLongLong(u64(instance))
    if arguments[1] != null:
        done = PyObject_Vectorcall(python_hooks[0].left, arguments + 1, VECTOR_FLAG | 1, null)
        if done != null:
            Py_DecRef(done)
        Py_DecRef(arguments[1])
    PyErr_Restore(pending[0], pending[1], pending[2])


@kernel(inline=True)
def is_occupied(ctx: Ptr[Context], instance: Ptr[Instance]) -> bool:
    """Does another thread run in the instance, or in one that is connected with it?"""
    holder: u64 = instance.turn.holder
    return holder != ctx.holder and holder != 0


@kernel(inline=True)
def take_turn(ctx: Ptr[Context], instance: Ptr[Instance]) -> None:
    """Begin a call in an instance that nobody else occupies."""
    turn = instance.turn
    turn.holder = ctx.holder
    turn.depth += 1


@kernel(inline=True)
def give_turn(instance: Ptr[Instance]) -> None:
    """End a call in an instance, which may have become connected with others meanwhile."""
    turn = instance.turn
    turn.depth -= 1
    if turn.depth == 0:
        turn.holder = 0


@kernel(inline=True)
def enter_unlocked(ctx: Ptr[Context], ref: Ptr[FuncRef], frame: Ptr[u64]) -> u32:
    """Run a function without the interpreter lock; a trap code.

    Without a ``frame`` go on where the context's guest is parked.
    """
    # A C function that a guest calls may call Python, which has then taken the lock on its own.
    before = ctx.thread_state
    ctx.thread_state = PyEval_SaveThread()
    if unlikely(watch[0].is_awake == 0):
        wake_watcher()
    trap = enter_guest(ctx, ref, frame) if frame != null else resume_guest(ctx)
    PyEval_RestoreThread(ctx.thread_state)
    ctx.thread_state = before
    return trap


@kernel(inline=True)
def run(func: Ptr[FuncObject], ctx: Ptr[Context]) -> u32:
    """Run the function on the arguments that are in place, if the results are no references.

    Returns a trap code; if it is not 0, ``call_trapped`` must follow.
    """
    ref = func.ref
    if ref.code.brief != 0:
        instance = Ptr[Instance](ref.instance)
        code: u32 = TrapCode.OTHER_THREAD
        if likely(instance == null or not is_occupied(ctx, instance)):
            code = enter_guest(ctx, ref, Ptr[u64](ctx.top))
        if unlikely(code != 0):
            enter(ref)
        return code
    enter(ref)
    trap = run_entered(func, ctx, Ptr[u64](ctx.top))
    if likely(trap == 0):
        leave(ref)
    return trap


@kernel(inline=True)
def run_entered(func: Ptr[FuncObject], ctx: Ptr[Context], frame: Ptr[u64]) -> u32:
    """Run the function; a trap code.  ``frame`` as for ``enter_unlocked``."""
    ref = func.ref
    instance = Ptr[Instance](ref.instance)
    if unlikely(instance == null):
        return enter_unlocked(ctx, ref, frame)
    if unlikely(is_occupied(ctx, instance)):
        return TrapCode.OTHER_THREAD
    take_turn(ctx, instance)
    left = ctx.frames_left
    if func.max_frames < left:
        ctx.frames_left = func.max_frames
    if unlikely(instance.time_limit != 0):
        trap = enter_timed(ctx, ref, frame, instance.time_limit)
    else:
        trap = enter_unlocked(ctx, ref, frame)
    ctx.frames_left = left
    give_turn(instance)
    return trap


@kernel
def enter_timed(ctx: Ptr[Context], ref: Ptr[FuncRef], frame: Ptr[u64], limit: u64) -> u32:
    """As ``enter_unlocked``, for some nanoseconds at most; a limit that is there goes on."""
    outer = ctx.deadline
    deadline = monotonic() + limit
    if outer == 0 or deadline < outer:
        ctx.deadline = deadline
    trap = enter_unlocked(ctx, ref, frame)
    ctx.deadline = outer
    return trap


@kernel(export=True)
def run_unlocked(ctx: Ptr[Context], ref: Ptr[FuncRef], frame: Ptr[u64]) -> u32:
    """As ``enter_guest``, without the interpreter lock."""
    return enter_unlocked(ctx, ref, frame)


@kernel
def finish(func: Ptr[FuncObject], ctx: Ptr[Context]) -> Object:
    """Run the function and give its results to Python."""
    return finish_from(func, ctx, Ptr[u64](ctx.top))


@kernel
def finish_from(func: Ptr[FuncObject], ctx: Ptr[Context], frame: Ptr[u64]) -> Object:
    """As ``finish``; ``frame`` as for ``enter_unlocked``."""
    ref = func.ref
    enter(ref)
    trap = run_entered(func, ctx, frame)
    if unlikely(trap != 0):
        return call_trapped(func, ctx, trap)
    result = give_results(func.signature, ctx)
    ctx.ref_end = ctx.ref_top
    if unlikely(ref.instance == null and ref.code.ref_bytes != 0):
        # What Python has given to itself.
        heap_collect(spare_heap_of_process())
    # Not before: it may free what the results refer to.
    leave(ref)
    if unlikely(dead_externs[0] != 0) and result != null:
        let_go_of_externs()
    return result


@kernel
def give_results(signature: Ptr[u8], ctx: Ptr[Context]) -> Object:
    """The results that a function has left, as a Python object."""
    n = result_count(signature)
    if n == 0:
        Py_IncRef(none)
        return none
    kinds = kinds_of_results(signature)
    frame = Ptr[u64](ctx.top)
    refs = Ptr[u64](ctx.ref_top)
    if n == 1:
        return give(kinds[0], refs if is_reference(kinds[0]) else frame)
    # Making a tuple may run finalizers, and they may call the guest: protect the results.
    ctx.top = ctx.top + ROOM
    ctx.ref_top = ctx.ref_top + ROOM
    tuple_ = give_tuple(kinds, n, frame, refs)
    ctx.top = Ptr[u8](frame)
    ctx.ref_top = Ptr[u8](refs)
    return tuple_


@kernel(export=True)
def call_generic(func: Ptr[FuncObject], args: Ptr[Object], count: u64, keywords: Object) -> Object:
    """The vectorcall of a ``Func`` of any signature."""
    n = param_count(func.signature)
    ctx = prepare(func, count, keywords, u64(n))
    if unlikely(ctx == null) or not take_many(
        kinds_of_params(func.signature),
        n,
        args,
        Ptr[u64](ctx.top),
        Ptr[u64](ctx.ref_top),
        ctx,
        heap_of(Ptr[Instance](func.ref.instance)),
        False,
    ):
        return call_slowly(func, args, count, keywords)
    return finish(func, ctx)


@kernel
def call_slowly(func: Ptr[FuncObject], args: Ptr[Object], count: u64, keywords: Object) -> Object:
    """Call with arguments that a hook converts; or it raises what is wrong with them."""
    if dead_externs[0] != 0:
        let_go_of_externs()
    n = i64(count & COUNT)
    tuple_ = PyTuple_New(n)
    if tuple_ == null:
        return Object(null)
    for i in range(n):
        Py_IncRef(args[i])
        PyTuple_SetItem(tuple_, i, args[i])
    arguments = local_array(Object, 4)
    arguments[1] = Object(func)
    arguments[2] = tuple_
    arguments[3] = keywords if keywords != null else none
    hook = python_hooks[0].arguments
    canonical = PyObject_Vectorcall(hook, arguments + 1, VECTOR_FLAG | 3, Object(null))
    Py_DecRef(tuple_)
    if canonical == null:
        return Object(null)
    result = call_converted(func, canonical)
    Py_DecRef(canonical)
    return result


@kernel
def call_converted(func: Ptr[FuncObject], canonical: Object) -> Object:
    """Call with a tuple of arguments that a hook has converted."""
    ctx = current_context()
    if ctx == null:
        return Object(null)
    if unlikely(func.metered != 0 and ctx.top != ctx.stack):
        arguments = local_array(Object, 3)
        arguments[1] = Object(func)
        arguments[2] = canonical
        return PyObject_Vectorcall(python_hooks[0].nested, arguments + 1, VECTOR_FLAG | 2, null)
    return call_in(func, ctx, canonical)


@kernel(export=True)
def call_in(func: Ptr[FuncObject], ctx: Ptr[Context], canonical: Object) -> Object:
    """As ``call_converted``, in a certain context."""
    if is_exhausted(ctx):
        return call_trapped(func, Ptr[Context](null), TrapCode.STACK_EXHAUSTED)
    if func.ref == null:
        raise_gone(func)
        return Object(null)
    tuple_ = Ptr[TupleObject](canonical)
    kinds = kinds_of_params(func.signature)
    n = param_count(func.signature)
    if (
        canonical.type != tuple_type
        or tuple_.size != i64(n)
        or not take_many(
            kinds,
            n,
            addr(tuple_.first),
            Ptr[u64](ctx.top),
            Ptr[u64](ctx.ref_top),
            ctx,
            heap_of(Ptr[Instance](func.ref.instance)),
            True,
        )
    ):
        if PyErr_Occurred() == null:
            PyErr_SetString(system_error[0], not_canonical)
        return Object(null)
    adopt_exceptions(ctx, kinds, n, Ptr[u64](ctx.ref_top))
    return finish(func, ctx)


@kernel(export=True)
def exception_of_values(
    signature: Ptr[u8], canonical: Object, tag: Ptr[Tag], heap: Ptr[Heap]
) -> Ptr[ExceptionObject]:
    """Make an exception of a tuple of canonical values; null if that fails."""
    ctx = current_context()
    tuple_ = Ptr[TupleObject](canonical)
    n = param_count(signature)
    if ctx == null or is_exhausted(ctx) or tuple_.size != i64(n):
        return Ptr[ExceptionObject](0)
    kinds = kinds_of_params(signature)
    # The stack, which collectors look at, is free: no guest runs.
    values = Ptr[u64](ctx.top)
    refs = Ptr[u64](ctx.ref_top)
    if not take_many(kinds, n, addr(tuple_.first), values, refs, ctx, heap, True):
        return Ptr[ExceptionObject](0)
    return exception_new(tag, Ptr[u8](values), refs)


@kernel
def raise_gone(func: Ptr[FuncObject]) -> None:
    """Say that a function is gone, which was there when its arguments were converted."""
    arguments = local_array(Object, 4)
    arguments[1] = Object(func)
    arguments[2] = PyTuple_New(0)
    arguments[3] = none
    if arguments[2] != null:
        hook = python_hooks[0].arguments
        found = PyObject_Vectorcall(hook, arguments + 1, VECTOR_FLAG | 3, null)
        if found != null:
            Py_DecRef(found)
        Py_DecRef(arguments[2])
    if PyErr_Occurred() == null:
        PyErr_SetString(system_error[0], not_canonical)


@kernel
def adopt_exceptions(ctx: Ptr[Context], kinds: Ptr[u8], n: u32, refs: Ptr[u64]) -> None:
    """Let the context hold the exceptions that Python puts on its stack."""
    at = refs
    for i in range(n):
        if is_reference(kinds[i]):
            at += 1
            e = Ptr[ExceptionObject](at[-1])
            if kinds[i] == ValType.EXNREF and e != null:
                exception_hold(e)
                exception_adopt(ctx, e, at)
