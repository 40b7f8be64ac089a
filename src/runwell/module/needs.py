"""Which features a module needs for what its sections say together.

Looked at only where something of WebAssembly 3.0 is off.  Types and flags that only a feature has
the decoder refuses, and instructions are the business of translation.  Custom sections are no part
of a module's meaning and need nothing.
"""

from collections.abc import Iterator

from runwell.base.errors import InvalidError
from runwell.base.features import BIT
from runwell.base.types import FuncType
from runwell.module.module import Module, SegmentMode
from runwell.module.types import ExternKind, GlobalType


def check_needs(module: Module, features: int) -> None:
    """Check that everything that a module needs is on.

    Raises:
        InvalidError: something is off.
    """
    for what, name in _needs(module):
        if not features & BIT[name]:
            raise InvalidError(f"{what} needs the feature {name!r}, which is off")


def _needs(module: Module) -> Iterator[tuple[str, str]]:
    """What there is, and which feature it needs."""
    if any(
        isinstance(t.composite, FuncType) and len(t.composite.results) > 1 for t in module.types
    ):
        yield "a function with several results", "multi-value"
    if any(g.mutable for g in _shared_globals(module)):
        yield "a mutable global that is imported or exported", "mutable-globals"
    for element in module.elements:
        if element.mode == SegmentMode.DECLARED:
            yield "a declared element segment", "reference-types"
        elif element.mode == SegmentMode.PASSIVE or element.functions is None:
            yield "an element segment of this kind", "bulk-memory"
    if module.data_count is not None:
        yield "a data count", "bulk-memory"
    if any(data.offset is None for data in module.datas):
        yield "a passive data segment", "bulk-memory"


def _shared_globals(module: Module) -> Iterator[GlobalType]:
    """The globals that are imported or exported."""
    types = module.global_types
    yield from (entry.desc for entry in module.imports if isinstance(entry.desc, GlobalType))
    for export in module.exports:
        if export.kind == ExternKind.GLOBAL and export.item < len(types):
            yield types[export.item]
