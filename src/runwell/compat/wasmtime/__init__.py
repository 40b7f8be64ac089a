"""The names of wasmtime-py, on Runwell.

    from runwell.compat import wasmtime

in place of ``import wasmtime``, or, for programs that are not to be changed,

    import runwell.compat.wasmtime
    runwell.compat.wasmtime.install()

before they are imported.  What stands behind the names is Runwell: options that choose between
code generators, or tune one, are checked and have no effect.  Components are not there.
"""

import sys

from runwell.embed.core import load

load()  # some names are native types

# ruff: noqa: E402
from runwell.compat.wasmtime.config import Config
from runwell.compat.wasmtime.engine import Engine
from runwell.compat.wasmtime.errors import ExitTrap, Frame, Trap, TrapCode, WasmtimeError
from runwell.compat.wasmtime.externs import Global, Memory, SharedMemory, Table, Tag
from runwell.compat.wasmtime.func import Caller, Func
from runwell.compat.wasmtime.instance import Instance, InstancePre
from runwell.compat.wasmtime.linker import Linker
from runwell.compat.wasmtime.managed import Managed
from runwell.compat.wasmtime.module import Module, wat2wasm
from runwell.compat.wasmtime.store import Store, StoreContext, Storelike
from runwell.compat.wasmtime.types import (
    ExportType,
    FuncType,
    GlobalType,
    ImportType,
    Limits,
    MemoryType,
    TableType,
    TagType,
    ValType,
)
from runwell.compat.wasmtime.value import Val
from runwell.compat.wasmtime.wasi import DirPerms, FilePerms, WasiConfig

__all__ = [
    "Caller",
    "Config",
    "DirPerms",
    "Engine",
    "ExitTrap",
    "ExportType",
    "FilePerms",
    "Frame",
    "Func",
    "FuncType",
    "Global",
    "GlobalType",
    "ImportType",
    "Instance",
    "InstancePre",
    "Limits",
    "Linker",
    "Managed",
    "Memory",
    "MemoryType",
    "Module",
    "SharedMemory",
    "Store",
    "StoreContext",
    "Storelike",
    "Table",
    "TableType",
    "Tag",
    "TagType",
    "Trap",
    "TrapCode",
    "Val",
    "ValType",
    "WasiConfig",
    "WasmtimeError",
    "install",
    "wat2wasm",
]


def install() -> None:
    """Let ``import wasmtime`` find this module, in whatever is imported from now on.

    Raises:
        RuntimeError: wasmtime itself has been imported already.
    """
    here = sys.modules[__name__]
    if sys.modules.setdefault("wasmtime", here) is not here:
        raise RuntimeError("wasmtime itself is in use: call install() before it is imported")
