"""What the native core is built from; only a build imports this."""

import os
from types import ModuleType

from runwell.codegen.unit import Unit
from runwell.host import unit as python_unit
from runwell.interp import entry_kernels
from runwell.interp.entry import EXPORTS
from runwell.interp.handlers import HIGH, LOW, PARTS, add_handlers, add_table
from runwell.isa.register import STUBS
from runwell.kernel.declare import Data, Kernel
from runwell.kernel.text import ModuleText
from runwell.runtime import (
    code_kernels,
    memory_kernels,
    signal_kernels,
    table_kernels,
    trap_kernels,
)

ENTRY = [entry_kernels.enter_guest, entry_kernels.on_budget, entry_kernels.on_stack_limit]


def exported(*modules: ModuleType) -> list[Kernel]:
    """The kernels that modules define for others."""
    return [
        thing
        for module in modules
        for thing in vars(module).values()
        if isinstance(thing, Kernel) and thing.export and _is_of(thing, module)
    ]


def _is_of(kernel: Kernel, module: ModuleType) -> bool:
    return str(kernel.function.__module__) == module.__name__


RUNTIME = exported(code_kernels, memory_kernels, signal_kernels, table_kernels, trap_kernels)


def handler_units() -> list[Unit]:
    """The handlers, and what binds them together."""
    arch = os.uname().machine

    def part(n: int) -> Unit:
        def extra(module: ModuleText) -> None:
            add_handlers(module, n, arch)

        return Unit(f"handlers {n + 1}", [], extra)

    def table(module: ModuleText) -> None:
        add_table(module, arch)

    return [*map(part, range(PARTS)), Unit("entry", ENTRY, table)]
