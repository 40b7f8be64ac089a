"""From functions of a module to a job: what runs in the host's process, before a compiler does."""

from __future__ import annotations

from runwell.jit.job import Job, JobFunction, header_of
from runwell.jit.level import Level
from runwell.kernel.types import ctype_of, sizeof
from runwell.runtime import layout
from runwell.runtime.native import native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from runwell.runtime.code import ModuleCode


def make_job(code: ModuleCode, functions: Iterable[int], level: int = Level.BEST) -> Job:
    """A job for functions of a module, which are translated if they were not.

    Functions that are invalid, and so cannot be translated, are left out.
    """
    header = header_of(code.module, code.numbers).encode()
    found = [job_function(code, x) for x in functions]
    return Job(header, tuple([f for f in found if f is not None]), level)


def job_function(code: ModuleCode, index: int) -> JobFunction | None:
    """A function as compilers take it, or None if it is invalid; it is translated if need be."""
    from ctypes import c_uint64, string_at

    where = code.code_address(index)
    size = native.export_code(where, 0)
    if not size:
        return None
    room = bytearray(size)
    native.export_code(where, address_in(room))
    handlers = b""
    module = ctype_of(layout.ModuleCode).from_address(code.address)
    table = c_uint64.from_address(module.handlers + 8 * index).value
    if table:
        head = ctype_of(layout.HandlerTable).from_address(table)
        length = sizeof(layout.HandlerTable) + head.n_ranges * sizeof(layout.TryRange)
        handlers = string_at(table, length + head.n_clauses * sizeof(layout.CatchClause))
    return JobFunction(index, bytes(room), declared_locals(code, index), handlers)


def address_in(room: bytearray) -> int:
    """Where the bytes are."""
    from ctypes import addressof, c_char

    return addressof(c_char.from_buffer(room))


def declared_locals(code: ModuleCode, index: int) -> tuple[tuple[int, int], ...]:
    """Runs of locals that a function declares: how many of which type."""
    from runwell.binary.reader import Reader

    body = code.module.body(index)
    assert body is not None
    reader = Reader(code.module.data, body.start, body.end)
    return tuple([(reader.u32(), int(reader.val_type())) for _ in range(reader.u32())])
