"""Runwell: a virtual machine for code you do not trust.

    import runwell

    module = runwell.Module("plugin.wasm")
    instance = runwell.Instance(module, {"env": {"log": print}})
    instance.exports.run(3, 4)

Names are imported when they are first used, so that importing the package costs next to nothing.
"""

TYPE_CHECKING = False  # without the import, which would be the most of this package's time

__version__ = "0.1.0"

_HOMES = {
    "Allocator": "runwell.embed.allocator",
    "Caller": "runwell.host.caller",
    "ClosedError": "runwell.base.errors",
    "Config": "runwell.embed.config",
    "DeserializeError": "runwell.base.errors",
    "Engine": "runwell.embed.config",
    "ExhaustionError": "runwell.base.errors",
    "DeadlineExceeded": "runwell.base.errors",
    "ExportType": "runwell.module.types",
    "Exports": "runwell.embed.exports",
    "ExternKind": "runwell.module.types",
    "Frame": "runwell.base.errors",
    "Func": "runwell.host.func",
    "FuncType": "runwell.base.types",
    "Global": "runwell.embed.globals",
    "GlobalType": "runwell.module.types",
    "ImportType": "runwell.module.types",
    "Instance": "runwell.embed.instance",
    "InstancePool": "runwell.embed.pool",
    "InternalError": "runwell.base.errors",
    "InvalidError": "runwell.base.errors",
    "LinkError": "runwell.base.errors",
    "Linker": "runwell.embed.linker",
    "MalformedError": "runwell.base.errors",
    "Memory": "runwell.host.memory",
    "MemoryType": "runwell.module.types",
    "Module": "runwell.embed.module",
    "OutOfFuel": "runwell.base.errors",
    "Ref": "runwell.runtime.reference",
    "RunwellError": "runwell.base.errors",
    "Table": "runwell.embed.table",
    "TableType": "runwell.module.types",
    "Tag": "runwell.host.tag",
    "TagType": "runwell.module.types",
    "ThreadError": "runwell.base.errors",
    "Trap": "runwell.base.errors",
    "TrapCode": "runwell.base.traps",
    "ValType": "runwell.base.types",
    "WasiConfig": "runwell.wasi.config",
    "WasmException": "runwell.base.errors",
    "with_caller": "runwell.host.caller",
    "load": "runwell.embed.loading",
}

if TYPE_CHECKING:
    from runwell.base.errors import ClosedError as ClosedError
    from runwell.base.errors import DeadlineExceeded as DeadlineExceeded
    from runwell.base.errors import DeserializeError as DeserializeError
    from runwell.base.errors import ExhaustionError as ExhaustionError
    from runwell.base.errors import Frame as Frame
    from runwell.base.errors import InternalError as InternalError
    from runwell.base.errors import InvalidError as InvalidError
    from runwell.base.errors import LinkError as LinkError
    from runwell.base.errors import MalformedError as MalformedError
    from runwell.base.errors import OutOfFuel as OutOfFuel
    from runwell.base.errors import RunwellError as RunwellError
    from runwell.base.errors import ThreadError as ThreadError
    from runwell.base.errors import Trap as Trap
    from runwell.base.errors import WasmException as WasmException
    from runwell.base.traps import TrapCode as TrapCode
    from runwell.base.types import FuncType as FuncType
    from runwell.base.types import ValType as ValType
    from runwell.embed.allocator import Allocator as Allocator
    from runwell.embed.config import Config as Config
    from runwell.embed.config import Engine as Engine
    from runwell.embed.exports import Exports as Exports
    from runwell.embed.globals import Global as Global
    from runwell.embed.instance import Instance as Instance
    from runwell.embed.linker import Linker as Linker
    from runwell.embed.loading import load as load
    from runwell.embed.module import Module as Module
    from runwell.embed.pool import InstancePool as InstancePool
    from runwell.embed.table import Table as Table
    from runwell.host.caller import Caller as Caller
    from runwell.host.caller import with_caller as with_caller
    from runwell.host.func import Func as Func
    from runwell.host.memory import Memory as Memory
    from runwell.host.tag import Tag as Tag
    from runwell.module.types import ExportType as ExportType
    from runwell.module.types import ExternKind as ExternKind
    from runwell.module.types import GlobalType as GlobalType
    from runwell.module.types import ImportType as ImportType
    from runwell.module.types import MemoryType as MemoryType
    from runwell.module.types import TableType as TableType
    from runwell.module.types import TagType as TagType
    from runwell.runtime.reference import Ref as Ref
    from runwell.wasi.config import WasiConfig as WasiConfig
else:
    # Types that exist only when the native core is loaded.
    _NATIVE = ("Func", "InstancePool", "Linker", "Memory", "Tag")

    def __getattr__(name):  # noqa: ANN001, ANN202
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module 'runwell' has no attribute {name!r}")
        from runwell.base.light import import_module
        from runwell.codegen import bundle

        bundle.use()

        if name in _NATIVE:
            from runwell.embed.core import load

            load()
        found = globals()[name] = getattr(import_module(home), name)
        return found


__all__ = [  # noqa: PLE0604
    "__version__",
    *_HOMES,
]


def __dir__() -> list[str]:
    return sorted(__all__)
