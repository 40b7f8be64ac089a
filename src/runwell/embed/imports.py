"""Finding what a module imports, and making it importable."""

from __future__ import annotations

from runwell.base.errors import LinkError
from runwell.base.types import FuncType
from runwell.embed.exports import Exports
from runwell.host.caller import host_function, is_function
from runwell.host.native_type import types
from runwell.host.signature import Signature, signature_of
from runwell.module.types import ExternKind, GlobalType, ImportType
from runwell.runtime.code import ModuleCode
from runwell.runtime.instance import Extern
from runwell.runtime.types import TypeNumber

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, TypeAlias

    Namespace: TypeAlias = Any
    Imports: TypeAlias = Mapping[str, Namespace] | Sequence[object]


class Wanted:
    """What a module imports, worked out once for all its instances.

    Attributes:
        entries: the imports, in order; types are canonical.
        numbers: of the functions' and tags' types, in order; None for other imports.
        names: how errors call them, in order.
        signatures: of the functions that were provided as Python callables, in order.
    """

    __slots__ = ("entries", "names", "numbers", "signatures")

    def __init__(self, code: ModuleCode) -> None:
        self.entries: list[ImportType] = code.import_types()
        self.numbers: list[TypeNumber | None] = [
            code.numbers[entry.desc] if isinstance(entry.desc, int) else None
            for entry in code.module.imports
        ]
        self.names = [f"{entry.module}.{entry.name}" for entry in self.entries]
        self.signatures: list[Signature | None] = [None] * len(self.entries)


def find_imports(
    wanted: Wanted, imports: Imports, functions: Mapping[str, Callable[[str], object]]
) -> list[Extern | None]:
    """What a module's imports name, in order; None where there is nothing.

    Args:
        wanted: what the module imports.
        imports: what the user provides: mappings or instances, by module name; or a list of what
            is imported, in order, None for what is not provided.
        functions: what provides the names that are not in ``imports``, by module name.

    Raises:
        LinkError: what is provided cannot be imported as what is wanted, or a list has another
            length.
        TypeError: what is provided has no names.
    """
    found: list[Extern | None] = []
    in_order: Sequence[object] | None = None
    if isinstance(imports, list | tuple):
        in_order = imports
        if len(in_order) != len(wanted.entries):
            raise LinkError(f"{len(wanted.entries)} imports wanted, {len(in_order)} given")
    elif not hasattr(imports, "get"):
        raise TypeError(
            "imports must be a mapping of module names, or a list in the module's order, "
            f"not {type(imports).__name__}"
        )
    for i, entry in enumerate(wanted.entries):
        if in_order is not None:
            value = in_order[i]
        else:
            namespace = imports.get(entry.module)  # type: ignore[union-attr]
            if type(namespace) is dict:
                value = namespace.get(entry.name)
            else:
                value = _look_up(namespace, entry)
        if value is None:
            provide = functions.get(entry.module)
            value = provide(entry.name) if provide is not None else None
        found.append(None if value is None else _extern(wanted, i, value))
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


def _extern(wanted_all: Wanted, index: int, value: Any) -> Extern:
    """Make a value importable, and leave it to the runtime to compare types."""
    wanted = wanted_all.entries[index]
    type_ = wanted.type
    if isinstance(value, types.func):
        native: Extern = value.native
        return native
    if isinstance(type_, FuncType) and is_function(value):
        signature = wanted_all.signatures[index]
        if signature is None:
            signature = wanted_all.signatures[index] = signature_of(type_)
        name, number = wanted_all.names[index], wanted_all.numbers[index]
        return host_function(value, signature, name, number).func
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
        f"wanted {'func ' * (wanted.kind == ExternKind.FUNC)}{wanted.type}"
    )
