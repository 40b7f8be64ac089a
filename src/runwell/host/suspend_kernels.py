"""Guests that stop and go on later, as kernels: at an asynchronous host function, or out of fuel.

The frames of guests are on the context's own stacks.  So a guest stops by returning to the host
with the frames left in place.  If only the interpreter has some, it goes on by jumping back: to the
operation that found no fuel, or behind the call of the host function, whose results are in place by
then.  If there are some on the native stack, whatever has stopped the guest there returns
(``native_park``).  Such a guest has its context for itself; whoever wants to run something
meanwhile takes another one.
"""

from runwell.base.traps import TrapCode
from runwell.host.callback_kernels import (
    call_python,
    in_host_function,
    into_python,
    offer_exception,
    out_of_python,
    take_results,
)
from runwell.host.convert_kernels import VECTOR_FLAG, python_hooks
from runwell.host.layout import FuncObject, PythonFunc
from runwell.host.python_api import (
    Object,
    Py_DecRef,
    Py_EnterRecursiveCall,
    Py_LeaveRecursiveCall,
    PyErr_SetObject,
    PyEval_SaveThread,
    PyLong_FromUnsignedLongLong,
    PyObject_Vectorcall,
    none,
    park_guest,
    throw_from_host,
)
from runwell.host.python_kernels import (
    call_trapped,
    enter,
    finish_from,
    is_occupied,
    leave,
    raise_gone,
)
from runwell.kernel import Ptr, addr, kernel, local_array, null, u32, u64
from runwell.runtime.layout import Context, Instance


@kernel(export=True)
def hold_instance(func: Ptr[FuncObject]) -> None:
    """Keep the function's instance from being freed until ``release_instance``."""
    enter(func.ref)


@kernel(export=True)
def release_instance(func: Ptr[FuncObject]) -> None:
    """The guest that ``hold_instance`` was for has ended."""
    leave(func.ref if func.ref != null else func.closed_ref)


@kernel(export=True)
def resume_call(func: Ptr[FuncObject], ctx: Ptr[Context]) -> Object:
    """Go on with a call whose guest is parked."""
    if func.ref == null:
        raise_gone(func)
        return Object(null)
    return finish_from(func, ctx, Ptr[u64](null))


@kernel(export=True)
def answer_call(func: Ptr[FuncObject], ctx: Ptr[Context], result: Object, error: Object) -> Object:
    """Go on with a call that waits for a host function, with its result, or the error if any."""
    if func.ref == null:
        raise_gone(func)
        return Object(null)
    if is_occupied(ctx, Ptr[Instance](func.ref.instance)):
        enter(func.ref)
        return call_trapped(func, ctx, TrapCode.OTHER_THREAD)
    host = Ptr[PythonFunc](ctx.pending_host)
    is_native: bool = ctx.parked_sp != 0
    if not is_native:
        ctx.ip = ctx.parked_ip
        ctx.fp = ctx.parked_fp
        ctx.rp = ctx.parked_rp
    ctx.instance = ctx.parked_instance
    done = False
    if error == none:
        done = take_results(ctx, host, result, ctx.pending_frame, ctx.pending_refs)
    else:
        PyErr_SetObject(Object(error.type), error)
    if done and not is_native:
        # The host function's own frame.
        ctx.parked_left += 1
    if done:
        return resume_call(func, ctx)
    offer_exception(ctx)
    if is_native:
        ctx.parked_code = TrapCode.HOST_RAISED
        return resume_call(func, ctx)
    left = ctx.frames_left
    ctx.frames_left = ctx.parked_left
    trap = throw_from_host(ctx, addr(host.host), TrapCode.HOST_RAISED)
    park_guest(ctx)
    ctx.frames_left = left
    if trap == 0:
        return resume_call(func, ctx)
    # The backtrace is from the call on.
    ctx.ip = ctx.parked_ip - 1
    enter(func.ref)
    return call_trapped(func, ctx, trap)


@kernel
def await_here(
    ctx: Ptr[Context],
    host: Ptr[PythonFunc],
    awaitable: Object,
    frame: Ptr[u64],
    refs: Ptr[u64],
) -> bool:
    """Have a hook wait for the results, as the guest cannot stop here."""
    arguments = local_array(Object, 3)
    arguments[1] = host.object
    arguments[2] = awaitable
    hook = python_hooks[0].block
    result = PyObject_Vectorcall(hook, arguments + 1, VECTOR_FLAG | 2, null)
    if result == null:
        return False
    done = take_results(ctx, host, result, frame, refs)
    Py_DecRef(result)
    return done


@kernel(inline=True)
def call_async(
    ctx: Ptr[Context], host: Ptr[PythonFunc], frame: Ptr[u64], refs: Ptr[u64], tells: bool
) -> u32:
    """Call a callable whose result must be waited for."""
    state = into_python(ctx)
    kept = local_array(Object, 1)
    done = False
    if Py_EnterRecursiveCall(in_host_function) == 0:
        lead = Object(null)
        if tells:
            body: u64 = 0
            if ctx.instance != null:
                body = ctx.instance.object
            lead = PyLong_FromUnsignedLongLong(body)
        done = call_python(ctx, host, frame, refs, lead, kept)
        if done and ctx.suspendable == 0:
            done = await_here(ctx, host, kept[0], frame, refs)
            Py_DecRef(kept[0])
            kept[0] = null
        Py_LeaveRecursiveCall()
    if not done or kept[0] == null:
        return out_of_python(ctx, state, done)
    park_guest(ctx)
    ctx.pending_host = addr(host.host)
    ctx.pending_frame = frame
    ctx.pending_refs = refs
    ctx.pending = u64(kept[0])
    if state != 0:
        ctx.thread_state = PyEval_SaveThread()
    return TrapCode.SUSPENDED


@kernel(export=True)
def host_async(ctx: Ptr[Context], host: Ptr[PythonFunc], frame: Ptr[u64], refs: Ptr[u64]) -> u32:
    """The entry of a host function that gives an awaitable."""
    return call_async(ctx, host, frame, refs, False)


@kernel(export=True)
def host_async_with_caller(
    ctx: Ptr[Context], host: Ptr[PythonFunc], frame: Ptr[u64], refs: Ptr[u64]
) -> u32:
    """As ``host_async``, of one that is told who calls."""
    return call_async(ctx, host, frame, refs, True)
