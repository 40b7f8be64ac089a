"""Compiling all of a module before it runs: what ``engine="jit"`` does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from runwell.jit.installed import install
from runwell.jit.prepare import make_job

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runwell.runtime.code import ModuleCode

LEVEL: Final = 2
# Bytes of WebAssembly that are compiled together, at least: calls among them are direct, and small
# functions become part of their callers.
UNIT_BYTES: Final = 1 << 15


def compile_module(module: ModuleCode, level: int = LEVEL) -> None:
    """Compile every function of a module, in this process.

    Args:
        module: what to compile; functions of it that are invalid stay as they are.
        level: of optimisation, 0 to 3.

    Raises:
        MemoryError: there is no room for the code.
    """
    from runwell.elf.movable_maker import make_movable
    from runwell.jit.compile import compile_job

    for functions in units(module):
        job = make_job(module, functions, level)
        if job.functions:
            install(make_movable(compile_job(job)), module)


def units(module: ModuleCode) -> Iterator[Sequence[int]]:
    """The module's own functions in groups: neighbours, which often come from one source file."""
    first = module.module.n_imported_functions
    start, size = first, 0
    for index in range(first, module.n_functions):
        body = module.module.body(index)
        assert body is not None
        size += body.end - body.start
        if size >= UNIT_BYTES:
            yield range(start, index + 1)
            start, size = index + 1, 0
    if start < module.n_functions:
        yield range(start, module.n_functions)
