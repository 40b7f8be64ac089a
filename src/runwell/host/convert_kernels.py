"""Values between Python and the guest, as kernels.

``take_...`` accepts only Python values of the very types that need no Python code to convert; for
all others the callers ask a hook for such values and take those.  So no Python code runs while a
frame is half written, and every message about a wrong value is made in Python.
"""

from runwell.base.objects import HOST_AT, IS_HOST, TAG, TAG_MASK
from runwell.base.types import ValType
from runwell.host.layout import SIGNATURE_HEAD, FuncObject, Hooks
from runwell.host.python_api import (
    Object,
    Py_DecRef,
    Py_IncRef,
    PyBytes_AsString,
    PyBytes_FromStringAndSize,
    PyBytes_Size,
    PyErr_Clear,
    PyErr_NoMemory,
    PyErr_Occurred,
    PyFloat_AsDouble,
    PyFloat_FromDouble,
    PyLong_AsDouble,
    PyLong_AsLongLongAndOverflow,
    PyLong_AsUnsignedLongLong,
    PyLong_FromLongLong,
    PyLong_FromUnsignedLongLong,
    PyObject_Vectorcall,
    PyTuple_New,
    PyTuple_SetItem,
    bytes_type,
    float_type,
    long_type,
    none,
)
from runwell.kernel import (
    Ptr,
    cast,
    f32,
    f64,
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
from runwell.runtime.extern_kernels import extern_handle, extern_put, spare_heap_of_process
from runwell.runtime.heap_layout import Handle, Heap, HeapType
from runwell.runtime.layout import Context, Instance

python_hooks = static("python_hooks", Hooks)


@kernel(inline=True)
def param_count(signature: Ptr[u8]) -> u32:
    """Parameters of a compiled signature."""
    return u32(signature[0]) | u32(signature[1]) << 8


@kernel(inline=True)
def result_count(signature: Ptr[u8]) -> u32:
    """Results of a compiled signature."""
    return u32(signature[2]) | u32(signature[3]) << 8


@kernel(inline=True)
def is_reference(kind: u8) -> bool:
    """Does a value of this type live on the reference stack?"""
    return kind < 0x75


@kernel(inline=True)
def slots(kind: u8) -> i64:
    """Eight-byte slots that a value of this type takes on its stack."""
    return 2 if kind == ValType.V128 else 1


@kernel(inline=True)
def take_double(value: Object, out: Ptr[f64]) -> bool:
    """A float, or an int that fits one."""
    if value.type == float_type:
        out[0] = PyFloat_AsDouble(value)
        return True
    if value.type != long_type:
        return False
    out[0] = PyLong_AsDouble(value)
    if out[0] == -1.0 and PyErr_Occurred() != null:
        PyErr_Clear()
        return False
    return True


@kernel
def hold(value: Object, at: Ptr[u64], ctx: Ptr[Context], heap: Ptr[Heap], checked: bool) -> bool:
    """Put a reference to ``value`` on the stack, which keeps it for as long as guests have it."""
    if heap == null:
        heap = spare_heap_of_process()
    if heap == null or extern_put(ctx, heap, u64(value), at) == 0:
        if checked:
            PyErr_NoMemory()
        return False
    Py_IncRef(value)
    return True


@kernel(inline=True)
def heap_of(instance: Ptr[Instance]) -> Ptr[Heap]:
    """The heap of what an instance refers to; null if there is none, or no instance."""
    return Ptr[Heap](instance.heap) if instance != null else Ptr[Heap](null)


@kernel(export=True)
def hold_object(heap: Ptr[Heap], value: Object) -> Ptr[Handle]:
    """A handle of ``value`` as guests know it; null if there is no room."""
    handle = extern_handle(heap, u64(value))
    if handle != null:
        Py_IncRef(value)
    return handle


@kernel
def take_unsigned(value: Object, at: Ptr[u64]) -> bool:
    """An int above the signed 64-bit range."""
    n = PyLong_AsUnsignedLongLong(value)
    if n == 0xFFFFFFFFFFFFFFFF and PyErr_Occurred() != null:
        PyErr_Clear()
        return False
    at[0] = n
    return True


@kernel(inline=True)
def take_i32(value: Object, at: Ptr[u64]) -> bool:
    """An int from the signed or the unsigned range."""
    if value.type != long_type:
        return False
    over = local_array(i32, 1)
    n = PyLong_AsLongLongAndOverflow(value, over)
    if over[0] != 0 or u64(n + 0x80000000) > 0x17FFFFFFF:
        return False
    at[0] = u64(u32(n))
    return True


@kernel(inline=True)
def take_i64(value: Object, at: Ptr[u64]) -> bool:
    """An int from the signed or the unsigned range."""
    if value.type != long_type:
        return False
    over = local_array(i32, 1)
    n = PyLong_AsLongLongAndOverflow(value, over)
    if over[0] != 0:
        return over[0] > 0 and take_unsigned(value, at)
    at[0] = u64(n)
    return True


@kernel(inline=True)
def take_f32(value: Object, at: Ptr[u64]) -> bool:
    """A float or int, rounded."""
    number = local_array(f64, 1)
    if not take_double(value, number):
        return False
    at[0] = u64(cast(u32, f32(number[0])))
    return True


@kernel(inline=True)
def take_f64(value: Object, at: Ptr[u64]) -> bool:
    """A float or int."""
    number = local_array(f64, 1)
    if not take_double(value, number):
        return False
    at[0] = cast(u64, number[0])
    return True


@kernel
def take(
    kind: u8, value: Object, at: Ptr[u64], ctx: Ptr[Context], heap: Ptr[Heap], checked: bool
) -> bool:
    """Put a Python value where the guest finds it.

    Args:
        kind: the value type.
        value: a canonical value, else the answer is False.
        at: where to put it.
        ctx: the context on whose stack that is, if it is a reference.
        heap: what objects of Python are kept in as long as guests refer to them; null if no guest
            is concerned.
        checked: the value comes from a hook, which has also linked the owners of functions.
    """
    match kind:
        case ValType.I32:
            return take_i32(value, at)
        case ValType.I64:
            return take_i64(value, at)
        case ValType.F32:
            return take_f32(value, at)
        case ValType.F64:
            return take_f64(value, at)
        case ValType.V128:
            if value.type != bytes_type or PyBytes_Size(value) != 16:
                return False
            source = Ptr[u64](PyBytes_AsString(value))
            at[0] = source[0]
            at[1] = source[1]
            return True
        case ValType.EXTERNREF | ValType.NULLEXTERNREF:
            at[0] = 0
            if kind == ValType.NULLEXTERNREF and not checked:
                return False
            if value != none:
                type_ = u64(value.type)
                if type_ == u64(python_hooks[0].ref_type):
                    return False
                if type_ == u64(python_hooks[0].word_type):
                    return checked and take_unsigned(value, at)
                return hold(value, at, ctx, heap, checked)
            return True
        case ValType.NULLREF:
            at[0] = 0
            return checked and value == none
        case ValType.ANYREF:
            at[0] = 0
            if not checked or value == none:
                return checked
            if u64(value.type) == u64(python_hooks[0].word_type):
                return take_unsigned(value, at)
            return hold(value, at, ctx, heap, checked)
        case ValType.FUNCREF | ValType.NULLFUNCREF:
            at[0] = 0
            if kind == ValType.NULLFUNCREF and not checked:
                return False
            if value != none:
                if not checked or value.type != Ptr[u8](python_hooks[0].func_type):
                    return False
                at[0] = u64(Ptr[FuncObject](value).ref)
                return at[0] != 0
            return True
        case ValType.EXNREF:
            at[0] = 0
            if value != none:
                if not checked:
                    return False
                at[0] = PyLong_AsUnsignedLongLong(value)
                is_taken: bool = PyErr_Occurred() == null
                return is_taken
            return True
        case _:
            return False


@kernel
def take_many(
    kinds: Ptr[u8],
    n: u32,
    values: Ptr[Object],
    frame: Ptr[u64],
    refs: Ptr[u64],
    ctx: Ptr[Context],
    heap: Ptr[Heap],
    checked: bool,
) -> bool:
    """Put ``n`` Python values on the two stacks; False if one of them is not canonical."""
    for i in range(n):
        kind = kinds[i]
        if is_reference(kind):
            if not take(kind, values[i], refs, ctx, heap, checked):
                return False
            refs += 1
        else:
            if not take(kind, values[i], frame, ctx, heap, checked):
                return False
            frame += slots(kind)
    return True


@kernel
def give_by_hook(hook: Object, ref: u64) -> Object:
    """What a hook makes of a reference; null with an exception set if that fails."""
    arguments = local_array(Object, 2)
    arguments[1] = PyLong_FromUnsignedLongLong(ref)
    if arguments[1] == null:
        return Object(null)
    found = PyObject_Vectorcall(hook, arguments + 1, VECTOR_1, null)
    Py_DecRef(arguments[1])
    return found


VECTOR_FLAG = 1 << 63  # PY_VECTORCALL_ARGUMENTS_OFFSET: the callee may use the word before
VECTOR_1 = VECTOR_FLAG | 1


@kernel(inline=True)
def give_i32(at: Ptr[u64]) -> Object:
    """A signed int."""
    return PyLong_FromLongLong(i64(i32(at[0])))


@kernel(inline=True)
def give_i64(at: Ptr[u64]) -> Object:
    """A signed int."""
    return PyLong_FromLongLong(i64(at[0]))


@kernel(inline=True)
def give_f32(at: Ptr[u64]) -> Object:
    """A float."""
    return PyFloat_FromDouble(f64(cast(f32, u32(at[0]))))


@kernel(inline=True)
def give_f64(at: Ptr[u64]) -> Object:
    """A float."""
    return PyFloat_FromDouble(cast(f64, at[0]))


@kernel
def give_any(kind: u8, at: Ptr[u64]) -> Object:
    """What a reference is that may be to an object of the host or of a heap, or a number."""
    word = at[0]
    if word & u64(TAG_MASK) == u64(TAG):
        cell = Ptr[u64](word - u64(TAG))
        if Ptr[HeapType](cell[0]).kind == IS_HOST:
            value = Object(Ptr[u64](Ptr[u8](cell) + HOST_AT)[0])
            Py_IncRef(value)
            return value
    is_extern = kind == ValType.EXTERNREF or kind == ValType.NULLEXTERNREF
    if word & 1 != 0 and not is_extern:
        return PyLong_FromLongLong(i64(i32(word) >> 1))
    arguments = local_array(Object, 3)
    arguments[1] = PyLong_FromUnsignedLongLong(u64(at))
    if arguments[1] == null:
        return Object(null)
    arguments[2] = PyLong_FromLongLong(i64(1) if is_extern else i64(0))
    found = Object(null)
    if arguments[2] != null:
        hook = python_hooks[0].reference
        found = PyObject_Vectorcall(hook, arguments + 1, VECTOR_FLAG | 2, null)
        Py_DecRef(arguments[2])
    Py_DecRef(arguments[1])
    return found


@kernel
def give(kind: u8, at: Ptr[u64]) -> Object:
    """A new Python value of what the guest has left; null with an exception set if that fails."""
    match kind:
        case ValType.I32:
            return give_i32(at)
        case ValType.I64:
            return give_i64(at)
        case ValType.F32:
            return give_f32(at)
        case ValType.F64:
            return give_f64(at)
        case ValType.V128:
            return PyBytes_FromStringAndSize(Ptr[u8](at), 16)
        case ValType.FUNCREF | ValType.NULLFUNCREF:
            if at[0] != 0:
                return give_by_hook(python_hooks[0].func, at[0])
        case ValType.EXNREF:
            if at[0] != 0:
                return give_by_hook(python_hooks[0].exception, at[0])
        case ValType.NULLREF:
            pass
        case _:
            if at[0] != 0:
                return give_any(kind, at)
    Py_IncRef(none)
    return none


@kernel
def give_tuple(kinds: Ptr[u8], n: u32, frame: Ptr[u64], refs: Ptr[u64]) -> Object:
    """A tuple of ``n`` values."""
    tuple_ = PyTuple_New(i64(n))
    if tuple_ == null:
        return Object(null)
    for i in range(n):
        kind = kinds[i]
        at = refs if is_reference(kind) else frame
        item = give(kind, at)
        if item == null:
            Py_DecRef(tuple_)
            return Object(null)
        PyTuple_SetItem(tuple_, i64(i), item)
        if is_reference(kind):
            refs += 1
        else:
            frame += slots(kind)
    return tuple_


@kernel(export=True)
def give_values(signature: Ptr[u8], values: Ptr[u64], refs: Ptr[u64]) -> Object:
    """A tuple of what an exception carries, whose tag has the signature's parameters."""
    return give_tuple(kinds_of_params(signature), param_count(signature), values, refs)


@kernel(inline=True)
def kinds_of_params(signature: Ptr[u8]) -> Ptr[u8]:
    """The value types of the parameters."""
    return signature + SIGNATURE_HEAD


@kernel(inline=True)
def kinds_of_results(signature: Ptr[u8]) -> Ptr[u8]:
    """The value types of the results."""
    return signature + (SIGNATURE_HEAD + i64(param_count(signature)))
