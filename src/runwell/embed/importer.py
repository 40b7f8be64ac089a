"""The import hook: ``import plugin`` finds ``plugin.wasm``.

    import runwell.importer

    runwell.importer.install()
    import plugin

    plugin.add(1, 2)

A ``plugin.wasm`` or ``plugin.wat`` is found where a ``plugin.py`` would be, in packages too; a
Python module of that name goes first.  What it exports are the attributes of the Python module,
and what it imports comes from the Python modules that its imports name: ``(import "env" "log" …)``
is the attribute ``log`` of the Python module ``env``.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from runwell.embed.instance import Instance
from runwell.embed.module import Module
from runwell.wasi.config import WasiConfig
from runwell.wasi.preview1 import MODULES as WASI_MODULES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runwell.embed.config import Engine

_SUFFIXES = (".wasm", ".wat")


class Importer(MetaPathFinder, Loader):
    """Finds and loads WebAssembly modules as Python modules.

    Args:
        engine: where they run; None for one of the default configuration.
        wasi: what they get from WASI; None for nothing, so that modules that want more than
            to print and to read a clock fail where they try.
    """

    def __init__(self, engine: Engine | None = None, wasi: WasiConfig | None = None) -> None:
        self.engine, self.wasi = engine, wasi

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Find the file of a module, as the import system asks."""
        name = fullname.rpartition(".")[2]
        for folder in sys.path if path is None else path:
            for suffix in _SUFFIXES:
                file = Path(folder or ".") / (name + suffix)
                if file.is_file():
                    spec = ModuleSpec(fullname, self, origin=str(file))
                    spec.has_location = True
                    return spec
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Leave that to the import system."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Make the instance, and its exports the module's attributes.

        Raises:
            ImportError: the file is no valid module, or what it imports is not there.
        """
        from runwell.base.errors import RunwellError

        spec = module.__spec__
        assert spec is not None
        assert spec.origin is not None
        try:
            wasm = Module(Path(spec.origin), engine=self.engine)
            instance = Instance(wasm, _imports_of(wasm, spec.name), wasi=self.wasi or _nothing())
        except RunwellError as e:
            raise ImportError(f"{spec.origin}: {e}", name=spec.name, path=spec.origin) from e
        names = {name: instance.exports[name] for name in instance.exports}
        module.__dict__.update(names)
        module.__dict__["__instance__"] = instance
        module.__dict__["__all__"] = [name for name in names if not name.startswith("_")]
        module.__doc__ = f"The WebAssembly module {spec.origin}."


def _nothing() -> WasiConfig:
    return WasiConfig(stdin=None)


def _imports_of(wasm: Module, importer: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for wanted in wasm.imports:
        if wanted.module in WASI_MODULES:
            continue
        try:
            provider = import_module(wanted.module)
            value = getattr(provider, wanted.name)
        except (ImportError, AttributeError, ValueError) as e:
            raise ImportError(
                f"{importer} imports {wanted.module!r}.{wanted.name!r} ({wanted.kind.text} "
                f"{wanted.type}), which there should be in a Python module of that name: {e}",
                name=wanted.module,
            ) from e
        found.setdefault(wanted.module, {})[wanted.name] = value
    return found


def install(engine: Engine | None = None, wasi: WasiConfig | None = None) -> Importer:
    """Let ``import`` find WebAssembly modules.

    Args:
        engine: as for ``Importer``.
        wasi: as for ``Importer``.

    Returns:
        What finds them; ``uninstall`` takes it.
    """
    importer = Importer(engine, wasi)
    sys.meta_path.append(importer)
    return importer


def uninstall(importer: Importer) -> None:
    """Undo ``install``; what was imported stays."""
    if importer in sys.meta_path:
        sys.meta_path.remove(importer)
