"""Finding what a module imports, and making it importable."""

from __future__ import annotations

from runwell.base.errors import LinkError
from runwell.base.types import FuncType
from runwell.embed.exports import Exports
from runwell.host.function import HostFunction
from runwell.module.types import GlobalType, ImportType
from runwell.runtime.code import ModuleCode
from runwell.runtime.instance import Extern
from runwell.runtime.types import TypeNumber

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeAlias

    Namespace: TypeAlias = Any
    Imports: TypeAlias = Mapping[str, Namespace]


def find_imports(
    code: ModuleCode, imports: Imports, functions: Mapping[str, Callable[[str], object]]
) -> list[Extern | None]:
    """What a module's imports name, in order; None where there is nothing.

    Args:
        code: the module.
        imports: what the user provides: mappings or instances, by module name.
        functions: what provides the names that are not in ``imports``, by module name.

    Raises:
        LinkError: what is provided cannot be imported as what is wanted.
        TypeError: a namespace has no names.
    """
    found: list[Extern | None] = []
    for entry, wanted in zip(code.module.imports, code.import_types(), strict=True):
        value = _look_up(imports.get(wanted.module), wanted)
        if value is None:
            provide = functions.get(wanted.module)
            value = provide(wanted.name) if provide is not None else None
        number = code.numbers[entry.desc] if isinstance(entry.desc, int) else None
        found.append(None if value is None else _extern(wanted, number, value))
    return found


def _look_up(namespace: Namespace, wanted: ImportType) -> Any:
    if namespace is None:
        return None
    from collections.abc import Mapping

    if isinstance(namespace, Mapping):
        return namespace.get(wanted.name)
    exports = getattr(namespace, "exports", namespace)
    if not isinstance(exports, Exports):
        raise TypeError(
            f"imports[{wanted.module!r}] must be a mapping or an instance, "
            f"not {type(namespace).__name__}"
        )
    try:
        return exports[wanted.name]
    except KeyError:
        return None


def _extern(wanted: ImportType, number: TypeNumber | None, value: Any) -> Extern:
    """Make a value importable, and leave it to the runtime to compare types.

    ``number`` is that of a function's type.
    """
    from runwell.host.func import Func

    type_ = wanted.type
    if isinstance(value, Func):
        return value.native
    if isinstance(type_, FuncType) and callable(value):
        return HostFunction(value, type_, f"{wanted.module}.{wanted.name}", number).func
    from runwell.embed.globals import Global
    from runwell.embed.table import Table
    from runwell.host.memory import Memory
    from runwell.host.tag import Tag

    if isinstance(value, Table | Global | Tag):
        return value.native
    if isinstance(value, Memory):
        return value._owner
    if isinstance(type_, GlobalType) and isinstance(value, int | float) and not type_.mutable:
        try:
            return Global(type_, value).native
        except (TypeError, OverflowError) as e:
            raise LinkError(f"{_incompatible(wanted)}: {e}") from None
    raise LinkError(f"{_incompatible(wanted)}, found {type(value).__name__}")


def _incompatible(wanted: ImportType) -> str:
    return (
        f"incompatible import type for {wanted.module!r}.{wanted.name!r}: "
        f"wanted {wanted.kind.text} {wanted.type}"
    )
