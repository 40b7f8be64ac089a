"""Validity of a module, apart from its instructions.

Checks types, limits, indices and names.  Function bodies and constant expressions are checked by
translation, which calls nothing here.  Source: core spec 3.0, validation of modules.
"""

from runwell.base import limits
from runwell.base.errors import InvalidError
from runwell.base.features import BIT, DEFAULT
from runwell.base.types import FUNCREF, INDEX_SHIFT, NON_NULL, FuncType, ValType
from runwell.module.module import Module, SegmentMode
from runwell.module.subtyping import TypeStore, rename, value_types
from runwell.module.types import ExternKind, MemoryType, SubType, TableType

PAGES = "memory size must be at most 65536 pages (4GiB)"


def validate_module(module: Module, features: int = DEFAULT) -> None:
    """Check a module but for its instructions.

    Raises:
        InvalidError: it is invalid, exceeds an implementation limit, or needs a feature that is
            off.
    """
    if features & DEFAULT != DEFAULT:
        from runwell.module.needs import check_needs

        check_needs(module, features)
    plain = all(map(_is_plain, module.types))
    if not plain:
        _check_types(module)
    _check_imports(module)
    n_types = len(module.types)
    own = module.function_types[module.n_imported_functions :]
    if own and max(own) >= n_types:
        raise InvalidError(f"unknown type {max(own)}")
    if not plain and not all(
        isinstance(module.types[x].composite, FuncType) for x in set(module.function_types)
    ):
        raise InvalidError("unknown type: a function needs a function type")
    if len(module.table_types) > 1 and not features & BIT["reference-types"]:
        raise InvalidError("multiple tables need the feature 'reference-types', which is off")
    _check_tables(module)
    _check_memories(module, features)
    for x in module.tag_types:
        _check_tag(module, x)
    for g in module.global_types:
        _check_value(g.type, n_types)
    if len(module.global_types) > limits.GLOBALS:
        raise InvalidError(f"too many globals: {len(module.global_types)}")
    if len(module.function_types) > limits.FUNCTIONS:
        raise InvalidError(f"too many functions: {len(module.function_types)}")
    _check_exports(module)
    _check_start(module)
    _check_segments(module)


def _is_plain(t: SubType) -> bool:
    """Is this a final function type over types that need no check?"""
    c = t.composite
    return (
        isinstance(c, FuncType)
        and t.final
        and not t.supers
        and all(v & 0xFF for v in c.params)
        and all(v & 0xFF for v in c.results)
    )


def _check_value(t: ValType, n_types: int) -> None:
    if not t & 0xFF and t >> INDEX_SHIFT >= n_types:
        raise InvalidError(f"unknown type {t >> INDEX_SHIFT}")


def _check_types(module: Module) -> None:
    types = module.types
    groups = module.rec_groups or (1,) * len(types)
    end = 0
    for size in groups:
        first, end = end, end + size
        for x in range(first, end):
            t = types[x]
            for v in value_types(t):
                _check_value(v, end)
            if len(t.supers) > 1:
                raise InvalidError("sub type: more than one supertype")
            for above in t.supers:
                if above >= x:
                    raise InvalidError(f"unknown type {above}")
    store = TypeStore()
    numbers = store.add(types, module.rec_groups)
    depths = [0] * len(types)
    for x, t in enumerate(types):
        for above in t.supers:
            depths[x] = depths[above] + 1
            if depths[x] > limits.SUBTYPE_DEPTH:
                raise InvalidError(f"type {x} has more than {limits.SUBTYPE_DEPTH} supertypes")
            lower, upper = store.types[numbers[x]], store.types[numbers[above]]
            if upper.final or not store.relation.composite_matches(
                lower.composite, upper.composite
            ):
                raise InvalidError(f"sub type {x} does not match its super type {above}")


def _check_imports(module: Module) -> None:
    for entry in module.imports:
        x = entry.desc
        if isinstance(x, int) and x >= len(module.types):
            raise InvalidError(f"unknown type {x}")


def _check_tag(module: Module, x: int) -> None:
    if x >= len(module.types):
        raise InvalidError(f"unknown type {x}")
    t = module.types[x].composite
    if not isinstance(t, FuncType):
        raise InvalidError(f"unknown type {x}: a tag needs a function type")
    if t.results:
        raise InvalidError("non-empty tag result type")


def _check_tables(module: Module) -> None:
    if len(module.table_types) > limits.TABLES:
        raise InvalidError(f"too many tables: {len(module.table_types)}")
    for x, t in enumerate(module.table_types):
        _check_value(t.element, len(module.types))
        _check_table(t)
        own = x - module.n_imported_tables
        if own >= 0 and module.table_inits[own] is None and t.element & NON_NULL:
            raise InvalidError("type mismatch: a table of non-null references needs an initial one")


def _check_table(t: TableType) -> None:
    """Check the limits of a table."""
    if t.maximum is not None and t.minimum > t.maximum:
        raise InvalidError("size minimum must not be greater than maximum")
    if not t.is_64 and max(t.minimum, t.maximum or 0) >= 1 << 32:
        raise InvalidError("table size must be at most 2^32-1")


def _check_memories(module: Module, features: int) -> None:
    count = len(module.memory_types)
    if count > 1 and not features & BIT["multi-memory"]:
        raise InvalidError("multiple memories need the feature 'multi-memory', which is off")
    if count > limits.MEMORIES:
        raise InvalidError(f"too many memories: {count}, the limit is {limits.MEMORIES}")
    for t in module.memory_types:
        _check_memory(t)


def _check_memory(t: MemoryType) -> None:
    """Check the limits of a memory."""
    if t.page_bits not in (0, 16):
        raise InvalidError("invalid custom page size")
    if t.is_64:
        most, text = 1 << (64 - t.page_bits), f"memory size must be at most 2^{64 - t.page_bits}"
        if not t.page_bits:
            most -= 1
    else:
        most, text = (1 << 16, PAGES) if t.page_bits else ((1 << 32) - 1, "memory size")
    if t.minimum > most or (t.maximum is not None and t.maximum > most):
        raise InvalidError(text)
    if t.maximum is not None and t.minimum > t.maximum:
        raise InvalidError("size minimum must not be greater than maximum")
    if t.shared and t.maximum is None:
        raise InvalidError("shared memory must have maximum")


def _check_exports(module: Module) -> None:
    names = {export.name for export in module.exports}
    if len(names) != len(module.exports):
        seen: set[str] = set()
        for export in module.exports:
            if export.name in seen:
                raise InvalidError(f"duplicate export name {export.name!r}")
            seen.add(export.name)
    sizes = (
        len(module.function_types),
        len(module.table_types),
        len(module.memory_types),
        len(module.global_types),
        len(module.tag_types),
    )
    for _, kind, x in module.exports:
        if x >= sizes[kind]:
            word = "function" if kind == ExternKind.FUNC else kind.text
            raise InvalidError(f"unknown {word} {x}")


def _check_start(module: Module) -> None:
    x = module.start
    if x is None:
        return
    if x >= len(module.function_types):
        raise InvalidError(f"unknown function {x}")
    if module.signature(x) != ((), ()):
        raise InvalidError("start function must have neither parameters nor results", function=x)


def _check_segments(module: Module) -> None:
    n_functions, n_tables = len(module.function_types), len(module.table_types)
    store: TypeStore | None = None
    numbers: list[int] = []
    for segment in module.elements:
        _check_value(segment.type, len(module.types))
        x = segment.functions
        if x is not None and len(x) and max(x) >= n_functions:
            raise InvalidError(f"unknown function {max(x)}")
        if segment.mode != SegmentMode.ACTIVE:
            continue
        if segment.table >= n_tables:
            raise InvalidError(f"unknown table {segment.table}")
        t, wanted = segment.type, module.table_types[segment.table].element
        if x is not None:
            t = ValType(FUNCREF | NON_NULL)
        if wanted not in (t, t & ~NON_NULL):
            if store is None:
                store = TypeStore()
                numbers = store.add(module.types, module.rec_groups)
            if not store.relation.matches(rename(t, numbers), rename(wanted, numbers)):
                raise InvalidError(
                    f"type mismatch: elements of {t.text} in a table of {wanted.text}"
                )
    for data in module.datas:
        if data.offset is not None and data.memory >= len(module.memory_types):
            raise InvalidError(f"unknown memory {data.memory}")
