"""The machine that LLVM compiles for: this one, unless the environment names another."""

import os
from functools import cache

import llvmlite.binding as llvm

from runwell.base.light import Any, NamedTuple

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
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=cpu or llvm.get_host_cpu_name(),
        features="" if cpu else llvm.get_host_cpu_features().flatten(),
        opt=level,
        reloc="pic",
        codemodel="small",
    )


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
        llvm.get_host_cpu_name(),
        llvm.get_host_cpu_features().flatten(),
        str(machine.target_data),
    )
