"""Calls from Python into the guest and back, as kernels.

``call_generic`` is the vectorcall of every ``Func``, ``host_generic`` the entry of every host
function that is a Python callable; ``unit`` makes both for the commonest signatures, of the same
parts, without their loops and tests.

The interpreter lock is released while the guest runs, unless the function called is brief, and
taken back for each callback; the thread state waits in the context meanwhile.
"""

from runwell.base.traps import TrapCode
from runwell.base.types import ValType
from runwell.host.convert_kernels import (
    VECTOR_FLAG,
    give,
    give_tuple,
    is_reference,
    kinds_of_params,
    kinds_of_results,
    param_count,
    python_hooks,
    result_count,
    slots,
    take,
    take_many,
)
from runwell.host.layout import (
    THREAD_SLOTS,
    FuncObject,
    PythonFunc,
    ThreadSlot,
    TupleObject,
)
from runwell.host.python_api import (
    Object,
    Py_DecRef,
    Py_EnterRecursiveCall,
    Py_IncRef,
    Py_LeaveRecursiveCall,
    PyErr_CheckSignals,
    PyErr_Clear,
    PyErr_Fetch,
    PyErr_NoMemory,
    PyErr_NormalizeException,
    PyErr_Occurred,
    PyErr_Restore,
    PyErr_SetObject,
    PyErr_SetString,
    PyEval_RestoreThread,
    PyEval_SaveThread,
    PyLong_AsUnsignedLongLong,
    PyLong_FromUnsignedLongLong,
    PyMem_Free,
    PyMem_Malloc,
    PyObject_Vectorcall,
    PyThreadState_Get,
    PyTuple_New,
    PyTuple_SetItem,
    enter_guest,
    none,
    protect_frame,
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
    exception_release,
)
from runwell.runtime.layout import Context, ExceptionObject, FuncRef, Instance
from runwell.runtime.sleep_kernels import monotonic

python_threads = static("python_threads", ThreadSlot, THREAD_SLOTS)
in_host_function = const_array(
    "in_host_function", u8, [*b" in a host function called by WebAssembly\0"]
)
not_canonical = const_array("not_canonical", u8, [*b"a hook gave a value of a wrong type\0"])

COUNT = VECTOR_FLAG - 1  # of the arguments, in a vectorcall's count and flag
ROOM = 1 << 16  # bytes: more than the arguments and results of one call can take
INLINE_ARGUMENTS = 16  # of a callback, kept in the frame of the native stack


# From Python into the guest.


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
    if ctx != null:
        raise_trapped(func, ctx, trap)
        # It may have been closed during the call.
        leave(func.ref if func.ref != null else func.closed_ref)
    else:
        raise_stopped(func, ctx, trap)
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
def enter_unlocked(ctx: Ptr[Context], ref: Ptr[FuncRef], frame: Ptr[u64]) -> u32:
    """Run a function without the interpreter lock; a trap code."""
    # A C function that a guest calls may call Python, which has then taken the lock on its own.
    before = ctx.thread_state
    ctx.thread_state = PyEval_SaveThread()
    if unlikely(watch[0].is_awake == 0):
        wake_watcher()
    trap = enter_guest(ctx, ref, frame)
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
        code = enter_guest(ctx, ref, Ptr[u64](ctx.top))
        if unlikely(code != 0):
            enter(ref)
        return code
    enter(ref)
    trap = run_entered(func, ctx)
    if likely(trap == 0):
        leave(ref)
    return trap


@kernel(inline=True)
def run_entered(func: Ptr[FuncObject], ctx: Ptr[Context]) -> u32:
    """Run the function; a trap code."""
    left = ctx.frames_left
    if func.max_frames < left:
        ctx.frames_left = func.max_frames
    ref = func.ref
    frame = Ptr[u64](ctx.top)
    instance = Ptr[Instance](ref.instance)
    if unlikely(instance != null and instance.time_limit != 0):
        trap = enter_timed(ctx, ref, frame, instance.time_limit)
    else:
        trap = enter_unlocked(ctx, ref, frame)
    ctx.frames_left = left
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
    ref = func.ref
    enter(ref)
    trap = run_entered(func, ctx)
    if unlikely(trap != 0):
        return call_trapped(func, ctx, trap)
    result = give_results(func.signature, ctx)
    # Not before: it may free what the results refer to.
    leave(ref)
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
        func.held,
        False,
    ):
        return call_slowly(func, args, count, keywords)
    return finish(func, ctx)


@kernel
def call_slowly(func: Ptr[FuncObject], args: Ptr[Object], count: u64, keywords: Object) -> Object:
    """Call with arguments that a hook converts; or it raises what is wrong with them."""
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
    if canonical != null and func.ref == null:
        # It was closed meanwhile: this time the hook says so.
        Py_DecRef(canonical)
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
    if is_exhausted(ctx):
        return call_trapped(func, Ptr[Context](null), TrapCode.STACK_EXHAUSTED)
    tuple_ = Ptr[TupleObject](canonical)
    kinds = kinds_of_params(func.signature)
    n = param_count(func.signature)
    if (
        func.ref == null
        or canonical.type != tuple_type
        or tuple_.size != i64(n)
        or not take_many(
            kinds,
            n,
            addr(tuple_.first),
            Ptr[u64](ctx.top),
            Ptr[u64](ctx.ref_top),
            func.held,
            True,
        )
    ):
        if PyErr_Occurred() == null:
            PyErr_SetString(system_error[0], not_canonical)
        return Object(null)
    adopt_exceptions(ctx, kinds, n, Ptr[u64](ctx.ref_top))
    return finish(func, ctx)


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


# From the guest into Python.


@kernel
def results_slowly(
    ctx: Ptr[Context], host: Ptr[PythonFunc], result: Object, frame: Ptr[u64], refs: Ptr[u64]
) -> bool:
    """Have a hook convert the results or say what is wrong with them."""
    body: u64 = 0
    if ctx.instance != null:
        body = ctx.instance.object
    arguments = local_array(Object, 4)
    arguments[1] = host.object
    arguments[2] = result
    arguments[3] = PyLong_FromUnsignedLongLong(body)
    if arguments[3] == null:
        return False
    hook = python_hooks[0].results
    canonical = PyObject_Vectorcall(hook, arguments + 1, VECTOR_FLAG | 3, Object(null))
    Py_DecRef(arguments[3])
    if canonical == null:
        return False
    tuple_ = Ptr[TupleObject](canonical)
    signature = host.host.signature
    n = result_count(signature)
    taken = (
        canonical.type == tuple_type
        and tuple_.size == i64(n)
        and take_many(
            kinds_of_results(signature), n, addr(tuple_.first), frame, refs, host.held, True
        )
    )
    if taken:
        adopt_exceptions(ctx, kinds_of_results(signature), n, refs)
    elif PyErr_Occurred() == null:
        PyErr_SetString(system_error[0], not_canonical)
    Py_DecRef(canonical)
    return taken


@kernel
def take_results(
    ctx: Ptr[Context], host: Ptr[PythonFunc], result: Object, frame: Ptr[u64], refs: Ptr[u64]
) -> bool:
    """Put what a callable returned where the guest finds it; no results accept anything."""
    signature = host.host.signature
    n = result_count(signature)
    if n == 0:
        return True
    kinds = kinds_of_results(signature)
    if n == 1:
        at = refs if is_reference(kinds[0]) else frame
        if likely(take(kinds[0], result, at, host.held, False)):
            return True
    elif result.type == tuple_type and Ptr[TupleObject](result).size == i64(n):
        values = addr(Ptr[TupleObject](result).first)
        if take_many(kinds, n, values, frame, refs, host.held, False):
            return True
    return results_slowly(ctx, host, result, frame, refs)


@kernel
def call_back(
    ctx: Ptr[Context],
    host: Ptr[PythonFunc],
    frame: Ptr[u64],
    refs: Ptr[u64],
    values: Ptr[Object],
    lead: Object,
) -> bool:
    """Call the callable; ``values`` has room for its arguments and two words before them.

    ``lead`` is an argument before those of the guest, or null; it is released.
    """
    n = param_count(host.host.signature)
    if lead != null:
        values += 1
        values[0] = lead
    kinds = kinds_of_params(host.host.signature)
    made: u32 = 0
    at = frame
    ref_at = refs
    for i in range(n):
        kind = kinds[i]
        if is_reference(kind):
            values[i + 1] = give(kind, ref_at)
            ref_at += 1
        else:
            values[i + 1] = give(kind, at)
            at += slots(kind)
        if unlikely(values[i + 1] == null):
            break
        made += 1
    done = False
    if made == n:
        flag = VECTOR_FLAG | u64(n)
        first = values + 1
        if lead != null:
            flag += 1
            first = values
        result = PyObject_Vectorcall(host.callable, first, flag, Object(null))
        if result != null:
            done = take_results(ctx, host, result, frame, refs)
            Py_DecRef(result)
    for i in range(made):
        Py_DecRef(values[i + 1])
    if lead != null:
        Py_DecRef(lead)
    return done


@kernel(inline=True)
def into_python(ctx: Ptr[Context]) -> u64:
    """Take the interpreter lock back, if it was released: the thread state, or 0."""
    state: u64 = ctx.thread_state
    if likely(state != 0):
        PyEval_RestoreThread(state)
        ctx.thread_state = 0
    return state


@kernel
def offer_exception(ctx: Ptr[Context]) -> None:
    """Let the caller of a host function catch what that raised, if guests have such exceptions."""
    pending = local_array(Object, 3)
    PyErr_Fetch(pending, pending + 1, pending + 2)
    if pending[0] == null:
        return
    PyErr_NormalizeException(pending, pending + 1, pending + 2)
    body: u64 = 0
    if ctx.instance != null:
        body = ctx.instance.object
    arguments = local_array(Object, 3)
    arguments[1] = pending[1]
    arguments[2] = PyLong_FromUnsignedLongLong(body)
    address: u64 = 0
    if arguments[2] != null:
        hook = python_hooks[0].offer
        found = PyObject_Vectorcall(hook, arguments + 1, VECTOR_FLAG | 2, Object(null))
        Py_DecRef(arguments[2])
        if found != null:
            address = PyLong_AsUnsignedLongLong(found)
            Py_DecRef(found)
    # If the hook failed, the error that is pending is still the one to be seen.
    PyErr_Clear()
    exception_release(ctx.exception)
    ctx.exception = Ptr[ExceptionObject](address)
    PyErr_Restore(pending[0], pending[1], pending[2])


@kernel(export=True)
def handle_signals(ctx: Ptr[Context]) -> u32:
    """Let Python's signal handlers run while a guest waits; a trap code if one raised."""
    top = ctx.top
    ref_top = ctx.ref_top
    ip = ctx.ip
    fp = ctx.fp
    rp = ctx.rp
    instance = ctx.instance
    protect_frame(ctx)
    state = into_python(ctx)
    failed = PyErr_CheckSignals() != 0
    if state != 0:
        ctx.thread_state = PyEval_SaveThread()
    ctx.top = top
    ctx.ref_top = ref_top
    ctx.ip = ip
    ctx.fp = fp
    ctx.rp = rp
    ctx.instance = instance
    return TrapCode.HOST_RAISED if failed else 0


@kernel(export=True)
def host_discard(ctx: Ptr[Context]) -> None:
    """A guest has caught what the host function raised."""
    state = into_python(ctx)
    PyErr_Clear()
    if state != 0:
        ctx.thread_state = PyEval_SaveThread()


@kernel(inline=True)
def out_of_python(ctx: Ptr[Context], state: u64, done: bool) -> u32:
    """Release the lock again; the trap code of a host function."""
    if unlikely(not done):
        offer_exception(ctx)
    if likely(state != 0):
        ctx.thread_state = PyEval_SaveThread()
    return 0 if done else TrapCode.HOST_RAISED


@kernel(inline=True)
def call_python(
    ctx: Ptr[Context], host: Ptr[PythonFunc], frame: Ptr[u64], refs: Ptr[u64], lead: Object
) -> bool:
    """Call the callable of a host function of any signature; ``lead`` as for ``call_back``."""
    n = param_count(host.host.signature)
    if n <= INLINE_ARGUMENTS:
        values = local_array(Object, INLINE_ARGUMENTS + 2)
        return call_back(ctx, host, frame, refs, values, lead)
    many = Ptr[Object](PyMem_Malloc(u64(n + 2) * 8))
    if many == null:
        if lead != null:
            Py_DecRef(lead)
        PyErr_NoMemory()
        return False
    done = call_back(ctx, host, frame, refs, many, lead)
    PyMem_Free(Ptr[u8](many))
    return done


@kernel(export=True)
def host_generic(ctx: Ptr[Context], host: Ptr[PythonFunc], frame: Ptr[u64], refs: Ptr[u64]) -> u32:
    """The entry of a host function of any signature."""
    state = into_python(ctx)
    done = False
    if Py_EnterRecursiveCall(in_host_function) == 0:
        done = call_python(ctx, host, frame, refs, Object(null))
        Py_LeaveRecursiveCall()
    return out_of_python(ctx, state, done)


@kernel(export=True)
def host_with_caller(
    ctx: Ptr[Context], host: Ptr[PythonFunc], frame: Ptr[u64], refs: Ptr[u64]
) -> u32:
    """The entry of a host function that is told who calls: the address of the instance's body."""
    state = into_python(ctx)
    done = False
    if Py_EnterRecursiveCall(in_host_function) == 0:
        body: u64 = 0
        if ctx.instance != null:
            body = ctx.instance.object
        lead = PyLong_FromUnsignedLongLong(body)
        if lead != null:
            done = call_python(ctx, host, frame, refs, lead)
        Py_LeaveRecursiveCall()
    return out_of_python(ctx, state, done)
