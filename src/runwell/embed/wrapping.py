"""What the wrappers that ``runwell bindgen`` writes need when they run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runwell.base.errors import LinkError
from runwell.embed.instance import Instance
from runwell.embed.loading import closed_world
from runwell.embed.module import Module
from runwell.host.caller import is_function, wants_caller
from runwell.host.foreign import foreign
from runwell.module.types import ExternKind

if TYPE_CHECKING:
    from os import PathLike

    from runwell.embed.config import Engine
    from runwell.module.types import ExportType, ImportType
    from runwell.wasi.config import WasiConfig

_UNBOUND = object()


def instantiate(
    file: str | PathLike[str],
    exports: Mapping[str, str],
    imports: Mapping[str, tuple[object, type, Mapping[str, str]]],
    *,
    wasi: WasiConfig | None = None,
    engine: Engine | None = None,
) -> Instance:
    """Make an instance of a module that a wrapper was written for.

    Args:
        file: the module.
        exports: what it must export, as ``promise`` says it, by name.
        imports: by module name: what the user gives, the protocol that it should follow, and the
            attributes that stand for names.  A mapping is taken as it is.
        wasi: what it gets from WASI; None for nothing.
        engine: where it runs.

    Raises:
        LinkError: the module is another than the wrapper was written for.
        TypeError: something of an import is missing, or does not fit.
    """
    module = Module(file, engine=engine)
    found = {entry.name: promise(entry) for entry in module.exports}
    for name, wanted in exports.items():
        if found.get(name) != wanted:
            raise LinkError(
                f"{file} exports {found.get(name, 'nothing')} as {name!r}, and the wrapper was "
                f"written for {wanted}: run runwell bindgen again"
            )
    wanted_all: dict[str, list[ImportType]] = {}
    for entry in module.imports:
        wanted_all.setdefault(entry.module, []).append(entry)
    gathered = {
        name: given if isinstance(given, Mapping)
        else _gather(given, protocol, attributes, wanted_all.get(name, []))
        for name, (given, protocol, attributes) in imports.items()
    }  # fmt: skip
    return Instance(module, gathered, wasi=wasi or closed_world(module))


def promise(entry: ImportType | ExportType) -> str:
    """What wrappers rely on in an export: sizes may change with each build.

    Args:
        entry: it.
    """
    is_sized = entry.kind in (ExternKind.MEMORY, ExternKind.TABLE)
    return entry.kind.text if is_sized else describe(entry)


def describe(entry: ImportType | ExportType) -> str:
    """Kind and type of an import or export.

    Args:
        entry: it.
    """
    text = str(entry.type)
    return f"func {text}" if entry.kind == ExternKind.FUNC else text


def _gather(
    given: object, protocol: type, attributes: Mapping[str, str], wanted: list[ImportType]
) -> dict[str, object]:
    """What an object has for the imports of one module, by their own names."""
    gathered: dict[str, object] = {}
    problems = []
    for entry in wanted:
        attribute = attributes.get(entry.name, entry.name)
        value = getattr(given, attribute, _UNBOUND)
        what = f"{attribute}, for {entry.module!r}.{entry.name!r}, {describe(entry)}"
        inherited = getattr(value, "__func__", _UNBOUND) is protocol.__dict__.get(attribute)
        if value is _UNBOUND or inherited:
            problems.append(f"it lacks {what}")
        elif entry.kind == ExternKind.FUNC and (problem := _misfit(value, entry)):
            problems.append(f"{problem} {what}")
        gathered[entry.name] = value
    if problems:
        kind = type(given).__name__
        raise TypeError(f"{kind} is no {protocol.__name__}: {'; '.join(problems)}")
    return gathered


def _misfit(value: Any, entry: ImportType) -> str:
    """Why something cannot be called as a function import is, or ""."""
    if not is_function(value):
        return f"a callable is wanted, and no {type(value).__name__}, as"
    if foreign(value) is not None:
        return ""
    from inspect import signature

    params = [*entry.type.params]  # type: ignore[union-attr]
    if wants_caller(value):
        params.insert(0, None)
    try:
        signature(value).bind(*params)
    except ValueError:  # nothing is known of it
        return ""
    except TypeError:
        return f"{len(params)} arguments must be taken by"
    return ""
