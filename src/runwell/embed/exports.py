"""What an instance exports."""

from __future__ import annotations

from runwell.base.errors import ClosedError
from runwell.base.light import final
from runwell.host import func as func_faces
from runwell.host import memory as memory_faces
from runwell.host.closed import CLOSED
from runwell.host.func import FuncInfo
from runwell.module.module import Export
from runwell.module.types import ExternKind
from runwell.runtime.instance import Instance as NativeInstance

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

# With more exports than this, each is made when it is asked for.
AT_ONCE = 64


class Exports:
    """What an instance exports, by name: ``exports.add``, or ``exports["add"]`` for any name.

    Iterating gives the names, in the order of the module.
    """

    __slots__ = ("__dict__", "__weakref__", "_entries", "_infos", "_native")

    if TYPE_CHECKING:
        _entries: dict[str, Export]
        _infos: dict[int, FuncInfo]
        _native: NativeInstance

        def __getattr__(self, name: str) -> Any: ...

    def __init__(
        self, native: NativeInstance, entries: dict[str, Export], infos: dict[int, FuncInfo]
    ) -> None:
        put = object.__setattr__
        put(self, "_native", native)
        put(self, "_entries", entries)
        put(self, "_infos", infos)

    def __getitem__(self, name: str) -> Any:
        try:
            return self.__dict__[name]
        except KeyError:
            return _find(self, self._entries[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._entries]

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("exports cannot be changed")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("exports cannot be changed")

    def __reduce__(self) -> str:
        raise TypeError("runwell.Exports cannot be pickled: they are part of an instance")

    def __repr__(self) -> str:
        return f"<runwell.Exports: {', '.join(self._entries)}>"


@final
class LazyExports(Exports):
    """Exports of which none was used yet, or that are too many to make all at once.

    Python looks attributes up fastest if the class has no ``__getattr__``; so the first use of an
    export makes all of them, and then changes the class.
    """

    __slots__ = ()

    if not TYPE_CHECKING:

        def __getattr__(self, name):  # noqa: ANN001, ANN204
            entry = self._entries.get(name)
            if entry is None:
                raise AttributeError(f"nothing is exported as {name!r}", name=name, obj=self)
            if len(self._entries) <= AT_ONCE:
                for other in self._entries.values():
                    _find(self, other)
                object.__setattr__(self, "__class__", Exports)
                return self.__dict__[name]
            return _find(self, entry)


@final
class ClosedExports(Exports):
    """Exports of an instance that was closed."""

    __slots__ = ()

    def __getitem__(self, name: str) -> Any:
        raise _closed(name)

    def __iter__(self) -> Iterator[str]:
        raise _closed("exports")

    def __len__(self) -> int:
        raise _closed("exports")

    def __contains__(self, name: object) -> bool:
        raise _closed("exports")

    def __dir__(self) -> list[str]:
        return []

    def __repr__(self) -> str:
        return "<runwell.Exports: closed>"

    if not TYPE_CHECKING:

        def __getattr__(self, name):  # noqa: ANN001, ANN204
            raise _closed(name)


# Of instances that gave theirs to another.
CLOSED_EXPORTS = ClosedExports(CLOSED, {}, {})


def _closed(name: str) -> ClosedError:
    return ClosedError(f"cannot get {name}: the instance is closed")


def close(exports: Exports) -> None:
    """Forget what was exported."""
    exports.__dict__.clear()
    put = object.__setattr__
    put(exports, "__class__", ClosedExports)
    put(exports, "_native", CLOSED)
    put(exports, "_entries", {})


def _find(exports: Exports, entry: Export) -> Any:
    """Make what an export names, and remember it."""
    value = _face(exports, entry)
    if hasattr(Exports, entry.name):
        exports.__dict__[entry.name] = value
    else:
        # Not through ``__dict__``, which would cost the object its fast layout.
        object.__setattr__(exports, entry.name, value)
    return value


def _face(exports: Exports, entry: Export) -> Any:
    native = exports._native
    if entry.kind == ExternKind.FUNC:
        if entry.item < native.code.module.n_imported_functions:
            return func_faces.face(native.func(entry.item))
        info = exports._infos.get(entry.item)
        if info is None:
            info = exports._infos[entry.item] = func_faces.info_of(native.func(entry.item))
            info.offset = native.func_offset(entry.item)
        return func_faces.face_of_own(native, info)
    if entry.kind == ExternKind.MEMORY:
        return memory_faces.face(native.memories[entry.item])
    # The others are rare enough to be imported when there is one.
    if entry.kind == ExternKind.TAG:
        from runwell.host import tag

        return tag.face(native.tags[entry.item])
    if entry.kind == ExternKind.TABLE:
        from runwell.embed import table

        return table.face(native.tables[entry.item])
    from runwell.embed import globals as global_faces

    return global_faces.face(native.global_(entry.item))
