"""Objects of Python that guests have: what the cycle collector sees; letting go of them.

An ``Externs`` is a Python object that refers to whatever a heap holds, so that a cycle that goes
through a guest, such as an object that has the instance that has it, is found to be one.
"""

from runwell.host.layout import ExternsObject
from runwell.host.object_kernels import visit_one
from runwell.host.python_api import (
    Object,
    Py_DecRef,
    PyObject_GC_Del,
    PyObject_GC_UnTrack,
    PyType_GenericAlloc,
    none,
)
from runwell.kernel import Fn, Ptr, addr, i32, kernel, null, u8, u64
from runwell.runtime.c_library import free
from runwell.runtime.extern_kernels import first_extern, release_externs, take_externs
from runwell.runtime.extern_list_kernels import take_dead_externs
from runwell.runtime.heap_layout import Extern, Heap


@kernel
def let_go_of(first: Ptr[Extern]) -> None:
    """Let go of the objects in a chain, which may run any Python code."""
    extern = first
    while extern != null:
        following = extern.next
        value = Object(extern.object)
        free(Ptr[u8](extern))
        Py_DecRef(value)
        extern = following


@kernel(export=True)
def let_go_of_externs() -> None:
    """Let go of what no guest refers to any more."""
    let_go_of(take_dead_externs())


@kernel(export=True)
def new_externs(type_: Object, heap: Ptr[Heap]) -> Object:
    """Make an ``Externs``; null with an exception set if there is no memory."""
    made = PyType_GenericAlloc(type_, 0)
    if made != null:
        externs = Ptr[ExternsObject](made)
        externs.heap = heap
        heap.face = Ptr[u64](addr(externs.heap))
    return made


@kernel(export=True)
def externs_traverse(
    externs: Ptr[ExternsObject], visit: Fn[[Object, Ptr[u8]], i32], argument: Ptr[u8]
) -> i32:
    """tp_traverse."""
    stop = visit_one(Object(externs.head.type), visit, argument)
    heap = externs.heap
    if heap != null:
        at = first_extern(heap)
        while at != null and stop == 0:
            stop = visit_one(Object(at.object), visit, argument)
            at = at.next
        release_externs(heap)
    return stop


@kernel(export=True)
def externs_clear(externs: Ptr[ExternsObject]) -> i32:
    """tp_clear: in place of what they had guests have None."""
    heap = externs.heap
    if heap == null:
        return 0
    let_go_of(take_externs(heap, u64(none)))
    return 0


@kernel(export=True)
def externs_dealloc(externs: Ptr[ExternsObject]) -> None:
    """tp_dealloc: the heap is freed by its own owner."""
    PyObject_GC_UnTrack(Object(externs))
    heap = externs.heap
    if heap != null:
        heap.face = null
    type_ = Object(externs.head.type)
    PyObject_GC_Del(Object(externs))
    Py_DecRef(type_)
