"""``runwell.load``: from a file to something to call, in one step."""

from __future__ import annotations

from runwell.embed.instance import Instance
from runwell.embed.module import Module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runwell.base.progress import Progress
    from runwell.embed.config import Engine
    from runwell.embed.imports import Imports
    from runwell.embed.module import Source
    from runwell.wasi.config import WasiConfig


def load(
    source: Source,
    imports: Imports | None = None,
    *,
    wasi: WasiConfig | None = None,
    engine: Engine | None = None,
    progress: Progress | None = None,
) -> Instance:
    """Load a module and make an instance of it.

    A module that imports WASI, where no configuration is given, gets one that lets it see nothing:
    no arguments, no files, an empty input; what it prints is dropped.  A library that prepares
    itself by a function named ``_initialize``, as compilers for WASI write them, does so.

    Args:
        source: as ``Module`` takes it: a path, bytes, or text.
        imports: as ``Instance`` takes them.
        wasi: what it gets from WASI.
        engine: where it runs; None for one of the default configuration.
        progress: is told how far the preparation is, as for ``Module``.

    Returns:
        The instance; its ``exports`` are what there is to call.

    Raises:
        MalformedError: the bytes or the text are not a module.
        InvalidError: the module is invalid.
        LinkError: an import is missing or has the wrong type.
        OSError: the file cannot be read.
        Trap: the start function trapped.
    """
    module = Module(source, engine=engine, progress=progress)
    return Instance(module, imports, wasi=wasi or closed_world(module))


def closed_world(module: Module) -> WasiConfig | None:
    """A WASI that shows nothing, if a module wants any.

    Args:
        module: the module.
    """
    if "_initialize" not in module.entries:
        wanted = {entry.module for entry in module.code.module.imports}
        if not wanted:
            return None
        from runwell.wasi.preview1 import MODULES

        if wanted.isdisjoint(MODULES):
            return None
    from runwell.wasi.config import WasiConfig

    return WasiConfig(stdin=None, stdout=None, stderr=None)
