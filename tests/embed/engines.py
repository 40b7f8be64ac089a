"""The same module in each engine, and in both at once."""

from typing import Any

import runwell
from runwell.jit.level import Level

# ``mixed``: every other function is compiled, so that each engine calls the other.
ENGINES = ("interpreter", "jit", "tiered", "mixed")


def module_for(text: str, engine: str, **config: Any) -> runwell.Module:
    """A module whose code runs in an engine of ``ENGINES``."""
    name = "interpreter" if engine == "mixed" else engine
    module = runwell.Module(text, engine=runwell.Engine(runwell.Config(engine=name, **config)))
    if engine == "mixed":
        first = module.code.module.n_imported_functions
        compile_functions(module, range(first, module.code.n_functions, 2))
    return module


def compile_functions(module: runwell.Module, functions: Any, level: int = Level.BEST) -> None:
    """Compile functions of a module, together."""
    from runwell.elf.movable_maker import make_movable
    from runwell.jit.compile import compile_job
    from runwell.jit.installed import install
    from runwell.jit.prepare import make_job

    chosen = list(functions)
    if chosen:
        install(make_movable(compile_job(make_job(module.code, chosen, level))), module.code)
