"""Python types whose instances hold native data: made with CPython's own ``PyType_FromSpec``.

A plain class is the template: its methods and properties become the type's.  What no Python class
can say, a vectorcall or a buffer, comes from the kernels.
"""

from __future__ import annotations

from runwell.base.light import final
from runwell.base.light_ctypes import addressof, c_void_p, py_object, python_function, symbol
from runwell.host.layout import LeaseObject, TypeMember, TypeSlot, TypeSpec
from runwell.kernel.types import as_struct, ctype_of
from runwell.runtime.code import address_of
from runwell.runtime.native import native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Numbers of CPython's stable ABI.
GETBUFFER, RELEASEBUFFER, CALL, CLEAR, DEALLOC, TRAVERSE, MEMBERS = 1, 2, 50, 51, 52, 71, 72
HAVE_VECTORCALL, HAVE_GC, DEFAULT = 1 << 11, 1 << 14, 1 << 18
WORD, OBJECT = 19, 6  # kinds of members: Py_ssize_t, and an object or None
READ_ONLY = 1

_NOT_COPIED = ("__dict__", "__weakref__", "__slots__", "__call__")


@final
class Types:
    """The native types and what makes their instances; set when the core is loaded.

    Attributes:
        func: ``runwell.Func``.
        memory: ``runwell.Memory``.
        new_func: kernel ``new_func``.
        new_memory: kernel ``new_memory``.
        close_func: kernel ``close_func``.
        close_memory: kernel ``close_memory``.
    """

    __slots__ = ("close_func", "close_memory", "func", "memory", "new_func", "new_memory")
    close_func: Any
    close_memory: Any
    func: Any
    memory: Any
    new_func: Any
    new_memory: Any


types = Types()
_kept: list[object] = []  # names: CPython refers to them as long as a type lives


def make_type(
    template: type,
    struct: Any,
    slots: dict[int, str],
    members: dict[str, tuple[str, int]],
    flags: int = 0,
) -> Any:
    """Make a type.

    Args:
        template: a class with the Python side of it.
        struct: what an instance is in memory.
        slots: kernel, or function of CPython, by slot number.
        members: field and kind of the attributes that Python may read, by name, and of CPython's
            own markers.
        flags: more type flags.

    Returns:
        The type.
    """
    layout = as_struct(struct)
    name = f"runwell.{template.__name__}".encode()
    names = [attribute.encode() for attribute in members]
    member_array = (ctype_of(TypeMember) * (len(members) + 1))(
        *(
            (address_of(attribute), kind, layout.offset(field), READ_ONLY)
            for attribute, (field, kind) in zip(names, members.values(), strict=True)
        )
    )
    slot_array = (ctype_of(TypeSlot) * (len(slots) + 2))(
        *((number, _address(function)) for number, function in slots.items()),
        (MEMBERS, addressof(member_array)),
    )
    spec = ctype_of(TypeSpec)(
        address_of(name), layout.size, 0, DEFAULT | flags, addressof(slot_array)
    )
    _kept.extend((name, names))
    make = python_function("PyType_FromSpec", py_object, c_void_p)
    made = make(addressof(spec))
    for attribute, value in vars(template).items():
        if attribute not in _NOT_COPIED:
            setattr(made, attribute, value)
    made.__module__ = "runwell"
    return made


def _address(name: str) -> int:
    """Where a kernel or a function of CPython is."""
    return symbol(name) if name.startswith("Py") else native.address(name)


class Lease:
    """Owns a native struct, and frees it when it goes.

    Attributes:
        address: of the struct.
    """

    if TYPE_CHECKING:
        address: int

    def __reduce__(self) -> str:
        raise TypeError("a runwell.Lease cannot be pickled: it is part of this process")


def make_lease_type() -> Any:
    """Make the native type."""
    return make_type(Lease, LeaseObject, {DEALLOC: "lease_dealloc"}, {"address": ("address", WORD)})
