"""Leases: Python objects that own a native struct, and free it when they go.

They take no part in garbage collection, so the collector of cycles calls all finalizers before it
comes to what they may still use.
"""

from runwell.host.convert_kernels import python_hooks
from runwell.host.layout import LeaseObject
from runwell.host.python_api import Object, Py_DecRef, PyObject_Free, PyType_GenericAlloc
from runwell.kernel import Ptr, kernel, null, u8, u32, u64
from runwell.runtime.c_library import free
from runwell.runtime.code_kernels import instance_free
from runwell.runtime.layout import Instance, Memory
from runwell.runtime.memory_kernels import memory_free

OF_BLOCK, OF_MEMORY, OF_INSTANCE = 0, 1, 2


@kernel
def new_lease(address: u64, kind: u32) -> Object:
    """Own a struct; null with an exception set if there is no memory."""
    made = PyType_GenericAlloc(python_hooks[0].lease_type, 0)
    if made != null:
        lease = Ptr[LeaseObject](made)
        lease.address = address
        lease.kind = kind
    return made


@kernel(export=True)
def lease_memory(address: u64) -> Object:
    """Own a linear memory."""
    return new_lease(address, u32(OF_MEMORY))


@kernel(export=True)
def lease_instance(address: u64) -> Object:
    """Own an instance."""
    return new_lease(address, u32(OF_INSTANCE))


@kernel(export=True)
def lease_dealloc(lease: Ptr[LeaseObject]) -> None:
    """tp_dealloc."""
    address = lease.address
    kind = lease.kind
    type_ = Object(lease.head.type)
    PyObject_Free(Ptr[u8](lease))
    Py_DecRef(type_)
    if kind == OF_MEMORY:
        memory_free(Ptr[Memory](address))
    elif kind == OF_INSTANCE:
        instance_free(Ptr[Instance](address))
    else:
        free(Ptr[u8](address))
