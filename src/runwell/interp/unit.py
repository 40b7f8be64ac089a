"""What the native core is built from; only a build imports this."""

import os
from collections.abc import Sequence
from types import ModuleType

from runwell.codegen.unit import Unit
from runwell.host import unit as host_unit
from runwell.interp import debugger, entry_kernels, unwind_kernels
from runwell.interp.debugger import add_debugger_interface
from runwell.interp.entry import EXPORTS
from runwell.interp.handlers import PARTS, add_handlers, add_table
from runwell.interp.native_stubs import EXPORTS as NATIVE_EXPORTS
from runwell.kernel.declare import Kernel
from runwell.kernel.text import ModuleText
from runwell.runtime import (
    aggregate_kernels,
    chain_kernels,
    code_kernels,
    exception_kernels,
    extern_kernels,
    extern_list_kernels,
    handle_kernels,
    heap_kernels,
    heat_kernels,
    interrupt_kernels,
    memory_kernels,
    native_stack_kernels,
    pause_kernels,
    sample_kernels,
    signal_kernels,
    sleep_kernels,
    snapshot_kernels,
    table_kernels,
    trap_kernels,
    wait_kernels,
    watch_kernels,
)


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


ENTRY = exported(entry_kernels, unwind_kernels)
RUNTIME: list[object] = [
    *exported(
        aggregate_kernels,
        chain_kernels,
        code_kernels,
        exception_kernels,
        extern_kernels,
        extern_list_kernels,
        handle_kernels,
        heap_kernels,
        heat_kernels,
        interrupt_kernels,
        memory_kernels,
        native_stack_kernels,
        pause_kernels,
        sample_kernels,
        signal_kernels,
        snapshot_kernels,
        sleep_kernels,
        table_kernels,
        trap_kernels,
        wait_kernels,
        watch_kernels,
    ),
    chain_kernels.watch,
    extern_list_kernels.dead_externs,
    interrupt_kernels.signal_hook,
]


def handler_units() -> list[Unit]:
    """The handlers, and what binds them together; to be linked in this order."""
    arch = os.uname().machine

    def part(n: int) -> Unit:
        # They are short and straight: more passes would find nothing.
        return Unit(f"handlers {n + 1}", [], lambda module: add_handlers(module, n, arch), level=1)

    def table(module: ModuleText) -> None:
        add_table(module, arch)
        add_debugger_interface(module)

    return [*map(part, range(PARTS)), Unit("entry", ENTRY, table, elsewhere=RUNTIME)]


def core_units() -> list[Unit]:
    """Everything, the slowest to compile first, but for the handlers, whose order is theirs."""
    from runwell.translate import unit as translate_unit

    host = [*host_unit.VISIBLE, *host_unit.PARTS]
    kernels: list[object] = [*ENTRY, *RUNTIME, *translate_unit.ROOTS, *host]
    return [
        Unit("translator", translate_unit.ROOTS, elsewhere=kernels),
        *handler_units(),
        Unit("runtime", RUNTIME, elsewhere=kernels),
        host_unit.python_unit(elsewhere=kernels),
    ]


def core_exports(units: Sequence[Unit]) -> list[str]:
    """The symbols that can be seen from outside."""
    return [
        *(name for unit in units for name in unit.exports),
        *host_unit.exports(),
        *EXPORTS,
        *NATIVE_EXPORTS,
        *debugger.EXPORTS,
    ]
