"""The modules that are imported together: by every run, when it compiles, by compiler processes.

In ``bundle`` the code of what is imported by the same of these is one piece, which takes less time
to read than the same modules one by one.  Tests compare the lists with what is imported, so whoever
makes a run import more sees it here.
"""

NAMES = frozenset(
    """
    runwell
    runwell.base runwell.base.errors runwell.base.features runwell.base.leb128 runwell.base.light
    runwell.base.light_ctypes runwell.base.limits runwell.base.log runwell.base.types
    runwell.binary runwell.binary.decoder runwell.binary.expressions runwell.binary.reader
    runwell.binary.sections
    runwell.cli runwell.cli.grammar runwell.cli.main runwell.cli.run
    runwell.codegen runwell.codegen.bundle runwell.codegen.cache runwell.codegen.cpu
    runwell.codegen.own_files
    runwell.embed runwell.embed.closing runwell.embed.config runwell.embed.core
    runwell.embed.exports runwell.embed.imports runwell.embed.instance runwell.embed.module
    runwell.host runwell.host.builtin runwell.host.caller runwell.host.closed runwell.host.convert
    runwell.host.func runwell.host.function runwell.host.install
    runwell.host.layout runwell.host.memory runwell.host.native_type runwell.host.references
    runwell.host.signature runwell.host.weak
    runwell.interp runwell.interp.core
    runwell.jit runwell.jit.kept runwell.jit.level runwell.jit.policy runwell.jit.watch
    runwell.kernel runwell.kernel.types
    runwell.module runwell.module.module runwell.module.subtyping runwell.module.types
    runwell.module.validate
    runwell.runtime runwell.runtime.code runwell.runtime.constant runwell.runtime.context
    runwell.runtime.func runwell.runtime.globals runwell.runtime.heap_layout runwell.runtime.heat
    runwell.runtime.instance runwell.runtime.layout runwell.runtime.mapping runwell.runtime.memory
    runwell.runtime.native runwell.runtime.plan runwell.runtime.signals runwell.runtime.store
    runwell.runtime.table runwell.runtime.types
    runwell.translate runwell.translate.layout runwell.translate.translator
    runwell.wasi runwell.wasi.calls runwell.wasi.clocks runwell.wasi.config
    runwell.wasi.descriptors runwell.wasi.errno runwell.wasi.files runwell.wasi.preview1
    runwell.wasi.process runwell.wasi.protocol runwell.wasi.world
    """.split()
)

# What a run imports before it starts a compiler process, in a hurry.
STARTING = frozenset(
    """
    runwell.codegen.python runwell.codegen.worker
    runwell.jit.compiler runwell.jit.process runwell.jit.worker runwell.jit.workers
    """.split()
)

# What it imports then, to have something compiled and to use it.
USING = frozenset(
    """
    runwell.elf runwell.elf.format runwell.elf.movable runwell.elf.region
    runwell.jit.cache runwell.jit.installed runwell.jit.job runwell.jit.likely runwell.jit.measure
    runwell.jit.places runwell.jit.prepare runwell.jit.tier
    """.split()
)

# What compiler processes import while LLVM is loaded, each after what it imports itself.
LOWERING = tuple(
    """
    runwell runwell.codegen runwell.base runwell.base.light runwell.codegen.own_files
    runwell.codegen.bundle runwell.codegen.together runwell.jit runwell.codegen.worker
    runwell.jit.worker runwell.base.light_ctypes runwell.codegen.direct runwell.base.traps
    runwell.base.types runwell.isa runwell.isa.machine runwell.kernel runwell.kernel.types
    runwell.kernel.text runwell.codegen.machine runwell.jit.notes runwell.runtime
    runwell.runtime.heap_layout runwell.runtime.layout runwell.jit.convention runwell.base.objects
    runwell.codegen.object_machine runwell.jit.machine runwell.base.errors runwell.jit.counted
    runwell.jit.liveness runwell.jit.variables runwell.jit.frame
    runwell.isa.op runwell.isa.floats runwell.isa.words
    runwell.isa.object_ops runwell.isa.atomic runwell.isa.control runwell.isa.conversion
    runwell.isa.heap runwell.isa.memory runwell.isa.numeric runwell.isa.reference
    runwell.isa.tables runwell.isa.variable runwell.isa.vector runwell.isa.vector_float
    runwell.isa.vector_int runwell.isa.vector_relaxed runwell.isa.wide runwell.isa.table
    runwell.isa.register runwell.isa.facts runwell.isa.fusion runwell.isa.form runwell.jit.fuel
    runwell.jit.handlers runwell.jit.level runwell.jit.likely runwell.jit.job runwell.jit.assembly
    runwell.jit.positions runwell.jit.surroundings runwell.jit.template runwell.jit.lower
    runwell.jit.recursion runwell.jit.unit runwell.elf runwell.elf.format runwell.elf.object
    runwell.elf.relocation runwell.elf.output runwell.elf.image runwell.elf.movable
    runwell.elf.movable_maker
    """.split()
)

# All that they import before they are ready.
COMPILING = frozenset(LOWERING) | {
    "runwell.codegen.object",
    "runwell.codegen.target",
    "runwell.jit.compile",
}

GROUPS = (NAMES, STARTING, USING, COMPILING)
