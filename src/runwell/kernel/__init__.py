"""The kernel language: typed functions in a subset of Python that become native code.

A kernel is a module-level function under ``@kernel`` whose parameters and result have types of this
package.  In it one may write

* locals, with a type (``n: u32 = 0``) or that of a typed right-hand side; a constant takes the type
  its place wants, and nothing else converts by itself: ``u32(x)``;
* ``if``, ``while``, ``for i in range(...)`` with a constant step, ``match`` on integers, ``break``,
  ``continue``, ``return``, conditional expressions, ``and``/``or``/``not``, chained comparisons;
* integers that wrap, of which ``//`` and ``%`` round toward zero and shifts must be less than the
  width; conversions from floats saturate;
* ``p[i]``, ``p + n``, ``p - q`` on ``Ptr[T]``, ``s.field`` on structs, which are used by reference;
  storing a struct in a field or element copies it; ``null``, ``addr``, ``cast``, ``local_array``;
* calls of kernels, externs, function pointers (``Fn``), atomics, ``ctz``, ``min`` and so on;
* constants, enum members and tables (``const_array``, ``static``) of the module's globals;
* ``raise SomeFailure(code)`` and ``try``/``except SomeFailure as e`` with ``e.code``, an i32: a
  kernel that may raise returns the code beside its result, and its callers pass it on by
  themselves; its C entry is ``i32 name(result*, ...)``, 0 for success;
* ``assert``, which debug builds check.

A memory cell must always be accessed through one type, except that ``Ptr[u8]`` may reach any.

This package holds what kernel sources import, and is light; ``runwell.kernel.compiler`` turns
kernels into LLVM text.
"""

from runwell.kernel.types import (
    Array,
    Fn,
    KernelError,
    Ptr,
    ctype_of,
    f32,
    f64,
    i8,
    i16,
    i32,
    i64,
    offsetof,
    sizeof,
    struct,
    u8,
    u16,
    u32,
    u64,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runwell.kernel.declare import (
        Failure,
        addr,
        atomic_add,
        atomic_cas,
        atomic_load,
        atomic_store,
        atomic_swap,
        cast,
        clz,
        const_array,
        ctz,
        extern,
        extern_data,
        kernel,
        likely,
        local_array,
        null,
        popcount,
        static,
        unlikely,
    )
else:

    def __getattr__(name):  # noqa: ANN001, ANN202
        # The decorators are for sources of kernels; a run that only loads native code needs none.
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module("runwell.kernel.declare"), name)


__all__ = [
    "Array",
    "Failure",
    "Fn",
    "KernelError",
    "Ptr",
    "addr",
    "atomic_add",
    "atomic_cas",
    "atomic_load",
    "atomic_store",
    "atomic_swap",
    "cast",
    "clz",
    "const_array",
    "ctype_of",
    "ctz",
    "extern",
    "extern_data",
    "f32",
    "f64",
    "i8",
    "i16",
    "i32",
    "i64",
    "kernel",
    "likely",
    "local_array",
    "null",
    "offsetof",
    "popcount",
    "sizeof",
    "static",
    "struct",
    "u8",
    "u16",
    "u32",
    "u64",
    "unlikely",
]
