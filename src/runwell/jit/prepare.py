"""From functions of a module to a job: what runs in the host's process, before a compiler does."""

from __future__ import annotations

from array import array

from runwell.base.errors import InternalError
from runwell.jit.job import Job, JobFunction, header_of
from runwell.kernel.types import ctype_of, sizeof
from runwell.runtime import layout
from runwell.runtime.native import native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from runwell.runtime.code import ModuleCode


def make_job(code: ModuleCode, functions: Iterable[int], level: int = 2) -> Job:
    """A job for functions of a module, which are translated if they were not.

    Raises:
        InternalError: a function cannot be translated: it was not validated.
    """
    header = header_of(code.module, code.numbers).encode()
    return Job(header, tuple([_function(code, x) for x in functions]), level)


def _function(code: ModuleCode, index: int) -> JobFunction:
    from ctypes import CFUNCTYPE, c_uint32, c_uint64, string_at

    from runwell.isa.form import FORMS
    from runwell.translate.code import decode_code

    where = ctype_of(layout.FuncCode).from_address(code.code_address(index))
    if where.frame_bytes == 0:
        prototype = CFUNCTYPE(c_uint32, c_uint64, c_uint32, c_uint32)
        translate = prototype(native.address("translate_functions"))
        if translate(code.address, index, index + 1):
            raise InternalError(f"function {index} cannot be translated")
    module = ctype_of(layout.ModuleCode).from_address(code.address)
    order = list((c_uint64 * module.n_translated).from_address(module.translated))
    at = order.index(code.code_address(index))
    end = module.code_out
    if at + 1 < len(order):
        end = ctype_of(layout.FuncCode).from_address(order[at + 1]).entry
    words = array("I", string_at(where.entry, end - where.entry))
    handlers = (c_uint64 * len(FORMS)).from_address(native.address("handler_table"))
    forms = {handlers[x]: x for x in range(len(FORMS))}
    for instruction in decode_code(words, forms):
        words[instruction.at // 4] = instruction.form.index
        words[instruction.at // 4 + 1] = 0
    handlers = b""
    table = c_uint64.from_address(module.handlers + 8 * index).value
    if table:
        head = ctype_of(layout.HandlerTable).from_address(table)
        size = sizeof(layout.HandlerTable) + head.n_ranges * sizeof(layout.TryRange)
        handlers = string_at(table, size + head.n_clauses * sizeof(layout.CatchClause))
    return JobFunction(index, words.tobytes(), declared_locals(code, index), handlers)


def declared_locals(code: ModuleCode, index: int) -> tuple[tuple[int, int], ...]:
    """Runs of locals that a function declares: how many of which type."""
    from runwell.binary.reader import Reader

    body = code.module.body(index)
    assert body is not None
    reader = Reader(code.module.data, body.start, body.end)
    return tuple([(reader.u32(), int(reader.val_type())) for _ in range(reader.u32())])
