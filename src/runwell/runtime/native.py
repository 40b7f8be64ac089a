"""The door to the native core: its entry points, and what the layers above provide.

The core is built and loaded by a higher layer, which installs it here; so nothing in this package
needs to know how native code comes about.
"""

from __future__ import annotations

from runwell.base.errors import InternalError
from runwell.base.light import final
from runwell.base.light_ctypes import PYFUNCTYPE, c_uint32, c_uint64, py_object
from runwell.base.light_ctypes import symbol as process_symbol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from runwell.base.errors import Frame, WasmException
    from runwell.base.types import ValType
    from runwell.module.module import Module
    from runwell.runtime.code import ModuleCode
    from runwell.runtime.exception import Held
    from runwell.runtime.func import Func
    from runwell.runtime.instance import InstanceBody
    from runwell.runtime.mixed_walk import Compiled
    from runwell.runtime.store import Store

    Maker: TypeAlias = Callable[[str, str, Callable[[str], int]], Callable[..., int]]

# Result, then parameters.  They repeat the kernels' own declarations because reading those would
# load kernel sources into every run; a test compares the two.
SIGNATURES: dict[str, str] = {
    "memory_new": "u64 u64",
    "memory_free": "None u64",
    "memory_grow_by": "u64 u64 u64",
    "memory_use_image": "u32 u64 u64 u64",
    "memory_use_copy": "u32 u64 u64 u64",
    "instance_reset": "u32 u64",
    "wake_context": "None u64",
    "table_new": "u64 u64 u64",
    "table_free": "None u64",
    "table_grow_by": "u64 u64 u64 u64",
    "table_write": "u32 u64 u64 u64 u64",
    "table_set_all": "None u64 u64",
    "fill_codes": "None u64 u64 u64 u64",
    "export_code": "u64 u64 u64",
    "mark_places": "None u64 u64",
    "measure_code": "u64 u64 u64 u64",
    "find_code": "u64 u64 u64",
    "instance_new": "u64 u64 u64 u64",
    "instance_free": "None u64",
    "resolve_functions": "None u64 u64 u64 u64",
    "apply_data": "u32 u64 u64 u64",
    "set_code_region": "None u64 u64",
    "set_hot_pipe": "None u32",
    "take_hot": "u32 u64",
    "forget_hot": "None u64",
    "add_context": "u32 u64",
    "lend_context": "None u64",
    "remove_context": "None u64",
    "set_guest_code": "None u64 u64 u64 u64",
    "install_fault_handler": "u32",
    "learn_handler": "None u32",
    "forget_watcher": "None",
    "walk_frames": "u64 u64 u64 u64 u64",
    "enter_guest": "u32 u64 u64 u64",
    "exception_hold": "None u64",
    "exception_new": "u64 u64 u64 u64",
    "exception_put": "None u64 u64",
    "exception_release": "None u64",
    "exception_take": "u64 u64",
    "exceptions_forget": "None u64",
    "exceptions_sweep": "None u64",
    "heap_new": "u64 u64",
    "heap_free": "None u64",
    "heap_add_root": "u32 u64 u32 u64 u64",
    "heap_join": "u32 u64 u64",
    "heap_collect": "None u64",
    "handle_new": "u64 u64",
    "handle_free": "None u64",
    "hide_stack": "None u64",
}

DESTRUCTORS = (
    "memory_free",
    "table_free",
    "instance_free",
    "remove_context",
    "exception_put",
    "exception_release",
    "exceptions_forget",
    "heap_free",
    "handle_free",
)


def make_with_ctypes(
    name: str, signature: str, address_of: Callable[[str], int]
) -> Callable[..., int]:
    """A kernel as a callable of ctypes."""
    # The interpreter lock is kept: most of them are short, and guests may call the host back.
    kinds: dict[str, Any] = {
        "u64": c_uint64,
        "u32": c_uint32,
        "None": None,
        "object": py_object,
    }
    prototype = PYFUNCTYPE(*(kinds[word] for word in signature.split()))
    return prototype(address_of(name))


# What makes owners of structs, in the core's part for Python, and what frees each.
LEASES = {"lease_memory": "memory_free", "lease_instance": "instance_free"}


def slow_lease(free_struct: Callable[[int], int]) -> Callable[[int], Any]:
    """The same, without that part."""

    @final
    class Lease:
        """Owns a struct."""

        __slots__ = ("address",)

        def __init__(self, address: int) -> None:
            self.address = address

        def __del__(self) -> None:
            free_struct(self.address)

    return Lease


@final
class Native:
    """Entry points by name, each made callable at its first use.

    Attributes:
        address_of: finds a symbol's address; None until a core is installed.
        maker: makes a callable from a name, a signature and ``address_of``.
        untrack: hides an object from the cycle collector, which else calls the finalizers of a
            cycle in any order, those of what the others use not last.
        lease_memory: makes the owner of a linear memory, of its address.
        lease_instance: the same for an instance.
    """

    untrack: Callable[[object], None]
    lease_memory: Callable[[int], Any]
    lease_instance: Callable[[int], Any]

    def __init__(self) -> None:
        self.address_of: Callable[[str], int] | None = None
        self.maker: Maker = make_with_ctypes

    def install(self, address_of: Callable[[str], int], maker: Maker | None = None) -> None:
        """Use a core.

        Args:
            address_of: finds symbols in it.
            maker: makes callables; None for slow ones, where the core has no part for Python.
        """
        self.__dict__.clear()
        self.address_of = address_of
        self.maker = maker or make_with_ctypes
        # Destructors run when it is too late to make callables: while Python shuts down.
        for name in DESTRUCTORS:
            getattr(self, name)

    @property
    def installed(self) -> bool:
        """Is there a core?"""
        return self.address_of is not None

    def address(self, symbol: str) -> int:
        """Address of a symbol of the core.

        Raises:
            InternalError: no core is loaded, or it lacks the symbol.
        """
        if self.address_of is None:
            raise InternalError("the native core is not loaded")
        return self.address_of(symbol)

    def _find(self, symbol: str) -> int:
        """Address of a symbol of the core, or of a function of CPython."""
        return process_symbol(symbol) if symbol.startswith("Py") else self.address(symbol)

    def __getattr__(self, name: str) -> Callable[..., int]:
        if name == "untrack":
            untrack = self.maker("PyObject_GC_UnTrack", "None object", self._find)
            self.__dict__[name] = untrack
            return untrack
        if name in LEASES:
            # Until the part for Python has its types, and where there is none.
            made = self.__dict__[name] = slow_lease(getattr(self, LEASES[name]))
            return made
        if name not in SIGNATURES:
            raise AttributeError(name)
        found = self.__dict__[name] = self.maker(name, SIGNATURES[name], self.address)
        return found


@final
class Hooks:
    """What higher layers lend to this one.

    Attributes:
        offset_of: ``(module, function index, code address)`` to the offset of the instruction in
            the binary, or None if it cannot be told.
        translate_constant: ``(module, start, end, type)`` of a constant expression's bytes to the
            address of a ``FuncCode`` that leaves its value, for expressions that are not literal.
        validate_function: ``(module, function index)``; raises what is wrong with a function.
        make_exception: ``(exception, frames)`` to the Python error that is raised for it.
        hold_exception: ``(store, value)`` to the exception that guests of a store get for a Python
            value.
        native_code: an address inside of an instruction of compiled code to that code.
        source_of: ``(module, offset)`` to where an instruction comes from, file and line or "",
            and to what was inlined there.
        hold_object: ``(address of a heap, object)`` to the address of a handle of it, or 0.
        make_externs: the address of a heap to what shows Python's cycle collector the objects of
            Python in it.
        let_go: lets go of objects of Python that no guest refers to any more.
        know_refs: is told the types of Python values that stand for references, once there are any.
        call: calls a start function for the body of an instance, with all that a call from the
            host entails.
    """

    __slots__ = (
        "call",
        "hold_exception",
        "hold_object",
        "know_refs",
        "let_go",
        "make_exception",
        "make_externs",
        "native_code",
        "offset_of",
        "source_of",
        "translate_constant",
        "validate_function",
    )

    def __init__(self) -> None:
        self.hold_object: Callable[[int, object], int] | None = None
        self.make_externs: Callable[[int], object] | None = None
        self.let_go: Callable[[], object] | None = None
        self.know_refs: Callable[[type, type], None] | None = None
        self.call: Callable[[Func, InstanceBody], object] | None = None
        self.make_exception: Callable[[Held, tuple[Frame, ...]], WasmException] | None = None
        self.hold_exception: Callable[[Store, object], Held] | None = None
        self.native_code: Callable[[int], Compiled | None] | None = None
        self.offset_of: Callable[[ModuleCode, int, int], int | None] | None = None
        self.source_of: Callable[[Module, int], tuple[str, tuple[tuple[str, str], ...]]] | None = (
            None
        )
        self.validate_function: Callable[[ModuleCode, int], None] | None = None
        self.translate_constant: Callable[[ModuleCode, int, int, ValType], int] | None = None


native = Native()
hooks = Hooks()
