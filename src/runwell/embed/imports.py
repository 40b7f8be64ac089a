"""Finding what a module imports, and making it importable."""

from __future__ import annotations

from runwell.base.errors import LinkError
from runwell.base.types import FuncType
from runwell.embed.exports import Exports
from runwell.embed.globals import Global
from runwell.embed.table import Table
from runwell.host.function import HostFunction
from runwell.module.module import Module as Decoded
from runwell.module.types import GlobalType, ImportType
from runwell.runtime.instance import Extern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TypeAlias

    Namespace: TypeAlias = Any
    Imports: TypeAlias = Mapping[str, Namespace]


def find_imports(
    decoded: Decoded, imports: Imports, functions: Mapping[str, Mapping[str, Any]]
) -> list[Extern | None]:
    """What a module's imports name, in order; None where there is nothing.

    Args:
        decoded: the module.
        imports: what the user provides: mappings or instances, by module name.
        functions: what is provided besides, for the names that are not in ``imports``.

    Raises:
        LinkError: what is provided cannot be imported as what is wanted.
        TypeError: a namespace has no names.
    """
    found: list[Extern | None] = []
    for wanted in decoded.import_types():
        value = _look_up(imports.get(wanted.module), wanted)
        if value is None:
            value = functions.get(wanted.module, {}).get(wanted.name)
        found.append(None if value is None else _extern(wanted, value))
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


def _extern(wanted: ImportType, value: Any) -> Extern:
    """Make a value importable, and leave it to the runtime to compare types."""
    from runwell.host.func import Func
    from runwell.host.memory import Memory

    if isinstance(value, Func | Table | Global):
        return value.native
    if isinstance(value, Memory):
        return value._owner
    type_ = wanted.type
    if isinstance(type_, FuncType) and callable(value):
        return HostFunction(value, type_, f"{wanted.module}.{wanted.name}").func
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
