"""Closing instances: what Python has of one is cut off, so that its memory is free at once."""

from __future__ import annotations

from runwell.host import func as func_faces
from runwell.host import memory as memory_faces
from runwell.host.closed import lingering
from runwell.module.types import ExternKind
from runwell.runtime.instance import Instance as NativeInstance


def close_faces(native: NativeInstance) -> None:
    """Close all that Python has got of an instance, but what other instances have imported."""
    body, module = native.body, native.code.module
    while body.handed:
        func_faces.close(body.handed.pop())
    for memory in native.memories[module.n_imported_memories :]:
        if not memory.lent:
            memory_faces.close(memory.address)
    tables = native.tables[module.n_imported_tables :]
    if tables:
        from runwell.embed import table as table_faces

        for table in tables:
            if not table.lent:
                table_faces.close(int(table.address))
    if len(module.global_types) > module.n_imported_globals:
        from runwell.embed import globals as global_faces

        for entry in module.exports:
            if entry.kind == ExternKind.GLOBAL and entry.item >= module.n_imported_globals:
                global_faces.close(native.global_(entry.item).address)


def linger(native: NativeInstance) -> None:
    """Keep an instance whose faces are closed as long as a call of it is going on."""
    lingering[native.address] = native
    native.leave_when_idle()
    if not native.active:
        lingering.pop(native.address, None)
