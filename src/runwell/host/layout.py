"""The structs of the Python unit: faces that Python sees, and host functions that call Python.

``PyObject`` and ``PyThreadState*`` are CPython's; every struct that starts with ``head`` is the
memory of a Python object of one of our native types.
"""

from runwell.base.light import Literal
from runwell.kernel.types import Array, Fn, Ptr, i32, i64, struct, u8, u32, u64
from runwell.runtime.heap_layout import Heap
from runwell.runtime.layout import FuncCode, FuncRef, HostFunc, Memory


@struct
class PyObject:
    """The head that every Python object starts with."""

    refcount: i64
    type: Ptr[u8]


@struct
class TupleObject:
    """A Python tuple; its items follow each other from ``first``."""

    head: PyObject
    size: i64
    first: Ptr[PyObject]


@struct
class FuncObject:
    """A ``runwell.Func``: a function reference with its call compiled to native code."""

    head: PyObject
    vectorcall: Ptr[u8]  # one of the `call_...` entries
    ref: Ptr[FuncRef]  # null once the garbage collector has cleared the object
    signature: Ptr[u8]  # as in HostFunc
    info: Ptr[PyObject]  # the FuncInfo that owns ``signature``
    name: Ptr[PyObject]
    owner: Ptr[PyObject]  # keeps ``ref`` and all it needs alive
    weak_references: Ptr[PyObject]
    max_frames: i32  # guest frames that a call may have
    metered: u32  # its module consumes fuel
    closed_ref: Ptr[FuncRef]  # what ``ref`` was when the function was closed


@struct
class LeaseObject:
    """What owns a native struct."""

    head: PyObject
    address: u64
    kind: u32  # one of ``lease_kernels.OF_...``


@struct
class ExternsObject:
    """What refers, for Python's cycle collector, to all objects of Python that a heap holds."""

    head: PyObject
    heap: Ptr[Heap]  # null once that is gone


@struct
class MemoryObject:
    """A ``runwell.Memory``: exports the bytes of a linear memory as a buffer."""

    head: PyObject
    memory: Ptr[Memory]  # null once it is closed
    owner: Ptr[PyObject]  # keeps ``memory`` alive
    weak_references: Ptr[PyObject]
    views: i64  # buffers that are in use
    kept: Ptr[PyObject]  # the owner, if it was closed while there were views


@struct
class PythonFunc:
    """A host function that is a Python callable; its ``entry`` is one of ``host_...``."""

    host: HostFunc
    callable: Ptr[PyObject]
    object: Ptr[PyObject]  # the HostFunction that owns this struct


@struct
class NativeFunc:
    """A host function that is a C function; its ``entry`` is one of ``native_...``."""

    host: HostFunc
    target: u64
    object: Ptr[PyObject]  # the NativeFunction that owns this struct
    call: Fn[[u64, Ptr[u64]], u64]  # one of ``c_call_...``
    places: Ptr[u8]  # of u16: the word that each parameter goes to
    conversions: Ptr[u8]  # of the result, and of each parameter
    n_params: u64


@struct
class HostBlock:
    """All that a guest needs to call a host function; of a C function, see ``NativeFunc``."""

    python: PythonFunc
    spare: Array[u64, Literal[4]]  # a NativeFunc is larger
    code: FuncCode
    ref: FuncRef


@struct
class ThreadSlot:
    """Which context belongs to a Python thread state."""

    thread_state: u64
    context: u64


@struct
class Hooks:
    """Python functions that the unit calls when the fast path does not apply."""

    arguments: Ptr[PyObject]  # (func, args, keywords) -> canonical arguments
    results: Ptr[PyObject]  # (host function, result, address of the body) -> canonical results
    trap: Ptr[PyObject]  # (func, address of the context, trap code, exception or None) -> exception
    context: Ptr[PyObject]  # () -> address of this thread's context
    func: Ptr[PyObject]  # (FuncRef address) -> Func
    func_type: Ptr[PyObject]  # the type `runwell.Func`
    exception: Ptr[PyObject]  # (address of an exception) -> WasmException
    nested: Ptr[PyObject]  # (func, canonical arguments) -> result of a call in a context of its own
    block: Ptr[PyObject]  # (host function, awaitable) -> its result
    # (error, address of the body) -> address of the exception that it is to guests, held, or 0
    offer: Ptr[PyObject]
    closed: Ptr[PyObject]  # the type `runwell.ClosedError`
    left: Ptr[PyObject]  # (address of an instance), which was closed and is left by the last call
    reference: Ptr[PyObject]  # (address of a cell, is it external?) -> Ref
    # The types `runwell.Ref` and `Word`; null before there is any value of them.
    ref_type: Ptr[PyObject]
    word_type: Ptr[PyObject]
    lease_type: Ptr[PyObject]  # the type of leases


@struct
class Builtin:
    """A native function that Python may call, as a builtin function's ``self`` points to it."""

    # The C convention lets a caller pass more arguments than the callee takes.
    function: Fn[[u64, u64, u64, u64, u64, u64, u64, u64], u64]
    params: u32
    objects: u32  # bit set of the parameters that are Python objects; others are ints
    result: u32  # one of the RESULT_... below
    spare: u32


@struct
class MethodDef:
    """CPython's ``PyMethodDef``."""

    name: Ptr[u8]
    function: Ptr[u8]
    flags: i32
    doc: Ptr[u8]


@struct
class TypeSlot:
    """CPython's ``PyType_Slot``."""

    number: i32
    function: Ptr[u8]


@struct
class TypeMember:
    """CPython's ``PyMemberDef``."""

    name: Ptr[u8]
    kind: i32
    offset: i64
    flags: i32
    doc: Ptr[u8]


@struct
class TypeSpec:
    """CPython's ``PyType_Spec``."""

    name: Ptr[u8]
    size: i32
    item_size: i32
    flags: u32
    slots: Ptr[TypeSlot]


RESULT_NONE, RESULT_U32, RESULT_U64, RESULT_OBJECT = 0, 1, 2, 3
THREAD_SLOTS = 256  # a power of two
SIGNATURE_HEAD = 4  # bytes before the value types: two little-endian u16 counts
