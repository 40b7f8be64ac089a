"""The modules that every run of a program imports.

In ``bundle`` their code is one piece, which takes less time to read than the same modules one by
one.  A test compares the list with what a run imports, so whoever makes a run import more sees it
here.
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
