"""Calls from the guest into Python, as kernels.

``host_generic`` is the entry of every host function that is a Python callable; ``unit`` makes such
entries for the commonest signatures, of the same parts, without their loops and tests.
"""

from runwell.base.traps import TrapCode
from runwell.host.convert_kernels import (
    VECTOR_FLAG,
    give,
    heap_of,
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
from runwell.host.held_kernels import let_go_of_externs
from runwell.host.layout import (
    PythonFunc,
    TupleObject,
)
from runwell.host.python_api import (
    Object,
    Py_DecRef,
    Py_EnterRecursiveCall,
    Py_LeaveRecursiveCall,
    PyErr_CheckSignals,
    PyErr_Clear,
    PyErr_Fetch,
    PyErr_NoMemory,
    PyErr_NormalizeException,
    PyErr_Occurred,
    PyErr_Restore,
    PyErr_SetString,
    PyEval_RestoreThread,
    PyEval_SaveThread,
    PyLong_AsUnsignedLongLong,
    PyLong_FromUnsignedLongLong,
    PyMem_Free,
    PyMem_Malloc,
    PyObject_Vectorcall,
    protect_frame,
    system_error,
    tuple_type,
)
from runwell.host.python_kernels import adopt_exceptions, not_canonical
from runwell.kernel import (
    Ptr,
    addr,
    const_array,
    i64,
    kernel,
    likely,
    local_array,
    null,
    u8,
    u32,
    u64,
    unlikely,
)
from runwell.runtime.exception_kernels import (
    exception_release,
)
from runwell.runtime.extern_list_kernels import dead_externs
from runwell.runtime.layout import Context, ExceptionObject

in_host_function = const_array(
    "in_host_function", u8, [*b" in a host function called by WebAssembly\0"]
)
INLINE_ARGUMENTS = 16  # of a callback, kept in the frame of the native stack


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
            kinds_of_results(signature),
            n,
            addr(tuple_.first),
            frame,
            refs,
            ctx,
            heap_of(ctx.instance),
            True,
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
        if likely(take(kinds[0], result, at, ctx, heap_of(ctx.instance), False)):
            return True
    elif result.type == tuple_type and Ptr[TupleObject](result).size == i64(n):
        values = addr(Ptr[TupleObject](result).first)
        if take_many(kinds, n, values, frame, refs, ctx, heap_of(ctx.instance), False):
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
    kept: Ptr[Object],
) -> bool:
    """Call the callable; ``values`` has room for its arguments and two words before them.

    ``lead`` is an argument before those of the guest, or null; it is released.  What the callable
    returns is put in ``kept``, or, if that is null, taken as the results.
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
        if result != null and kept != null:
            kept[0] = result
            done = True
        elif result != null:
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
    elif unlikely(dead_externs[0] != 0):
        let_go_of_externs()
    if likely(state != 0):
        ctx.thread_state = PyEval_SaveThread()
    return 0 if done else TrapCode.HOST_RAISED


@kernel(inline=True)
def call_python(
    ctx: Ptr[Context],
    host: Ptr[PythonFunc],
    frame: Ptr[u64],
    refs: Ptr[u64],
    lead: Object,
    kept: Ptr[Object],
) -> bool:
    """Call the callable of a host function of any signature; the others as for ``call_back``."""
    n = param_count(host.host.signature)
    if n <= INLINE_ARGUMENTS:
        values = local_array(Object, INLINE_ARGUMENTS + 2)
        return call_back(ctx, host, frame, refs, values, lead, kept)
    many = Ptr[Object](PyMem_Malloc(u64(n + 2) * 8))
    if many == null:
        if lead != null:
            Py_DecRef(lead)
        PyErr_NoMemory()
        return False
    done = call_back(ctx, host, frame, refs, many, lead, kept)
    PyMem_Free(Ptr[u8](many))
    return done


@kernel(export=True)
def host_generic(ctx: Ptr[Context], host: Ptr[PythonFunc], frame: Ptr[u64], refs: Ptr[u64]) -> u32:
    """The entry of a host function of any signature."""
    state = into_python(ctx)
    done = False
    if Py_EnterRecursiveCall(in_host_function) == 0:
        done = call_python(ctx, host, frame, refs, Object(null), Ptr[Object](null))
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
            done = call_python(ctx, host, frame, refs, lead, Ptr[Object](null))
        Py_LeaveRecursiveCall()
    return out_of_python(ctx, state, done)
