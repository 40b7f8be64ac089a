"""Kernels as Python functions, for tests: compile, link, load, bind."""

import ctypes
import os
import tempfile
from collections.abc import Callable, Sequence
from typing import Any, final

from runwell.base import light_ctypes
from runwell.codegen.unit import Unit
from runwell.elf.linker import link
from runwell.kernel.declare import Failure, Kernel
from runwell.kernel.source import source_of
from runwell.kernel.text import ModuleText
from runwell.kernel.types import VOID, StructType, Type, ctype_of


@final
class Bound:
    """Loaded kernels: ``bound.name(...)`` calls one.

    Where a kernel takes an address, pass an int, None, a ctypes object, bytes or a bytearray.
    A failure in a kernel is raised as its class.
    """

    def __init__(self, library: ctypes.CDLL, units: Sequence[Unit]) -> None:
        self._library = library
        self._functions = {
            kernel.name: _function(library, kernel, unit.program.raises[kernel])
            for unit in units
            for kernel in unit.program.roots
            if isinstance(kernel, Kernel)
        }

    def __getattr__(self, name: str) -> Callable[..., Any]:
        try:
            return self._functions[name]
        except KeyError:
            raise AttributeError(f"no kernel {name} is bound") from None

    def address(self, symbol: str) -> int:
        """The address of a kernel or table."""
        return ctypes.addressof(ctypes.c_char.in_dll(self._library, symbol))


def bind(
    *kernels: object,
    extra: Callable[[ModuleText], None] | None = None,
    level: int = 0,
    is_debug: bool = True,
) -> Bound:
    """Compile kernels, with assertions, and load them into this process.

    Args:
        *kernels: what to bind; also tables whose address is wanted.
        extra: adds text of its own to the module.
        level: optimisation level, 0 to 3.
        is_debug: compile assertions.

    Raises:
        KernelError: a kernel is ill typed.
    """
    return bind_units([Unit("test", kernels, extra, is_debug=is_debug)], level=level)


def bind_units(units: Sequence[Unit], *, level: int = 0) -> Bound:
    """Compile units, link them together, and load them into this process."""
    names = [name for unit in units for name in unit.exports]
    objects = [unit.object(level) for unit in units]
    return Bound(load_library(link(objects, exports=names, soname="test.so")), units)


def load_library(image: bytes) -> ctypes.CDLL:
    """Load a shared object that is not in a file."""
    file, path = tempfile.mkstemp(suffix=".so")
    try:
        with os.fdopen(file, "wb") as out:
            out.write(image)
        return ctypes.CDLL(path)
    finally:
        os.unlink(path)


def _function(
    library: ctypes.CDLL, kernel: Kernel, raises: set[type[Failure]]
) -> Callable[..., Any]:
    source = source_of(kernel)
    entry = library[kernel.name]
    params = [p.type for p in source.params]
    types = [_ctype(t) for t in params]
    failure = next(iter(raises)) if len(raises) == 1 else Failure
    result = None if source.result is VOID else _ctype(source.result)
    entry.argtypes = [ctypes.c_void_p, *types] if raises else types
    entry.restype = ctypes.c_int32 if raises else result

    def call(*args: object) -> Any:
        if len(args) != len(types):
            raise TypeError(f"{kernel.name} takes {len(types)} arguments")
        values = [_value(a, t) for a, t in zip(args, types, strict=True)]
        if not raises:
            return entry(*values)
        out = (result or ctypes.c_int64)()
        code = entry(ctypes.addressof(out), *values)
        if code:
            raise failure(code)
        return None if result is None else out.value

    return call


def _ctype(of: Type) -> Any:
    return light_ctypes.c_uint64 if isinstance(of, StructType) else ctype_of(of)


def _value(value: Any, of: Any) -> Any:
    """An argument as ctypes wants it: addresses as integers."""
    if of is not light_ctypes.c_uint64 or isinstance(value, int):
        return value
    if value is None:
        return 0
    if isinstance(value, bytes):
        return ctypes.cast(ctypes.c_char_p(value), ctypes.c_void_p).value
    if isinstance(value, bytearray):
        return ctypes.addressof((ctypes.c_char * len(value)).from_buffer(value))
    if isinstance(value, ctypes._CFuncPtr):  # type: ignore[attr-defined]
        return ctypes.cast(value, ctypes.c_void_p).value
    return ctypes.addressof(value)
