"""What the Python unit links with: CPython's C API, and the door of the core.

CPython's are part of the stable ABI or have kept their meaning since Python 3.8.  That objects
start with a count and a type, and tuples go on with a size and their items, is all we know of
layouts.
"""

# mypy: disable-error-code="empty-body"
# ruff: noqa: N802, D103 - the names and meanings are CPython's

from runwell.host.layout import PyObject
from runwell.kernel import Ptr, extern, extern_data, f64, i32, i64, u8, u32, u64
from runwell.runtime.layout import Context, FuncRef, HostFunc

Object = Ptr[PyObject]

long_type = extern_data("PyLong_Type", u8)
float_type = extern_data("PyFloat_Type", u8)
bytes_type = extern_data("PyBytes_Type", u8)
tuple_type = extern_data("PyTuple_Type", u8)
none = extern_data("_Py_NoneStruct", PyObject)
type_error = extern_data("PyExc_TypeError", Ptr[PyObject])
system_error = extern_data("PyExc_SystemError", Ptr[PyObject])


@extern
def PyLong_AsLongLongAndOverflow(value: Object, overflow: Ptr[i32]) -> i64: ...


@extern
def PyLong_AsUnsignedLongLong(value: Object) -> u64: ...


@extern
def PyLong_AsUnsignedLongLongMask(value: Object) -> u64: ...


@extern
def PyLong_AsDouble(value: Object) -> f64: ...


@extern
def PyLong_FromLongLong(value: i64) -> Object: ...


@extern
def PyLong_FromUnsignedLongLong(value: u64) -> Object: ...


@extern
def PyFloat_AsDouble(value: Object) -> f64: ...


@extern
def PyFloat_FromDouble(value: f64) -> Object: ...


@extern
def PyBytes_Size(value: Object) -> i64: ...


@extern
def PyBytes_AsString(value: Object) -> Ptr[u8]: ...


@extern
def PyBytes_FromStringAndSize(data: Ptr[u8], size: i64) -> Object: ...


@extern
def PyTuple_New(size: i64) -> Object: ...


@extern
def PyTuple_SetItem(tuple_: Object, index: i64, item: Object) -> i32: ...


@extern
def PyObject_Vectorcall(
    function: Object, arguments: Ptr[Object], n_and_flag: u64, keywords: Object
) -> Object: ...


@extern
def PyErr_Occurred() -> Object: ...


@extern
def PyErr_CheckSignals() -> i32: ...


@extern
def PyErr_Clear() -> None: ...


@extern
def PyErr_Fetch(kind: Ptr[Object], value: Ptr[Object], traceback: Ptr[Object]) -> None: ...


@extern
def PyErr_NormalizeException(
    kind: Ptr[Object], value: Ptr[Object], traceback: Ptr[Object]
) -> None: ...


@extern
def PyErr_Restore(kind: Object, value: Object, traceback: Object) -> None: ...


@extern
def PyErr_SetObject(kind: Object, value: Object) -> None: ...


@extern
def PyErr_SetString(kind: Object, message: Ptr[u8]) -> None: ...


@extern
def PyErr_NoMemory() -> Object: ...


@extern
def PyMem_Malloc(size: u64) -> Ptr[u8]: ...


@extern
def PyMem_Free(at: Ptr[u8]) -> None: ...


@extern
def PyThreadState_Get() -> u64: ...


@extern
def PyEval_SaveThread() -> u64: ...


@extern
def PyEval_RestoreThread(thread_state: u64) -> None: ...


@extern
def Py_EnterRecursiveCall(where: Ptr[u8]) -> i32: ...


@extern
def Py_LeaveRecursiveCall() -> None: ...


@extern
def Py_IncRef(value: Object) -> None: ...


@extern
def Py_DecRef(value: Object) -> None: ...


@extern
def PyType_GenericAlloc(type_: Object, items: i64) -> Object: ...


@extern
def PyObject_ClearWeakRefs(value: Object) -> None: ...


@extern
def PyObject_Free(at: Ptr[u8]) -> None: ...


@extern
def PyObject_GC_UnTrack(value: Object) -> None: ...


@extern
def PyObject_GC_Del(value: Object) -> None: ...


@extern
def PyBuffer_FillInfo(
    view: Ptr[u8], exporter: Object, data: Ptr[u8], size: i64, read_only: i32, flags: i32
) -> i32: ...


@extern
def enter_guest(ctx: Ptr[Context], ref: Ptr[FuncRef], frame: Ptr[u64]) -> u32: ...


@extern
def protect_frame(ctx: Ptr[Context]) -> None: ...


@extern
def wake_watcher() -> None: ...


@extern
def park_guest(ctx: Ptr[Context]) -> None: ...


@extern
def resume_guest(ctx: Ptr[Context]) -> u32: ...


@extern
def throw_from_host(ctx: Ptr[Context], host: Ptr[HostFunc], trap: u32) -> u32: ...
