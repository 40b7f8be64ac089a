"""Objects of Python that guests have (as native code sees them: ``held_kernels``)."""

from __future__ import annotations

from runwell.host.builtin import make_builtin
from runwell.host.layout import ExternsObject
from runwell.host.native_type import CLEAR, DEALLOC, HAVE_GC, TRAVERSE, make_type
from runwell.runtime.native import hooks, native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Externs:
    """What refers, for Python's cycle collector, to all objects of Python that a heap holds."""

    def __reduce__(self) -> str:
        raise TypeError("a runwell.Externs cannot be pickled: it is part of a heap")


# The type and the kernel that makes its objects, once there is a heap.
_made: list[Any] = []


def make_externs(heap: int) -> object:
    """What shows the cycle collector the objects of Python in the heap at an address."""
    if not _made:
        slots = {CLEAR: "externs_clear", DEALLOC: "externs_dealloc", TRAVERSE: "externs_traverse"}
        type_ = make_type(Externs, ExternsObject, slots, {}, HAVE_GC)
        hooks.let_go = make_builtin("let_go_of_externs", "None", native.address)
        _made[:] = type_, make_builtin("new_externs", "object object u64", native.address)
    type_, new = _made
    made: object = new(type_, heap)
    return made
