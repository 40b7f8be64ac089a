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

# What compiler processes import before they are ready.
COMPILING = frozenset(
    """
    runwell
    runwell.base runwell.base.errors runwell.base.light runwell.base.light_ctypes
    runwell.base.objects runwell.base.traps runwell.base.types
    runwell.codegen runwell.codegen.bundle runwell.codegen.direct runwell.codegen.machine
    runwell.codegen.object runwell.codegen.object_machine runwell.codegen.own_files
    runwell.codegen.target runwell.codegen.worker
    runwell.elf runwell.elf.format runwell.elf.image runwell.elf.movable runwell.elf.movable_maker
    runwell.elf.object runwell.elf.output runwell.elf.relocation
    runwell.isa runwell.isa.atomic runwell.isa.control runwell.isa.conversion runwell.isa.facts
    runwell.isa.floats runwell.isa.form runwell.isa.fusion runwell.isa.heap runwell.isa.machine
    runwell.isa.memory runwell.isa.numeric runwell.isa.object_ops runwell.isa.op
    runwell.isa.reference runwell.isa.register runwell.isa.table runwell.isa.tables
    runwell.isa.variable runwell.isa.vector runwell.isa.vector_float runwell.isa.vector_int
    runwell.isa.vector_relaxed runwell.isa.wide runwell.isa.words
    runwell.jit runwell.jit.assembly runwell.jit.compile runwell.jit.convention
    runwell.jit.counted runwell.jit.frame runwell.jit.fuel runwell.jit.handlers runwell.jit.job
    runwell.jit.level runwell.jit.likely runwell.jit.lower runwell.jit.machine runwell.jit.notes
    runwell.jit.positions runwell.jit.recursion runwell.jit.surroundings runwell.jit.template
    runwell.jit.unit runwell.jit.variables runwell.jit.worker
    runwell.kernel runwell.kernel.text runwell.kernel.types
    runwell.runtime runwell.runtime.heap_layout runwell.runtime.layout
    """.split()
)

GROUPS = (NAMES, STARTING, USING, COMPILING)
