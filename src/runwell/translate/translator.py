"""The translator as Python sees it: validation, constant expressions, places in the binary.

Translation itself needs no Python: a function's first call leads to ``translate_on_demand``.
"""

from __future__ import annotations

from array import array
from itertools import pairwise

from runwell.base.errors import InternalError, InvalidError, MalformedError, RunwellError
from runwell.base.light_ctypes import CFUNCTYPE, addressof, c_uint32, c_uint64
from runwell.base.types import I32, I64, ValType
from runwell.kernel.types import ctype_of
from runwell.module.module import Module, Span
from runwell.runtime.code import ModuleCode
from runwell.runtime.layout import FuncCode
from runwell.runtime.mapping import Mapping
from runwell.runtime.native import hooks, native
from runwell.translate.layout import Span as ConstantSpan
from runwell.translate.layout import Trouble

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# Address space for the code of one function, for each byte of its body and beside that.
_ROOM_FACTOR, _ROOM = 64, 8 << 20
_NOTE_BYTES = 8
# Bytes of code that are worth a thread; checking them takes some ten milliseconds.
_PART_BYTES, _MOST_PARTS = 4 << 20, 8
# How often somebody who wants to know is told how far it is.
_TELL_BYTES = 1 << 20
# Functions whose origins are remembered, for backtraces.
_REMEMBERED = 64
_UNKNOWN_TYPE, _UNKNOWN_HEAP = 0x80, 0x68


def validate(code: ModuleCode, progress: Callable[[int, int], object] | None = None) -> None:
    """Check all function bodies and constant expressions of a module.

    Args:
        code: the module.
        progress: is told how many bytes of code of how many are checked; what it raises ends that.

    Raises:
        InvalidError: the first that is invalid.
        MalformedError: the first whose bytes are no instructions.
    """
    validate_constants(code)
    size = code_bytes(code)
    threads = _threads(size)
    if progress is not None:
        progress(0, size)
    if size > _TELL_BYTES and progress is not None:
        _check_together(code, _parts(code, size // _TELL_BYTES + 1), threads, progress)
    elif threads == 1:
        _check(code, code.module.n_imported_functions, code.n_functions)
        if progress is not None:
            progress(size, size)
    else:
        _check_together(code, _parts(code, threads), threads, None)


def validate_function(code: ModuleCode, function: int) -> None:
    """Check one function; for modules that were not validated as a whole.

    Raises:
        InvalidError: it is invalid.
        MalformedError: its bytes are no instructions.
    """
    _check(code, function, function + 1)


def _check(code: ModuleCode, first: int, last: int) -> None:
    trouble = _find_trouble(code, first, last)
    if trouble is not None:
        raise _error(code.module, trouble, int(trouble.function))


def _find_trouble(code: ModuleCode, first: int, last: int) -> Any:
    """The first trouble in a range of functions, or None."""
    trouble: Any = ctype_of(Trouble)()
    entry = _entry("validate_code", 4)
    return trouble if entry(code.address, first, last, addressof(trouble)) else None


def code_bytes(code: ModuleCode) -> int:
    """Bytes of the function bodies of a module."""
    bodies = code.module.bodies
    return bodies[-1] - bodies[0] if bodies else 0


def _threads(size: int) -> int:
    """How many threads are worth it for so many bytes of code."""
    if size < 2 * _PART_BYTES:
        return 1
    from os import sched_getaffinity

    return min(len(sched_getaffinity(0)), size // _PART_BYTES, _MOST_PARTS)


def _parts(code: ModuleCode, count: int) -> list[tuple[int, int]]:
    """Ranges of functions, about equal in bytes."""
    from bisect import bisect_right

    bodies, first = code.module.bodies, code.module.n_imported_functions
    starts = bodies[::2]
    size = code_bytes(code)
    ends = [bisect_right(starts, bodies[0] + size * i // count) for i in range(1, count)]
    bounds = [first, *(first + end for end in ends), code.n_functions]
    return list(pairwise(bounds))


def _check_together(
    code: ModuleCode,
    parts: list[tuple[int, int]],
    threads: int,
    progress: Callable[[int, int], object] | None,
) -> None:
    """Check parts, in several threads; what is raised is what checking one by one would raise."""
    from runwell.translate.threads import in_threads

    bodies, size = code.module.bodies, code_bytes(code)
    troubles = in_threads(
        lambda part: _find_trouble(code, *part), parts, threads, helping=progress is None
    )
    try:
        for (_, last), trouble in zip(parts, troubles, strict=True):
            if trouble is not None:
                raise _error(code.module, trouble, int(trouble.function))
            if progress is not None:
                x = (last - code.module.n_imported_functions) * 2
                progress(bodies[x - 1] - bodies[0] if x else 0, size)
    finally:
        troubles.close()


def validate_constants(code: ModuleCode) -> None:
    """Check all constant expressions of a module.

    Raises:
        InvalidError: the first that is invalid.
        MalformedError: the first whose bytes are no instructions.
    """
    spans = _constants(code)
    if not spans:
        return
    trouble: Any = ctype_of(Trouble)()
    n = len(spans) // 4
    entry = _entry("validate_constants", 4)
    if entry(code.address, spans.buffer_info()[0], n, addressof(trouble)):
        raise _error(code.module, trouble, None)


def _constants(code: ModuleCode) -> array[int]:
    """Start, end, type and visible globals of every constant expression."""
    spans = array("I")
    module = code.module
    imported = module.n_imported_globals
    n_globals = len(module.global_types)

    def add(span: Span | None, type_: ValType, visible: int) -> None:
        if span is not None:
            spans.extend((span.start, span.end, code.native_type(type_), visible))

    for table, init in zip(module.table_types[module.n_imported_tables :], module.table_inits):  # noqa: B905
        add(init, table.element, imported)
    for i, init in enumerate(module.global_inits, imported):
        add(init, module.global_types[i].type, i)
    for element in module.elements:
        if element.offset is not None:
            is_64 = module.table_types[element.table].is_64
            add(element.offset, I64 if is_64 else I32, n_globals)
        for span in element.expressions or ():
            add(span, element.type, n_globals)
    for data in module.datas:
        if data.offset is not None:
            add(data.offset, I64 if module.memory_types[data.memory].is_64 else I32, n_globals)
    return spans


def _error(module: Module, trouble: Any, function: int | None) -> RunwellError:
    """What to raise for a trouble."""
    from runwell.isa.table import TABLE
    from runwell.translate.errors import Error

    error = Error(trouble.code)
    offset = int(trouble.offset)
    message = error.text(trouble.detail)
    if error == Error.END_EXPECTED:
        # The suite has a name for each thing that can be where the `end` should be.
        follows = module.data[offset : offset + 1]
        if not follows:
            message = Error.UNEXPECTED_END.text()
        elif follows == b"\x0b":
            message = Error.CONTENT_AFTER_END.text()
    if error.is_malformed:
        return MalformedError(message, offset)
    if error == Error.TYPE_MISMATCH:
        wanted = _types(trouble.wanted, trouble.n_wanted)
        found = _types(trouble.found, trouble.n_found)
        message += f": instruction requires {wanted} but stack has {found}"
    op = TABLE.at(trouble.opcode >> 16, trouble.opcode & 0xFFFF)
    name = module.function_name(function) if function is not None else ""
    return InvalidError(message, function, offset, op.mnemonic if op is not None else "", name)


def _types(types: Any, n: int) -> str:
    """Types as the reference interpreter lists them."""
    shown = [_type_text(t) for t in types[: min(n, len(types))]]
    return f"[{' '.join([*shown, *(['...'] if n > len(types) else [])])}]"


def _type_text(type_: int) -> str:
    if type_ == _UNKNOWN_TYPE:
        return "unknown"
    return "(ref unknown)" if type_ & 0xFF == _UNKNOWN_HEAP else ValType(type_).text


# Constant expressions.


def translate_constant(code: ModuleCode, start: int, end: int, type_: ValType) -> int:
    """Translate a valid constant expression of a module.

    Args:
        code: the module.
        start: offset of its first byte.
        end: offset behind its ``end``.
        type_: its type.

    Returns:
        The address of a ``FuncCode`` that returns the value; the same at every call.
    """
    key = start, type_
    constants = _constant_codes.of(code)
    found = constants.get(key)
    if found is None:
        visible = len(code.module.global_types)
        span: Any = ctype_of(ConstantSpan)(start, end, code.native_type(type_), visible)
        found = ctype_of(FuncCode)()
        entry = _entry("translate_constant", 3)
        if entry(code.address, addressof(span), addressof(found)):
            raise InternalError(f"the constant expression at {start:#x} was not validated")
        constants[key] = found
    return addressof(found)


# Places in the binary.


class _Origins:
    """Where the register code of one function comes from: parallel arrays, ascending."""

    __slots__ = ("codes", "offsets")

    def __init__(self, code: ModuleCode, function: int) -> None:
        body = code.module.body(function)
        assert body is not None
        room = Mapping(_ROOM + _ROOM_FACTOR * (body.end - body.start))
        notes = Mapping(room.size)
        entry = _entry("map_offsets", 5)
        where = code.code_address(function)
        n = entry(code.address, where, room, room + room.size, notes)
        pairs = array("I", bytes((c_uint32 * (2 * n)).from_address(notes)))
        self.codes = pairs[::2]
        self.offsets = array("I", [body.start + offset for offset in pairs[1::2]])


def offset_of(code: ModuleCode, function: int, address: int) -> int | None:
    """The offset in the binary of the instruction that an address of register code belongs to.

    Args:
        code: the module.
        function: index of the function.
        address: anywhere in the instruction.

    Returns:
        The offset, or None if the address is not in the function's code.
    """
    where = ctype_of(FuncCode).from_address(code.code_address(function))
    if where.frame_bytes == 0 or not code.contains(address):
        return None
    remembered = _origins.of(code)
    origins = remembered.get(function)
    if origins is None:
        if len(remembered) >= _REMEMBERED:
            remembered.clear()
        origins = remembered[function] = _Origins(code, function)
    from bisect import bisect_right

    i = bisect_right(origins.codes, address - where.start) - 1
    return origins.offsets[i] if i >= 0 else None


class _ByModule:
    """Something by module, forgotten with it."""

    __slots__ = ("_table",)

    def __init__(self) -> None:
        self._table: Any = None

    def of(self, code: ModuleCode) -> dict[Any, Any]:
        """What is known of a module."""
        if self._table is None:
            from weakref import WeakKeyDictionary

            self._table = WeakKeyDictionary()
        found: dict[Any, Any] = self._table.setdefault(code, {})
        return found


_constant_codes = _ByModule()
_origins = _ByModule()


# The native side.

_entries: dict[tuple[str, int], Any] = {}


def _entry(name: str, arguments: int) -> Any:
    """A kernel, called without the interpreter lock."""
    address = native.address(name)
    key = name, address
    found = _entries.get(key)
    if found is None:
        prototype = CFUNCTYPE(c_uint32, *[c_uint64] * arguments)
        found = _entries[key] = prototype(address)
    return found


def install() -> None:
    """Lend the runtime what it needs of the translator."""
    hooks.translate_constant = translate_constant
    hooks.offset_of = offset_of
    hooks.validate_function = validate_function


install()
