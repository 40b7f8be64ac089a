"""What CPython needs of our objects, as kernels: types, their making, and builtin functions."""

from runwell.host.convert_kernels import python_hooks
from runwell.host.layout import (
    RESULT_NONE,
    RESULT_OBJECT,
    RESULT_U32,
    Builtin,
    FuncObject,
    HostBlock,
    MemoryObject,
)
from runwell.host.lease_kernels import OF_BLOCK, new_lease
from runwell.host.python_api import (
    Object,
    Py_DecRef,
    Py_IncRef,
    PyBuffer_FillInfo,
    PyErr_NoMemory,
    PyErr_Occurred,
    PyErr_SetString,
    PyLong_AsUnsignedLongLong,
    PyLong_AsUnsignedLongLongMask,
    PyLong_FromUnsignedLongLong,
    PyObject_ClearWeakRefs,
    PyObject_Free,
    PyObject_GC_Del,
    PyObject_GC_UnTrack,
    PyType_GenericAlloc,
    none,
    type_error,
)
from runwell.kernel import (
    Fn,
    Ptr,
    addr,
    const_array,
    i32,
    i64,
    kernel,
    local_array,
    null,
    sizeof,
    u8,
    u32,
    u64,
)
from runwell.runtime.c_library import free, malloc, memmove
from runwell.runtime.layout import FuncRef, Memory

memory_closed = const_array("memory_closed", u8, [*b"the instance that it belongs to is closed\0"])
wrong_count = const_array(
    "wrong_count", u8, [*b"wrong number of arguments for a native function\0"]
)


@kernel(export=True)
def call_builtin(address: Object, args: Ptr[Object], count: i64) -> Object:
    """The METH_FASTCALL of a native function; ``address`` is that of its ``Builtin``."""
    builtin = Ptr[Builtin](PyLong_AsUnsignedLongLong(address))
    if count != i64(builtin.params):
        PyErr_SetString(type_error[0], wrong_count)
        return Object(null)
    words = local_array(u64, 8)
    for i in range(count):
        if builtin.objects >> u32(i) & 1 != 0:
            words[i] = u64(args[i])
        else:
            words[i] = PyLong_AsUnsignedLongLongMask(args[i])
            if words[i] == ~u64(0) and PyErr_Occurred() != null:
                return Object(null)
    result = builtin.function(
        words[0], words[1], words[2], words[3], words[4], words[5], words[6], words[7]
    )
    if builtin.result == RESULT_OBJECT:
        return Object(result)
    # It may have called Python.
    if PyErr_Occurred() != null:
        return Object(null)
    if builtin.result == RESULT_NONE:
        Py_IncRef(none)
        return none
    return PyLong_FromUnsignedLongLong(u64(u32(result)) if builtin.result == RESULT_U32 else result)


@kernel(inline=True)
def visit_one(value: Object, visit: Fn[[Object, Ptr[u8]], i32], argument: Ptr[u8]) -> i32:
    """Show a reference to the garbage collector."""
    return visit(value, argument) if value != null else 0


@kernel(export=True)
def new_func(
    ref: Ptr[FuncRef],
    signature: Ptr[u8],
    entry: Ptr[u8],
    info: Object,
    name: Object,
    owner: Object,
) -> Object:
    """Make a ``Func``; null with an exception set if there is no memory."""
    made = PyType_GenericAlloc(python_hooks[0].func_type, 0)
    if made == null:
        return Object(null)
    func = Ptr[FuncObject](made)
    func.vectorcall = entry
    func.ref = ref
    func.signature = signature
    func.info = info
    func.name = name
    func.owner = owner
    func.max_frames = 0x7FFFFFFF
    Py_IncRef(info)
    Py_IncRef(name)
    Py_IncRef(owner)
    return made


@kernel(export=True)
def func_traverse(
    func: Ptr[FuncObject], visit: Fn[[Object, Ptr[u8]], i32], argument: Ptr[u8]
) -> i32:
    """tp_traverse."""
    stop = visit_one(func.owner, visit, argument)
    if stop == 0:
        stop = visit_one(func.info, visit, argument)
    if stop == 0:
        stop = visit_one(Object(func.head.type), visit, argument)
    return stop


@kernel(export=True)
def func_clear(func: Ptr[FuncObject]) -> i32:
    """tp_clear: afterwards a call says that the function is gone."""
    owner = func.owner
    func.ref = null
    func.owner = null
    if owner != null:
        Py_DecRef(owner)
    return 0


@kernel(export=True)
def func_dealloc(func: Ptr[FuncObject]) -> None:
    """tp_dealloc."""
    PyObject_GC_UnTrack(Object(func))
    if func.weak_references != null:
        PyObject_ClearWeakRefs(Object(func))
    func_clear(func)
    info = func.info
    func.info = null
    if info != null:
        Py_DecRef(info)
    name = func.name
    func.name = null
    if name != null:
        Py_DecRef(name)
    type_ = Object(func.head.type)
    PyObject_GC_Del(Object(func))
    Py_DecRef(type_)


@kernel(export=True)
def new_memory(type_: Object, memory: Ptr[Memory], owner: Object) -> Object:
    """Make a ``Memory``; null with an exception set if there is no memory."""
    made = PyType_GenericAlloc(type_, 0)
    if made == null:
        return Object(null)
    face = Ptr[MemoryObject](made)
    face.memory = memory
    face.owner = owner
    Py_IncRef(owner)
    return made


@kernel(export=True)
def close_func(func: Ptr[FuncObject], closed: Object) -> None:
    """Let a function go for good; ``closed`` takes its owner's place and says why."""
    ref = func.ref
    func_clear(func)
    func.closed_ref = ref
    func.owner = closed
    Py_IncRef(closed)


@kernel(export=True)
def close_memory(face: Ptr[MemoryObject], closed: Object) -> None:
    """Let a memory go, if need be when the last view of it goes."""
    owner = face.owner
    face.memory = null
    face.owner = closed
    Py_IncRef(closed)
    if face.views != 0 and face.kept == null:
        face.kept = owner
    elif owner != null:
        Py_DecRef(owner)


@kernel(export=True)
def memory_buffer(face: Ptr[MemoryObject], view: Ptr[u8], flags: i32) -> i32:
    """bf_getbuffer: the bytes as they are now; the base never moves, so growing is no matter."""
    memory = face.memory
    if memory == null:
        Ptr[u64](view)[1] = 0  # its ``obj``, as CPython wants it
        PyErr_SetString(python_hooks[0].closed, memory_closed)
        return -1
    if PyBuffer_FillInfo(view, Object(face), memory.base, i64(memory.bytes), 0, flags) != 0:
        return -1
    face.views += 1
    return 0


@kernel(export=True)
def memory_release(face: Ptr[MemoryObject], view: Ptr[u8]) -> None:
    """bf_releasebuffer."""
    face.views -= 1
    kept = face.kept
    if face.views == 0 and kept != null:
        face.kept = null
        Py_DecRef(kept)


@kernel(export=True)
def memory_dealloc(face: Ptr[MemoryObject]) -> None:
    """tp_dealloc.  The type takes no part in garbage collection: an owner refers to nothing."""
    if face.weak_references != null:
        PyObject_ClearWeakRefs(Object(face))
    owner = face.owner
    face.owner = null
    if owner != null:
        Py_DecRef(owner)
    type_ = Object(face.head.type)
    PyObject_Free(Ptr[u8](face))
    Py_DecRef(type_)


@kernel(export=True)
def new_host_function(template: Ptr[HostBlock], function: Object, owner: Object) -> Object:
    """Make the natives of a host function like ``template``: a lease of them.

    The arguments are borrowed: ``owner``, the ``HostFunction``, has them.  Null with an exception
    set if there is no memory.
    """
    size = u64(sizeof(HostBlock))
    block = Ptr[HostBlock](malloc(size))
    if block == null:
        PyErr_NoMemory()
        return Object(null)
    memmove(Ptr[u8](block), Ptr[u8](template), size)
    block.python.host.data = u64(block)
    block.python.callable = function
    block.python.object = owner
    block.code.host = addr(block.python.host)
    block.ref.code = addr(block.code)
    block.ref.object = u64(owner)
    lease = new_lease(u64(block), u32(OF_BLOCK))
    if lease == null:
        free(Ptr[u8](block))
    return lease
