"""The machine that LLVM compiles for: this one, unless the environment names another."""

import os

import llvmlite.binding as llvm

from runwell.base.light import Any, NamedTuple, cache

# In the environment: a processor to compile for instead of this machine's, by LLVM's name.
CPU_VARIABLE = "RUNWELL_CPU"


class Target(NamedTuple):
    """What identifies a machine to LLVM.

    Attributes:
        triple: architecture, vendor, system.
        cpu: model, e.g. ``znver3``.
        features: ``+avx2,-sse4a``...
        datalayout: sizes and alignments, as modules spell them.
    """

    triple: str
    cpu: str
    features: str
    datalayout: str


@cache
def target_machine(level: int) -> Any:
    """LLVM's code generator for this machine at an optimisation level, 0 to 3."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.initialize_native_asmparser()
    cpu = os.environ.get(CPU_VARIABLE, "")
    name, features = (cpu, "") if cpu else _host_cpu()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=name, features=features, opt=level, reloc="pic", codemodel="small"
    )


@cache
def module_head(level: int) -> str:
    """The lines of a module that tell the machine.

    Text without a data layout would be laid out by LLVM's default: i64 aligned to 4.

    Args:
        level: of optimisation; it does not matter, but that its ``target_machine`` is used.
    """
    machine = target_machine(level)
    layout = f'target datalayout = "{machine.target_data}"'
    return f'{layout}\ntarget triple = "{machine.triple}"\n'


@cache
def _host_cpu() -> tuple[str, str]:
    """Model and features of this machine's processor."""
    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


_KEEP_PLACES = (
    "enable-shrink-wrap",
    "enable-tail-merge",
    "simplifycfg-hoist-common",
    "simplifycfg-sink-common",
)


@cache
def keep_places() -> None:
    """From now on, an instruction that faults or calls tells its place.

    Functions make their frame before anything else, whether they need it or not; and instructions
    of several places that are the same are not made one.
    """
    for name in _KEEP_PLACES:
        llvm.set_option("runwell", f"-{name}=false")


@cache
def host_target() -> Target:
    """This machine."""
    machine = target_machine(2)
    return Target(
        machine.triple,
        *_host_cpu(),
        str(machine.target_data),
    )
